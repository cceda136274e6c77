//! Checks a server's certificate as libpq does, where rustls alone is stricter or the mode is laxer.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::subject::Subject;

/// Checks what its [`Check`] says, and always that the server holds the certificate's key.
#[derive(Debug)]
pub(super) struct Verifier {
    check: Check,
    algorithms: WebPkiSupportedAlgorithms,
}

/// What is checked of the certificate itself.
#[derive(Debug)]
pub(super) enum Check {
    /// Nothing: the line is encrypted, to whomever.
    Nothing,
    /// One of these authorities signed it, or it is one of these certificates itself.
    Authorities {
        authorities: RootCertStore,
        certificates: Vec<CertificateDer<'static>>,
        /// Whether it must be for the name that was connected to.
        name: bool,
    },
}

impl Check {
    pub(super) fn authorities(certificates: Vec<CertificateDer<'static>>, name: bool) -> Result<Self, Error> {
        let mut authorities = RootCertStore::empty();
        for certificate in &certificates {
            authorities.add(certificate.clone())?;
        }
        Ok(Self::Authorities { authorities, certificates, name })
    }
}

impl Verifier {
    pub(super) fn new(check: Check, provider: &CryptoProvider) -> Self {
        Self { check, algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Check::Authorities { authorities, certificates, name } = &self.check else {
            return Ok(ServerCertVerified::assertion());
        };
        Subject::of(certificate)?.check_version()?;
        let parsed = ParsedCertificate::try_from(certificate)?;
        // A self-signed certificate that was handed over as the root: an authority would not be
        // accepted as a server, and this one need not be an authority.
        if certificates.contains(certificate) {
            Subject::of(certificate)?.check_time(now)?;
        } else {
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                authorities,
                intermediates,
                now,
                self.algorithms.all,
            )
            .map_err(plain)?;
        }
        if *name {
            verify_server_name(&parsed, server)
                .or_else(|error| Subject::of(certificate)?.check_common_name(server, error))?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let subject = Subject::of(certificate)?;
        if subject.check_version().is_ok() {
            return verify_tls13_signature(message, certificate, signature, &self.algorithms);
        }
        // rustls takes no certificate of version 1 apart, and its key is all that is needed.
        let key = SubjectPublicKeyInfoDer::from(subject.public_key()?);
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// A server that shows an authority's certificate as its own has a self-signed one, which is not
/// among those trusted.
fn plain(error: Error) -> Error {
    match error {
        Error::InvalidCertificate(CertificateError::Other(other))
            if other.to_string().contains("CaUsedAsEndEntity") =>
        {
            Error::InvalidCertificate(CertificateError::UnknownIssuer)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::pki_types::pem::PemObject;

    use super::*;

    // All are for `localhost` and valid for a hundred years. Made by `openssl req -x509` and `openssl
    // x509 -req`, which makes version 1 unless it is told of an extension, here `basicConstraints=CA:FALSE`.
    const AUTHORITY: &[u8] = include_bytes!("fixtures/authority.pem");
    const COMMON_NAME: &[u8] = include_bytes!("fixtures/common_name.pem");
    const VERSION_1: &[u8] = include_bytes!("fixtures/version_1.pem");

    fn checked(certificate: &[u8], authority: &[u8], server: &str) -> Result<(), Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let read = |pem: &[u8]| CertificateDer::from_pem_slice(pem).unwrap();
        let verifier = Verifier::new(Check::authorities(vec![read(authority)], true)?, &provider);
        let server = ServerName::try_from(server).unwrap();
        verifier.verify_server_cert(&read(certificate), &[], &server, &[], UnixTime::now()).map(drop)
    }

    #[test]
    fn a_common_name_counts_where_there_is_no_other() {
        checked(COMMON_NAME, AUTHORITY, "localhost").unwrap();
        let error = checked(COMMON_NAME, AUTHORITY, "db.example.com").unwrap_err();
        assert!(format!("{error:?}").contains("Name(\"localhost\")"), "{error:?}");
    }

    #[test]
    fn a_certificate_that_is_given_as_root_is_trusted_but_still_for_its_name_only() {
        checked(COMMON_NAME, COMMON_NAME, "localhost").unwrap();
        checked(COMMON_NAME, COMMON_NAME, "db.example.com").unwrap_err();
        let error = checked(COMMON_NAME, VERSION_1, "localhost").unwrap_err();
        assert_eq!(error, Error::InvalidCertificate(CertificateError::UnknownIssuer));
    }

    #[test]
    fn version_1_is_never_verified() {
        let error = checked(VERSION_1, AUTHORITY, "localhost").unwrap_err();
        assert!(format!("{error:?}").contains("Version"), "{error:?}");
    }
}
