//! The private key, in every form that people have it.

use std::path::Path;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::KeyPair as _;
use aws_lc_rs::{digest, rand, signature};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::{Error, Result, Secret};

use crate::pbes2;

const HINT: &str =
    "a key that fits is made by `openssl genrsa 2048 | openssl pkcs8 -topk8 -nocrypt -out key.p8`";

/// A private key that signs logins.
pub(super) struct SigningKey {
    pair: KeyPair,
    fingerprint: String,
}

impl SigningKey {
    /// Reads a key from its text.
    pub(super) fn from_text(text: &str, passphrase: Option<&Secret>) -> Result<Self> {
        Self::of(&Form::of_text(text)?, passphrase)
    }

    /// Reads a key from a file, which may also be in DER form.
    pub(super) fn from_file(path: &Path, passphrase: Option<&Secret>) -> Result<Self> {
        let in_file = |error: Error| error.context("private_key_file", path.display().to_string());
        let bytes = std::fs::read(path)
            .map_err(|error| in_file(Error::config("`private_key_file` can't be read").with_source(error)))?;
        let form = match std::str::from_utf8(&bytes) {
            Ok(text) => Form::of_text(text),
            Err(_) => Ok(Form::Der(bytes)),
        };
        form.and_then(|form| Self::of(&form, passphrase)).map_err(in_file)
    }

    fn of(form: &Form, passphrase: Option<&Secret>) -> Result<Self> {
        let pair = match form {
            Form::Pkcs8(der) => KeyPair::from_pkcs8(der).map_err(|why| unfit("PKCS#8", &why)),
            Form::Pkcs1(der) => KeyPair::from_der(der).map_err(|why| unfit("PKCS#1", &why)),
            Form::Encrypted(der) => opened(der, passphrase),
            Form::Der(der) => KeyPair::from_pkcs8(der).or_else(|why| {
                if pbes2::is_encrypted(der) {
                    opened(der, passphrase)
                } else {
                    KeyPair::from_der(der).map_err(|_| unfit("DER", &why))
                }
            }),
        }?;
        let public: PublicKeyX509Der<'_> = pair
            .public_key()
            .as_der()
            .map_err(|_| Error::config("the private key has no public key that can be written"))?;
        let fingerprint = STANDARD.encode(digest::digest(&digest::SHA256, public.as_ref()));
        Ok(Self { fingerprint: format!("SHA256:{fingerprint}"), pair })
    }

    /// The public key's fingerprint, as `DESCRIBE USER` shows it in `RSA_PUBLIC_KEY_FP`.
    pub(super) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// An RS256 signature.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let mut signed = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&signature::RSA_PKCS1_SHA256, &rand::SystemRandom::new(), message, &mut signed)
            .map_err(|_| Error::internal("the private key does not sign"))?;
        Ok(signed)
    }

    #[cfg(test)]
    pub(super) fn public_key(&self) -> &aws_lc_rs::rsa::PublicKey {
        self.pair.public_key()
    }
}

/// What a key is written in.
enum Form {
    /// PKCS#8, DER.
    Pkcs8(Vec<u8>),
    /// PKCS#1, DER.
    Pkcs1(Vec<u8>),
    /// PKCS#8 with a passphrase, DER.
    Encrypted(Vec<u8>),
    /// DER of any of them.
    Der(Vec<u8>),
}

