//! Where a stream stands between two syncs.

use chrono::{DateTime, Datelike, Duration};
use protocol::{ConfiguredStream, Covered};
use serde::{Deserialize, Serialize};

use super::barrier::Mark;
use super::history::Swept;
use super::patchwork::Patchwork;
use super::types::{NativeType, TypeKind};
use super::xids::Xids;

/// Where a stream stands between two syncs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What an incremental sync left; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<CursorState>,
    /// Whether the last sync read everything: an incremental one has nothing to go on from.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_full: bool,
}

/// Where an incremental stream stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CursorState {
    /// The cursor column.
    pub(super) column: String,
    /// What its values are.
    pub(super) kind: CursorKind,
    /// What was read: another cluster's or another table's rows are not a continuation of it.
    pub(super) identity: Identity,
    /// Where the last settled window ended: what lies before was read. None while none was read, where
    /// the table had no value, and where what was `seen` says it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Bound>,
    /// What was read by the last sync that read all that its snapshot showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seen: Option<Seen>,
    /// The greatest value that was seen; of cursors that hold no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) greatest: Option<String>,
    /// Whether a first window was read: it also takes the rows without a cursor value.
    pub(super) loaded: bool,
    /// The instant before which everything was settled, in µs since 1970; of time cursors only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) settled: Option<i64>,
    /// Moments whose transactions had not all ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) marks: Vec<Mark>,
    /// The tables below a partitioned one that were read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) leaves: Vec<u32>,
    /// The filter's digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) filter: Option<String>,
    /// The last look at all rows; none where it is not known what was read since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) swept: Option<Swept>,
    /// What the last sync read; none where it did not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) found: Option<Found>,
    /// The files of the tables in `leaves`, or of the only one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) files: Vec<u32>,
    /// What was read in other snapshots than the one of what was `seen`; of plans whose parts may be
    /// committed apart, until the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) patchwork: Option<Patchwork>,
}

/// How many rows a sync has read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) rows: u64,
    /// Those that lay where the cursor would not have led to them; none where it did not look there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) late: Option<u64>,
}

/// What of the rows from `since` on, and of those without a value or infinitely old, a snapshot showed:
/// those of transactions before `xmin`, and those of the transactions in `xids`. All of them were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// Whatever is seen for the first time later lies there: included where it is a time, excluded where
    /// it is not. None for everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<Bound>,
    /// The same, in states of an earlier version whose next sync looks everywhere nevertheless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) below: Option<Bound>,
    /// The snapshot's ends.
    pub(super) xmin: u64,
    pub(super) xmax: u64,
    /// From `xmin` on.
    #[serde(default, skip_serializing_if = "Xids::is_empty")]
    pub(super) xids: Xids,
    /// Whether what lies before `since` was only said not to come any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_lookback: bool,
}

impl State {
    /// Where the last window ended, or how far all was settled when all that was there was read; for
    /// people.
    pub(super) fn position(&self) -> Option<String> {
        let cursor = self.cursor.as_ref().filter(|cursor| cursor.loaded)?;
        if let Some(until) = &cursor.until {
            return Some(cursor.kind.shown(until));
        }
        if let Some(seen) = cursor.seen.as_ref().filter(|seen| seen.is_lookback) {
            return seen.since.as_ref().map(|since| cursor.kind.shown(since));
        }
        if cursor.kind.is_time() { cursor.settled.map(shown_instant) } else { cursor.greatest.clone() }
    }

    /// The state from which Airbyte's own connector goes on by the cursor; none without one. What was seen beyond is
    /// lost to it: it reads some rows again.
    pub(super) fn airbyte(&self, stream: &str) -> Option<serde_json::Value> {
        let cursor = self.cursor.as_ref()?;
        let (schema, table) = stream.split_once('.').unwrap_or(("public", stream));
        Some(serde_json::json!({
            "stream_descriptor": { "name": table, "namespace": schema },
            "stream_state": {
                "version": 2,
                "state_type": "cursor_based",
                "stream_name": table,
                "stream_namespace": schema,
                "cursor_field": [cursor.column],
                "cursor": self.position()?,
            },
        }))
    }

    /// Up to which values of the cursor everything was read. Only the server can compare text and
    /// numbers of any length.
    pub(super) fn covered(&self) -> Option<Covered> {
        const DAY: i64 = 86_400_000_000;
        let cursor = self.cursor.as_ref()?;
        let below = match (cursor.below(), cursor.kind) {
            (None, _) => None,
            (Some(Bound::Micros(micros)), CursorKind::Date) => Some(micros.div_euclid(DAY)),
            (Some(Bound::Micros(micros)), _) => Some(micros),
            // Windows of numbers end with the greatest.
            (Some(Bound::Value(value)), CursorKind::Integer) => {
                Some(value.parse::<i64>().ok()?.saturating_add(1))
            }
            (Some(Bound::Value(_)), _) => return None,
        };
        // Where it is known what was seen, rows without a value are looked for each time.
        let nulls = cursor.loaded && cursor.seen.is_none();
        Some(Covered { column: cursor.column.clone(), below, nulls })
    }
}

