//! A database of one test.

use std::sync::{Arc, Mutex};

use tokio_postgres::{Client, Config, SimpleQueryMessage};

use super::cluster::{quoted, random_word};
use super::server::Server;
use crate::blocking;

/// A login role and its password.
#[derive(Clone, Debug)]
pub struct Role {
    pub name: String,
    pub password: String,
}

/// A database, and the roles made for it; dropped with this value, whoever is still connected.
#[derive(Debug)]
pub struct Database {
    server: Arc<Server>,
    name: String,
    /// None where the database belongs to another value, as on a standby.
    roles: Option<Mutex<Vec<String>>>,
}

impl Database {
    pub(super) fn create(server: &Arc<Server>) -> Self {
        let name = format!("test_{}", random_word());
        blocking::wait(async {
            // template0, since nobody can be connected to it.
            let sql = format!("CREATE DATABASE {name} TEMPLATE template0");
            let created = server.client("postgres").await.batch_execute(&sql).await;
            created.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        });
        Self { server: Arc::clone(server), name, roles: Some(Mutex::default()) }
    }

    /// The same database, seen through another server.
    pub(super) fn through(&self, server: &Arc<Server>) -> Self {
        Self { server: Arc::clone(server), name: self.name.clone(), roles: None }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The superuser's URL: `postgres://postgres:…@127.0.0.1:…/test_…`.
    pub fn url(&self) -> String {
        self.url_as("postgres", &self.server.password)
    }

    pub fn url_as(&self, user: &str, password: &str) -> String {
        self.server.url(&self.name, user, password)
    }

    pub fn url_of(&self, role: &Role) -> String {
        self.url_as(&role.name, &role.password)
    }

    /// How the lab itself connects: the superuser, over the socket.
    pub fn config(&self) -> Config {
        self.server.config(&self.name)
    }

    /// A connection of the superuser, driven by the runtime this is called in.
    pub async fn client(&self) -> Client {
        self.server.client(&self.name).await
    }

    /// Runs statements, parted by semicolons, in a session of their own.
    pub async fn execute(&self, sql: &str) {
        let done = self.client().await.batch_execute(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// The rows of a query, each value as text.
    pub async fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let answer = self.client().await.simple_query(sql).await;
        let messages = answer.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let mut rows = Vec::new();
        for message in messages {
            if let SimpleQueryMessage::Row(row) = message {
                rows.push((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect());
            }
        }
        rows
    }

    /// The only value of a query.
    pub async fn value(&self, sql: &str) -> Option<String> {
        let rows = self.query(sql).await;
        match <[_; 1]>::try_from(rows).map(|[row]| <[_; 1]>::try_from(row)) {
            Ok(Ok([value])) => value,
            other => panic!("{sql}: not one value: {other:?}"),
        }
    }

    /// Makes a login role and runs `grants` with `{role}` replaced by its name:
    /// `GRANT SELECT ON payments TO {role}`. The name starts with `prefix`.
    pub fn role(&self, prefix: &str, grants: &str) -> Role {
        let role = Role { name: format!("{prefix}_{}", random_word()), password: random_word() };
        let name = quoted(&role.name);
        let create = format!("CREATE ROLE {name} LOGIN PASSWORD '{}';", role.password);
        let sql = create + &grants.replace("{role}", &name);
        blocking::wait(self.execute(&sql));
        if let Some(roles) = &self.roles {
            roles.lock().expect("nobody panics with the lock held").push(name);
        }
        role
    }

    /// Removes what keeps a database from being dropped, the database, and its roles. What fails
    /// fails in silence: the cluster itself is soon gone.
    async fn clear(&self, roles: &[String]) {
        let tidy = async {
            let client = self.config().connect(tokio_postgres::NoTls).await;
            let (client, connection) = client?;
            tokio::spawn(connection);
            let prepared = "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()";
            for message in client.simple_query(prepared).await? {
                if let SimpleQueryMessage::Row(row) = message {
                    let name = row.get(0).unwrap_or_default().replace('\'', "''");
                    client.batch_execute(&format!("ROLLBACK PREPARED '{name}'")).await?;
                }
            }
            drop(client);
            let (client, connection) = self.server.config("postgres").connect(tokio_postgres::NoTls).await?;
            tokio::spawn(connection);
            let name = &self.name;
            let end =
                format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
            client.batch_execute(&end).await?;
            let slots = format!(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots \
                 WHERE database = '{name}' AND NOT active"
            );
            client.batch_execute(&slots).await?;
            client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
            for role in roles {
                client.batch_execute(&format!("DROP ROLE IF EXISTS {role}")).await?;
            }
            Ok::<(), tokio_postgres::Error>(())
        };
        let _ = tokio::time::timeout(std::time::Duration::from_secs(10), tidy).await;
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(roles) = self.roles.take() {
            let roles = roles.into_inner().unwrap_or_default();
            blocking::wait(self.clear(&roles));
        }
    }
}
