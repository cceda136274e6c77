//! Connections with real servers.

mod copying;
mod dropping;
mod places;
mod secrets;
mod trust;

use lab::Database;
use protocol::{Error, Result};
use serde_json::{Value, json};

use super::{Client, Connector};
use crate::source::postgres::config::Config;

fn connector(settings: Value) -> Connector {
    let config: Config = serde_json::from_value(settings).unwrap();
    Connector::new(&config).unwrap()
}

async fn connect(settings: Value) -> Result<Client> {
    let config: Config = serde_json::from_value(settings).unwrap();
    Connector::new(&config)?.primary().await
}

async fn connect_to(database: &Database) -> Client {
    connect(json!({ "url": database.url() })).await.unwrap()
}

async fn refused(settings: Value) -> Error {
    connect(settings).await.err().expect("this connection is refused")
}

/// All that a person sees of an error.
fn told(error: &Error) -> String {
    format!("{error:#} {:?} {}", error, error.advice().unwrap_or_default())
}

async fn one(client: &Client, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap().get(0)
}
