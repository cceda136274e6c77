//! A stream's plan as a document: what `plan` prints, `read` and `commit` take, on any machine.

use protocol::{ConfiguredStream, Grain, Planned, SyncId, Unfinished, Versioned, Window};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of the document's form.
pub const PLAN_VERSION: u32 = 1;

/// What one sync of one stream is going to do. Stands on its own: another process with the same
/// configuration can read its partitions and commit what they yield.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StreamPlan {
    /// Version of this form: 1.
    pub version: u32,
    /// The stream, as configured.
    pub stream: ConfiguredStream,
    /// Number of the last commit when the plan was made. A commit of this plan fails when another
    /// has come in between.
    pub sequence: u64,
    /// The sync.
    pub sync: SyncId,
    /// Whether it goes on with what an interrupted sync left.
    pub resumed: bool,
    /// Where the last finished sync left the stream.
    pub before: Option<Versioned>,
    /// The partitions to read.
    pub partitions: Vec<Planned<Value>>,
    /// All that is to be done, as the state keeps it.
    pub unfinished: Unfinished,
    /// What may be committed apart.
    pub grain: Grain,
    /// Most partitions that the source endures at once.
    pub max_in_flight: Option<std::num::NonZeroUsize>,
    /// Where the stream stands, for people.
    pub cursor_before: Option<String>,
    /// Where it will stand, for people; what is only learned by reading is not in it.
    pub cursor_after: Option<String>,
    /// The range of cursor values that is read.
    pub window: Option<Window>,
    /// What the person should know.
    pub notes: Vec<String>,
}

impl StreamPlan {
    /// Rows of all partitions, where each has an estimate.
    #[must_use]
    pub fn estimated_rows(&self) -> Option<u64> {
        self.partitions.iter().map(|planned| planned.rows).sum()
    }

    /// Bytes of all partitions, where each has an estimate.
    #[must_use]
    pub fn estimated_bytes(&self) -> Option<u64> {
        self.partitions.iter().map(|planned| planned.bytes).sum()
    }
}
