//! Private keys with a passphrase: PKCS#8 encrypted by PBES2 (RFC 8018), as OpenSSL writes it.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use des::TdesEde3;
use des::cipher::{BlockCipherDecrypt, KeyInit};
use protocol::{Error, Result};
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::{self, Decode, Reader, SliceReader, Tag, Tagged};

const PBES2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");
const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");
const SCRYPT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11591.4.11");
const HMAC_SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.7");
const HMAC_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.9");
const HMAC_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.10");
const HMAC_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.11");
const AES128_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.2");
const AES192_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.22");
const AES256_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");
const DES_EDE3_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.3.7");

/// Most rounds: a key that asks for more is not one that a person made.
const MOST_ROUNDS: u32 = 100_000_000;

/// `EncryptedPrivateKeyInfo`, in the parts that matter.
struct Encrypted<'a> {
    scheme: ObjectIdentifier,
    key_from: ObjectIdentifier,
    salt: &'a [u8],
    rounds: u32,
    hash: ObjectIdentifier,
    cipher: ObjectIdentifier,
    iv: &'a [u8],
    data: &'a [u8],
}

/// Whether this is a PKCS#8 key with a passphrase, of any scheme.
pub(crate) fn is_encrypted(der: &[u8]) -> bool {
    read(der).is_ok()
}

/// The PKCS#8 key inside.
pub(crate) fn decrypt(der: &[u8], passphrase: &[u8]) -> Result<Vec<u8>> {
    let found = read(der).map_err(|_| Error::config("the private key with a passphrase can't be read"))?;
    let unsupported = |what: String| {
        Error::config(format!("the private key's passphrase is applied by {what}, which is not supported"))
            .hint("write it anew by `openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW`")
    };
    if found.scheme != PBES2 {
        return Err(unsupported(format!("PBES1 or the like ({})", found.scheme)));
    }
    if found.key_from == SCRYPT {
        return Err(unsupported("scrypt".to_owned()));
    }
    if found.key_from != PBKDF2 {
        return Err(unsupported(found.key_from.to_string()));
    }
    let hash = match found.hash {
        HMAC_SHA1 => pbkdf2::PBKDF2_HMAC_SHA1,
        HMAC_SHA256 => pbkdf2::PBKDF2_HMAC_SHA256,
        HMAC_SHA384 => pbkdf2::PBKDF2_HMAC_SHA384,
        HMAC_SHA512 => pbkdf2::PBKDF2_HMAC_SHA512,
        other => return Err(unsupported(other.to_string())),
    };
    let length = match found.cipher {
        AES128_CBC => 16,
        AES192_CBC | DES_EDE3_CBC => 24,
        AES256_CBC => 32,
        other => return Err(unsupported(other.to_string())),
    };
    let rounds = NonZeroU32::new(found.rounds)
        .filter(|rounds| rounds.get() <= MOST_ROUNDS)
        .ok_or_else(|| unsupported(format!("{} rounds", found.rounds)))?;
    let mut key = vec![0; length];
    pbkdf2::derive(hash, rounds, found.salt, passphrase, &mut key);
    let plain = match found.cipher {
        DES_EDE3_CBC => triple_des(&key, found.iv, found.data),
        _ => aes(&key, found.iv, found.data),
    };
    plain.ok_or_else(wrong)
}

/// The passphrase is not the key's.
pub(crate) fn wrong() -> Error {
    Error::config("`private_key_passphrase` is not the passphrase of the private key")
}

fn aes(key: &[u8], iv: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let algorithm = match key.len() {
        16 => &AES_128,
        24 => &AES_192,
        _ => &AES_256,
    };
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
    let context = DecryptionContext::Iv128(FixedLength::from(<[u8; 16]>::try_from(iv).ok()?));
    let mut data = data.to_vec();
    key.decrypt(&mut data, context).ok().map(|plain| plain.to_vec())
}

