//! A part of a table that is read by one COPY: a value that stands for itself, and its SQL.

use serde::{Deserialize, Serialize};

use super::answer::quote_literal;
use super::history::Past;
use super::patchwork::Origin;
use super::quote_identifier;
use super::state::{Bound, CursorKind};
use super::xids::{Xids, since_without};

/// A part of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// The stream's table, view or the like.
    pub(super) relation: Table,
    /// The one table below it that is read; none reads it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) leaf: Option<Table>,
    /// The tables below the relation whose rows are meant; none for all. One that is attached later is
    /// not read twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) leaves: Option<Vec<u32>>,
    /// Which part of that; none for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) range: Option<Range>,
    /// Which values of the cursor; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) window: Option<CursorWindow>,
    /// The stream's filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) filter: Option<String>,
    /// Types of the selected columns, by number, in their order.
    pub(super) types: Vec<u32>,
    /// The exported snapshot it is read in; none for one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) snapshot: Option<String>,
    /// The primary's transaction that a replica must have replayed before it takes a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) replayed: Option<u64>,
    /// What it relies on where it may be read in another snapshot than the planned one; none where it
    /// may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<Origin>,
}

/// A table by its name and its number: a name can come to mean another table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Table {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) oid: u32,
    /// Whether `LOCK TABLE` takes it.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub(super) lockable: bool,
}

fn yes() -> bool {
    true
}

/// A part of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Range {
    /// Blocks of the table's file.
    Blocks {
        from: u32,
        /// Excluded; none for all to the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<u32>,
    },
    /// Values of a whole-number key that is never NULL.
    Keys {
        column: String,
        /// None for all from the beginning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<i64>,
        /// Excluded; none for all to the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<i64>,
    },
}

/// Values of the cursor that a plan covers. Times: from `since`, included, to `until`, excluded. Other
/// values: from `since`, excluded, to `until`, included; there is no next value to name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CursorWindow {
    pub(super) column: String,
    pub(super) kind: CursorKind,
    /// None for all from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<Bound>,
    /// None for no value at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Bound>,
    /// Whether rows without a value belong to it, and infinitely old ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) nulls: bool,
    /// Whether it has no end, whatever `until` is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) endless: bool,
    /// Which row versions of these values; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unseen: Option<Unseen>,
    /// What syncs before the last one have read, where all rows are looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) past: Option<Past>,
    /// What is to be told of the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) told: Option<Told>,
}

/// What is told of each row besides its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    /// Whether it lies where a window from here on does not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) late: Option<Bound>,
    /// Which transaction wrote it, of those from this one on.
    pub(super) xmin: u64,
}

/// Row versions that an earlier snapshot did not show: those of transactions from `xmin` on, but for
/// those in `xids`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unseen {
    pub(super) xmin: u64,
    #[serde(default, skip_serializing_if = "Xids::is_empty")]
    pub(super) xids: Xids,
}

impl Partition {
    /// The table that stands in FROM.
    pub(super) fn table(&self) -> &Table {
        self.leaf.as_ref().unwrap_or(&self.relation)
    }

    /// `FROM … WHERE …` of this partition.
    pub(super) fn source(&self) -> String {
        let only = if self.leaf.is_some() { "ONLY " } else { "" };
        let mut sql = format!("FROM {only}{}", self.table().qualified());
        let mut word = " WHERE ";
        for condition in self.conditions() {
            sql.push_str(word);
            sql.push_str(&condition);
            word = " AND ";
        }
        sql
    }

    /// The whole statement, for `expressions` in the order of the columns.
    pub(super) fn copy(&self, expressions: &[&str]) -> String {
        format!("COPY (SELECT {} {}) TO STDOUT (FORMAT binary)", expressions.join(", "), self.source())
    }

    fn conditions(&self) -> Vec<String> {
        let range = self.range.as_ref().map(Range::conditions).unwrap_or_default();
        let leaves = self.leaves.as_ref().map(|leaves| {
            let leaves: Vec<String> = leaves.iter().map(u32::to_string).collect();
            format!("tableoid = ANY ('{{{}}}'::oid[])", leaves.join(","))
        });
        let leaf = self.leaf.as_ref().map(|leaf| leaf.oid);
        let window = self.window.as_ref().map(|window| window.conditions(leaf)).unwrap_or_default();
        // The line break ends a comment at the filter's end; planning has proved it to be one condition.
        let filter = self.filter.as_ref().map(|filter| format!("({filter}\n)"));
        range.into_iter().chain(window).chain(leaves).chain(filter).collect()
    }
}

