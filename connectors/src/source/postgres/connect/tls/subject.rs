//! What rustls does not look at in a certificate and libpq does: the name of old, the time of a
//! self-signed one, the version.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, OtherError};
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ALTERNATIVE_NAMES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

/// A certificate taken apart.
pub(super) struct Subject(Certificate);

impl Subject {
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let parsed = Certificate::from_der(certificate)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        Ok(Self(parsed))
    }

    /// Version 1 has no extensions, and so can't say what it may be used for.
    pub(super) fn check_version(&self) -> Result<(), Error> {
        if self.0.tbs_certificate.version == Version::V3 { Ok(()) } else { Err(Unfit::Version.into()) }
    }

    pub(super) fn check_time(&self, now: UnixTime) -> Result<(), Error> {
        let validity = &self.0.tbs_certificate.validity;
        if now.as_secs() > validity.not_after.to_unix_duration().as_secs() {
            return Err(CertificateError::Expired.into());
        }
        if now.as_secs() < validity.not_before.to_unix_duration().as_secs() {
            return Err(CertificateError::NotValidYet.into());
        }
        Ok(())
    }

    /// Whether the certificate, which names no alternative names, is for `server` by its common name;
    /// `otherwise` if not.
    pub(super) fn check_common_name(&self, server: &ServerName<'_>, otherwise: Error) -> Result<(), Error> {
        let has_names =
            self.0.tbs_certificate.extensions.iter().flatten().any(|e| e.extn_id == ALTERNATIVE_NAMES);
        let Some(name) = self.common_name().filter(|_| !has_names) else { return Err(otherwise) };
        if fits(name, server) { Ok(()) } else { Err(Unfit::Name(name.to_owned()).into()) }
    }

    /// The key that the certificate is about.
    pub(super) fn public_key(&self) -> Result<Vec<u8>, Error> {
        let key = self.0.tbs_certificate.subject_public_key_info.to_der();
        key.map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))
    }

    fn common_name(&self) -> Option<&str> {
        let mut parts = self.0.tbs_certificate.subject.0.iter().flat_map(|part| part.0.iter());
        let value = &parts.find(|part| part.oid == COMMON_NAME)?.value;
        std::str::from_utf8(value.value()).ok()
    }
}

/// Whether `pattern`, which may begin with `*.` for any one label of a name, is `server`.
fn fits(pattern: &str, server: &ServerName<'_>) -> bool {
    let name = server.to_str();
    match (pattern.strip_prefix("*."), server) {
        (Some(domain), ServerName::DnsName(_)) => name
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(domain)),
        _ => pattern.eq_ignore_ascii_case(&name),
    }
}

/// Why a certificate does not do.
#[derive(Debug)]
pub(super) enum Unfit {
    Version,
    Name(String),
}

impl Unfit {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Version => {
                "make the server a certificate of version 3, with its name as subjectAltName, or set `sslmode: \
                 require` to encrypt without checking who the server is"
            }
            Self::Name(_) => {
                "connect by the name the certificate is for, or set `sslmode: verify-ca` with `sslrootcert`"
            }
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => f.write_str("it is of X.509 version 1, which says nothing about its use"),
            Self::Name(name) => write!(f, "it is for {name}"),
        }
    }
}

impl std::error::Error for Unfit {}

impl From<Unfit> for Error {
    fn from(unfit: Unfit) -> Self {
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(unfit))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        let fits = |pattern, name| fits(pattern, &ServerName::try_from(name).unwrap());
        assert!(fits("db.example.com", "DB.example.com"));
        assert!(fits("*.example.com", "db.example.com"));
        assert!(fits("10.0.0.1", "10.0.0.1"));
        assert!(!fits("*.example.com", "a.b.example.com"));
        assert!(!fits("*.example.com", "example.com"));
        assert!(!fits("*", "db"));
        assert!(!fits("*.0.0.1", "10.0.0.1"));
    }
}
