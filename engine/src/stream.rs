//! One sync of one stream: the order of its steps.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use protocol::{
    ConfiguredStream, DynDestination, DynPlan, DynSource, Error, ErrorKind, Grain, Head, Lifetime, Prepared,
    Result, Staged, SyncId, SyncMode, Unfinished, WriteMode,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::budget::{Budget, Share};
use crate::clock::Watch;
use crate::committer::Committer;
use crate::conform::{Conform, written_schema};
use crate::lane::{Lane, Reading, Threads};
use crate::panic::caught;
use crate::report::blank_stream_report;
use crate::retry::{Attempts, interrupted, retrying, retrying_anew};
use crate::write::{FileSettings, FileWriter, Folders, refuse_unfit_column};
use crate::{
    ConnectionConfig, ErrorReport, Outcome, PLAN_VERSION, Step, Stop, StreamPlan, StreamProgress,
    StreamReport,
};

/// A sync has one round, and one more for each snapshot that is lost.
const MAX_ROUNDS: usize = 8;

/// What all streams of a sync share.
pub(crate) struct Context {
    pub(crate) config: ConnectionConfig,
    pub(crate) source: Arc<dyn DynSource>,
    pub(crate) destination: Arc<dyn DynDestination>,
    pub(crate) budget: Arc<Budget>,
    /// Lanes that may work at once, over all streams.
    pub(crate) lanes: Arc<Threads>,
    pub(crate) stop: Stop,
    pub(crate) started_at: DateTime<Utc>,
    /// Whether to look at all rows for what is new.
    pub(crate) sweep: bool,
}

/// One stream on its way.
pub(crate) struct StreamSync<'a> {
    pub(crate) context: &'a Context,
    pub(crate) stream: ConfiguredStream,
    pub(crate) progress: Arc<StreamProgress>,
}

