//! The source in memory passes the suite for sources; sources with one fault each don't.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow_schema::DataType;
use futures::FutureExt;
use protocol::conformance::source::{Expected, SourceFixture, source};
use protocol::{
    ConfiguredStream, DynSource, Emitter, Grain, Plan, PlanRequest, Planned, Result, Source, StreamFilter,
    SyncMode,
};

use crate::memory::source::{Ids, Learned, Nothing, Position, timestamp};
use crate::memory::{Faults, MemorySource, Table, Tables, World};

/// What a source may get wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    Overlap,
    Gap,
    Checkpoint,
    State,
    Schema,
    Swallows,
    Blocks,
}

struct Flawed(MemorySource, Wrong, Arc<tokio::sync::Semaphore>);

impl Source for Flawed {
    const NAME: &'static str = "memory";
    type Config = Nothing;
    type Partition = Ids;
    type State = Position;
    type Seen = Learned;

    async fn open(_: Nothing) -> Result<Self> {
        let source = MemorySource { tables: Arc::default(), faults: Faults::none() };
        Ok(Self(source, Wrong::Nothing, Arc::new(tokio::sync::Semaphore::new(3))))
    }

    async fn check(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn discover(&self, filter: &StreamFilter) -> Result<protocol::Catalog> {
        Source::discover(&self.0, filter).await
    }

    async fn plan(&self, request: &PlanRequest<'_, Position>) -> Result<Plan<Ids, Position>> {
        let mut plan = Source::plan(&self.0, request).await?;
        match self.1 {
            Wrong::Overlap => plan.partitions.push(Planned::new(Ids { from: 3, to: 4 })),
            Wrong::Gap => drop(plan.partitions.pop()),
            Wrong::State => plan.next.until -= 1,
            _ => {}
        }
        Ok(plan)
    }

    fn advance(&self, state: &mut Position, partition: &Ids, seen: Learned) {
        Source::advance(&self.0, state, partition, seen);
    }

    async fn read(
        &self,
        stream: &ConfiguredStream,
        ids: Ids,
        out: &mut Emitter<'_, Self>,
    ) -> Result<Learned> {
        let permit = self.2.acquire().await.unwrap();
        if self.1 == Wrong::Blocks {
            permit.forget();
        }
        let mut stream = stream.clone();
        if self.1 == Wrong::Schema {
            stream.schema = Arc::new(stream.schema.project(&[0]).unwrap());
        }
        let table = self.0.tables.get(&stream.name);
        let mut from = ids.from;
        while from < ids.to {
            let to = (from + table.batch_rows).min(ids.to);
            let sent = out.batch(self.0.batch(&table, &stream, from..to)).await;
            if self.1 != Wrong::Swallows {
                sent?;
            }
            from = to;
            let rest = if self.1 == Wrong::Checkpoint { from + 1 } else { from };
            if from < ids.to {
                out.checkpoint(&Ids { from: rest, to: ids.to }, Learned::default()).await.ok();
            }
        }
        Ok(Learned::default())
    }
}

struct Fixture {
    tables: Arc<Tables>,
    stream: ConfiguredStream,
    wrong: Option<Wrong>,
    permits: Arc<tokio::sync::Semaphore>,
}

impl Fixture {
    async fn new(table: Table, mode: SyncMode, wrong: Option<Wrong>) -> Self {
        let world = World::new(table);
        let mut stream = world.sync(&Faults::none()).streams().await.unwrap().remove(0);
        stream.sync_mode = mode;
        Self { tables: world.tables, stream, wrong, permits: Arc::new(tokio::sync::Semaphore::new(8)) }
    }
}

impl SourceFixture for Fixture {
    async fn open(&self) -> Result<Box<dyn DynSource>> {
        let source = MemorySource { tables: Arc::clone(&self.tables), faults: Faults::none() };
        Ok(match self.wrong {
            None => Box::new(source),
            Some(wrong) => Box::new(Flawed(source, wrong, Arc::clone(&self.permits))),
        })
    }

    fn stream(&self) -> ConfiguredStream {
        self.stream.clone()
    }

    fn expected(&self) -> Expected {
        Expected::Rows((0..self.tables.get("numbers").rows).map(|id| format!("{id} | row {id}")).collect())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_source_in_memory_conforms() {
    for mode in [SyncMode::Incremental, SyncMode::FullRefresh] {
        for checkpoints in [false, true] {
            let table = Table::new(50).cut(20, 3).grain(Grain::Plan).checkpoints(checkpoints);
            source(&Fixture::new(table, mode, None).await).await;
        }
    }
    source(&Fixture::new(Table::new(0), SyncMode::Incremental, None).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instants_and_payload_can_be_compared() {
    struct Counted(Fixture);
    impl SourceFixture for Counted {
        async fn open(&self) -> Result<Box<dyn DynSource>> {
            self.0.open().await
        }
        fn stream(&self) -> ConfiguredStream {
            self.0.stream()
        }
        fn expected(&self) -> Expected {
            Expected::Count(20)
        }
    }
    let table = Table::new(20).columns([
        ("id", DataType::Int64),
        ("at", timestamp()),
        ("day", DataType::Date32),
        ("payload", DataType::Binary),
    ]);
    source(&Counted(Fixture::new(table, SyncMode::Incremental, None).await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_is_found() {
    tokio::time::timeout(std::time::Duration::from_mins(3), async {
        for (wrong, expected) in [
            (Wrong::Nothing, None),
            (Wrong::Overlap, Some("partitions in reverse: 0 rows lost")),
            (Wrong::Gap, Some("partitions in reverse: 10 rows lost")),
            (Wrong::Checkpoint, Some("the rest after checkpoint 0: 1 rows lost")),
            (Wrong::State, Some("a second sync where nothing changed")),
            (Wrong::Schema, Some("a batch differs")),
            (Wrong::Swallows, Some("whose event was refused")),
        ] {
            match (said_of(wrong).await, expected) {
                (None, None) => {}
                (Some(said), Some(expected)) => assert!(said.contains(expected), "{wrong:?}: {said}"),
                (said, expected) => panic!("{wrong:?}: said {said:?}, expected {expected:?}"),
            }
        }
    })
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_source_that_keeps_what_a_read_took_is_found() {
    let said = said_of(Wrong::Blocks).await.unwrap();
    assert!(said.contains("hangs"), "{said}");
}

/// What the suite says of a source with that fault.
async fn said_of(wrong: Wrong) -> Option<String> {
    let table = Table::new(50).cut(20, 3).checkpoints(true);
    let fixture = Fixture::new(table, SyncMode::Incremental, Some(wrong)).await;
    let panic = AssertUnwindSafe(source(&fixture)).catch_unwind().await.err()?;
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
}
