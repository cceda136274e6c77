//! The one way into the engine: a connection, ready to be synced.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use protocol::{
    ConfiguredStream, DynDestination, DynSource, Error, ErrorKind, Grain, Lifetime, Result, Staged,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::budget::Budget;
use crate::clock::{self, Watch};
use crate::committer::Committer;
use crate::lane::{Lane, Threads};
use crate::panic::caught;
use crate::report::blank_stream_report;
use crate::retry::{interrupted, retrying};
use crate::stream::{Context, StreamSync, first_error};
use crate::{
    ConnectionConfig, Count, ErrorReport, Outcome, PLAN_VERSION, Progress, REPORT_VERSION, Report,
    ReportTotals, Stop, StreamPlan, StreamReport, resolve,
};

/// A connection, ready to be synced. Needs tokio's multi-threaded runtime.
pub struct Sync {
    pub(crate) connection: String,
    pub(crate) only: Vec<String>,
    pub(crate) context: Context,
    progress: Arc<Progress>,
}

impl Sync {
    /// Joins a source and a destination that are open. Reads and writes nothing.
    #[must_use]
    pub fn new(
        connection: &str,
        config: ConnectionConfig,
        source: Arc<dyn DynSource>,
        destination: Arc<dyn DynDestination>,
    ) -> Self {
        let progress = Arc::new(Progress::default());
        let budget = Budget::new(config.memory().get(), Arc::clone(&progress));
        let lanes = Threads::new(config.parallelism().get());
        let (stop, started_at) = (Stop::default(), clock::now());
        let context = Context { config, source, destination, budget, lanes, stop, started_at, sweep: false };
        Self { connection: connection.to_owned(), only: Vec::new(), context, progress }
    }

    /// Leaves out all streams that fit none of `patterns`; none at all keeps all.
    #[must_use]
    pub fn only(mut self, patterns: Vec<String>) -> Self {
        self.only = patterns;
        self
    }

    /// Looks at all rows for what is new, and not only where cursors say.
    #[must_use]
    pub fn sweep(mut self, sweep: bool) -> Self {
        self.context.sweep = sweep;
        self
    }

