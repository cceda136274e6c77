//! Where the account is and who we are there, as it is configured.

use std::path::PathBuf;

use protocol::{Period, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// A Snowflake account, how to reach it and who to be there.
///
/// Made to be flattened into a configuration (`#[serde(flatten)]`); the configuration's own
/// `deny_unknown_fields` then catches what neither knows. How to log in is one of: a private key,
/// `access_token`, `oauth_token`, `password`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_field_names, reason = "the setting is called as Snowflake calls the thing")]
pub(in super::super) struct Account {
    /// The account: `myorg-myaccount`, or the older `xy12345.eu-central-1` (locator, region, cloud). With
    /// `.privatelink` at its end where the account is reached by a private link.
    pub(super) account: Option<String>,
    /// The region of an `account` that is a locator: `eu-central-1`, `west-europe.azure`.
    pub(super) region: Option<String>,
    /// The server's name, where it does not follow from `account`.
    pub(super) host: Option<String>,
    /// The server's port; 443 unless given.
    pub(super) port: Option<u16>,
    /// `https`, unless the server is a stand-in for tests: `http` sends credentials as they are.
    pub(super) protocol: Option<Protocol>,
    /// The user to log in as.
    pub(super) user: Option<String>,
    /// The user's private key (RSA): PKCS#8 or PKCS#1 in PEM form, or the base64 of PKCS#8.
    pub(super) private_key: Option<Secret>,
    /// The file of the private key.
    #[schemars(extend("format" = "path"))]
    pub(super) private_key_file: Option<PathBuf>,
    /// The passphrase of an encrypted private key.
    pub(super) private_key_passphrase: Option<Secret>,
    /// A programmatic access token.
    pub(super) access_token: Option<Secret>,
    /// The file of the programmatic access token; read at each login.
    #[schemars(extend("format" = "path"))]
    pub(super) access_token_file: Option<PathBuf>,
    /// An OAuth access token.
    pub(super) oauth_token: Option<Secret>,
    /// The file of the OAuth access token; read at each login, so that it may be renewed.
    #[schemars(extend("format" = "path"))]
    pub(super) oauth_token_file: Option<PathBuf>,
    /// The user's password. Snowflake no longer takes it from users of services.
    pub(super) password: Option<Secret>,
    /// The role to take; the user's default unless given.
    pub(super) role: Option<String>,
    /// The warehouse that loads; the user's default unless given.
    pub(super) warehouse: Option<String>,
    /// The database that is written to.
    pub(super) database: Option<String>,
    /// The schema that is written to.
    pub(super) schema: Option<String>,
    /// A proxy to go through: `http://proxy:3128`, also with user and password.
    pub(super) proxy: Option<Secret>,
    /// Certificates (PEM) of authorities to trust besides those of the system.
    #[schemars(extend("format" = "path"))]
    pub(super) ca_file: Option<PathBuf>,
    /// How long to wait for a connection; 15s unless given.
    pub(super) connect_timeout: Option<Period>,
    /// How long the server may be silent in one request; 5m unless given. Statements that run longer are
    /// waited for.
    pub(super) request_timeout: Option<Period>,
    /// Longest time that a statement may run; 4h unless given, 0 for as long as the account allows.
    pub(super) statement_timeout: Option<Period>,
    /// Longest time to wait for a table that someone has locked; 1m unless given, 0 to wait for none.
    pub(super) lock_timeout: Option<Period>,
}

/// How the server is spoken to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Protocol {
    /// Encrypted, and the server's certificate checked.
    #[default]
    Https,
    /// As it is.
    Http,
}

impl Account {
    /// The database that is written to, where one is set.
    pub(in super::super) fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// The schema that is written to, where one is set.
    pub(in super::super) fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The role that is taken, where one is set.
    pub(in super::super) fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// The warehouse that loads, where one is set.
    pub(in super::super) fn warehouse(&self) -> Option<&str> {
        self.warehouse.as_deref()
    }

    /// Waits for locks no longer than that, where nothing is set.
    #[must_use]
    pub(in super::super) fn waiting_for_locks(self, most: Period) -> Self {
        Self { lock_timeout: self.lock_timeout.or(Some(most)), ..self }
    }

    /// The user, where one is set.
    pub(in super::super) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The proxy to go through, where one is set: uploads go through it too.
    pub(in super::super) fn proxy(&self) -> Option<&Secret> {
        self.proxy.as_ref()
    }

    /// Certificates to trust besides those of the system, where set: for uploads too.
    pub(in super::super) fn ca_file(&self) -> Option<&std::path::Path> {
        self.ca_file.as_deref()
    }
}
