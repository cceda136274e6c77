//! A source of which only some partitions are read, and not too many at once.

use std::num::NonZeroUsize;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{
    Catalog, ConfiguredStream, Covered, Drained, DynPlan, DynSource, Error, Lifetime, Outlet, Planned,
    Result, StreamFilter, Versioned,
};
use serde_json::Value;

/// A source of which only some partitions are read.
pub(super) struct Portion {
    inner: Arc<dyn DynSource>,
    /// What the source is told, whatever is read at once: the same partitions each time.
    parallelism: NonZeroUsize,
    connections: NonZeroUsize,
    rows: Option<u64>,
}

impl Portion {
    /// Partitions of about `rows` rows, all of them where that is `None`, at most `connections` at once.
    pub(super) fn new(
        inner: Arc<dyn DynSource>,
        parallelism: NonZeroUsize,
        connections: NonZeroUsize,
        rows: Option<u64>,
    ) -> Self {
        // A source that is told of one reader need not divide a table at all.
        let parallelism = parallelism.max(NonZeroUsize::MIN.saturating_add(1));
        Self { inner, parallelism, connections, rows }
    }

    /// The plan of what is read, and the rows that the stream is thought to have.
    pub(super) async fn choose(
        &self,
        stream: &ConfiguredStream,
        lifetime: Lifetime,
    ) -> Result<(DynPlan, Option<u64>)> {
        let mut plan = self.inner.plan(stream, None, self.parallelism, lifetime, false).await?;
        let estimated = plan.partitions.iter().map(|planned| planned.rows).sum();
        plan.partitions = portion(plan.partitions, estimated, self.rows)?;
        let endured = plan.max_in_flight.unwrap_or(self.connections);
        plan.max_in_flight = Some(endured.min(self.connections));
        Ok((plan, estimated))
    }
}

/// So many of the partitions that they have about `wanted` rows, spread evenly.
fn portion(
    partitions: Vec<Planned<Value>>,
    estimated: Option<u64>,
    wanted: Option<u64>,
) -> Result<Vec<Planned<Value>>> {
    let (Some(estimated), Some(wanted)) = (estimated, wanted) else { return Ok(partitions) };
    let all = partitions.len();
    // A few more are better than a part that looks like all.
    if estimated <= wanted.saturating_add(wanted / 4) {
        return Ok(partitions);
    }
    if all == 1 {
        return Err(Error::config(format!(
            "the stream is read in one go, and is thought to have {estimated} rows"
        ))
        .hint("`--rows 0` reads all of them"));
    }
    let kept = usize::try_from((all as u128 * u128::from(wanted)).div_ceil(u128::from(estimated)));
    let kept = kept.unwrap_or(all).clamp(1, all);
    let is_kept = |at: usize| (at * kept) % all < kept;
    Ok(partitions
        .into_iter()
        .enumerate()
        .filter(|(at, _)| is_kept(*at))
        .map(|(_, planned)| planned)
        .collect())
}

impl DynSource for Portion {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn check(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        self.inner.check()
    }

    fn discover<'a>(&'a self, filter: &'a StreamFilter) -> BoxFuture<'a, Result<Catalog>> {
        self.inner.discover(filter)
    }

    fn plan<'a>(
        &'a self,
        stream: &'a ConfiguredStream,
        _: Option<&'a Versioned>,
        _: NonZeroUsize,
        lifetime: Lifetime,
        _: bool,
    ) -> BoxFuture<'a, Result<DynPlan>> {
        async move { Ok(self.choose(stream, lifetime).await?.0) }.boxed()
    }

    fn advance(&self, _: &mut Versioned, _: &Value, _: Value) -> Result<()> {
        // No state is kept.
        Ok(())
    }

    fn read<'a>(
        &'a self,
        stream: &'a ConfiguredStream,
        partition: Value,
        outlet: &'a mut dyn Outlet,
    ) -> BoxFuture<'a, Result<Value>> {
        self.inner.read(stream, partition, outlet)
    }

    fn drain<'a>(&'a self, stream: &'a ConfiguredStream, partition: Value) -> BoxFuture<'a, Result<Drained>> {
        self.inner.drain(stream, partition)
    }

    fn make_samples(&self, scale: f64) -> BoxFuture<'_, Result<Vec<String>>> {
        self.inner.make_samples(scale)
    }

    fn drop_samples(&self) -> BoxFuture<'_, Result<()>> {
        self.inner.drop_samples()
    }

    fn position(&self, state: &Versioned) -> Option<String> {
        self.inner.position(state)
    }

    fn covered(&self, state: &Versioned) -> Option<Covered> {
        self.inner.covered(state)
    }

    fn late_rows(&self, state: &Versioned) -> Option<u64> {
        self.inner.late_rows(state)
    }

    fn is_settled(&self, state: &Versioned) -> bool {
        self.inner.is_settled(state)
    }

    fn import_airbyte(
        &self,
        stream: &ConfiguredStream,
        state: &Value,
    ) -> Result<(Versioned, Option<String>)> {
        self.inner.import_airbyte(stream, state)
    }

    fn export_airbyte(&self, stream: &str, state: &Versioned) -> Result<Option<Value>> {
        self.inner.export_airbyte(stream, state)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(all: usize, rows_each: u64, wanted: Option<u64>) -> Vec<u64> {
        let partitions =
            (0..all).map(|at| Planned::new(Value::from(at)).sized(Some(rows_each), None)).collect();
        let chosen = portion(partitions, Some(all as u64 * rows_each), wanted).unwrap();
        chosen.iter().map(|planned| planned.partition.as_u64().unwrap()).collect()
    }

    #[test]
    fn as_many_partitions_as_rows_are_wanted_spread_over_all() {
        assert_eq!(chosen(10, 100, None).len(), 10);
        assert_eq!(chosen(10, 100, Some(1000)).len(), 10);
        assert_eq!(chosen(10, 100, Some(900)).len(), 10, "almost all is all");
        assert_eq!(chosen(10, 100, Some(200)), [0, 5]);
        assert_eq!(chosen(10, 100, Some(1)), [0]);
        assert_eq!(chosen(7, 100, Some(300)), [0, 3, 5]);
        assert_eq!(chosen(1000, 1_000_000, Some(5_000_000)), [0, 200, 400, 600, 800]);
    }

    #[test]
    fn what_can_not_be_divided_is_not_read_by_mistake() {
        let whole = || vec![Planned::new(Value::Null).sized(Some(1000), None)];
        assert!(portion(whole(), Some(1000), Some(10)).is_err());
        assert_eq!(portion(whole(), Some(1000), None).unwrap().len(), 1);
        assert_eq!(portion(whole(), None, Some(10)).unwrap().len(), 1, "nobody knows how large it is");
    }
}