impl StreamSync<'_> {
    /// Runs all steps. Never fails: what failed is in the report.
    pub(crate) async fn run(self) -> StreamReport {
        let watch = Watch::start();
        let mut report = blank_stream_report(&self.stream);
        let result = caught("the sync of the stream", self.steps(&mut report)).await;
        report.retries = self.progress.retries.get();
        report.seconds.total = watch.seconds();
        let error = match result {
            Ok(()) => {
                report.outcome = Outcome::Succeeded;
                self.progress.enter(Step::Succeeded);
                return report;
            }
            Err(error) => error.context("stream", self.stream.name.clone()),
        };
        self.progress.enter(Step::Failed);
        if error.kind() == ErrorKind::Interrupted {
            report.outcome = Outcome::Interrupted;
        } else {
            report.outcome = Outcome::Failed;
            tracing::error!(stream = self.stream.name, kind = error.kind().name(), "{error:#}");
        }
        report.error = Some(ErrorReport::from(&error));
        report.exit_code = error.kind().exit_code();
        report
    }

    /// Rounds until all is read that was there when the sync began: mostly one.
    async fn steps(&self, report: &mut StreamReport) -> Result<()> {
        for _ in 0..MAX_ROUNDS {
            let mut round = blank_stream_report(&self.stream);
            let ended = self.round(&mut round).await;
            report.follow(round);
            if ended? {
                return Ok(());
            }
        }
        Err(Error::transient(format!(
            "after {MAX_ROUNDS} rounds there are still rows that may have moved meanwhile"
        ))
        .hint("what was read is committed; run the sync again"))
    }

    /// Plans, reads and commits once. False where another round has to follow: what an interrupted sync
    /// left was of its time, and parts that were read at different times may miss what moved between.
    async fn round(&self, report: &mut StreamReport) -> Result<bool> {
        let mut attempts = Attempts::new(self.context.config.patience());
        loop {
            if self.context.stop.is_requested() {
                return Err(interrupted());
            }
            self.progress.enter(Step::Planning);
            let watch = Watch::start();
            let prepared = self.prepare().await?;
            protocol::point!("sync.prepared");
            prepared.stage.claim();
            let plan = self.plan(&prepared.head, Lifetime::Session).await?;
            protocol::point!("sync.planned");
            report.seconds.plan += watch.seconds();
            report.planned(&plan, &prepared);
            match self.execute(&plan, prepared, report).await {
                // What the plan or the stage relied on is gone: go on with what is left, or plan again.
                Err(error) if error.kind() == ErrorKind::Stale => {
                    attempts.wait(error, &self.context.stop, &self.progress.retries).await?;
                }
                Err(error) => return Err(error),
                Ok(head) => {
                    let is_settled =
                        head.state.source.as_ref().is_none_or(|state| self.context.source.is_settled(state));
                    let is_late = plan.resumed && self.stream.sync_mode == SyncMode::Incremental;
                    return Ok(is_settled && !is_late);
                }
            }
        }
    }

    /// Makes the target ready.
    pub(crate) async fn prepare(&self) -> Result<Prepared> {
        let schema = written_schema(&self.stream, &self.context.config.metadata)?;
        let prepared = self.retrying(|| self.context.destination.prepare(&self.stream, &schema)).await?;
        if prepared.schema.fields().is_empty() {
            // The rows of a file are those of its columns: there would be none, whatever was read.
            return Err(Error::schema("the stream has no columns, and files hold no rows without one")
                .hint("leave the stream out, or add a column to its rows by the connection's `metadata`"));
        }
        refuse_unfit_column(prepared.stage.options().folder_by.as_ref(), &prepared.schema)?;
        Ok(prepared)
    }

    async fn retrying<T, F: Future<Output = Result<T>>>(&self, call: impl FnMut() -> F) -> Result<T> {
        retrying(self.context.config.patience(), &self.context.stop, &self.progress.retries, call).await
    }

    /// Plans what is new since `head`, or what an interrupted sync left.
    pub(crate) async fn plan(&self, head: &Head, lifetime: Lifetime) -> Result<StreamPlan> {
        let before = head.state.source.clone();
        let fingerprint = self.stream.fingerprint();
        let (plan, sync, resumed) = match &head.state.unfinished {
            Some(unfinished) if unfinished.fingerprint != fingerprint => {
                return Err(Error::config("an unfinished sync of this stream was planned with other settings")
                    .hint("restore columns, filter, cursor and mode for one sync, or `tidegate state reset` the stream"));
            }
            Some(unfinished) => (rest(unfinished), unfinished.sync, true),
            None => {
                let (parallelism, sweep) = (self.context.config.parallelism(), self.context.sweep);
                let source = &self.context.source;
                // The snapshot may go while it is asked what it shows.
                let (patience, stop) = (self.context.config.patience(), &self.context.stop);
                let plan = retrying_anew(patience, stop, &self.progress.retries, || {
                    source.plan(&self.stream, before.as_ref(), parallelism, lifetime, sweep)
                });
                let plan = Box::pin(plan).await?;
                (plan, SyncId::new(), false)
            }
        };
        let position = |state| self.context.source.position(state);
        Ok(StreamPlan {
            version: PLAN_VERSION,
            sequence: head.sequence,
            sync,
            resumed,
            cursor_before: before.as_ref().and_then(position),
            cursor_after: position(&plan.next),
            unfinished: Unfinished {
                sync,
                fingerprint,
                mode: plan.mode,
                next: plan.next,
                max_in_flight: plan.max_in_flight,
                remaining: plan.partitions.iter().map(|planned| planned.partition.clone()).collect(),
            },
            before,
            partitions: plan.partitions,
            grain: plan.grain,
            max_in_flight: plan.max_in_flight,
            window: plan.window,
            notes: plan.notes,
            stream: self.stream.clone(),
        })
    }

    /// What reading `plan` into `prepared` needs, with the partitions `queue`.
    pub(crate) fn reading(&self, plan: &StreamPlan, prepared: Prepared, share: Share) -> Reading {
        let context = self.context;
        let options = prepared.stage.options();
        Reading {
            source: Arc::clone(&context.source),
            stream: self.stream.clone(),
            conform: Conform::new(
                &self.stream,
                &context.config.metadata,
                prepared.schema.clone(),
                plan.sync,
                context.started_at,
            ),
            settings: FileSettings::new(prepared.schema, options.compression, share.row_group_bytes)
                .added(&context.config.metadata.names()),
            folders: Folders::new(options.folder_by.clone(), context.started_at),
            budget: Arc::clone(&context.budget),
            share,
            queue: Mutex::new(plan.partitions.iter().map(|planned| planned.partition.clone()).collect()),
            grain: plan.grain,
            progress: Arc::clone(&self.progress),
            patience: context.config.patience(),
            stop: context.stop.clone(),
            halt: Stop::default(),
            lost: AtomicBool::new(false),
            stage: prepared.stage,
        }
    }

    /// What one lane of this stream may hold.
    pub(crate) fn share(&self, prepared: &Prepared) -> Share {
        let stage = &prepared.stage;
        self.context.budget.share(
            self.context.config.parallelism(),
            stage.buffer_bytes() as u64,
            stage.options().row_group_bytes,
        )
    }

    /// Reads and commits; returns where the stream stands then.
    pub(crate) async fn execute(
        &self,
        plan: &StreamPlan,
        prepared: Prepared,
        report: &mut StreamReport,
    ) -> Result<Head> {
        self.progress.enter(Step::Reading);
        // A plan that was made again starts anew.
        for count in [&self.progress.rows, &self.progress.bytes, &self.progress.staged_bytes] {
            count.set(0);
        }
        self.progress.partitions_done.set(0);
        self.progress.partitions.set(plan.partitions.len() as u64);
        self.progress.estimated_rows.set(plan.estimated_rows().unwrap_or(0));
        let watch = Watch::start();
        let (share, schema, head) = (self.share(&prepared), prepared.schema.clone(), prepared.head.clone());
        let context = self.context;
        let mut committer = Committer::new(
            context.source.as_ref(),
            context.destination.as_ref(),
            plan,
            schema,
            head,
            Arc::clone(&self.progress),
        );
        committer.interval = context.config.commit_interval;
        committer.patience = context.config.patience();
        let reading = Arc::new(self.reading(plan, prepared, share));
        let mut sum = Staged::default();
        let (mut lanes, mut finished) = self.start(plan, &reading, share);
        let collected = committer.collect(&mut finished, &mut sum).await;
        if collected.is_err() {
            reading.halt.request();
        }
        drop(finished);
        let read = first_error(&mut lanes).await;
        report.seconds.read += watch.seconds() - committer.committed.seconds;
        report.read(&sum);
        let result = match collected.and(read) {
            Ok(()) => self.conclude(&mut committer, &reading).await,
            Err(error) if reading.is_lost() && committer.is_begun() => Err(unplannable(&error)),
            Err(error) => Err(error),
        };
        if result.is_err() {
            self.salvage(&mut committer, &reading, &result).await;
        }
        reading.stage.release().await;
        report.committed(committer.committed, &committer.head, self.context.source.as_ref());
        result.map(|()| committer.head)
    }

    /// Starts as many lanes as there is room and work for.
    fn start(
        &self,
        plan: &StreamPlan,
        reading: &Arc<Reading>,
        share: Share,
    ) -> (JoinSet<Result<()>>, mpsc::Receiver<Staged>) {
        let endured = plan.max_in_flight.map_or(usize::MAX, NonZeroUsize::get);
        let count = share.lanes.get().min(endured).min(plan.partitions.len());
        let (sender, finished) = mpsc::channel(count.max(1));
        let mut lanes = JoinSet::new();
        for _ in 0..count {
            let lane = Lane::new(Arc::clone(reading), sender.clone());
            let (slots, stop, halt) =
                (Arc::clone(&self.context.lanes), reading.stop.clone(), reading.halt.clone());
            lanes.spawn(async move {
                let slot = tokio::select! {
                    slot = slots.slot() => slot,
                    () = stop.requested() => return Ok(()),
                    () = halt.requested() => return Ok(()),
                };
                lane.run_apart(slot).await
            });
        }
        (lanes, finished)
    }

    /// The last commit of a sync whose partitions have all been read, or of what a signal left.
    async fn conclude(&self, committer: &mut Committer<'_>, reading: &Reading) -> Result<()> {
        if !committer.is_complete() {
            return Err(interrupted());
        }
        self.progress.enter(Step::Committing);
        self.hold_empty_file(committer, reading).await?;
        committer.commit().await
    }

    /// A reader of an empty stream shall find its columns rather than no file: writes one without rows
    /// where the last commit would leave none.
    pub(crate) async fn hold_empty_file(
        &self,
        committer: &mut Committer<'_>,
        reading: &Reading,
    ) -> Result<()> {
        let files = committer.held().files.len() as u64 + committer.committed.sum.files;
        let empty_target = committer.head.totals.files == 0 || self.stream.write_mode == WriteMode::Overwrite;
        if files > 0 || !empty_target || reading.conform.target().fields().is_empty() {
            return Ok(());
        }
        let folder = reading.folders.of_nothing();
        let write = || async {
            let stage = reading.stage.as_ref();
            FileWriter::create(&reading.settings, stage, folder.as_deref()).await?.finish().await
        };
        let file = self.retrying(write).await?;
        committer.hold(Staged { files: vec![file], ..Staged::default() })
    }

    /// After a failure or a signal: commits what may be committed, throws away the rest.
    async fn salvage(&self, committer: &mut Committer<'_>, reading: &Reading, result: &Result<()>) {
        // After a conflict a commit would fail; before a plan is made again it would leave a part of the
        // stale one to be resumed.
        let in_vain = result
            .as_ref()
            .is_err_and(|error| matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Stale));
        if !in_vain && committer.may_commit() {
            if let Err(error) = committer.commit().await {
                tracing::warn!(
                    stream = self.stream.name,
                    "what was complete could not be committed: {error:#}"
                );
            }
            return;
        }
        if let Err(error) = reading.stage.discard(&committer.held().files).await {
            tracing::warn!(stream = self.stream.name, "staged files could not be removed: {error:#}");
        }
    }
}