impl CursorState {
    /// Where the next window starts: what lies before is read or settled.
    pub(super) fn since(&self) -> Option<Bound> {
        later(self.seen.as_ref().and_then(|seen| seen.since.clone()), self.until.clone())
    }

    /// What was read in other snapshots than the one of what was seen, and what that showed; none where
    /// nothing was.
    pub(super) fn patches(&self) -> Option<(Patchwork, Seen)> {
        let patchwork = self.patchwork.as_ref().filter(|patchwork| !patchwork.pieces.is_empty())?;
        Some((patchwork.clone(), self.seen.clone()?))
    }

    /// Before which everything is accounted for, if cursors are what they should be.
    pub(super) fn below(&self) -> Option<Bound> {
        let seen = self.seen.as_ref().and_then(|seen| seen.below.clone().or_else(|| seen.since.clone()));
        later(seen, self.until.clone())
    }
}

/// The later of two bounds. Values are compared by the server only, and the new one is never smaller.
pub(super) fn later(before: Option<Bound>, now: Option<Bound>) -> Option<Bound> {
    match (before, now) {
        (Some(Bound::Micros(before)), Some(Bound::Micros(now))) => Some(Bound::Micros(before.max(now))),
        (before, now) => now.or(before),
    }
}

/// Which table of which database of which cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// The cluster's number, as its first `initdb` chose it; none where the server does not tell.
    pub(super) system: Option<String>,
    /// How often a standby has been made the primary, or a backup restored; none likewise.
    pub(super) timeline: Option<u32>,
    /// The database's number.
    pub(super) database: u32,
    /// The table's number.
    pub(super) relation: u32,
}

/// What the values of a cursor are, and so what they are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CursorKind {
    /// Instants.
    Timestamptz,
    /// What a clock on some wall shows.
    Timestamp,
    /// Its date.
    Date,
    /// Whole numbers in the order of their allocation.
    Integer,
    /// Numbers in the order of their allocation.
    Numeric,
    /// Texts in the order of their allocation.
    Text,
    /// The same, padded with blanks.
    Bpchar,
}

impl CursorKind {
    /// The kind of a column's values; none where they can't be a cursor.
    pub(super) fn of(native: &NativeType) -> Option<Self> {
        let base = native.base();
        if base.schema != "pg_catalog" || base.kind != TypeKind::Base {
            return None;
        }
        Some(match base.name.as_str() {
            "timestamptz" => Self::Timestamptz,
            "timestamp" => Self::Timestamp,
            "date" => Self::Date,
            "int2" | "int4" | "int8" => Self::Integer,
            "numeric" => Self::Numeric,
            "text" | "varchar" => Self::Text,
            "bpchar" => Self::Bpchar,
            _ => return None,
        })
    }

    /// Whether the server's clock tells which values are settled. Of other kinds only a value that was
    /// seen can tell.
    pub(super) fn is_time(self) -> bool {
        matches!(self, Self::Timestamptz | Self::Timestamp | Self::Date)
    }

    /// The type of literals.
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Timestamptz => "timestamptz",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Integer => "int8",
            Self::Numeric => "numeric",
            Self::Text => "text",
            Self::Bpchar => "bpchar",
        }
    }

    /// A bound as the server reads it.
    pub(super) fn written(self, bound: &Bound) -> String {
        match bound {
            Bound::Value(value) => value.clone(),
            Bound::Micros(micros) => match self {
                Self::Timestamptz => formatted(*micros, "%Y-%m-%d %H:%M:%S%.6f+00"),
                Self::Date => formatted(*micros, "%Y-%m-%d"),
                _ => formatted(*micros, "%Y-%m-%d %H:%M:%S%.6f"),
            },
        }
    }

    /// A bound for people.
    pub(super) fn shown(self, bound: &Bound) -> String {
        match bound {
            Bound::Value(value) => value.clone(),
            Bound::Micros(micros) => match self {
                Self::Timestamptz => formatted(*micros, "%Y-%m-%dT%H:%M:%S%.6fZ"),
                Self::Date => formatted(*micros, "%Y-%m-%d"),
                _ => formatted(*micros, "%Y-%m-%dT%H:%M:%S%.6f"),
            },
        }
    }
}

/// A value of a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Bound {
    /// A time, in µs since 1970; of a column without time zone, of what the clock on the wall shows.
    Micros(i64),
    /// Any other value, as the server writes it.
    Value(String),
}

/// An instant for people: `2026-11-22T10:00:00.000000Z`.
pub(super) fn shown_instant(micros: i64) -> String {
    formatted(micros, "%Y-%m-%dT%H:%M:%S%.6fZ")
}

