//! The one place that reads the environment for connections: passwords only, as libpq finds them.
//! Where to connect and how the line is protected stands in the configuration alone.

use std::path::PathBuf;

use protocol::Secret;

/// What the environment says about passwords.
#[derive(Debug, Default, Clone)]
pub(super) struct Environment {
    /// `PGPASSWORD`.
    pub(super) password: Option<Secret>,
    /// `PGPASSFILE`, or else `.pgpass` in the home folder.
    pub(super) passfile: Option<PathBuf>,
}

impl Environment {
    pub(super) fn read() -> Self {
        let passfile = std::env::var_os("PGPASSFILE").filter(|name| !name.is_empty()).map(PathBuf::from);
        Self {
            password: std::env::var("PGPASSWORD").ok().filter(|text| !text.is_empty()).map(Secret::new),
            passfile: passfile.or_else(|| std::env::home_dir().map(|home| home.join(".pgpass"))),
        }
    }
}