/// What Snowflake's own manual makes keys with: `openssl pkcs8 -topk8 -v2 des3`.
fn triple_des(key: &[u8], iv: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    const BLOCK: usize = 8;
    let cipher = TdesEde3::new_from_slice(key).ok()?;
    if iv.len() != BLOCK || data.is_empty() || !data.len().is_multiple_of(BLOCK) {
        return None;
    }
    let mut plain = Vec::with_capacity(data.len());
    let mut before = iv;
    for block in data.chunks_exact(BLOCK) {
        let mut opened = des::cipher::Block::<TdesEde3>::try_from(block).ok()?;
        cipher.decrypt_block(&mut opened);
        plain.extend(opened.iter().zip(before).map(|(byte, mask)| byte ^ mask));
        before = block;
    }
    let padding = usize::from(*plain.last()?);
    let length = plain.len().checked_sub(padding)?;
    let whole = (1..=BLOCK).contains(&padding) && plain[length..].iter().all(|b| usize::from(*b) == padding);
    plain.truncate(length);
    whole.then_some(plain)
}

fn read(der: &[u8]) -> der::Result<Encrypted<'_>> {
    let mut outer = content(AnyRef::from_der(der)?, Tag::Sequence)?;
    let mut algorithm = content(AnyRef::decode(&mut outer)?, Tag::Sequence)?;
    let data = content_bytes(AnyRef::decode(&mut outer)?, Tag::OctetString)?;
    let scheme = ObjectIdentifier::decode(&mut algorithm)?;
    // What is not read has the name of the scheme, which none of its parts has.
    let mut found = Encrypted {
        scheme,
        key_from: scheme,
        salt: &[],
        rounds: 0,
        hash: HMAC_SHA1,
        cipher: scheme,
        iv: &[],
        data,
    };
    if scheme != PBES2 {
        return Ok(found);
    }
    let mut parameters = content(AnyRef::decode(&mut algorithm)?, Tag::Sequence)?;
    let mut from = content(AnyRef::decode(&mut parameters)?, Tag::Sequence)?;
    found.key_from = ObjectIdentifier::decode(&mut from)?;
    if found.key_from != PBKDF2 {
        return Ok(found);
    }
    let mut from = content(AnyRef::decode(&mut from)?, Tag::Sequence)?;
    found.salt = content_bytes(AnyRef::decode(&mut from)?, Tag::OctetString)?;
    found.rounds = u32::decode(&mut from)?;
    if from.peek_byte() == Some(0x02) {
        // The key's length, which the cipher says as well.
        u32::decode(&mut from)?;
    }
    if !from.is_finished() {
        let mut hash = content(AnyRef::decode(&mut from)?, Tag::Sequence)?;
        found.hash = ObjectIdentifier::decode(&mut hash)?;
    }
    let mut cipher = content(AnyRef::decode(&mut parameters)?, Tag::Sequence)?;
    found.cipher = ObjectIdentifier::decode(&mut cipher)?;
    if !cipher.is_finished() {
        found.iv = AnyRef::decode(&mut cipher)?.value();
    }
    Ok(found)
}

fn content(any: AnyRef<'_>, tag: Tag) -> der::Result<SliceReader<'_>> {
    SliceReader::new(content_bytes(any, tag)?)
}

fn content_bytes(any: AnyRef<'_>, tag: Tag) -> der::Result<&[u8]> {
    any.tag().assert_eq(tag)?;
    Ok(any.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bytes_are_read_past() {
        // What begins like a key and is not one ends in an error, whatever follows.
        let start = [0x30, 0x82, 0x01, 0x02, 0x30, 0x0b, 0x06, 0x09];
        for length in 0..start.len() {
            assert!(!is_encrypted(&start[..length]));
        }
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let mut bytes = start.to_vec();
            bytes.extend((0..random.usize(..64)).map(|_| random.u8(..)));
            assert!(decrypt(&bytes, b"x").is_err());
        }
    }
}