    /// What the sync is doing, now and at any time.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// How to ask it to stop.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.context.stop.clone()
    }

    /// The streams of the connection, as the source describes them now.
    pub async fn streams(&self) -> Result<Vec<ConfiguredStream>> {
        let filter = resolve::filter(&self.connection, &self.context.config, &self.only)?;
        let (source, retries) = (&self.context.source, Count::default());
        let catalog = retrying(self.context.config.patience(), &self.context.stop, &retries, || {
            source.discover(&filter)
        })
        .await?;
        resolve::resolve(&self.connection, &self.context.config, &catalog, &self.only)
    }

    /// Syncs all streams. Never fails: what failed is in the report, and a stream that fails does not
    /// keep others from being synced.
    pub async fn run(&self) -> Report {
        let watch = Watch::start();
        let (streams, error) = match caught("the source's description", self.streams()).await {
            Ok(streams) => (self.run_streams(streams).await, None),
            Err(error) => {
                tracing::error!(kind = error.kind().name(), "{error:#}");
                (Vec::new(), Some(error))
            }
        };
        self.context.source.close().await;
        let spent = self.context.destination.spent();
        self.context.destination.close().await;
        Report { spent, ..self.report(streams, error.as_ref(), watch.seconds()) }
    }

    async fn run_streams(&self, streams: Vec<ConfiguredStream>) -> Vec<StreamReport> {
        // Boxed and gathered, not mapped on the way: so the whole future can be spawned.
        let tasks: Vec<BoxFuture<'_, _>> = streams
            .into_iter()
            .map(|stream| self.stream_sync(stream))
            .enumerate()
            .map(|(at, sync)| async move { (at, sync.run().await) }.boxed())
            .collect();
        // Twice as many streams as lanes: the next ones plan while others read.
        let at_once = self.context.config.parallelism().get() * 2;
        let mut reports: Vec<_> = futures::stream::iter(tasks).buffer_unordered(at_once).collect().await;
        reports.sort_by_key(|(at, _)| *at);
        reports.into_iter().map(|(_, report)| report).collect()
    }

    fn stream_sync(&self, stream: ConfiguredStream) -> StreamSync<'_> {
        let progress = self.progress.add_stream(&stream.name);
        StreamSync { context: &self.context, stream, progress }
    }

    /// Plans all streams and changes nothing. With [`Lifetime::Detached`], others can read the
    /// partitions.
    pub async fn plan(&self, lifetime: Lifetime) -> Result<Vec<StreamPlan>> {
        let plans = self.plan_streams(lifetime).await;
        self.context.source.close().await;
        plans
    }

    async fn plan_streams(&self, lifetime: Lifetime) -> Result<Vec<StreamPlan>> {
        let mut plans = Vec::new();
        for stream in self.streams().await? {
            let name = stream.name.clone();
            let target = stream.target.clone();
            let (destination, retries) = (&self.context.destination, Count::default());
            let head = retrying(self.context.config.patience(), &self.context.stop, &retries, || {
                destination.head(&target)
            });
            let head = head.await.map_err(|error| error.context("stream", name.clone()))?;
            let plan = self.stream_sync(stream).plan(&head, lifetime).await;
            plans.push(plan.map_err(|error| error.context("stream", name))?);
        }
        Ok(plans)
    }

    /// Reads one partition of `plan` and stages its files. What it returns goes to [`Sync::commit`],
    /// here or elsewhere; nothing is visible before.
    pub async fn read(&self, plan: &StreamPlan, partition: usize) -> Result<Staged> {
        refuse_unknown_version(plan)?;
        let planned = plan.partitions.get(partition).ok_or_else(|| {
            Error::config(format!("the plan has no partition {partition}"))
                .hint(format!("it has {}, counted from 0", plan.partitions.len()))
        })?;
        let stream = self.stream_sync(plan.stream.clone());
        let prepared = stream.prepare().await?;
        refuse_old_plan(plan, prepared.head.sequence)?;
        let share = stream.share(&prepared);
        let mut reading = stream.reading(plan, prepared, share);
        reading.queue = Mutex::new(VecDeque::from([planned.partition.clone()]));
        reading.grain = Grain::Plan;
        let reading = Arc::new(reading);
        let (sender, mut finished) = mpsc::channel(1);
        // Ends with this future.
        let mut lane = JoinSet::new();
        let slot = Arc::clone(&self.context.lanes).slot().await;
        lane.spawn(Lane::new(Arc::clone(&reading), sender).run_apart(slot));
        let mut sum = Staged::default();
        while let Some(staged) = finished.recv().await {
            sum.merge(staged);
        }
        protocol::point!("detached.read");
        let read = first_error(&mut lane).await.and_then(|()| {
            // A part up to a checkpoint could be committed, but its rest would be in no plan.
            if sum.done.iter().any(|done| done.rest.is_none()) { Ok(()) } else { Err(interrupted()) }
        });
        if read.is_err() {
            if let Err(error) = reading.stage.discard(&sum.files).await {
                tracing::warn!(stream = plan.stream.name, "staged files could not be removed: {error:#}");
            }
            reading.stage.release().await;
        }
        read.map(|()| Staged { sync: Some(plan.sync), ..sum })
    }

    /// Commits what reads of `plan` have staged: all of its partitions or, where the source allows
    /// it, some.
    pub async fn commit(&self, plan: &StreamPlan, staged: Vec<Staged>) -> Result<StreamReport> {
        refuse_unknown_version(plan)?;
        let watch = Watch::start();
        let stream = self.stream_sync(plan.stream.clone());
        let prepared = stream.prepare().await?;
        refuse_old_plan(plan, prepared.head.sequence)?;
        let mut report = blank_stream_report(&plan.stream);
        report.planned(plan, &prepared);
        let mut sum = Staged::default();
        for part in staged {
            refuse_other_sync(plan, &part)?;
            sum.merge(part);
        }
        report.read(&sum);
        let mut committer = Committer::new(
            self.context.source.as_ref(),
            self.context.destination.as_ref(),
            plan,
            prepared.schema.clone(),
            prepared.head.clone(),
            Arc::clone(&stream.progress),
        );
        committer.patience = self.context.config.patience();
        committer.hold(sum)?;
        protocol::point!("detached.held");
        if !committer.may_commit() {
            return Err(Error::config(
                "partitions of the plan are missing, and this source's are committed together",
            )
            .context("stream", plan.stream.name.clone())
            .hint("read all partitions of the plan and pass what each read printed"));
        }
        if committer.is_complete() {
            let share = stream.share(&prepared);
            let reading = stream.reading(plan, prepared, share);
            let result = match stream.hold_empty_file(&mut committer, &reading).await {
                Ok(()) => committer.commit().await,
                failed => failed,
            };
            reading.stage.release().await;
            result?;
        } else {
            committer.commit().await?;
        }
        report.committed(committer.committed, &committer.head, self.context.source.as_ref());
        report.outcome = Outcome::Succeeded;
        report.seconds.total = watch.seconds();
        Ok(report)
    }

    fn report(&self, streams: Vec<StreamReport>, error: Option<&Error>, seconds: f64) -> Report {
        let mut totals = ReportTotals::default();
        for stream in &streams {
            match stream.outcome {
                Outcome::Succeeded => totals.streams_succeeded += 1,
                Outcome::Failed | Outcome::Interrupted => totals.streams_failed += 1,
            }
            totals.rows_read += stream.rows_read;
            totals.rows_written += stream.rows_written;
            totals.bytes_read += stream.bytes_read;
            totals.bytes_written += stream.bytes_written;
            totals.files += stream.files;
            totals.retries += stream.retries;
        }
        let any = |outcome| streams.iter().any(|stream| stream.outcome == outcome);
        let outcome = match error {
            Some(error) if error.kind() != ErrorKind::Interrupted => Outcome::Failed,
            Some(_) => Outcome::Interrupted,
            None if any(Outcome::Failed) => Outcome::Failed,
            None if any(Outcome::Interrupted) => Outcome::Interrupted,
            None => Outcome::Succeeded,
        };
        Report {
            version: REPORT_VERSION,
            connection: self.connection.clone(),
            outcome,
            exit_code: error.map_or_else(|| exit_code(&streams), |error| error.kind().exit_code()),
            started_at: self.context.started_at,
            seconds,
            totals,
            streams,
            spent: None,
            error: error.map(ErrorReport::from),
        }
    }
}

