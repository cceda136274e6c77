//! Reads one partition into nothing: what the server and the line can do, whatever comes after them.

use protocol::{ConfiguredStream, Drained, Result};

use super::Postgres;
use super::partition::Partition;
use super::read::checked;

/// Reads as [`read`](super::read::read) does, and counts.
pub(super) async fn drain(
    source: &Postgres,
    stream: &ConfiguredStream,
    partition: &Partition,
) -> Result<Drained> {
    let layout = source.layout(stream, partition).await?;
    let snapshot = partition.snapshot.as_deref();
    let mut turn = match snapshot {
        Some(id) => source.sessions.turn(id).await?,
        None => source.sessions.own_turn(partition.replayed).await?,
    };
    checked(&turn, partition, &layout).await?;
    let what = format!("could not read {}", partition.table().qualified());
    let mut copy = turn.copy(&partition.copy(&layout.expressions()), &what).await?;
    let mut bytes = 0;
    while let Some(chunk) = copy.chunk().await? {
        bytes += chunk.len() as u64;
    }
    let rows = copy.rows().unwrap_or_default();
    drop(copy);
    turn.finish().await?;
    source.sessions.read(&stream.target, snapshot);
    Ok(Drained { rows, bytes })
}
