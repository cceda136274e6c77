//! The settings of a connection: which streams go from where to where, and how.
//!
//! Reading files, references to secrets and positions in files are the command line's matter; here
//! is only the shape.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use protocol::{ByteSize, DriftPolicy, Period, SyncMode, UnfitPolicy, WriteMode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::retry::Patience;

/// A configured pair of source and destination, and what moves between them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionConfig {
    /// Name of the source, a key of `sources`.
    pub source: String,
    /// Name of the destination, a key of `destinations`.
    pub destination: String,
    /// What to sync.
    pub streams: Vec<StreamConfig>,
    /// Settings for all streams that don't say otherwise.
    #[serde(default)]
    pub defaults: StreamDefaults,
    /// Most bytes that all buffers together may take. Reading waits when they are spent. Default: 32 MiB
    /// for each of `parallelism`.
    #[serde(default)]
    pub memory: Option<ByteSize>,
    /// Most partitions that are read at once, over all streams; fewer where `memory` is short. Default:
    /// as many as there are cores, at least 2 and at most 4.
    #[serde(default)]
    pub parallelism: Option<NonZeroUsize>,
    /// How often a partition is tried again, without getting any further, before its stream fails.
    #[serde(default = "default_retries")]
    pub retries: u32,
    /// How long to wait before a partition is tried again: as a rule twice as long each time, with up to
    /// as much again by chance.
    #[serde(default = "default_retry_wait")]
    pub retry_wait: Period,
    /// How often what is complete is committed, where a source's partitions may be committed apart.
    #[serde(default = "default_commit_interval")]
    pub commit_interval: Period,
    /// Columns that tidegate adds to each row, each under the name given here; left out, none.
    #[serde(default)]
    pub metadata: MetadataColumns,
}

fn default_retries() -> u32 {
    5
}

fn default_retry_wait() -> Period {
    Period::from(Duration::from_millis(250))
}

fn default_commit_interval() -> Period {
    Period::from_secs(60)
}

/// Bytes of memory for each partition that is read at once.
const LANE_MEBIBYTES: u64 = 32;
/// Partitions that are read at once, however many cores there are: a server that works for others as
/// well is not to be asked for more by default.
const LANES: (usize, usize) = (2, 4);

impl ConnectionConfig {
    /// Most partitions that are read at once.
    #[must_use]
    pub fn parallelism(&self) -> NonZeroUsize {
        let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let default = || NonZeroUsize::new(cores().clamp(LANES.0, LANES.1));
        self.parallelism.or_else(default).unwrap_or(NonZeroUsize::MIN)
    }

    /// Most bytes that all buffers together may take.
    #[must_use]
    pub fn memory(&self) -> ByteSize {
        let lanes = u64::try_from(self.parallelism().get()).unwrap_or(u64::MAX);
        self.memory.unwrap_or_else(|| ByteSize::mib(LANE_MEBIBYTES.saturating_mul(lanes)))
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience { retries: self.retries, wait: self.retry_wait.duration() }
    }
}

/// Names of the columns that tidegate adds.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetadataColumns {
    /// When the sync began to read: microseconds, UTC.
    #[serde(default)]
    pub extracted_at: Option<String>,
    /// The sync's id, the one that its report and manifest name.
    #[serde(default)]
    pub sync_id: Option<String>,
    /// A UUID for each row, never given twice.
    #[serde(default)]
    pub row_id: Option<String>,
    /// When `reconcile --apply` found the row deleted at the source: microseconds, UTC; NULL in all
    /// other rows. Left out, the first row so found adds a column `_tidegate_deleted_at`.
    #[serde(default)]
    pub deleted_at: Option<String>,
}

impl MetadataColumns {
    /// The names that are configured.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = [&self.extracted_at, &self.sync_id, &self.row_id, &self.deleted_at];
        names.into_iter().flatten().cloned().collect()
    }
}

/// Settings for all streams of a connection.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamDefaults {
    /// How far below the settled bound rows may still appear; see the source's documentation.
    #[serde(default)]
    pub lag: Option<Period>,
    /// What becomes of values that don't fit their column.
    #[serde(default)]
    pub on_unfit: Option<UnfitPolicy>,
    /// What a changed schema does.
    #[serde(default)]
    pub on_drift: Option<DriftPolicy>,
}

/// One stream, or with `*` in its name all that fit.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamConfig {
    /// Its name at the source: `public.payments`. `*` stands for any run of characters.
    pub name: String,
    /// Its name at the destination; default: the same.
    #[serde(default)]
    pub target: Option<String>,
    /// Everything each time, or what is new. Default: `incremental` where a cursor is named.
    #[serde(default)]
    pub mode: Option<SyncMode>,
    /// Whether rows are added, take the place of all before, or of those with the same primary key
    /// (`merge`, where the destination can). Default: `append` for incremental, `overwrite` for a full
    /// refresh.
    #[serde(default)]
    pub write: Option<WriteMode>,
    /// The column that says what is new: `updated_at`.
    #[serde(default)]
    pub cursor: Option<String>,
    /// A column that says of a row that it is deleted: a time or date that is not NULL, or true. Such
    /// rows are written like all others, and counted.
    #[serde(default)]
    pub soft_delete: Option<String>,
    /// How far below the settled bound rows may still appear.
    #[serde(default)]
    pub lag: Option<Period>,
    /// Columns to read; default: all.
    #[serde(default)]
    pub columns: Option<Vec<String>>,
    /// Columns not to read.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Precision and scale for numbers that have none of their own: `{amount: "18,4"}`.
    #[serde(default)]
    pub decimals: BTreeMap<String, String>,
    /// A condition in the source's own language that rows must meet: `country = 'DE'`.
    #[serde(default)]
    pub filter: Option<String>,
    /// Columns that identify a row, where the source does not know them.
    #[serde(default)]
    pub primary_key: Option<Vec<String>>,
    /// What becomes of values that don't fit their column. Default: `error`.
    #[serde(default)]
    pub on_unfit: Option<UnfitPolicy>,
    /// What a changed schema does. Default: `evolve`.
    #[serde(default)]
    pub on_drift: Option<DriftPolicy>,
    /// Settings that only the source understands.
    #[serde(default)]
    pub options: BTreeMap<String, serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lanes_and_memory(settings: &[(&str, serde_json::Value)]) -> (usize, u64) {
        let mut config = json!({ "source": "a", "destination": "b", "streams": [] });
        for (key, value) in settings {
            config[*key] = value.clone();
        }
        let config: ConnectionConfig = serde_json::from_value(config).unwrap();
        (config.parallelism().get(), config.memory().get() >> 20)
    }

    #[test]
    fn memory_goes_with_the_lanes_unless_it_is_given() {
        let (lanes, memory) = lanes_and_memory(&[]);
        assert!((2..=4).contains(&lanes), "{lanes}");
        assert_eq!(memory, 32 * lanes as u64);
        assert_eq!(lanes_and_memory(&[("parallelism", json!(8))]), (8, 256));
        assert_eq!(lanes_and_memory(&[("parallelism", json!(1)), ("memory", json!("512MiB"))]), (1, 512));
    }
}
