//! How a stream makes sure that nothing is lost: what it can do, and what is asked for.

use protocol::{Error, Lifetime, Result, StreamKind};
use serde::Deserialize;

use super::super::alone::Blind;
use super::super::discover::Relation;
use super::cursor::Cursor;
use super::option::Sweep;
use super::sweep::SMALL_BYTES;

/// How an incremental stream is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// All that a snapshot shows, but for what an earlier one showed.
    SeenSet,
    /// Up to where nothing can come any more.
    SettledWindow,
    /// As a seen set, but looked for from some time before the greatest value on.
    Lookback,
}

/// What the stream's options ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Wanted {
    /// The best that can be, without a loss.
    #[default]
    Auto,
    /// [`Mode::SeenSet`], or nothing.
    SeenSet,
    /// [`Mode::SettledWindow`].
    SettledWindow,
    /// [`Mode::Lookback`], or better where that costs nothing.
    Lookback,
}

/// What was chosen for a stream, and why.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) mode: Mode,
    /// Why it is not the better one.
    pub(super) reason: Option<String>,
    /// Whether it does without knowing what is running.
    pub(super) is_alone: bool,
    /// Why it looks at all rows, where it would not have to if it knew.
    pub(super) blind: Option<Blind>,
}

impl Mode {
    /// Its name in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SeenSet => "seen_set",
            Self::SettledWindow => "settled_window",
            Self::Lookback => "lookback",
        }
    }

    /// Whether it goes by the transactions that wrote the rows, in a snapshot that all parts share.
    pub(super) fn is_by_version(self) -> bool {
        matches!(self, Self::SeenSet | Self::Lookback)
    }
}

impl Choice {
    /// The mode of a stream where `blind` says why nobody tells what is running, if so.
    ///
    /// Without that a seen set that looks at all rows is as good as ever. What would be weaker must be
    /// asked for by its name.
    ///
    /// Fails with [`Config`](protocol::ErrorKind::Config) where the mode that is asked for can't be.
    pub(super) fn of(
        relation: &Relation,
        cursor: &Cursor<'_>,
        lifetime: Lifetime,
        connections: usize,
        blind: Option<Blind>,
    ) -> Result<Self> {
        let wanted = cursor.options.mode;
        let choice = |mode| Self { mode, reason: None, is_alone: false, blind: None };
        if wanted == Wanted::SettledWindow {
            return Ok(choice(Mode::SettledWindow));
        }
        match (unfit(relation).or_else(|| apart(lifetime, connections)), wanted) {
            (Some(reason), Wanted::Lookback) => {
                Err(Error::config(format!("the mode `lookback` can't be: {reason}"))
                    .hint("leave `mode` out of the stream's `options`, or set `sync_mode: full_refresh`"))
            }
            (Some(reason), Wanted::SeenSet) => {
                Err(Error::config(format!("the mode `seen_set` can't be: {reason}"))
                    .hint("leave `mode` out of the stream's `options`, or set it to `settled_window`"))
            }
            (Some(reason), _) => Ok(Self { reason: Some(reason), ..choice(Mode::SettledWindow) }),
            (None, Wanted::Lookback) if !cursor.is_swept => {
                looking_back(cursor)?;
                Ok(Self { is_alone: true, ..choice(Mode::Lookback) })
            }
            (None, _) => {
                let is_alone = blind.is_some() || wanted == Wanted::Lookback;
                let blind = blind.filter(|_| !cursor.is_swept);
                if let Some(blind) = blind.filter(|_| cursor.options.sweep == Sweep::Never) {
                    return Err(unswept(cursor, blind));
                }
                Ok(Self { is_alone, blind, ..choice(Mode::SeenSet) })
            }
        }
    }
}

/// Why a stream's parts are not read in one snapshot; none where they are.
fn apart(lifetime: Lifetime, connections: usize) -> Option<String> {
    match lifetime {
        Lifetime::Detached => Some("its parts are read apart, each in a snapshot of its own".to_owned()),
        Lifetime::Session if connections < 2 => {
            Some("one connection does not keep a snapshot and read: set `connections: 2` or more".to_owned())
        }
        Lifetime::Session => None,
    }
}

/// Proves that the cursor holds a time: from no other can be looked back by one.
fn looking_back(cursor: &Cursor<'_>) -> Result<()> {
    if cursor.kind.is_time() {
        return Ok(());
    }
    let what = format!("the mode `lookback` can't be: the cursor {:?} holds no time", cursor.column);
    Err(Error::config(what).context("column", cursor.column.clone()).hint(
        "take a timestamp or date for the cursor; or set `options: {sweep: always}`, which loses nothing and reads \
         the whole table on the server at each sync",
    ))
}

/// No connection is left to keep the snapshot that the parts of a stream share, or the server exports none.
pub(super) fn without_snapshot(mode: Mode) -> Error {
    Error::config(format!("the mode `{}` can't be: there is no snapshot that all parts share", mode.name()))
        .hint("raise `connections`")
}

/// To go by the cursor and not to know what is running loses rows.
fn unswept(cursor: &Cursor<'_>, blind: Blind) -> Error {
    let weaker = if cursor.kind.is_time() {
        ", or `options: {mode: lookback}`, which loses rows of transactions that are open for longer than `lookback`"
    } else {
        ""
    };
    Error::config(format!("{}, and `sweep: never` forbids to look at all rows instead", blind.why()))
        .hint(format!("{}; or set `sweep: auto`{weaker}", blind.cure()))
}

/// Whether a table is so small that to look at all of it costs nothing.
pub(in crate::source::postgres) fn is_small(relation: &Relation) -> bool {
    relation.leaves.iter().map(|leaf| leaf.bytes).sum::<u64>() < SMALL_BYTES
}

/// Why the rows of a relation do not tell which transactions wrote them; none where they do.
pub(in crate::source::postgres) fn unfit(relation: &Relation) -> Option<String> {
    let other = |leaf: &&super::Leaf| leaf.access_method.as_deref() != Some("heap");
    match relation.kind {
        StreamKind::View => Some("a view's rows do not tell which transaction wrote them".to_owned()),
        StreamKind::ForeignTable => {
            Some("a foreign table's rows do not tell which transaction wrote them".to_owned())
        }
        // To refresh it writes all rows anew.
        StreamKind::MaterializedView => {
            Some("a materialized view's rows are all new when it is refreshed".to_owned())
        }
        _ if !relation.whole => Some(format!(
            "the role may read some columns only, and not which transaction wrote a row: run GRANT SELECT ON {}",
            relation.qualified()
        )),
        _ => {
            relation.leaves.iter().find(other).map(|leaf| {
                format!("the rows of {} do not tell which transaction wrote them", leaf.qualified())
            })
        }
    }
}
