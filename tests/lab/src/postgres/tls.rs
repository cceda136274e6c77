//! Certificates for encrypted connections.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::process::Process;

/// A certificate and its private key, as PEM files.
#[derive(Clone, Debug)]
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// A certificate authority of our own and what it has signed. The files are gone with the last
/// clone.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Files>);

#[derive(Debug)]
struct Files {
    folder: Process,
    authority: String,
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    key: String,
}

impl Tls {
    /// The server's certificate is for `localhost` and 127.0.0.1.
    pub fn new() -> Self {
        Self::made(&parameters("tidegate lab server", &["localhost", "127.0.0.1"]), Signer::Authority)
    }

    /// The server's certificate is for other names, and so does not fit the lab's address.
    pub fn for_names(names: &[&str]) -> Self {
        Self::made(&parameters("tidegate lab server", names), Signer::Authority)
    }

    /// The server's certificate ran out long ago.
    pub fn expired() -> Self {
        let mut parameters = parameters("tidegate lab server", &["localhost", "127.0.0.1"]);
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(2021, 1, 1);
        Self::made(&parameters, Signer::Authority)
    }

    /// The server's certificate is signed by nobody but itself; the authority did not sign it.
    pub fn self_signed() -> Self {
        Self::made(&parameters("tidegate lab server", &["localhost", "127.0.0.1"]), Signer::Itself)
    }

    fn made(server: &CertificateParams, signer: Signer) -> Self {
        // Two authorities of one name would be taken for one with a broken signature.
        let name = format!("tidegate lab authority {:x}", fastrand::u64(..));
        let mut parameters = parameters(&name, &[]);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_key = new_key();
        let authority = parameters.self_signed(&authority_key).expect("the parameters are valid").pem();
        let issuer = Issuer::new(parameters, authority_key);
        let key = new_key();
        let certificate = match signer {
            Signer::Authority => server.signed_by(&key, &issuer),
            Signer::Itself => server.self_signed(&key),
        };
        let certificate = certificate.expect("the parameters are valid").pem();
        let folder = Process::new(&[]);
        folder.write("ca.crt", &authority);
        folder.write("server.crt", &certificate);
        Self(Arc::new(Files { folder, authority, issuer, certificate, key: key.serialize_pem() }))
    }

    /// The authority's certificate: the root a client trusts.
    pub fn authority_path(&self) -> PathBuf {
        self.directory().join("ca.crt")
    }

    /// The server's certificate, without its key.
    pub fn server_certificate_path(&self) -> PathBuf {
        self.directory().join("server.crt")
    }

    /// A certificate that proves to the server that its holder is `role`.
    pub fn client(&self, role: &str) -> Identity {
        let mut parameters = parameters(role, &[]);
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = new_key();
        let certificate = parameters.signed_by(&key, &self.0.issuer).expect("the parameters are valid").pem();
        let name = fastrand::u64(..);
        Identity {
            certificate: self.0.folder.write(&format!("client-{name:x}.crt"), &certificate),
            key: self.0.folder.write(&format!("client-{name:x}.key"), &key.serialize_pem()),
        }
    }

    fn directory(&self) -> &Path {
        self.0.folder.directory()
    }

    pub(super) fn authority(&self) -> &str {
        &self.0.authority
    }

    pub(crate) fn server_certificate(&self) -> &str {
        &self.0.certificate
    }

    pub(crate) fn server_key(&self) -> &str {
        &self.0.key
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Clone, Copy)]
enum Signer {
    Authority,
    Itself,
}

fn parameters(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut parameters = CertificateParams::new(names).expect("the names are valid");
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("the machine has randomness")
}
