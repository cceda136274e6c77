//! Encryption of files, as Snowflake's own clients do it: AES-CBC with PKCS#7 under a random key of each
//! file, which is wrapped by AES-ECB with the stage's master key.

use aws_lc_rs::cipher::{
    AES_128, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    StreamingEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use protocol::{Error, Result};
use serde::Serialize;

use super::super::client::EncryptionMaterial;

/// Bytes of a block, and of an initialisation vector.
const BLOCK: usize = 16;

/// How long the stage's master key is, and so the key of each file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeySize {
    Bits128,
    Bits256,
}

impl KeySize {
    /// That of the stage's master key.
    pub(super) fn of(material: &EncryptionMaterial) -> Result<Self> {
        match master_key(material)?.len() {
            16 => Ok(Self::Bits128),
            32 => Ok(Self::Bits256),
            other => Err(Error::unsupported(format!("the stage's master key has {} bits", other * 8))
                .hint("Snowflake knows keys of 128 and 256 bits: this version of tidegate is too old")),
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Bits128 => 16,
            Self::Bits256 => 32,
        }
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Bits128 => &AES_128,
            Self::Bits256 => &AES_256,
        }
    }
}

/// What an encrypted file's metadata says of its encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Envelope {
    /// The wrapped key of the file, in base64.
    pub(super) key: String,
    /// The initialisation vector, in base64.
    pub(super) iv: String,
    /// Which master key the file's key is wrapped with, as JSON.
    pub(super) description: String,
}

/// Encrypts one file while it is written.
pub(super) struct Encryptor {
    cipher: StreamingEncryptingKey,
    key: FileKey,
}

/// The key of one file.
struct FileKey {
    bytes: Vec<u8>,
    size: KeySize,
}

/// What decrypts an encrypted file: its key, before it is wrapped, and its vector.
pub(super) struct Sealed {
    key: FileKey,
    iv: [u8; BLOCK],
}

impl Encryptor {
    /// Of a file with a key of its own.
    pub(super) fn new(size: KeySize) -> Result<Self> {
        let mut bytes = vec![0; size.bytes()];
        rand::fill(&mut bytes).map_err(failed)?;
        let key = UnboundCipherKey::new(size.algorithm(), &bytes).map_err(failed)?;
        let cipher = StreamingEncryptingKey::cbc_pkcs7(key).map_err(failed)?;
        Ok(Self { cipher, key: FileKey { bytes, size } })
    }

    /// Appends to `out` what `plain` is, as far as it fills blocks.
    pub(super) fn update(&mut self, plain: &[u8], out: &mut BytesMut) -> Result<()> {
        let begin = out.len();
        out.resize(begin + plain.len() + BLOCK, 0);
        let written = self.cipher.update(plain, &mut out[begin..]).map_err(failed)?.written().len();
        out.truncate(begin + written);
        Ok(())
    }

    /// Appends the last block.
    pub(super) fn finish(self, out: &mut BytesMut) -> Result<Sealed> {
        let begin = out.len();
        out.resize(begin + BLOCK, 0);
        let (context, update) = self.cipher.finish(&mut out[begin..]).map_err(failed)?;
        let written = update.written().len();
        out.truncate(begin + written);
        let iv: &[u8] = (&context).try_into().map_err(failed)?;
        let iv = iv.try_into().expect("the vector of AES is one block");
        Ok(Sealed { key: self.key, iv })
    }
}

impl Sealed {
    /// Wraps the file's key. Fails with `Transient` where the stage's key has another length by now: the
    /// file must be written anew.
    pub(super) fn envelope(&self, material: &EncryptionMaterial) -> Result<Envelope> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Description<'a> {
            query_id: &'a str,
            smk_id: &'a str,
            key_size: String,
        }

        let size = KeySize::of(material)?;
        if size != self.key.size {
            return Err(Error::transient("the stage's master key has another length than a moment ago"));
        }
        let master = UnboundCipherKey::new(size.algorithm(), &master_key(material)?).map_err(failed)?;
        let mut key = self.key.bytes.clone();
        PaddedBlockEncryptingKey::ecb_pkcs7(master)
            .and_then(|master| master.encrypt(&mut key))
            .map_err(failed)?;
        let description = Description {
            query_id: &material.query_id,
            smk_id: &material.smk_id,
            key_size: (size.bytes() * 8).to_string(),
        };
        let description = serde_json::to_string(&description)
            .map_err(|error| Error::internal("an encryption can't be described").with_source(error))?;
        Ok(Envelope { key: STANDARD.encode(&key), iv: STANDARD.encode(self.iv), description })
    }
}

