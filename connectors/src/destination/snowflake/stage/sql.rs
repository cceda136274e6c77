//! The statements that speak of a stage's files. None of them needs a warehouse.

use std::fmt;

/// A stage's name as statements have it: quoted, with database and schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct StageName(String);

impl StageName {
    /// Of a name that is quoted already: `"RAW"."PUBLIC"."_LOAD"`.
    pub(in super::super) fn new(quoted: impl Into<String>) -> Self {
        Self(quoted.into())
    }

    /// The place of a path in it, as statements have it: `'@"RAW"."PUBLIC"."_LOAD"/orders/'`.
    pub(in super::super) fn place(&self, path: &str) -> String {
        literal(&format!("@{}/{path}", self.0))
    }

    /// Asks for what it takes to upload a file to that folder. Nobody reads the file that it names.
    pub(super) fn put(&self, folder: &str, file: &str) -> String {
        let file = literal(&format!("file:///tmp/{file}"));
        let place = self.place(folder);
        format!("PUT {file} {place} AUTO_COMPRESS=FALSE SOURCE_COMPRESSION=NONE OVERWRITE=TRUE")
    }

    /// Asks for what it takes to download what begins with that path.
    pub(super) fn get(&self, path: &str) -> String {
        format!("GET {} 'file:///tmp/'", self.place(path))
    }

    /// Lists what begins with that path.
    pub(super) fn list(&self, path: &str) -> String {
        format!("LIST {}", self.place(path))
    }

    /// Removes what begins with that path.
    pub(super) fn remove(&self, path: &str) -> String {
        format!("REMOVE {}", self.place(path))
    }
}

impl fmt::Display for StageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_these() {
        let stage = StageName::new(r#""RAW"."Pub""lic"."it's""#);
        assert_eq!(
            stage.put("orders/00000007-a/", "1.parquet"),
            r#"PUT 'file:///tmp/1.parquet' '@"RAW"."Pub""lic"."it''s"/orders/00000007-a/' AUTO_COMPRESS=FALSE SOURCE_COMPRESSION=NONE OVERWRITE=TRUE"#
        );
        let stage = StageName::new(r#""D"."S"."_LOAD""#);
        assert_eq!(stage.get("a/h.json"), r#"GET '@"D"."S"."_LOAD"/a/h.json' 'file:///tmp/'"#);
        assert_eq!(stage.list(""), r#"LIST '@"D"."S"."_LOAD"/'"#);
        assert_eq!(stage.remove("a/"), r#"REMOVE '@"D"."S"."_LOAD"/a/'"#);
    }
}
