//! Tables to measure with, in a schema of their own: the one thing that is ever written to a source, and
//! only when a person orders it.

use std::pin::pin;
use std::sync::OnceLock;

use bytes::Bytes;
use futures::SinkExt;
use protocol::{Error, Result};
use uuid::Uuid;
use workload::{Scale, Table};

use super::answer::{ask, quote_literal};
use super::connect::{Client, Connector};
use super::error::{SQLSTATE, failed};

/// The schema. It must not be there before.
const SCHEMA: &str = "tidegate_bench";
const WHAT: &str = "could not make tables to measure with";
const REMOVING: &str = "could not remove the tables to measure with";

/// What there is of them.
#[derive(Debug, Default)]
pub(super) struct Samples {
    /// What the schema says of itself if it is ours; none before it was begun.
    mark: OnceLock<String>,
}

impl Samples {
    /// Makes the schema, and the tables in it. They are not logged, unless a replica shall have them.
    pub(super) async fn make(&self, connector: &Connector, scale: f64) -> Result<Vec<String>> {
        let scale = Scale::new(scale).map_err(|error| Error::config(error.to_string()))?;
        let client = connector.primary().await?;
        if client.is_in_recovery {
            return Err(Error::config(format!("{WHAT}: {} is a standby", client.server))
                .hint("name a source whose server takes writes"));
        }
        // Whoever gives up in between does not know whether the schema was made, and by whom: this tells.
        let mark = self.mark.get_or_init(|| {
            format!("made by tidegate bench, which removes it when it ends ({})", Uuid::now_v7())
        });
        let mark = quote_literal(mark);
        let schema = format!("CREATE SCHEMA {SCHEMA}; COMMENT ON SCHEMA {SCHEMA} IS {mark}");
        write(&client, &schema).await.map_err(explained)?;
        let kind = if connector.has_replica() { "TABLE" } else { "UNLOGGED TABLE" };
        for table in Table::ALL {
            fill(&client, table, kind, scale).await?;
        }
        client.close().await;
        Ok(Table::ALL.iter().map(|table| format!("{SCHEMA}.{}", table.name())).collect())
    }

    /// Removes the tables by name, and the schema if nothing else is in it.
    pub(super) async fn remove(&self, connector: &Connector) -> Result<()> {
        let Some(mark) = self.mark.get() else { return Ok(()) };
        let client = connector.primary().await?;
        let sql = format!(
            "SELECT pg_catalog.obj_description(oid, 'pg_namespace') FROM pg_catalog.pg_namespace \
             WHERE nspname = '{SCHEMA}'"
        );
        let answers = ask(&client, REMOVING, &sql).await?;
        let found = answers.first().and_then(|rows| rows.first()).and_then(|row| row.text(0));
        if found != Some(mark) {
            return Ok(());
        }
        let tables: Vec<String> = Table::ALL.iter().map(|table| qualified(*table)).collect();
        let sql = format!("DROP TABLE IF EXISTS {}; DROP SCHEMA {SCHEMA}", tables.join(", "));
        let removed = write(&client, &sql).await;
        removed.map_err(|error| {
            error.hint(format!("remove it by hand: DROP SCHEMA {SCHEMA} CASCADE")).context("schema", SCHEMA)
        })?;
        client.close().await;
        Ok(())
    }
}

fn qualified(table: Table) -> String {
    format!("{SCHEMA}.{}", table.name())
}

/// Runs statements in one transaction that may write, which sessions of ours may not unless they say so.
async fn write(client: &Client, sql: &str) -> Result<()> {
    let sql = format!("BEGIN READ WRITE; SET LOCAL statement_timeout = 0; {sql}; COMMIT");
    if let Err(error) = ask(client, WHAT, &sql).await {
        // The first error is what is told.
        let _ = ask(client, REMOVING, "ROLLBACK").await;
        return Err(error);
    }
    Ok(())
}

async fn fill(client: &Client, table: Table, kind: &str, scale: Scale) -> Result<()> {
    let name = qualified(table);
    tracing::info!(table = name, rows = table.rows(scale), "a table to measure with is made");
    write(client, &format!("CREATE {kind} {name} ({})", table.columns())).await?;
    ask(client, WHAT, "BEGIN READ WRITE; SET LOCAL statement_timeout = 0").await?;
    copy(client, table, &name, scale).await.map_err(|error| failed(WHAT, &error))?;
    let mut statements = table.indexes(&name);
    statements.push("COMMIT".to_owned());
    ask(client, WHAT, &statements.join("; ")).await?;
    // Not inside a transaction. A session that only reads may do it: no row changes.
    ask(client, WHAT, &format!("VACUUM (FREEZE, ANALYZE) {name}")).await?;
    Ok(())
}

async fn copy(client: &Client, table: Table, name: &str, scale: Scale) -> Result<u64, tokio_postgres::Error> {
    let mut sink = pin!(client.copy_in::<_, Bytes>(&format!("COPY {name} FROM STDIN")).await?);
    for piece in table.text(scale) {
        sink.feed(Bytes::from(piece)).await?;
    }
    sink.finish().await
}

fn explained(error: Error) -> Error {
    match error.context_value(SQLSTATE) {
        Some("42P06") => error.hint(format!(
            "another bench is at work there, or was killed: `DROP SCHEMA {SCHEMA} CASCADE` removes what it left"
        )),
        Some("42501") => error.hint(
            "it takes the right to create a schema in that database: name a source whose role has it, or measure \
             a table of your own, which takes the right to read it and nothing else",
        ),
        _ => error,
    }
}
