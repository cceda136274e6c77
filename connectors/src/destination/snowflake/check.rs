//! Walks once through all that a sync does, under names of its own, and leaves no trace.

use bytes::Bytes;
use protocol::{Error, Result};
use uuid::Uuid;

use super::Inner;
use super::client::{Binding, Outcome, QueryTag, Statement};
use super::desk::found;
use super::name::{Identifier, Name};
use super::sql::ddl::{self, ColumnDefinition};
use super::sql::state;

const WHO: &str = "SELECT CURRENT_USER() AS \"USER\", CURRENT_ROLE() AS \"ROLE\", \
                   CURRENT_WAREHOUSE() AS \"WAREHOUSE\"";
const CONTENT: &[u8] = b"written by tidegate to check this destination; it can be removed";

pub(super) async fn check(inner: &Inner) -> Result<Vec<String>> {
    let tag = QueryTag::new("check");
    let mut walk = Walk { inner, tag, made: Vec::new(), staged: None };
    let walked = walk.all().await;
    let cleaned = walk.clean().await;
    // What failed first says more.
    let lines = walked?;
    cleaned.map_err(|error| error.context("step", "removing"))?;
    inner.desk.session.close().await;
    inner.uploads.close().await;
    Ok(lines)
}

/// What was made on the way, and how it goes.
struct Walk<'a> {
    inner: &'a Inner,
    tag: QueryTag,
    /// Statements that remove what was made, in the order of making.
    made: Vec<String>,
    staged: Option<String>,
}

impl Walk<'_> {
    async fn all(&mut self) -> Result<Vec<String>> {
        let inner = self.inner;
        let answer = inner.desk.run(WHO.to_owned(), &self.tag).await.map_err(at("logging in"))?;
        let said = |column| answer.get(0, column).unwrap_or("none").to_owned();
        let (user, role, warehouse) = (said("USER"), said("ROLE"), said("WAREHOUSE"));
        let name = format!("CHECK_{}", Uuid::now_v7().simple());
        let own = inner.places.own(name.clone());
        let read = Name { schema: inner.places.schema.clone(), ..own.clone() };
        self.table(&own, &role).await?;
        self.table(&read, &role).await?;
        if inner.is_stage_ours {
            let stage = inner.places.own(super::STAGE);
            // One that is there stays.
            let answer = inner.desk.run(ddl::create_stage(&stage), &self.tag).await;
            let answer = answer.map_err(at("making a stage")).map_err(|error| {
                granted(error, &format!("CREATE STAGE ON SCHEMA {}", stage.place()), &role)
            })?;
            if answer.rows.first().is_some_and(|row| is_new(row)) {
                self.made.push(format!("DROP STAGE IF EXISTS {stage}"));
            }
        }
        let path = format!("{name}/check");
        self.staged = Some(path.clone());
        inner.area.put(&path, &Bytes::from_static(CONTENT)).await.map_err(at("staging"))?;
        let back = inner.area.get(&path).await.map_err(at("reading the stage"))?;
        if back.as_deref() != Some(CONTENT) {
            return Err(Error::data("what was staged is not what comes back").context("step", "staging"));
        }
        self.transaction(&own, &role, &warehouse).await?;
        Ok(vec![
            format!("logged in as {user} with role {role}"),
            format!("{}: a table was made and dropped", inner.places.schema),
            "a file was staged, read and removed".to_owned(),
            format!("warehouse {warehouse}: a transaction was rolled back, and one committed"),
        ])
    }

    async fn table(&mut self, name: &Name, role: &str) -> Result<()> {
        let columns = ["SEQUENCE", "ID", "RECORD"].map(|column| ColumnDefinition {
            name: Identifier::new(column),
            sql_type: if column == "SEQUENCE" { "NUMBER(38, 0)".to_owned() } else { "VARCHAR".to_owned() },
            comment: None,
        });
        let (sql, desk) = (ddl::create_transient(name, &columns), &self.inner.desk);
        let missing =
            |error: Error| granted(error, &format!("USAGE, CREATE TABLE ON SCHEMA {}", name.place()), role);
        if found(desk.run(sql.clone(), &self.tag).await)
            .map_err(at("making a table"))
            .map_err(missing)?
            .is_none()
        {
            let schema = desk.run(ddl::create_schema(&name.place()), &self.tag).await;
            schema.map_err(at("making a schema")).map_err(|error| {
                granted(error, &format!("CREATE SCHEMA ON DATABASE {}", name.database), role)
            })?;
            self.made.push(format!("DROP SCHEMA IF EXISTS {}", name.place()));
            desk.run(sql, &self.tag).await.map_err(at("making a table")).map_err(missing)?;
        }
        self.made.push(ddl::drop_table(name));
        Ok(())
    }

    /// Rows are written by a warehouse; what is rolled back is gone, what is committed stays.
    async fn transaction(&mut self, name: &Name, role: &str, warehouse: &str) -> Result<()> {
        let step = at("writing rows");
        let failed = |error: Error| granted(step(error), &format!("USAGE ON WAREHOUSE {warehouse}"), role);
        let desk = &self.inner.desk;
        desk.wakes();
        let insert = || Statement::new(format!("INSERT INTO {name} (\"SEQUENCE\") SELECT 0"));
        let swap = || {
            Statement::new(state::swap(name))
                .bind(Binding::Number(1))
                .bind_text("id")
                .bind_text("record")
                .bind(Binding::Number(0))
        };
        let mut undone = desk.session.transaction().await.map_err(failed)?;
        undone.run(&insert()).await.map_err(failed)?;
        undone.rollback().await.map_err(failed)?;
        let mut kept = desk.session.transaction().await.map_err(failed)?;
        kept.run(&insert()).await.map_err(failed)?;
        let swapped = kept.run(&swap()).await.map_err(failed)?;
        match kept.commit().await {
            Outcome::Committed => {}
            Outcome::RolledBack(error) | Outcome::Unknown(error) => return Err(failed(error)),
        }
        let answer = desk.run(state::read(name), &self.tag).await.map_err(failed)?;
        if swapped.affected != Some(1) || answer.rows.len() != 1 {
            return Err(Error::internal("a transaction did not keep apart what was rolled back")
                .context("step", "writing rows"));
        }
        Ok(())
    }

    async fn clean(&mut self) -> Result<()> {
        let mut result = Ok(());
        if let Some(path) = self.staged.take() {
            result = found(self.inner.area.remove(&path).await).map(drop);
        }
        while let Some(sql) = self.made.pop() {
            let dropped = found(self.inner.desk.run(sql, &self.tag).await).map(drop);
            result = result.and(dropped);
        }
        result
    }
}

/// Whether the answer of a CREATE says that there was none.
fn is_new(row: &[Option<String>]) -> bool {
    row.iter().flatten().any(|text| text.contains("successfully created"))
}

fn at(step: &'static str) -> impl Fn(Error) -> Error + Copy {
    move |error| error.context("step", step)
}

/// Names the right that is missing, where one is.
fn granted(error: Error, right: &str, role: &str) -> Error {
    use protocol::ErrorKind::{Auth, Config};
    match error.kind() {
        Auth | Config => error.hint(format!(
            "`GRANT {right} TO ROLE {}` is missing; `tidegate spec snowflake --grants` prints all rights",
            Identifier::new(role)
        )),
        _ => error,
    }
}