/// Decrypts a whole file in its place.
pub(super) fn decrypt(envelope: &Envelope, material: &EncryptionMaterial, bytes: &mut Vec<u8>) -> Result<()> {
    let refused = || Error::data("it can't be decrypted with the stage's master key");
    let (Ok(mut key), Ok(iv)) = (STANDARD.decode(&envelope.key), STANDARD.decode(&envelope.iv)) else {
        return Err(Error::data("its encryption is not described in base64"));
    };
    let size = KeySize::of(material)?;
    let master = UnboundCipherKey::new(size.algorithm(), &master_key(material)?).map_err(failed)?;
    let key = PaddedBlockDecryptingKey::ecb_pkcs7(master)
        .and_then(|master| master.decrypt(&mut key, DecryptionContext::None))
        .map_err(|_| refused())?;
    let iv = FixedLength::try_from(iv.as_slice()).map_err(|_| refused())?;
    let algorithm = if key.len() == KeySize::Bits256.bytes() { &AES_256 } else { &AES_128 };
    let plain = UnboundCipherKey::new(algorithm, key)
        .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
        .and_then(|key| key.decrypt(bytes, DecryptionContext::Iv128(iv)).map(|plain| plain.len()))
        .map_err(|_| refused())?;
    bytes.truncate(plain);
    Ok(())
}

fn master_key(material: &EncryptionMaterial) -> Result<Vec<u8>> {
    // The cause is left out: it would quote a byte of the key.
    STANDARD
        .decode(material.master_key.reveal())
        .map_err(|_| Error::transient("the answer of PUT has a master key that is no base64"))
}

fn failed(_: Unspecified) -> Error {
    Error::internal("encryption failed")
}

#[cfg(test)]
mod tests {
    use protocol::{ErrorKind, Secret};

    use super::*;

    fn material(bytes: usize) -> EncryptionMaterial {
        let mut key = vec![0; bytes];
        rand::fill(&mut key).unwrap();
        EncryptionMaterial {
            master_key: Secret::new(STANDARD.encode(key)),
            query_id: "01b2-q".into(),
            smk_id: "92019683850".into(),
        }
    }

    fn encrypted(material: &EncryptionMaterial, pieces: &[&[u8]]) -> (Envelope, Vec<u8>) {
        let mut encryptor = Encryptor::new(KeySize::of(material).unwrap()).unwrap();
        let mut out = BytesMut::new();
        for piece in pieces {
            encryptor.update(piece, &mut out).unwrap();
        }
        let sealed = encryptor.finish(&mut out).unwrap();
        (sealed.envelope(material).unwrap(), out.to_vec())
    }

    #[test]
    fn any_size_comes_back_whatever_it_was_written_in() {
        for key in [16, 32] {
            let material = material(key);
            for size in [0, 1, 15, 16, 17, 31, 32, 1 << 16, (1 << 20) + 3] {
                let plain: Vec<u8> = (0..size).map(|at: u32| at.to_le_bytes()[0]).collect();
                for piece in [1 << 20, 1000, 7] {
                    let pieces: Vec<&[u8]> = plain.chunks(piece).collect();
                    let (envelope, mut bytes) = encrypted(&material, &pieces);
                    // Always at least one byte of padding.
                    assert_eq!(bytes.len(), plain.len() / BLOCK * BLOCK + BLOCK, "{size} in {piece}");
                    decrypt(&envelope, &material, &mut bytes).unwrap();
                    assert!(bytes == plain, "{size} in {piece}");
                    if size > 1 << 16 {
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn each_file_has_a_key_and_a_vector_of_its_own() {
        let material = material(16);
        let [first, second] = [(); 2].map(|()| encrypted(&material, &[b"same"]));
        assert_ne!(first.1, second.1);
        assert_ne!(first.0.iv, second.0.iv);
        assert_ne!(first.0.key, second.0.key);
    }

    #[test]
    fn the_description_names_query_and_key_as_text() {
        for (bytes, bits) in [(16, "128"), (32, "256")] {
            let (envelope, _) = encrypted(&material(bytes), &[]);
            let expected = format!(r#"{{"queryId":"01b2-q","smkId":"92019683850","keySize":"{bits}"}}"#);
            assert_eq!(envelope.description, expected);
            assert_eq!(STANDARD.decode(&envelope.key).unwrap().len(), bytes + BLOCK);
        }
    }

    #[test]
    fn another_master_key_does_not_decrypt() {
        for bytes in [16, 32] {
            let (envelope, encrypted) = encrypted(&material(bytes), &[b"content"]);
            for other in [material(bytes), material(48 - bytes)] {
                let mut bytes = encrypted.clone();
                // One wrapped key in 256 seems to be padded well, and is refused for its length then.
                let error = decrypt(&envelope, &other, &mut bytes).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Data);
                assert!(!format!("{error:?}").contains(other.master_key.reveal()));
            }
        }
    }

    #[test]
    fn a_master_key_of_another_length_is_refused() {
        let mut other = material(24);
        assert_eq!(KeySize::of(&other).unwrap_err().kind(), ErrorKind::Unsupported);
        other.master_key = Secret::new("canary!");
        let error = KeySize::of(&other).unwrap_err();
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        let sealed = Encryptor::new(KeySize::Bits128).unwrap().finish(&mut BytesMut::new()).unwrap();
        assert_eq!(sealed.envelope(&material(32)).unwrap_err().kind(), ErrorKind::Transient);
    }
}
