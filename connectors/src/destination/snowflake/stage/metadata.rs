//! What stands beside a file in an object store: its digest, and how it is encrypted. Each kind of store
//! has names and a form of its own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::{Error, Result};
use serde::{Deserialize, Serialize};

use super::super::client::Store;
use super::cipher::Envelope;

/// Names and values, without what the store puts before the names of all metadata.
pub(super) type Metadata = Vec<(&'static str, String)>;

/// Name of the digest of a file's plain content.
fn digest_name(store: Store) -> &'static str {
    match store {
        Store::Azure => "sfcdigest",
        _ => "sfc-digest",
    }
}

/// The digest as it is written down.
pub(super) fn digest(sha256: &[u8]) -> String {
    STANDARD.encode(sha256)
}

/// The metadata of a file.
pub(super) fn of(store: Store, digest: &str, envelope: Option<&Envelope>) -> Result<Metadata> {
    let mut metadata = vec![(digest_name(store), digest.to_owned())];
    let Some(envelope) = envelope else { return Ok(metadata) };
    match store {
        Store::Azure | Store::Gcs => {
            let data = serde_json::to_string(&EncryptionData::of(store, envelope))
                .map_err(|error| Error::internal("an encryption can't be described").with_source(error))?;
            metadata.push(("encryptiondata", data));
            metadata.push(("matdesc", envelope.description.clone()));
        }
        Store::S3 | Store::Local => {
            metadata.push(("x-amz-key", envelope.key.clone()));
            metadata.push(("x-amz-iv", envelope.iv.clone()));
            metadata.push(("x-amz-matdesc", envelope.description.clone()));
        }
    }
    Ok(metadata)
}

/// Digest and encryption of a file, where its metadata, looked up by name, tells them.
pub(super) fn read(
    store: Store,
    get: impl Fn(&str) -> Option<String>,
) -> Result<(Option<String>, Option<Envelope>)> {
    let digest = get(digest_name(store));
    let description = |name| get(name).unwrap_or_default();
    let envelope = match store {
        Store::Azure | Store::Gcs => match get("encryptiondata") {
            Some(data) => {
                let data: EncryptionData = serde_json::from_str(&data).map_err(|error| {
                    Error::data("its encryption is described in an unknown form").with_source(error)
                })?;
                Some(Envelope {
                    key: data.wrapped_content_key.encrypted_key,
                    iv: data.content_encryption_iv,
                    description: description("matdesc"),
                })
            }
            None => None,
        },
        Store::S3 | Store::Local => get("x-amz-key").zip(get("x-amz-iv")).map(|(key, iv)| Envelope {
            key,
            iv,
            description: description("x-amz-matdesc"),
        }),
    };
    Ok((digest, envelope))
}

/// How Azure and Google are told; the form is that of a Java library, down to its name.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EncryptionData {
    #[serde(default)]
    encryption_mode: String,
    wrapped_content_key: WrappedContentKey,
    #[serde(default)]
    encryption_agent: EncryptionAgent,
    #[serde(rename = "ContentEncryptionIV")]
    content_encryption_iv: String,
    #[serde(default)]
    key_wrapping_metadata: KeyWrappingMetadata,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WrappedContentKey {
    #[serde(default)]
    key_id: String,
    encrypted_key: String,
    #[serde(default)]
    algorithm: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EncryptionAgent {
    #[serde(default)]
    protocol: String,
    #[serde(default)]
    encryption_algorithm: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyWrappingMetadata {
    #[serde(default)]
    encryption_library: String,
}

impl EncryptionData {
    fn of(store: Store, envelope: &Envelope) -> Self {
        // The names of algorithms are constants whatever the key's length is; readers go by `matdesc`.
        let algorithm = if store == Store::Gcs { "AES_CBC_256" } else { "AES_CBC_128" };
        Self {
            encryption_mode: "FullBlob".into(),
            wrapped_content_key: WrappedContentKey {
                key_id: "symmKey1".into(),
                encrypted_key: envelope.key.clone(),
                algorithm: "AES_CBC_256".into(),
            },
            encryption_agent: EncryptionAgent {
                protocol: "1.0".into(),
                encryption_algorithm: algorithm.into(),
            },
            content_encryption_iv: envelope.iv.clone(),
            key_wrapping_metadata: KeyWrappingMetadata { encryption_library: "Java 5.3.0".into() },
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::ErrorKind;

    use super::*;

    fn envelope() -> Envelope {
        Envelope { key: "a2V5".into(), iv: "aXY=".into(), description: "{}".into() }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for store in [Store::S3, Store::Azure, Store::Gcs] {
            for envelope in [None, Some(envelope())] {
                let written = of(store, "digest", envelope.as_ref()).unwrap();
                let get = |name: &str| {
                    written.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
                };
                assert_eq!(read(store, get).unwrap(), (Some("digest".to_owned()), envelope), "{store:?}");
            }
        }
    }

    #[test]
    fn azure_and_google_are_told_in_json() {
        let data = |store| of(store, "d", Some(&envelope())).unwrap()[1].1.clone();
        let expected = |algorithm: &str| {
            format!(
                r#"{{"EncryptionMode":"FullBlob","WrappedContentKey":{{"KeyId":"symmKey1","EncryptedKey":"a2V5","Algorithm":"AES_CBC_256"}},"EncryptionAgent":{{"Protocol":"1.0","EncryptionAlgorithm":"{algorithm}"}},"ContentEncryptionIV":"aXY=","KeyWrappingMetadata":{{"EncryptionLibrary":"Java 5.3.0"}}}}"#
            )
        };
        assert_eq!(data(Store::Azure), expected("AES_CBC_128"));
        assert_eq!(data(Store::Gcs), expected("AES_CBC_256"));
    }

    #[test]
    fn an_unknown_form_is_said() {
        let get = |name: &str| (name == "encryptiondata").then(|| "{}".to_owned());
        assert_eq!(read(Store::Gcs, get).unwrap_err().kind(), ErrorKind::Data);
    }
}
