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
    cursor: &'static str,
}

pub(super) const ITEM: Stream = Stream { name: "public.item", table: Table::Item, cursor: "updated_at" };
pub(super) const EVENT: Stream = Stream { name: "public.event", table: Table::Event, cursor: "updated_at" };
pub(super) const NUMBER: Stream = Stream { name: "public.number", table: Table::Number, cursor: "id" };
pub(super) const PART: Stream = Stream { name: "public.part", table: Table::Part, cursor: "updated_at" };
/// A view shows no transaction numbers: it is read by settled windows, whatever the others are read by.
pub(super) const VIEW: Stream = Stream { name: "public.item_view", table: Table::Item, cursor: "updated_at" };

impl Stream {
    /// As it stands in a configuration.
    pub(super) fn configuration(self) -> Value {
        json!({ "name": self.name, "cursor": self.cursor, "lag": LAG, "on_unfit": "null" })
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
            "CREATE TABLE item (id bigint PRIMARY KEY, version bigint NOT NULL, previous bigint, \
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
