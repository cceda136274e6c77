//! A sync without an engine: plans, reads all partitions at once, keeps the state as a commit would.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use connectors::source::postgres::Postgres;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use lab::Database;
use protocol::{
    ConfiguredStream, DriftPolicy, DynPlan, DynSource, Error, Event, Lifetime, Outlet, Result, SourceFactory,
    StreamFilter, SyncMode, UnfitPolicy, Versioned, WriteMode,
};
use serde_json::{Value, json};

/// Rows as text, columns parted by `|`, in no order.
pub(crate) type Rows = Vec<String>;

/// What reading partitions told of each.
type Told = Vec<(Value, Value)>;

/// One stream of one source, and its state.
pub(crate) struct Sync {
    pub(crate) source: Arc<dyn DynSource>,
    pub(crate) stream: ConfiguredStream,
    pub(crate) state: Option<Versioned>,
    pub(crate) parallelism: usize,
    /// Whether the next syncs are asked to look at all rows.
    pub(crate) sweep: bool,
    /// What was planned, and what reading it told.
    pub(crate) told: Mutex<Vec<(Versioned, Told)>>,
}

/// A source over a database, with settings beside the URL.
pub(crate) async fn open(url: &str, settings: Value) -> Arc<dyn DynSource> {
    let mut config = json!({ "url": url, "barrier_wait": "200ms" });
    for (name, value) in settings.as_object().expect("settings are an object") {
        config[name] = value.clone();
    }
    let configure = SourceFactory::of::<Postgres>().configure;
    let open = configure(config).unwrap_or_else(|error| panic!("{error}"));
    Arc::from(open().await.expect("the settings can work"))
}

/// The stream as a connection without settings has it.
pub(crate) async fn configured(source: &dyn DynSource, name: &str) -> ConfiguredStream {
    let filter = StreamFilter { patterns: vec![name.to_owned()] };
    let catalog = source.discover(&filter).await.unwrap();
    let stream = catalog.stream(name).unwrap_or_else(|| panic!("no stream {name}: {catalog:?}"));
    ConfiguredStream {
        connection: "test".to_owned(),
        name: name.to_owned(),
        target: name.to_owned(),
        schema: Arc::clone(&stream.schema),
        primary_key: stream.primary_key.clone(),
        sync_mode: SyncMode::FullRefresh,
        write_mode: WriteMode::Append,
        cursor: None,
        soft_delete: None,
        lag: None,
        filter: None,
        on_unfit: UnfitPolicy::Error,
        on_drift: DriftPolicy::Evolve,
        options: std::collections::BTreeMap::default(),
    }
}

impl Sync {
    /// A full refresh of a table.
    pub(crate) async fn full(database: &Database, name: &str) -> Self {
        Self::full_of(open(&database.url(), json!({})).await, name).await
    }

    pub(crate) async fn full_of(source: Arc<dyn DynSource>, name: &str) -> Self {
        let stream = configured(&*source, name).await;
        Self { source, stream, state: None, parallelism: 4, sweep: false, told: Mutex::default() }
    }

    /// Increments of a table without any lag.
    pub(crate) async fn incremental(database: &Database, name: &str, cursor: &str) -> Self {
        Self::full(database, name).await.by(cursor)
    }

    pub(crate) fn by(mut self, cursor: &str) -> Self {
        self.stream.sync_mode = SyncMode::Incremental;
        self.stream.cursor = Some(cursor.to_owned());
        self.stream.lag = Some(Duration::ZERO);
        // Tables of tests are small, and shall be read as large ones are.
        self.stream.options.insert("sweep".to_owned(), json!("never"));
        self
    }

    /// Up to where nothing can come any more, and no further.
    pub(crate) fn settled(mut self) -> Self {
        self.stream.options.insert("mode".to_owned(), json!("settled_window"));
        self
    }

    /// Of all columns the first alone.
    pub(crate) fn ids(mut self) -> Self {
        self.stream.schema = Arc::new(self.stream.schema.project(&[0]).expect("there is one"));
        self
    }

    pub(crate) async fn plan(&self) -> Result<DynPlan> {
        self.plan_for(Lifetime::Session).await
    }

    pub(crate) async fn plan_for(&self, lifetime: Lifetime) -> Result<DynPlan> {
        let parallelism = NonZeroUsize::new(self.parallelism).expect("it is not 0");
        let state = self.settled_state();
        let plan = self.source.plan(&self.stream, state.as_ref(), parallelism, lifetime, self.sweep).await?;
        self.told.lock().expect("nobody panics with it").push((plan.next.clone(), Vec::new()));
        Ok(plan)
    }