impl Table {
    /// Its name in SQL.
    pub(super) fn qualified(&self) -> String {
        format!("{}.{}", quote_identifier(&self.schema), quote_identifier(&self.name))
    }
}

impl Range {
    pub(super) fn conditions(&self) -> Vec<String> {
        match self {
            Self::Blocks { from, to } => {
                // From block 0 on nothing is left out. A table that has no blocks has no ctid either.
                let from = (*from > 0).then(|| format!("ctid >= '({from},0)'::tid"));
                let to = to.map(|to| format!("ctid < '({to},0)'::tid"));
                from.into_iter().chain(to).collect()
            }
            Self::Keys { column, from, to } => {
                let column = quote_identifier(column);
                let from = from.map(|from| format!("{column} >= '{from}'::int8"));
                let to = to.map(|to| format!("{column} < '{to}'::int8"));
                from.into_iter().chain(to).collect()
            }
        }
    }
}

impl CursorWindow {
    /// The same column's window from the beginning; of what was never looked at. Later windows that go
    /// by versions would leave out what is old, so that it has no end then.
    pub(super) fn since_the_beginning(&self) -> Self {
        let endless = self.endless || self.unseen.is_some();
        Self { since: None, nulls: true, endless, unseen: None, past: None, told: None, ..self.clone() }
    }

    /// Which values, and nothing of versions; none for all.
    pub(super) fn values(&self) -> Option<String> {
        let column = quote_identifier(&self.column);
        let literal =
            |bound: &Bound| format!("{}::{}", quote_literal(&self.kind.written(bound)), self.kind.sql());
        let is_time = self.kind.is_time();
        let (from, to) = if is_time { (">=", "<") } else { (">", "<=") };
        let since = match &self.since {
            Some(since) => Some(format!("{column} {from} {}", literal(since))),
            None if self.nulls => None,
            None if is_time => Some(format!("{column} > '-infinity'::{}", self.kind.sql())),
            None => self.endless.then(|| format!("{column} IS NOT NULL")),
        };
        let mut arms = Vec::new();
        match &self.until {
            _ if self.endless => arms.push(since.clone()?),
            Some(until) => {
                let until = format!("{column} {to} {}", literal(until));
                arms.push(since.clone().map_or(until.clone(), |since| format!("{since} AND {until}")));
            }
            None => {}
        }
        if self.nulls {
            arms.push(format!("{column} IS NULL"));
            if self.since.is_some() && is_time {
                arms.push(format!("{column} = '-infinity'::{}", self.kind.sql()));
            }
        }
        Some(match arms.as_slice() {
            [] => "false".to_owned(),
            [arm] => arm.clone(),
            arms => format!("({})", arms.join(" OR ")),
        })
    }

    /// Whether a row lies where a window from `late` on does not look: false for those without a value.
    pub(super) fn is_late(&self, late: &Bound) -> String {
        let window = Self { since: Some(late.clone()), nulls: true, endless: true, ..self.clone() };
        format!("NOT {}", window.values().unwrap_or_else(|| "true".to_owned()))
    }