/// The rest of a plan can't be read any more, and a part of it is committed. To plan again would read that
/// once more: a person has to decide.
fn unplannable(error: &Error) -> Error {
    let message = format!("the rest of an unfinished sync can't be read any more: {}", error.message());
    let pairs = error.context_pairs().iter().cloned();
    let lasting = pairs.fold(Error::config(message), |lasting, (key, value)| lasting.context(key, value));
    lasting.hint(
        "remove the target's rows and `tidegate state reset` the stream: the next sync reads everything",
    )
}

/// What an interrupted sync left, as a plan.
fn rest(unfinished: &Unfinished) -> DynPlan {
    DynPlan {
        partitions: unfinished.remaining.iter().cloned().map(protocol::Planned::new).collect(),
        next: unfinished.next.clone(),
        max_in_flight: unfinished.max_in_flight,
        grain: Grain::Partition,
        mode: unfinished.mode.clone(),
        window: None,
        notes: Vec::new(),
    }
}

/// Waits for all lanes. A lane that failed asks the others to end.
pub(crate) async fn first_error(lanes: &mut JoinSet<Result<()>>) -> Result<()> {
    let mut first = Ok(());
    while let Some(ended) = lanes.join_next().await {
        let result = ended.unwrap_or_else(|_| Err(Error::internal("a lane panicked")));
        if first.is_ok() {
            first = result;
        }
    }
    first
}
