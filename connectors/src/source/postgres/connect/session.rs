//! A session that is ready for work.

use std::ops::{Deref, DerefMut};

use protocol::Result;
use tokio_postgres::{Config, NoTls};

use crate::source::postgres::error::failed;

/// A session in which values are rendered the same way everywhere and nothing can be written.
/// Dropping it ends what the server does for it.
pub(crate) struct Client {
    inner: tokio_postgres::Client,
    /// As `server_version_num`: 150018.
    pub(crate) server_version: u32,
    /// Whether the server is a standby.
    pub(crate) is_in_recovery: bool,
}

impl Client {
    pub(super) async fn open(config: &Config) -> Result<Self> {
        let (inner, connection) =
            config.connect(NoTls).await.map_err(|error| failed("could not connect", &error))?;
        tokio::spawn(connection);
        inner
            .batch_execute(
                "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; \
                 SET extra_float_digits = 1; SET bytea_output = 'hex'; SET default_transaction_read_only = on",
            )
            .await
            .map_err(|error| failed("could not prepare a session", &error))?;
        let row = inner
            .query_one("SELECT current_setting('server_version_num')::int4, pg_is_in_recovery()", &[])
            .await
            .map_err(|error| failed("could not prepare a session", &error))?;
        let version: i32 = row.get(0);
        Ok(Self { inner, server_version: version.unsigned_abs(), is_in_recovery: row.get(1) })
    }
}

impl Deref for Client {
    type Target = tokio_postgres::Client;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}