/// A time as the server reads it and people do. What no clock shows, as with a lag of centuries, is
/// before or after all others.
fn formatted(micros: i64, format: &str) -> String {
    match DateTime::from_timestamp_micros(micros).filter(|time| (1..10_000).contains(&time.year())) {
        Some(time) => time.naive_utc().format(format).to_string(),
        None if micros < 0 => "-infinity".to_owned(),
        None => "infinity".to_owned(),
    }
}

/// How far below the settled instant a window of time ends, where nothing else is configured: it
/// covers clocks of applications that are not quite right, and stamps that are rounded down.
const LAG: Duration = Duration::seconds(5);

/// How far below the settled instant rows are looked for where each is known to be new or not: to look
/// at some more costs little, and reads none twice.
const MARGIN: Duration = Duration::minutes(5);

/// The lag of a stream whose windows end where all is settled, in µs.
pub(super) fn lag(stream: &ConfiguredStream) -> i64 {
    configured(stream, LAG)
}

/// The margin of a stream that knows what it has seen, in µs.
pub(super) fn margin(stream: &ConfiguredStream) -> i64 {
    configured(stream, MARGIN)
}

fn configured(stream: &ConfiguredStream, default: Duration) -> i64 {
    match stream.lag {
        None => default.num_microseconds().expect("it is short"),
        Some(lag) => i64::try_from(lag.as_micros()).unwrap_or(i64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_795_348_800_000_001;

    #[test]
    fn bounds_are_written_to_the_microsecond() {
        let bound = Bound::Micros(NOON);
        assert_eq!(CursorKind::Timestamptz.written(&bound), "2026-11-22 12:00:00.000001+00");
        assert_eq!(CursorKind::Timestamp.written(&bound), "2026-11-22 12:00:00.000001");
        assert_eq!(CursorKind::Date.written(&bound), "2026-11-22");
        assert_eq!(CursorKind::Timestamptz.shown(&bound), "2026-11-22T12:00:00.000001Z");
    }

    #[test]
    fn a_bound_that_no_clock_shows_is_beyond_all() {
        for kind in [CursorKind::Timestamptz, CursorKind::Timestamp, CursorKind::Date] {
            assert_eq!(kind.written(&Bound::Micros(i64::MIN)), "-infinity");
            assert_eq!(kind.written(&Bound::Micros(-62_200_000_000_000_000)), "-infinity");
            assert_eq!(kind.written(&Bound::Micros(i64::MAX)), "infinity");
        }
    }

    #[test]
    fn a_state_accounts_for_what_no_later_window_looks_at() {
        let identity = Identity { system: None, timeline: None, database: 1, relation: 2 };
        let state = |kind, until, seen: Option<Option<Bound>>| {
            let mut cursor = serde_json::json!({
                "column": "at", "kind": kind, "identity": identity, "until": until, "loaded": true
            });
            if let Some(since) = seen {
                cursor["seen"] = serde_json::json!({ "since": since, "xmin": 3, "xmax": 4 });
            }
            let cursor = serde_json::from_value(cursor).unwrap();
            State { cursor: Some(cursor), is_full: false }.covered()
        };
        let covered = |below, nulls| Some(Covered { column: "at".into(), below, nulls });
        let (noon, seven) = (Some(Bound::Micros(NOON)), Some(Bound::Value("7".into())));
        assert_eq!(state(CursorKind::Timestamptz, noon.clone(), None), covered(Some(NOON), true));
        assert_eq!(state(CursorKind::Date, noon.clone(), None), covered(Some(20_779), true));
        assert_eq!(state(CursorKind::Integer, seven.clone(), None), covered(Some(8), true));
        assert_eq!(state(CursorKind::Text, seven.clone(), None), None);
        assert_eq!(state(CursorKind::Timestamp, None, Some(noon)), covered(Some(NOON), false));
        assert_eq!(state(CursorKind::Integer, None, Some(seven)), covered(Some(8), false));
        assert_eq!(state(CursorKind::Timestamptz, None, Some(None)), covered(None, false));
        assert_eq!(State { cursor: None, is_full: true }.covered(), None);
    }

    #[test]
    fn a_state_that_has_read_nothing_shows_no_position() {
        let mut cursor = CursorState {
            column: "id".to_owned(),
            kind: CursorKind::Integer,
            identity: Identity { system: None, timeline: None, database: 1, relation: 2 },
            until: None,
            seen: None,
            greatest: Some("223".to_owned()),
            loaded: false,
            settled: None,
            marks: Vec::new(),
            leaves: Vec::new(),
            filter: None,
            swept: None,
            found: None,
            files: Vec::new(),
            patchwork: None,
        };
        let position =
            |cursor: &CursorState| State { cursor: Some(cursor.clone()), is_full: false }.position();
        assert_eq!(position(&cursor), None);
        cursor.loaded = true;
        assert_eq!(position(&cursor).as_deref(), Some("223"));
    }

    #[test]
    fn an_empty_state_is_an_empty_object() {
        assert_eq!(serde_json::to_string(&State::default()).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<State>("{}").unwrap(), State::default());
    }
}
