//! A folder with a configuration that reads one PostgreSQL database into Parquet.

use std::path::PathBuf;
use std::process::Command;

use lab::snowflake::Account;
use lab::{Bucket, Database};
use serde_json::{Value, json};

use crate::cli::run::{Place, Ran};

/// A source `db`, a destination `lake` and a connection `db_to_lake` between them, in a folder of their
/// own. The files lie in [`lake`](Project::lake) unless a bucket is given.
pub(crate) struct Project {
    place: Place,
    configuration: Value,
    bucket: Option<Bucket>,
}

impl Project {
    pub(crate) fn new(database: &Database) -> Self {
        Self::of_url(&database.url())
    }

    /// Reads what lies behind `url`: a role's, a proxy's.
    pub(crate) fn of_url(url: &str) -> Self {
        let configuration = json!({
            "sources": { "db": { "type": "postgres", "url": "${env:DATABASE_URL}" } },
            "destinations": { "lake": { "type": "parquet", "url": "./lake" } },
            "connections": { "db_to_lake": { "source": "db", "destination": "lake", "streams": [] } },
        });
        Self { place: Place::new().set("DATABASE_URL", url), configuration, bucket: None }
    }

    /// Reads another kind of source.
    pub(crate) fn of_source(source: Value) -> Self {
        let mut project = Self::of_url("postgres://unused");
        project.configuration["sources"]["db"] = source;
        project
    }

    /// Writes to `lake/` in the bucket instead of a local folder.
    pub(crate) fn in_bucket(mut self, bucket: &Bucket) -> Self {
        self.place = self.place.set("LAKE_KEY", &bucket.access_key).set("LAKE_SECRET", &bucket.secret_key);
        self.configuration["destinations"]["lake"] = json!({
            "type": "parquet",
            "url": bucket.url("lake"),
            "endpoint": bucket.endpoint,
            "region": bucket.region,
            "access_key_id": "${env:LAKE_KEY}",
            "secret_access_key": "${env:LAKE_SECRET}",
        });
        self.bucket = Some(bucket.clone());
        self
    }

    /// Writes to an account of the stand-in for Snowflake.
    pub(crate) fn in_snowflake(mut self, account: &Account) -> Self {
        // Nobody gains by waiting for a server on this machine.
        self.place = self.place.set("SNOWFLAKE_PASSWORD", &account.password).set("TIDEGATE_WAITS", "20");
        self.configuration["destinations"]["lake"] = json!({
            "type": "snowflake",
            "account": account.account,
            "host": account.host(),
            "port": account.port(),
            "protocol": "http",
            "user": account.user,
            "password": "${env:SNOWFLAKE_PASSWORD}",
            "role": account.role,
            "warehouse": account.warehouse,
            "database": account.database,
            "schema": "LAKE",
        });
        self
    }

    /// Writes to that destination; `secrets` are the variables that its settings speak of.
    pub(crate) fn to(mut self, destination: Value, secrets: &[(&str, String)]) -> Self {
        self.configuration["destinations"]["lake"] = destination;
        for (name, secret) in secrets {
            self.place = self.place.set(name, secret);
        }
        self
    }

    /// A setting of the source.
    pub(crate) fn source(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.configuration["sources"]["db"][key] = value.into();
        self
    }

    /// A setting of the destination.
    pub(crate) fn destination(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.configuration["destinations"]["lake"][key] = value.into();
        self
    }

    /// A setting of the connection.
    pub(crate) fn connection(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.configuration["connections"]["db_to_lake"][key] = value.into();
        self
    }

    /// One more stream, as it stands in `streams`.
    pub(crate) fn stream(mut self, stream: Value) -> Self {
        let streams = self.configuration["connections"]["db_to_lake"]["streams"].as_array_mut();
        streams.expect("streams are a list").push(stream);
        self
    }

    /// The whole configuration, to be changed between two runs.
    pub(crate) fn configuration(&mut self) -> &mut Value {
        &mut self.configuration
    }

    /// The command, ready to be changed and started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        // JSON is YAML too.
        let text = serde_json::to_string_pretty(&self.configuration).expect("JSON is written");
        // Others that were started may be reading it.
        if std::fs::read_to_string(self.place.path("tidegate.yaml")).ok().as_ref() != Some(&text) {
            self.place.write("tidegate.yaml", &text);
        }
        self.place.command(arguments)
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().expect("the binary is built").into()
    }

    /// Syncs, which must succeed, and returns the report.
    #[track_caller]
    pub(crate) fn sync(&self) -> Value {
        self.sync_exits(0)
    }

    /// Syncs, which must end with that exit code, and returns the report.
    #[track_caller]
    pub(crate) fn sync_exits(&self, code: i32) -> Value {
        self.run(&["sync", "--output", "json"]).exits(code).json()
    }

    /// A path in the project's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.path(name)
    }

    /// The folder, or the URL in the bucket, that a target's files are in.
    pub(crate) fn lake(&self, target: &str) -> String {
        match &self.bucket {
            Some(bucket) => bucket.url(&format!("lake/{target}")),
            None => self.path(&format!("lake/{target}")).display().to_string(),
        }
    }

    /// What a script of the lab prints about `arguments`; it can read the bucket, if there is one.
    #[track_caller]
    pub(crate) fn python(&self, script: &str, arguments: &[&str]) -> Value {
        let mut arguments = arguments.to_vec();
        if let Some(bucket) = &self.bucket {
            arguments.extend(["--s3", &bucket.endpoint, &bucket.access_key, &bucket.secret_key]);
        }
        lab::python(script, &arguments)
    }

    /// The rows that DuckDB answers with, each value as text.
    #[track_caller]
    pub(crate) fn duckdb(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        serde_json::from_value(self.python("duckdb_query.py", &[sql])).expect("it prints rows of texts")
    }
}
