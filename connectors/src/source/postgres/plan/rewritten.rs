//! Tables whose file is another than at the last sync: what became of their rows, for people.

use protocol::Result;

use super::super::discover::Leaf;
use super::super::partition::CursorWindow;
use super::cursor::Ground;
use super::seen::Place;
use super::sweep::trusted;

/// Most tables that are told of.
const MOST: usize = 3;

/// Tells what of the tables that were rewritten or emptied since the last sync is read again, or stays at
/// the destination. Those that were moved as they are, as by `VACUUM FULL`, are what they were.
pub(super) async fn about(
    ground: &Ground,
    place: &Place<'_>,
    covered: &CursorWindow,
    notes: &mut Vec<String>,
) -> Result<()> {
    const WHAT: &str = "could not ask what became of the table's rows";
    let Some((before, seen)) = trusted(ground) else { return Ok(()) };
    let relation = place.relation;
    // Of a table that is not divided there is no list.
    let own = [relation.oid];
    let known = if before.leaves.is_empty() { &own[..] } else { &before.leaves };
    let file = |leaf: &Leaf| {
        known.iter().zip(&before.files).find(|(oid, _)| **oid == leaf.oid).map(|(_, file)| *file)
    };
    let is_other =
        |leaf: &&Leaf| known.len() == before.files.len() && file(leaf).is_some_and(|file| file != leaf.file);
    let may_ask = |leaf: &&Leaf| leaf.readable && !relation.row_security;
    let changed: Vec<&Leaf> = relation.leaves.iter().filter(is_other).filter(may_ask).take(MOST).collect();
    if changed.is_empty() {
        return Ok(());
    }
    // A rewrite gives all rows the number of its own transaction, which also wrote the catalog's row.
    let question = |leaf: &&Leaf| {
        let (table, oid) = (leaf.qualified(), leaf.oid);
        format!(
            "SELECT (SELECT xmin FROM ONLY {table} LIMIT 1), (SELECT xmin FROM pg_class WHERE oid = {oid})"
        )
    };
    let questions: Vec<String> = changed.iter().map(question).collect();
    let turn = place.sessions.turn(&place.snapshot.id).await?;
    let answers = turn.ask(WHAT, &questions.join("; ")).await?;
    let again = match &covered.since {
        Some(since) => format!("those from {} on", covered.kind.shown(since)),
        None => "all of them".to_owned(),
    };
    for (leaf, answer) in changed.into_iter().zip(answers) {
        let row = answer.first();
        let writer = |column| row.and_then(|row| row.number::<u32>(column));
        let table = leaf.qualified();
        match (writer(0), writer(1)) {
            (Some(first), _) if place.snapshot.ends.widened(first) < seen.xmax => {}
            (Some(first), Some(catalog)) if first == catalog => notes.push(format!(
                "{table} was rewritten since the last sync, as by ALTER TABLE: all its rows are new versions, and \
                 {again} are read again"
            )),
            _ => notes.push(format!(
                "{table} was emptied since the last sync, as by TRUNCATE: the rows that it held stay at the destination"
            )),
        }
    }
    Ok(())
}