    /// The state that a commit would have written: what reading the plan told belongs to it.
    pub(crate) fn settled_state(&self) -> Option<Versioned> {
        let mut state = self.state.clone()?;
        let told = self.told.lock().expect("nobody panics with it");
        if let Some((_, told)) = told.iter().rev().find(|(next, _)| *next == state) {
            for (partition, seen) in told {
                self.source.advance(&mut state, partition, seen.clone()).expect("it is of this source");
            }
        }
        Some(state)
    }

    /// Reads one partition.
    pub(crate) async fn read(&self, partition: Value) -> Result<Rows> {
        let mut outlet = Rowlet::default();
        let seen = self.source.read(&self.stream, partition.clone(), &mut outlet).await?;
        if let Some((_, told)) = self.told.lock().expect("nobody panics with it").last_mut() {
            told.push((partition, seen));
        }
        Ok(outlet.rows)
    }

    /// Reads all partitions of a plan at once.
    pub(crate) async fn read_all(&self, plan: &DynPlan) -> Result<Rows> {
        let reads = plan.partitions.iter().map(|planned| self.read(planned.partition.clone()));
        let mut rows: Rows = Vec::new();
        for read in join_all(reads).await {
            rows.extend(read?);
        }
        rows.sort();
        Ok(rows)
    }

    /// One sync, committed: what it read, sorted, and its notes.
    pub(crate) async fn noted(&mut self) -> Result<(Rows, Vec<String>)> {
        let plan = self.plan().await?;
        let rows = self.read_all(&plan).await;
        self.source.close().await;
        self.state = Some(plan.next);
        Ok((rows?, plan.notes))
    }

    /// The rows of one sync that must succeed.
    pub(crate) async fn rows(&mut self) -> Rows {
        self.noted().await.unwrap_or_else(|error| panic!("{error:?}")).0
    }

    /// The error of one sync that must fail.
    pub(crate) async fn error(&mut self) -> Error {
        match self.noted().await {
            Ok(rows) => panic!("no error but {rows:?}"),
            Err(error) => error,
        }
    }
}

/// An engine's side that keeps every row as text.
#[derive(Default)]
pub(crate) struct Rowlet {
    pub(crate) rows: Rows,
    /// Waited for before each batch, where there is one.
    pub(crate) gate: Option<Arc<tokio::sync::Semaphore>>,
    /// How many batches have come.
    pub(crate) batches: Arc<Mutex<usize>>,
}

impl Outlet for Rowlet {
    fn send(&mut self, event: Event) -> BoxFuture<'_, Result<()>> {
        async move {
            if let Event::Batch(batch) = event {
                *self.batches.lock().expect("nobody panics with it") += 1;
                if let Some(gate) = &self.gate {
                    gate.acquire().await.expect("nobody closes it").forget();
                }
                self.rows.extend(texts(&batch));
            }
            Ok(())
        }
        .boxed()
    }

    fn batch_bytes(&self) -> usize {
        1 << 20
    }
}

fn texts(batch: &RecordBatch) -> Rows {
    let options = FormatOptions::default().with_null("NULL");
    let arrays: Vec<ArrayRef> = batch.columns().iter().map(without_zone).collect();
    let columns: Vec<ArrayFormatter<'_>> = arrays
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).expect("every type has a text"))
        .collect();
    (0..batch.num_rows())
        .map(|row| {
            let values: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
            values.join("|")
        })
        .collect()
}

/// Arrow knows no zones by name here.
fn without_zone(column: &ArrayRef) -> ArrayRef {
    match column.as_primitive_opt::<TimestampMicrosecondType>() {
        Some(times) => Arc::new(times.clone().with_timezone_opt(None::<&str>)),
        None => Arc::clone(column),
    }
}

/// Numbers from `first` to `last` as rows of one column, sorted as rows are.
pub(crate) fn numbers(first: usize, last: usize) -> Rows {
    let mut rows: Rows = (first..=last).map(|number| number.to_string()).collect();
    rows.sort();
    rows
}

/// An address that stands for several servers, in turn. Returns its port.
pub(crate) async fn in_turn(servers: Vec<u16>) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("there are free ports");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        for server in servers.into_iter().cycle() {
            let Ok((mut client, _)) = listener.accept().await else { return };
            tokio::spawn(async move {
                let mut server = tokio::net::TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    port
}
