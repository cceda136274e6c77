//! What the server's planner thinks of a query: whether it can run, and how many rows it has.

use protocol::{Error, Result, StreamKind};
use serde_json::Value;
use tokio_postgres::Client;
use tokio_postgres::error::ErrorPosition;

use super::super::discover::Relation;
use super::super::error::{SQLSTATE, failed};
use super::super::layout::Layout;
use super::super::partition::Partition;

/// How many rows a plan has.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Estimate {
    /// None where nobody knows.
    pub(super) rows: Option<u64>,
    /// Their share of all rows, from 0 to 1; 1 where nobody knows.
    pub(super) share: f64,
}

impl Estimate {
    /// Asks the planner, and proves that the filter is one condition.
    ///
    /// Fails with [`Config`](protocol::ErrorKind::Config) where the filter is wrong, with the place.
    pub(super) async fn ask(
        client: &Client,
        relation: &Relation,
        layout: &Layout,
        partition: &Partition,
    ) -> Result<Self> {
        let all = relation.estimated_rows;
        let is_table = !matches!(relation.kind, StreamKind::View | StreamKind::ForeignTable);
        if partition.filter.is_none() && partition.window.is_none() && is_table {
            return Ok(Self { rows: all, share: 1.0 });
        }
        if let Some(filter) = &partition.filter {
            prove(client, partition, filter).await?;
        }
        let sql = format!("SELECT {} {}", layout.expressions().join(", "), partition.source());
        let plan = explained(client, &sql).await.map_err(|error| explain(&error, &sql, partition))?;
        let rows = plan.as_ref().and_then(|plan| plan.pointer("/0/Plan/Plan Rows")).and_then(Value::as_u64);
        Ok(Self { rows, share: share(rows, all) })
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn share(rows: Option<u64>, all: Option<u64>) -> f64 {
    match (rows, all) {
        (Some(rows), Some(all)) if all > 0 => (rows as f64 / all as f64).min(1.0),
        _ => 1.0,
    }
}

/// The protocol of prepared statements: it takes one statement only, whatever is in the filter.
async fn explained(client: &Client, sql: &str) -> Result<Option<Value>, tokio_postgres::Error> {
    let rows = client.query_typed(&format!("{EXPLAIN}{sql}"), &[]).await?;
    let json = rows.first().map(|row| row.try_get::<_, Json>(0)).transpose()?;
    Ok(json.and_then(|Json(text)| serde_json::from_str(&text).ok()))
}

const EXPLAIN: &str = "EXPLAIN (FORMAT JSON) ";

/// JSON as its text.
struct Json(String);

impl<'a> tokio_postgres::types::FromSql<'a> for Json {
    fn from_sql(
        _: &tokio_postgres::types::Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(String::from_utf8(raw.to_vec())?))
    }

    fn accepts(ty: &tokio_postgres::types::Type) -> bool {
        *ty == tokio_postgres::types::Type::JSON
    }
}

/// In a row of one value a filter like `a) OR (b` is a mistake, which between brackets it is not: it
/// would let rows in from outside of the window.
async fn prove(client: &Client, partition: &Partition, filter: &str) -> Result<()> {
    let sql = format!("SELECT FROM {} WHERE ROW({filter}\n) IS NOT NULL", partition.relation.qualified());
    match explained(client, &sql).await {
        Ok(_) => Ok(()),
        Err(error) => Err(explain(&error, &sql, partition)),
    }
}

/// Where in the filter the server found a mistake.
fn explain(error: &tokio_postgres::Error, sql: &str, partition: &Partition) -> Error {
    let Some(db) = error.as_db_error() else { return failed("could not ask for a query plan", error) };
    let code = db.code().code();
    let is_mistake = code.starts_with("42") || code.starts_with("22");
    let Some(filter) = partition.filter.as_ref().filter(|_| is_mistake) else {
        return failed("could not ask for a query plan", error);
    };
    if code == "42501" {
        return failed("could not ask for a query plan", error);
    }
    let mut message = format!("the stream's filter is wrong: {}", db.message());
    let start = EXPLAIN.chars().count() + sql.find(filter).map_or(0, |at| sql[..at].chars().count());
    if let Some(ErrorPosition::Original(position)) = db.position() {
        let place = usize::try_from(*position).unwrap_or_default().checked_sub(start);
        if let Some(place) = place.filter(|place| (1..=filter.chars().count()).contains(place)) {
            message = format!("{message}, at character {place} of it");
        }
    }
    Error::config(message).context(SQLSTATE, code).hint("`filter` is a condition as it stands behind WHERE")
}