/// A failure that needs a person counts more than one that a retry may mend, and both more than a
/// signal.
fn exit_code(streams: &[StreamReport]) -> u8 {
    let failed = |outcome| {
        streams.iter().filter(move |stream| stream.outcome == outcome).map(|stream| stream.exit_code)
    };
    let retry = ErrorKind::Transient.exit_code();
    let lasting = failed(Outcome::Failed).find(|code| *code != retry);
    lasting
        .or_else(|| failed(Outcome::Failed).next())
        .or_else(|| failed(Outcome::Interrupted).next())
        .unwrap_or(0)
}

fn refuse_unknown_version(plan: &StreamPlan) -> Result<()> {
    if plan.version == PLAN_VERSION {
        return Ok(());
    }
    Err(Error::config(format!("the plan has version {}, this program reads {PLAN_VERSION}", plan.version))
        .hint("plan again with this version"))
}

/// Equal partitions of two plans hold other rows: what one plan read never moves the state of another.
fn refuse_other_sync(plan: &StreamPlan, staged: &Staged) -> Result<()> {
    if staged.sync == Some(plan.sync) {
        return Ok(());
    }
    Err(Error::config("what was read belongs to another plan")
        .context("stream", plan.stream.name.clone())
        .hint("pass what `read` printed for this very plan"))
}

fn refuse_old_plan(plan: &StreamPlan, head: u64) -> Result<()> {
    if head == plan.sequence {
        return Ok(());
    }
    Err(Error::conflict(format!("the plan was made at commit {}, the target is at {head}", plan.sequence))
        .context("stream", plan.stream.name.clone())
        .hint("another sync has committed since: plan again"))
}
