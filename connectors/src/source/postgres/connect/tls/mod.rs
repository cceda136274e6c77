//! Encryption of the line: what of the server's certificate is checked, and what ours is.

mod subject;
mod verifier;

use std::io;
use std::path::Path;
use std::sync::Arc;

use protocol::{Error, ErrorKind, Result};
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, CertificateError, ClientConfig};
use tokio_postgres_rustls::MakeRustlsConnect;

use self::verifier::{Check, Verifier};
use super::settings::{Encryption, Roots};
use crate::source::postgres::config::{SslMode, SslNegotiation};

/// Makes encrypted connections as the settings want them; `None` where they want none.
pub(super) fn connector(settings: &Encryption) -> Result<Option<MakeRustlsConnect>> {
    if settings.mode == SslMode::Disable {
        return Ok(None);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal("the TLS versions do not fit the provider").with_source(error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier(settings, provider)?);
    let mut config = match &settings.identity {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates("sslcert", certificate)?;
            config.with_client_auth_cert(chain, private_key(key)?).map_err(|error| {
                Error::config("`sslcert` and `sslkey` do not fit together")
                    .context("sslcert", certificate.display().to_string())
                    .with_source(error)
            })?
        }
    };
    if settings.negotiation == SslNegotiation::Direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(Some(MakeRustlsConnect::new(config)))
}

fn verifier(settings: &Encryption, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    Ok(match &settings.roots {
        None => Arc::new(Verifier::new(Check::Nothing, &provider)),
        Some(Roots::System) => {
            Arc::new(rustls_platform_verifier::Verifier::new(provider).map_err(|error| {
                Error::config("this machine has no certificates of authorities that it trusts")
                    .with_source(error)
                    .hint("install ca-certificates, or name the server's authority in `sslrootcert`")
            })?)
        }
        Some(Roots::File(path)) => {
            let roots = certificates("sslrootcert", path)?;
            let name = settings.mode == SslMode::VerifyFull;
            let check = Check::authorities(roots, name).map_err(|error| {
                Error::config("`sslrootcert` holds a certificate that can't be read")
                    .context("sslrootcert", path.display().to_string())
                    .with_source(error)
            })?;
            Arc::new(Verifier::new(check, &provider))
        }
    })
}

fn certificates(setting: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(unreadable(setting, path, &pem::Error::NoItemsFound)),
        Ok(found) => Ok(found),
        Err(error) => Err(unreadable(setting, path, &error)),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| {
        let error = unreadable("sslkey", path, &error);
        match std::fs::read_to_string(path) {
            Ok(text) if text.contains("ENCRYPTED") => {
                error.hint("the key has a password: take it off by `openssl pkey -in KEY -out PLAIN`")
            }
            _ => error,
        }
    })
}

fn unreadable(setting: &'static str, path: &Path, error: &pem::Error) -> Error {
    let what = match error {
        pem::Error::Io(_) => format!("`{setting}` can't be read"),
        pem::Error::NoItemsFound => format!("`{setting}` holds nothing of that kind in PEM form"),
        _ => format!("`{setting}` is not a PEM file"),
    };
    // The text of a broken PEM file may be of a key.
    let cause = match error {
        pem::Error::Io(cause) => cause.to_string(),
        _ => "not readable as PEM".to_owned(),
    };
    Error::config(what).context(setting, path.display().to_string()).with_source(io::Error::other(cause))
}

/// What went wrong with encryption in `what`, if that is what went wrong.
pub(super) fn refused(what: &str, error: &io::Error) -> Option<Error> {
    let cause = error.get_ref()?;
    let cause = cause.downcast_ref::<rustls::Error>().or_else(|| cause.source()?.downcast_ref())?;
    let refused = match cause {
        rustls::Error::InvalidCertificate(certificate) => {
            let (why, hint) = distrust(certificate);
            let what = format!("{what}: the server's certificate is not trusted: {why}");
            return Some(Error::config(what).hint(hint));
        }
        rustls::Error::AlertReceived(alert) if is_about_us(*alert) => {
            Error::new(ErrorKind::Auth, format!("{what}: the server refuses our certificate"))
                .hint("check `sslcert` and `sslkey`, and ssl_ca_file on the server")
        }
        rustls::Error::AlertReceived(_) => Error::config(format!("{what}: the server refuses to encrypt")),
        rustls::Error::PeerIncompatible(_) => Error::config(format!("{what}: no common way to encrypt"))
            .hint("the server must speak TLS 1.2 or newer"),
        _ => Error::transient(format!("{what}: encryption failed")),
    };
    Some(refused.with_source(cause.clone()))
}

/// Whether the server says that of our certificate.
fn is_about_us(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
    )
}

/// Why a certificate is not trusted, and what to do.
fn distrust(error: &CertificateError) -> (String, &'static str) {
    use CertificateError as Because;
    const AUTHORITY: &str = "name the file of the authority that signed it in `sslrootcert` (for Amazon RDS and Aurora: \
        https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem), or set `sslmode: require` to encrypt \
        without checking who the server is";
    const NAME: &str =
        "connect by a name the certificate is for, or set `sslmode: verify-ca` with `sslrootcert`";
    match error {
        Because::UnknownIssuer => {
            ("it is self-signed, or no authority that is trusted here signed it".to_owned(), AUTHORITY)
        }
        Because::NotValidForNameContext { expected, presented } if !presented.is_empty() => {
            // Each is written `DnsName("db.example.com")`.
            let names: Vec<&str> =
                presented.iter().map(|name| name.split('"').nth(1).unwrap_or(name)).collect();
            (format!("it is for {}, not for {}", names.join(", "), expected.to_str()), NAME)
        }
        Because::NotValidForName | Because::NotValidForNameContext { .. } => {
            ("it is for another name".to_owned(), NAME)
        }
        Because::Expired | Because::ExpiredContext { .. } => (
            "it has expired".to_owned(),
            "the server needs a new certificate, or this machine's clock is wrong",
        ),
        Because::NotValidYet | Because::NotValidYetContext { .. } => {
            ("it is not valid yet".to_owned(), "this machine's clock may be wrong")
        }
        Because::Other(other) => match other.0.downcast_ref::<subject::Unfit>() {
            Some(unfit) => (unfit.to_string(), unfit.hint()),
            None => (other.to_string(), AUTHORITY),
        },
        other => (other.to_string(), AUTHORITY),
    }
}
