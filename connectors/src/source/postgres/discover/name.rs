//! Names of streams: `schema.table`, one name for one table whatever is in it.

use protocol::{Error, Result};

/// `schema.table`; a part with a dot or a quote in it stands in quotes: `public."a.b"`. Two tables
/// never have one name.
pub(crate) fn stream_name(schema: &str, name: &str) -> String {
    format!("{}.{}", part(schema), part(name))
}

fn part(text: &str) -> String {
    if text.contains(['.', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// Schema and table of a stream name.
pub(super) fn parse(stream_name: &str) -> Result<(String, String)> {
    let unreadable = || {
        Error::config(format!("{stream_name:?} is not the name of a stream")).hint(
            "names are `schema.table`; a part with a dot or a quote in it stands in quotes: `public.\"a.b\"`",
        )
    };
    let (schema, rest) = take_part(stream_name).ok_or_else(unreadable)?;
    let rest = rest.strip_prefix('.').ok_or_else(unreadable)?;
    match take_part(rest) {
        Some((name, "")) => Ok((schema, name)),
        _ => Err(unreadable()),
    }
}

/// The part that `text` begins with, and what follows it.
fn take_part(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find('.').unwrap_or(text.len());
        let (part, rest) = text.split_at(end);
        return (!part.is_empty() && !part.contains('"')).then(|| (part.to_owned(), rest));
    };
    let mut part = String::new();
    let mut rest = quoted;
    loop {
        let (before, after) = rest.split_once('"')?;
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                part.push('"');
                rest = after;
            }
            None => return (!part.is_empty()).then_some((part, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_one_name_that_leads_back_to_it() {
        let parts = [
            "a", "A", "a.b", "\"", "\"\"", "a\"b", "a.\"b", ".", "\".\"", " ", "Ärger", "a*", "'", "\\", "\n",
        ];
        let mut names = std::collections::HashSet::new();
        for schema in parts {
            for name in parts {
                let stream = stream_name(schema, name);
                assert_eq!(parse(&stream).unwrap(), (schema.to_owned(), name.to_owned()), "{stream}");
                assert!(names.insert(stream));
            }
        }
    }

    #[test]
    fn plain_names_stay_plain() {
        assert_eq!(stream_name("public", "orders"), "public.orders");
        assert_eq!(stream_name("public", "a.b"), "public.\"a.b\"");
    }

    #[test]
    fn refuses_what_names_no_table() {
        for name in ["", "orders", ".orders", "public.", "a.b.c", "\"a.b", "\"\".b", "a\"b.c", "\"a\"b.c"] {
            assert!(parse(name).is_err(), "{name}");
        }
    }
}
