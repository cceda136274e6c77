//! Drives one COPY from the server into an emitter.

use protocol::{Emitter, Error, Result};

use super::connect::Client;
use super::decode::Decoder;

/// Runs `sql`, a full `COPY … TO STDOUT (FORMAT binary)`, and emits its rows as batches; returns how
/// many there were, which is what the server says it sent. `what` begins an error's message: `could
/// not read public.orders`.
///
/// Values that were changed because they did not fit are told right behind the batch they are in.
pub(crate) async fn copy_out<S>(
    client: &mut Client,
    sql: &str,
    what: &str,
    mut decoder: Decoder,
    out: &mut Emitter<'_, S>,
) -> Result<u64> {
    let mut copy = client.copy(sql, what).await?;
    protocol::point!("copy.begun");
    while copy.wait().await? {
        while let Some(mut part) = copy.part() {
            while !part.is_empty() {
                let taken = decoder.decode(part)?;
                part = &part[taken..];
                if decoder.is_full() {
                    emit(&mut decoder, out).await?;
                    protocol::point!("copy.emitted");
                }
            }
        }
        protocol::point!("copy.decoded");
    }
    emit(&mut decoder, out).await?;
    let rows = decoder.finish()?;
    match copy.rows() {
        Some(sent) if sent != rows => {
            Err(Error::internal(format!("{what}: the server sent {sent} rows, and {rows} were decoded")))
        }
        _ => Ok(rows),
    }
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

#[cfg(test)]
mod tests;
