//! Drives one COPY into an emitter.

use futures::{StreamExt, pin_mut};
use protocol::{Emitter, Result};

use super::decode::Decoder;

/// Runs `sql`, a full `COPY … TO STDOUT (FORMAT binary)`, and emits its rows as batches; returns
/// how many rows there were.
pub(crate) async fn copy_out<S>(
    client: &tokio_postgres::Client,
    sql: &str,
    mut decoder: Decoder,
    out: &mut Emitter<'_, S>,
) -> Result<u64> {
    let error =
        |error: tokio_postgres::Error| protocol::Error::transient("reading failed").with_source(error);
    let stream = client.copy_out(sql).await.map_err(error)?;
    pin_mut!(stream);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(error)?;
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            let taken = decoder.decode(rest)?;
            rest = &rest[taken..];
            if decoder.is_full() {
                emit(&mut decoder, out).await?;
            }
        }
    }
    emit(&mut decoder, out).await?;
    decoder.finish()
}

async fn emit<S>(decoder: &mut Decoder, out: &mut Emitter<'_, S>) -> Result<()> {
    if let Some(batch) = decoder.take_batch()? {
        out.batch(batch).await?;
    }
    for adjustment in decoder.take_adjustments() {
        out.adjusted(&adjustment.column, &adjustment.reason, adjustment.values).await?;
    }
    Ok(())
}