    /// Of the table `leaf` alone, if given.
    fn conditions(&self, leaf: Option<u32>) -> Vec<String> {
        let unseen = self.unseen.as_ref().map(|unseen| match &self.past {
            Some(past) => past.conditions(&self.column, self.kind, (unseen.xmin, &unseen.xids), leaf),
            None => since_without(unseen.xmin, &unseen.xids),
        });
        self.values().into_iter().chain(unseen.unwrap_or_default()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition() -> Partition {
        Partition {
            relation: Table { schema: "public".into(), name: "t".into(), oid: 7, lockable: true },
            leaf: None,
            leaves: None,
            range: None,
            window: None,
            filter: None,
            types: vec![23],
            snapshot: None,
            replayed: None,
            origin: None,
        }
    }

    fn window(kind: CursorKind, since: Option<Bound>, until: Option<Bound>, nulls: bool) -> CursorWindow {
        let (column, endless, unseen, past, told) = ("c".into(), false, None, None, None);
        CursorWindow { column, kind, since, until, nulls, endless, unseen, past, told }
    }

    #[test]
    fn reads_all_without_conditions() {
        assert_eq!(
            partition().copy(&["\"a\"", "\"b\"::pg_catalog.text"]),
            "COPY (SELECT \"a\", \"b\"::pg_catalog.text FROM \"public\".\"t\") TO STDOUT (FORMAT binary)"
        );
        assert_eq!(partition().copy(&[]), "COPY (SELECT  FROM \"public\".\"t\") TO STDOUT (FORMAT binary)");
    }

    #[test]
    fn a_comment_in_the_filter_ends_with_it() {
        let mut part = partition();
        part.filter = Some("a > 1 -- old ones".into());
        part.range = Some(Range::Blocks { from: 8, to: Some(16) });
        assert_eq!(
            part.source(),
            "FROM \"public\".\"t\" WHERE ctid >= '(8,0)'::tid AND ctid < '(16,0)'::tid AND (a > 1 -- old ones\n)"
        );
    }

    #[test]
    fn windows_of_time_are_half_open_and_meet() {
        let (one, two) = (Some(Bound::Micros(1_000_000)), Some(Bound::Micros(2_000_001)));
        assert_eq!(
            window(CursorKind::Timestamptz, one.clone(), two.clone(), false).values().unwrap(),
            "\"c\" >= '1970-01-01 00:00:01.000000+00'::timestamptz \
             AND \"c\" < '1970-01-01 00:00:02.000001+00'::timestamptz"
        );
        assert_eq!(
            window(CursorKind::Timestamp, None, two, true).values().unwrap(),
            "(\"c\" < '1970-01-01 00:00:02.000001'::timestamp OR \"c\" IS NULL)"
        );
    }

    #[test]
    fn windows_of_values_end_with_the_greatest() {
        let (one, two) = (Bound::Value("1".into()), Bound::Value("2'".into()));
        assert_eq!(
            window(CursorKind::Text, Some(one), Some(two), false).values().unwrap(),
            "\"c\" > '1'::text AND \"c\" <= '2'''::text"
        );
        assert_eq!(window(CursorKind::Integer, None, None, true).values().unwrap(), "\"c\" IS NULL");
        assert_eq!(window(CursorKind::Integer, None, None, false).values().unwrap(), "false");
    }

    #[test]
    fn a_window_without_end_has_arms_for_what_no_range_holds() {
        let one = Some(Bound::Micros(1_000_000));
        let open = |kind, since, nulls| CursorWindow { endless: true, ..window(kind, since, None, nulls) };
        assert_eq!(open(CursorKind::Date, None, true).values(), None);
        assert_eq!(
            open(CursorKind::Timestamp, one.clone(), true).values().unwrap(),
            "(\"c\" >= '1970-01-01 00:00:01.000000'::timestamp OR \"c\" IS NULL OR \"c\" = '-infinity'::timestamp)"
        );
        assert_eq!(
            open(CursorKind::Integer, Some(Bound::Value("7".into())), true).values().unwrap(),
            "(\"c\" > '7'::int8 OR \"c\" IS NULL)"
        );
        assert_eq!(open(CursorKind::Integer, None, false).values().unwrap(), "\"c\" IS NOT NULL");
        // What was infinitely old was read when all was.
        assert_eq!(
            window(CursorKind::Date, None, one, false).values().unwrap(),
            "\"c\" > '-infinity'::date AND \"c\" < '1970-01-01'::date"
        );
    }

    #[test]
    fn versions_that_were_seen_are_left_out() {
        let mut part = partition();
        let mut window = window(CursorKind::Integer, Some(Bound::Value("7".into())), None, false);
        window.endless = true;
        window.unseen = Some(Unseen { xmin: (1 << 32) + 10, xids: [(1 << 32) + 12].into_iter().collect() });
        part.window = Some(window.clone());
        assert_eq!(
            part.source(),
            "FROM \"public\".\"t\" WHERE \"c\" > '7'::int8 AND age(xmin) <= (SELECT age('10'::xid)) \
             AND age(xmin) >= 0 AND xmin <> ALL ('{12}'::xid[])"
        );
        part.window = Some(window.since_the_beginning());
        assert_eq!(part.source(), "FROM \"public\".\"t\"");
    }

    #[test]
    fn is_the_same_after_json() {
        let mut part = partition();
        part.leaf = Some(Table { schema: "s\"".into(), name: "l".into(), oid: 8, lockable: false });
        part.range = Some(Range::Keys { column: "id".into(), from: Some(-5), to: None });
        part.leaves = Some(vec![1, 2]);
        part.window = Some(window(CursorKind::Date, None, Some(Bound::Micros(0)), true));
        part.snapshot = Some("0000-1".into());
        part.replayed = Some(7_000_000_000);
        part.origin = Some(Origin { system: Some("7".into()), database: 5, xmin: 3, xmax: 4, file: 9 });
        let json = serde_json::to_string(&part).unwrap();
        assert_eq!(serde_json::from_str::<Partition>(&json).unwrap(), part);
        let json = serde_json::to_string(&partition()).unwrap();
        assert_eq!(serde_json::from_str::<Partition>(&json).unwrap(), partition());
    }
}
