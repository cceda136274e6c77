//! The tables that are written, and the streams that read them.

use lab::Database;
use serde_json::{Value, json};

/// Rows that several writers change, so that they wait for each other and an older stamp replaces a
/// younger one.
pub(super) const SHARED_ROWS: i64 = 8;
/// Longer than any stamp is rounded down, and than any message of several transactions takes.
const LAG: &str = "1s";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// Rows that are inserted, updated and deleted.
    Item,
    /// Rows that stay as they are.
    Event,
    /// The same, with a sequence for a cursor.
    Number,
    /// The same, partitioned; partitions with old rows are attached all the while.
    Part,
}

/// What a sync is configured to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    pub(super) name: &'static str,
    /// The table whose row versions it shows.
    pub(super) table: Table,
    pub(super) mode: Mode,
    cursor: &'static str,
}

/// How a stream is read, and so what it promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// All that a snapshot shows, looked for where the cursor says: the usual one of tables, unless they
    /// are as small as those of a test.
    SeenSet,
    /// The same, looked for everywhere.
    Swept,
    /// What lies before the end of a window: a fallback, also where tables are asked to be read by it.
    SettledWindow,
}

const fn stream(name: &'static str, table: Table, mode: Mode) -> Stream {
    let cursor = match table {
        Table::Number => "id",
        _ => "updated_at",
    };
    Stream { name, table, mode, cursor }
}

/// What is read into a directory, by a role that may do no more.
pub(super) const TO_DIRECTORY: [Stream; 5] = [
    stream("public.item", Table::Item, Mode::SeenSet),
    stream("public.event", Table::Event, Mode::SeenSet),
    stream("public.number", Table::Number, Mode::SeenSet),
    stream("public.part", Table::Part, Mode::SeenSet),
    // A view does not show which transactions wrote its rows.
    stream("public.item_view", Table::Item, Mode::SettledWindow),
];
/// What is read into a bucket, by a role that sees as well since when others' transactions run.
pub(super) const TO_BUCKET: [Stream; 4] = [
    stream("public.item", Table::Item, Mode::SeenSet),
    stream("public.event", Table::Event, Mode::Swept),
    stream("public.number", Table::Number, Mode::SettledWindow),
    stream("public.part", Table::Part, Mode::SettledWindow),
];

impl Stream {
    /// As it stands in a configuration.
    pub(super) fn configuration(self) -> Value {
        let options = match self.mode {
            Mode::SeenSet => json!({ "sweep": "never" }),
            Mode::Swept => json!({ "sweep": "always" }),
            Mode::SettledWindow => json!({ "mode": self.mode.name() }),
        };
        let (name, cursor) = (self.name, self.cursor);
        json!({ "name": name, "cursor": cursor, "lag": LAG, "on_unfit": "null", "options": options })
    }
}

impl Mode {
    /// Its name in configurations and reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SeenSet | Self::Swept => "seen_set",
            Self::SettledWindow => "settled_window",
        }
    }
}

impl Table {
    pub(super) const ALL: [Self; 4] = [Self::Item, Self::Event, Self::Number, Self::Part];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Item => "item",
            Self::Event => "event",
            Self::Number => "number",
            Self::Part => "part",
        }
    }

    /// Whether a row, once committed, is there for ever.
    pub(super) fn is_insert_only(self) -> bool {
        self != Self::Item
    }

    /// The cursor's value as a whole number: µs since 1970, or the number itself. None for what no
    /// window can hold.
    pub(super) fn position(self) -> &'static str {
        match self {
            Self::Number => "id",
            _ => "CASE WHEN isfinite(updated_at) THEN (extract(epoch FROM updated_at) * 1000000)::bigint END",
        }
    }
}

/// Makes them, empty.
pub(super) async fn create(database: &Database) {
    database
        .execute(
            "CREATE TABLE mark (id bigint PRIMARY KEY); \
             CREATE TABLE item (id bigint PRIMARY KEY, version bigint NOT NULL, previous bigint, \
                 updated_at timestamptz, note text DEFAULT repeat('n', 40)); \
             CREATE INDEX ON item (updated_at); \
             CREATE VIEW item_view AS SELECT id, version, updated_at FROM item; \
             CREATE TABLE event (version bigint PRIMARY KEY, updated_at timestamptz); \
             CREATE INDEX ON event (updated_at); \
             CREATE TABLE number (id bigserial PRIMARY KEY, version bigint NOT NULL); \
             CREATE TABLE part (version bigint NOT NULL, region int NOT NULL, updated_at timestamptz) \
                 PARTITION BY LIST (region); \
             CREATE INDEX ON part (updated_at); \
             CREATE TABLE part_0 PARTITION OF part FOR VALUES IN (0); \
             CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1)",
        )
        .await;
}
