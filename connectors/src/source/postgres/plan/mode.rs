//! How a stream makes sure that nothing is lost: what it can do, and what is asked for.

use protocol::{Error, Lifetime, Result, StreamKind};
use serde::Deserialize;

use super::super::discover::Relation;

/// How an incremental stream is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// All that a snapshot shows, but for what an earlier one showed.
    SeenSet,
    /// Up to where nothing can come any more.
    SettledWindow,
}

/// What the stream's options ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Wanted {
    /// The best that can be.
    #[default]
    Auto,
    /// [`Mode::SeenSet`], or nothing.
    SeenSet,
    /// [`Mode::SettledWindow`].
    SettledWindow,
}

impl Mode {
    /// Its name in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SeenSet => "seen_set",
            Self::SettledWindow => "settled_window",
        }
    }

    /// The mode of a stream, and why it is not the better one.
    ///
    /// Fails with [`Config`](protocol::ErrorKind::Config) where the mode that is asked for can't be.
    pub(super) fn of(
        relation: &Relation,
        wanted: Wanted,
        lifetime: Lifetime,
        connections: usize,
    ) -> Result<(Self, Option<String>)> {
        if wanted == Wanted::SettledWindow {
            return Ok((Self::SettledWindow, None));
        }
        let reason = unfit(relation).or_else(|| match lifetime {
            Lifetime::Detached => Some("its parts are read apart, each in a snapshot of its own".to_owned()),
            Lifetime::Session if connections < 2 => Some(
                "one connection does not keep a snapshot and read: set `connections: 2` or more".to_owned(),
            ),
            Lifetime::Session => None,
        });
        match (reason, wanted) {
            (None, _) => Ok((Self::SeenSet, None)),
            (Some(reason), Wanted::SeenSet) => {
                Err(Error::config(format!("the mode `seen_set` can't be: {reason}"))
                    .hint("leave `mode` out of the stream's `options`, or set it to `settled_window`"))
            }
            (Some(reason), _) => Ok((Self::SettledWindow, Some(reason))),
        }
    }
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
