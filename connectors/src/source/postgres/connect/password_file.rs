//! The password file: lines `host:port:database:user:password`, as libpq reads them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use protocol::Secret;

/// Where libpq looks for a socket when it is told no host: such lines say `localhost`.
const DEFAULT_SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// Passwords by where and as whom they are used. Holds the file's lines, and so is never printed.
pub(super) struct PasswordFile(Vec<[String; 5]>);

impl PasswordFile {
    /// The file's lines; none where there is no such file. A file that others may read is left
    /// alone, with a warning.
    pub(super) fn read(path: &Path) -> Self {
        let Ok(data) = fs::metadata(path) else { return Self(Vec::new()) };
        if !data.is_file() {
            tracing::warn!(path = %path.display(), "the password file is not a plain file, and so is ignored");
            return Self(Vec::new());
        }
        if data.mode() & 0o077 != 0 {
            tracing::warn!(
                path = %path.display(),
                "the password file may be read by others, and so is ignored; chmod 0600 it"
            );
            return Self(Vec::new());
        }
        match fs::read_to_string(path) {
            Ok(text) => Self(text.lines().filter_map(fields).collect()),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the password file can't be read");
                Self(Vec::new())
            }
        }
    }

    /// The password of the first line that fits.
    pub(super) fn password(&self, host: &str, port: u16, database: &str, user: &str) -> Option<Secret> {
        let host = if DEFAULT_SOCKET_FOLDERS.contains(&host) { "localhost" } else { host };
        let wanted = [host, &port.to_string(), database, user];
        let fits = |line: &&[String; 5]| {
            line.iter().zip(wanted).all(|(pattern, wanted)| pattern == "\u{0}*" || pattern == wanted)
        };
        self.0
            .iter()
            .find(fits)
            .map(|line| Secret::new(line[4].clone()))
            .filter(|found| !found.reveal().is_empty())
    }
}

/// The five fields of a line. A lone `*` becomes NUL and `*`, which no escaped text can be.
fn fields(line: &str) -> Option<[String; 5]> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    let mut escaped = false;
    while let Some(character) = characters.next() {
        let last = fields.len() - 1;
        match character {
            '\\' => {
                escaped = true;
                fields[last].extend(characters.next());
            }
            ':' if last < 4 => {
                if !escaped && fields[last] == "*" {
                    fields[last].insert(0, '\0');
                }
                escaped = false;
                fields.push(String::new());
            }
            other => fields[last].push(other),
        }
    }
    fields.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    const TEXT: &str = "# host:port:database:user:password\n\
        db1:5432:shop:reader:first\n\
        db1:*:*:reader:second\n\
        \\*:1:d:u:escaped star\n\
        ::1:1:d:u:never\n\
        \\:\\:1:1:d:u:a\\:b\\\\c:d\n\
        localhost:*:*:*:local\n\
        too:few:fields\n";

    #[test]
    fn finds_the_first_line_that_fits() {
        let file = file(TEXT, 0o600);
        let file = PasswordFile::read(file.path());
        let find = |host, port, database, user| {
            file.password(host, port, database, user).map(|secret| secret.reveal().to_owned())
        };
        assert_eq!(find("db1", 5432, "shop", "reader").as_deref(), Some("first"));
        assert_eq!(find("db1", 5433, "shop", "reader").as_deref(), Some("second"));
        assert_eq!(find("*", 1, "d", "u").as_deref(), Some("escaped star"));
        assert_eq!(find("any", 1, "d", "u"), None);
        assert_eq!(find("::1", 1, "d", "u").as_deref(), Some("a:b\\c:d"));
        assert_eq!(find("/var/run/postgresql", 1, "d", "u").as_deref(), Some("local"));
        assert_eq!(find("db2", 5432, "shop", "reader"), None);
    }

    #[test]
    fn a_file_that_others_may_read_is_ignored() {
        for mode in [0o644, 0o640, 0o604] {
            let file = file(TEXT, mode);
            assert!(PasswordFile::read(file.path()).password("db1", 5432, "shop", "reader").is_none());
        }
        assert!(PasswordFile::read(Path::new("/no/such/file")).0.is_empty());
    }
}
