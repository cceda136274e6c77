//! JSON web tokens: made and signed here, read by the server.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P256K1_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
};
use aws_lc_rs::{hmac, rsa};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use protocol::{Error, Result};

use crate::pbes2;

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

impl Algorithm {
    const ALL: [Self; 14] = [
        Self::HS256,
        Self::HS384,
        Self::HS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES256K,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
    ];

    /// The algorithm of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Its name in a token's header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES256K => "ES256K",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
        }
    }
}

/// What a token is signed with.
pub struct Key(Kind);

enum Kind {
    Secret(Box<hmac::Key>),
    Rsa(rsa::KeyPair, &'static dyn RsaEncoding),
    Curve(EcdsaKeyPair),
    Edwards(Ed25519KeyPair),
}

impl Key {
    /// A secret as it is, for HS*; else a private key in PEM: PKCS#8, PKCS#1 (RSA) or SEC1 (EC), and under a
    /// passphrase PKCS#8.
    pub fn new(algorithm: Algorithm, secret: &str, passphrase: Option<&str>) -> Result<Self> {
        let shared = |kind| Ok(Self(Kind::Secret(Box::new(hmac::Key::new(kind, secret.as_bytes())))));
        let rsa = |encoding| {
            let der = der(secret, passphrase)?;
            let pair = rsa::KeyPair::from_pkcs8(&der).or_else(|_| rsa::KeyPair::from_der(&der));
            Ok(Self(Kind::Rsa(pair.map_err(|why| unfit("RSA", &why))?, encoding)))
        };
        let curve = |kind| {
            let pair = EcdsaKeyPair::from_private_key_der(kind, &der(secret, passphrase)?);
            Ok(Self(Kind::Curve(pair.map_err(|why| unfit("EC, of the algorithm's curve", &why))?)))
        };
        match algorithm {
            Algorithm::HS256 => shared(hmac::HMAC_SHA256),
            Algorithm::HS384 => shared(hmac::HMAC_SHA384),
            Algorithm::HS512 => shared(hmac::HMAC_SHA512),
            Algorithm::RS256 => rsa(&RSA_PKCS1_SHA256),
            Algorithm::RS384 => rsa(&RSA_PKCS1_SHA384),
            Algorithm::RS512 => rsa(&RSA_PKCS1_SHA512),
            Algorithm::PS256 => rsa(&RSA_PSS_SHA256),
            Algorithm::PS384 => rsa(&RSA_PSS_SHA384),
            Algorithm::PS512 => rsa(&RSA_PSS_SHA512),
            Algorithm::ES256 => curve(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::ES256K => curve(&ECDSA_P256K1_SHA256_FIXED_SIGNING),
            Algorithm::ES384 => curve(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::ES512 => curve(&ECDSA_P521_SHA512_FIXED_SIGNING),
            Algorithm::EdDSA => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der(secret, passphrase)?);
                Ok(Self(Kind::Edwards(pair.map_err(|why| unfit("Ed25519", &why))?)))
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let random = SystemRandom::new();
        let failed = |_| Error::internal("the private key does not sign");
        match &self.0 {
            Kind::Secret(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Kind::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Kind::Curve(pair) => Ok(pair.sign(&random, message).map_err(failed)?.as_ref().to_vec()),
            Kind::Edwards(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

/// A token of this header, which names the key's algorithm as `alg`, and these claims: JSON objects as they are signed.
pub fn jwt(key: &Key, header: &str, claims: &str) -> Result<String> {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes())?);
    Ok(format!("{message}.{signature}"))
}

/// What stands in a PEM file.
fn der(text: &str, passphrase: Option<&str>) -> Result<Vec<u8>> {
    // Environments and JSON often hold the newlines of a PEM file as two characters.
    let text = text.replace("\\r", "").replace("\\n", "\n");
    let (label, body) = text
        .split_once("-----BEGIN ")
        .and_then(|(_, rest)| rest.split_once("-----"))
        .and_then(|(label, rest)| Some((label, rest.split_once("-----END ")?.0)))
        .ok_or_else(|| Error::config("the private key of a token is not PEM"))?;
    let bare: String = body.chars().filter(|letter| !letter.is_whitespace()).collect();
    let der = STANDARD.decode(bare).map_err(|_| {
        Error::config("the private key of a token is PEM with something that is not base64 in it")
    })?;
    match (label, passphrase.filter(|passphrase| !passphrase.is_empty())) {
        ("ENCRYPTED PRIVATE KEY", Some(passphrase)) => pbes2::decrypt(&der, passphrase.as_bytes()),
        ("ENCRYPTED PRIVATE KEY", None) => {
            Err(Error::config("the private key of a token needs its passphrase"))
        }
        _ => Ok(der),
    }
}

fn unfit(kind: &str, why: &aws_lc_rs::error::KeyRejected) -> Error {
    Error::config(format!("the private key of a token is not {kind}")).context("why", why.to_string())
}

#[cfg(test)]
mod tests;
