//! JSON web tokens: made and signed here, read by the server.

use protocol::{Error, Result};

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the names of RFC 7518")]
pub enum Algorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES256K,
    ES384,
    ES512,
    EdDSA,
}

/// What a token is signed with.
pub struct Key(());

impl Key {
    /// A secret as it is, for HS*; else a private key in PEM: PKCS#8, PKCS#1 (RSA) or SEC1 (EC), and under a
    /// passphrase PKCS#8.
    pub fn new(algorithm: Algorithm, secret: &str, passphrase: Option<&str>) -> Result<Self> {
        let _ = (algorithm, secret, passphrase);
        Err(Error::internal("not yet"))
    }
}

/// A token of this header, which names the key's algorithm as `alg`, and these claims: JSON objects as they are signed.
pub fn jwt(key: &Key, header: &str, claims: &str) -> Result<String> {
    let _ = (key, header, claims);
    Err(Error::internal("not yet"))
}
