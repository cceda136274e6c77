//! PostgreSQL to a stand-in for Snowflake: rows arrive once, whatever happens on the way.

mod check;
mod drift;
mod existing;
mod fault;
mod golden;
mod kill;
mod live;
mod load;
mod login;
mod merge;
mod name;
mod rival;
mod stage;
mod statement;
mod types;

pub(crate) use kill::{KILLED, KILLED_MOVING};

use lab::snowflake::Account;
use lab::{Cluster, Database, S3, Snowflake};
use serde_json::{Value, json};

use crate::support::{Lake, Project, until};

/// A table of payments, an account, and the connection between them.
struct World {
    database: Database,
    account: Account,
    project: Project,
}

/// Rows as text.
type Rows = Vec<Vec<Option<String>>>;

impl World {
    /// With `count` payments, which a stream with these settings is of.
    async fn new(count: u32, mut stream: Value) -> Self {
        let database = Cluster::shared().database();
        database
            .execute(
                "CREATE TABLE payments (id int PRIMARY KEY, amount numeric(18,4), note text, deleted bool, \
                 updated_at timestamptz NOT NULL DEFAULT clock_timestamp())",
            )
            .await;
        stream["name"] = json!("public.payments");
        let account = Snowflake::shared().account();
        let project =
            Project::new(&database).in_snowflake(&account).destination("lock_timeout", "2s").stream(stream);
        let world = Self { database, account, project };
        world.add(1, count).await;
        world
    }

    async fn incremental(count: u32) -> Self {
        Self::new(count, json!({ "cursor": "updated_at" })).await
    }

    /// With a short patience for locks, which killed syncs hold.
    async fn short(count: u32, stream: Value) -> Self {
        let mut world = Self::new(count, stream).await;
        world.project = world.project.destination("lock_timeout", "1s");
        world
    }

    /// One that adds what is new, with a quick patience.
    async fn hasty(count: u32) -> Self {
        let mut world = Self::incremental(count).await;
        world.project = world.project.connection("retry_wait", "10ms");
        world
    }

    /// With a stage that an administrator made over a bucket, and what lies there.
    fn in_bucket(mut self) -> (Self, Lake) {
        let bucket = S3::shared().bucket();
        let (url, name) = (bucket.url("lake/load/"), format!("{}.PUBLIC.LAKE_STAGE", self.account.database));
        self.account.execute(&format!(
            "CREATE STAGE {name} URL = '{url}' CREDENTIALS = (AWS_KEY_ID = '{}' AWS_SECRET_KEY = '{}')",
            bucket.access_key, bucket.secret_key
        ));
        let stage = json!({
            "name": name,
            "url": url,
            "endpoint": bucket.endpoint,
            "region": bucket.region,
            "access_key_id": bucket.access_key,
            "secret_access_key": bucket.secret_key,
        });
        self.project = self.project.destination("external_stage", stage);
        (self, Lake::in_bucket(&bucket, "load"))
    }

    /// How often a statement was asked for that begins so.
    fn asked(&self, start: &str) -> usize {
        self.account.statements().iter().filter(|sql| sql.starts_with(start)).count()
    }

    /// Waits until a statement that begins so is on its way for that time.
    fn until_asked(&self, start: &str, times: usize) {
        until(start, || self.asked(start) >= times);
    }

    async fn add(&self, first: u32, last: u32) {
        let sql = format!(
            "INSERT INTO payments (id, amount, note) SELECT i, i * 1.25, 'note ' || i \
             FROM generate_series({first}, {last}) i"
        );
        self.database.execute(&sql).await;
    }

    #[track_caller]
    fn query(&self, sql: &str) -> Rows {
        self.account.query(sql)
    }

    /// The table with the row of state.
    fn state_table(&self) -> String {
        let tables = self.query("SHOW TABLES LIKE 'STATE_%' IN SCHEMA _TIDEGATE");
        let name = tables[0].iter().flatten().find(|value| value.starts_with("STATE_")).expect("a name");
        format!("_TIDEGATE.{name}")
    }

    /// Ids in the table, in order, doubled where rows are.
    #[track_caller]
    fn ids(&self) -> Vec<u32> {
        let rows = self.query("SELECT ID FROM LAKE.PAYMENTS ORDER BY ID");
        rows.iter().map(|row| row[0].as_ref().expect("a number").parse().expect("a number")).collect()
    }

    /// That the table has payments up to that one, each once.
    #[track_caller]
    fn has(&self, last: u32) {
        assert_eq!(self.ids(), (1..=last).collect::<Vec<_>>());
    }

    /// That neither files nor tables are left of what was loaded.
    #[track_caller]
    fn is_clean(&self) {
        // There is none where files go to a bucket.
        let stages = self.query("SHOW STAGES LIKE 'LOAD' IN SCHEMA _TIDEGATE");
        let left = if stages.is_empty() { Rows::new() } else { self.query("LIST @_TIDEGATE.LOAD") };
        let files: Vec<_> = left
            .iter()
            .map(|row| row[0].clone().expect("a text"))
            .filter(|name| !name.ends_with("head.json") && !name.ends_with("/transaction"))
            .collect();
        assert!(files.is_empty(), "left on the stage: {files:?}");
        let tables = self.query("SHOW TABLES LIKE 'L_%' IN SCHEMA _TIDEGATE");
        assert!(tables.is_empty(), "left tables: {tables:?}");
    }
}

fn text(rows: &[&[&str]]) -> Rows {
    let value = |text: &&str| (*text != "NULL").then(|| (*text).to_owned());
    rows.iter().map(|row| row.iter().map(value).collect()).collect()
}
