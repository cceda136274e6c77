//! Stages against real servers: one that records what it is sent, and the lab's S3.

mod area;
mod double;
mod expiry;
mod external;
mod golden;
mod internal;
mod memory;
mod official;
mod recorder;
mod scripted;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use protocol::{Compression, Period, Secret, Stage, StagedFile};

use super::super::client::{Credentials, EncryptionMaterial, Place, Store};
use super::{Area, Run, StageName, file_options};
use crate::storage::Network;

fn name() -> StageName {
    StageName::new(r#""RAW"."PUBLIC"."_LOAD""#)
}

fn network() -> Network {
    Network {
        connect_timeout: Period::from_secs(5),
        request_timeout: Period::from_secs(30),
        ..Network::default()
    }
}

fn material(bytes: usize) -> EncryptionMaterial {
    let key: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(bytes).collect();
    EncryptionMaterial {
        master_key: Secret::new(STANDARD.encode(key)),
        query_id: "01b2c3d4-0000-1111".into(),
        smk_id: "92019683850".into(),
    }
}

fn content(bytes: usize) -> Bytes {
    let mut content = vec![0; bytes];
    fastrand::fill(&mut content);
    content.into()
}

/// A place on a server that listens on this machine.
fn place(store: Store, end_point: &str) -> Place {
    let credentials = match store {
        Store::S3 => Credentials::Aws {
            key_id: "ASIAKEY".into(),
            secret: Secret::new("canary-secret"),
            token: Some(Secret::new("canary-token")),
        },
        Store::Azure => {
            Credentials::Azure(Secret::new("?sv=2026-01-01&sig=canary%2Bsig%3D&se=2026-11-23T10%3A00%3A00Z"))
        }
        Store::Gcs => Credentials::Gcs(Secret::new("canary-token")),
        Store::Local => Credentials::None,
    };
    Place {
        store,
        bucket: "sfc-bucket".into(),
        prefix: "stages/1/".into(),
        region: Some("eu-central-1".into()),
        storage_account: Some("account".into()),
        end_point: Some(end_point.into()),
        regional_url: false,
        virtual_url: false,
        client_side_encrypted: true,
        presigned_url: None,
        credentials,
    }
}

fn stage(area: &Area, target: &str, run: &Arc<Run>) -> Box<dyn Stage> {
    area.stage(target, Arc::clone(run), file_options(None, None, Compression::Zstd).unwrap())
}

/// Writes a file as the engine does: in pieces of any size.
async fn staged(stage: &dyn Stage, content: &Bytes) -> protocol::Result<StagedFile> {
    let mut writer = stage.create(None).await?;
    for piece in content.chunks(777_777) {
        writer.write(Bytes::copy_from_slice(piece)).await?;
    }
    writer.finish().await
}
