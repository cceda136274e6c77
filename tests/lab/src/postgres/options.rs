//! How a cluster shall differ from the usual one.

use super::{Binaries, Tls};

/// What a cluster is started with. The default: the preferred binaries, passwords by
/// scram-sha-256, no TLS.
#[derive(Clone, Debug)]
pub struct Options {
    pub(super) binaries: Option<Binaries>,
    pub(super) method: &'static str,
    pub(super) settings: Vec<(String, String)>,
    pub(super) tls: Option<Tls>,
    pub(super) certified: Option<String>,
    pub(super) environment: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            binaries: None,
            method: "scram-sha-256",
            settings: Vec::new(),
            tls: None,
            certified: None,
            environment: Vec::new(),
        }
    }
}

impl Options {
    #[must_use]
    pub fn binaries(mut self, binaries: Binaries) -> Self {
        self.binaries = Some(binaries);
        self
    }

    /// One line of `postgresql.conf`; it wins over what the lab sets itself.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A variable of the server's environment.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes enough to the log for logical decoding.
    #[must_use]
    pub fn logical(self) -> Self {
        self.setting("wal_level", "logical")
    }

    /// Passwords by md5, as clusters have them that were set up long ago.
    #[must_use]
    pub fn md5(mut self) -> Self {
        self.method = "md5";
        self.setting("password_encryption", "md5")
    }

    /// Connections over TCP must be encrypted; the server shows the certificate of `tls`.
    #[must_use]
    pub fn tls(mut self, tls: &Tls) -> Self {
        self.tls = Some(tls.clone());
        self
    }

    /// With [`tls`](Self::tls): `role` must show a client certificate in its name besides its
    /// password.
    #[must_use]
    pub fn client_certificate(mut self, role: &str) -> Self {
        self.certified = Some(role.to_owned());
        self
    }

    /// Who may connect, and how they prove who they are. Over the socket, which only this account
    /// and root can reach, the lab itself comes in without a password.
    pub(super) fn access(&self) -> String {
        let method = self.method;
        let kind = if self.tls.is_some() { "hostssl" } else { "host" };
        let mut lines = vec!["local all,replication all trust".to_owned()];
        if let Some(role) = &self.certified {
            lines.push(format!("{kind} all \"{role}\" 127.0.0.1/32 {method} clientcert=verify-full"));
        }
        lines.push(format!("{kind} all,replication all 127.0.0.1/32 {method}"));
        lines.push("host all all all reject\n".to_owned());
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_the_named_role_for_a_certificate_first() {
        let options = Options { certified: Some("reader".to_owned()), ..Options::default() };
        let access = options.access();
        let lines: Vec<&str> = access.lines().collect();
        assert!(lines[1].contains("\"reader\"") && lines[1].ends_with("clientcert=verify-full"), "{lines:?}");
        assert!(!lines[2].contains("clientcert"));
    }
}