impl Form {
    fn of_text(text: &str) -> Result<Self> {
        // Environments and YAML often hold the newlines of a PEM file as two characters.
        let text = text.replace("\\r", "").replace("\\n", "\n");
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::config("the private key is empty").hint(HINT));
        }
        if text.contains("-----BEGIN ") {
            return Self::of_pem(text);
        }
        let Some(bytes) = decoded(text) else {
            let looks_like_path = text.len() < 1024 && (text.contains('/') || text.contains('.'));
            return Err(if looks_like_path {
                Error::config("`private_key` is not a key but seems to be the name of a file")
                    .hint("name the file in `private_key_file`")
            } else {
                Error::config("the private key is neither PEM nor base64").hint(HINT)
            });
        };
        match std::str::from_utf8(&bytes) {
            // base64 of a whole PEM file.
            Ok(inner) if inner.contains("-----BEGIN ") => Self::of_pem(inner.trim()),
            _ => Ok(Self::Der(bytes)),
        }
    }

    fn of_pem(text: &str) -> Result<Self> {
        let (label, body) = text
            .split_once("-----BEGIN ")
            .and_then(|(_, rest)| rest.split_once("-----"))
            .ok_or_else(|| Error::config("the private key is not a whole PEM file").hint(HINT))?;
        let known = matches!(label, "PRIVATE KEY" | "RSA PRIVATE KEY" | "ENCRYPTED PRIVATE KEY");
        if !known {
            return Err(foreign(label));
        }
        if body.contains("Proc-Type:") {
            return Err(Error::config(
                "the private key is PKCS#1 with a passphrase, OpenSSL's old form, which is not supported",
            )
            .hint("turn it into PKCS#8 by `openssl pkcs8 -topk8 -in OLD -out NEW`"));
        }
        let (body, _) = body.split_once("-----END ").ok_or_else(|| {
            Error::config("the private key ends in the middle").hint(
                "a PEM key has several lines: in YAML it follows `|`, in an environment variable its newlines may be `\\n`",
            )
        })?;
        let der = decoded(body)
            .ok_or_else(|| Error::config("the private key is PEM with something that is not base64 in it"))?;
        Ok(match label {
            "PRIVATE KEY" => Self::Pkcs8(der),
            "RSA PRIVATE KEY" => Self::Pkcs1(der),
            _ => Self::Encrypted(der),
        })
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(bare).ok()
}

fn opened(der: &[u8], passphrase: Option<&Secret>) -> Result<KeyPair> {
    let passphrase = passphrase.filter(|secret| !secret.reveal().is_empty()).ok_or_else(|| {
        Error::config("the private key has a passphrase, and `private_key_passphrase` is not set")
    })?;
    let plain = pbes2::decrypt(der, passphrase.reveal().as_bytes())?;
    // Padding that is right by chance lets one wrong passphrase in 256 pass.
    KeyPair::from_pkcs8(&plain)
        .map_err(|why| if plain.first() == Some(&0x30) { unfit("PKCS#8", &why) } else { pbes2::wrong() })
}

/// A PEM file of another kind.
fn foreign(label: &str) -> Error {
    let (what, hint) = match label {
        "OPENSSH PRIVATE KEY" => (
            "the private key is in OpenSSH's form, which Snowflake does not use".to_owned(),
            "turn a copy of it into PKCS#8 by `ssh-keygen -p -m pkcs8 -f COPY`, if it is RSA",
        ),
        "PUBLIC KEY" | "RSA PUBLIC KEY" | "CERTIFICATE" => (
            format!("the private key is a {}", label.to_ascii_lowercase()),
            "the public key belongs to the user in Snowflake, the private one here",
        ),
        "EC PRIVATE KEY" | "DSA PRIVATE KEY" => {
            (format!("the private key is {}, and Snowflake takes RSA only", &label[..3].trim()), HINT)
        }
        // What stands there may be anything.
        _ => ("the private key is PEM, but not of a private key".to_owned(), HINT),
    };
    Error::config(what).hint(hint)
}

fn unfit(form: &str, why: &aws_lc_rs::error::KeyRejected) -> Error {
    let what = match why.to_string().as_str() {
        "WrongAlgorithm" => format!("the private key ({form}) is not RSA"),
        "TooSmall" => format!("the private key ({form}) has fewer than 2048 bits"),
        "TooLarge" => format!("the private key ({form}) has more than 8192 bits"),
        other => format!("the private key ({form}) can't be read: {other}"),
    };
    Error::config(what).hint(HINT)
}
