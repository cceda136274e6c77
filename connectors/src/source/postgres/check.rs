//! What a person should know about the server before the first sync.

use protocol::{Error, Result};

use super::alone::Blind;
use super::answer::{Row, ask_one};
use super::connect::{Client, Connector};
use super::discover;
use super::error::SQLSTATE;

const WHAT: &str = "could not ask about the server";

/// Columns: database, role, version, encoding, TLS, `pg_read_all_stats`, `pg_locks`, free connections,
/// connections of the role, its limit.
const SERVER: &str = "\
    SELECT current_database(), current_user, current_setting('server_version'), \
        current_setting('server_encoding'), \
        (SELECT s.version FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()), \
        pg_has_role('pg_read_all_stats', 'USAGE'), \
        has_table_privilege('pg_catalog.pg_locks', 'SELECT') \
            AND has_function_privilege('pg_catalog.pg_lock_status()', 'EXECUTE'), \
        current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8 \
            - coalesce(current_setting('reserved_connections', true)::int8, 0) \
            - (SELECT sum(d.numbackends) FROM pg_stat_database d), \
        (SELECT count(*) FROM pg_stat_activity a WHERE a.usename = current_user), \
        (SELECT r.rolconnlimit FROM pg_roles r WHERE r.rolname = current_user)";

/// How far a standby is behind, in seconds. Nothing to replay is no delay, however long ago.
const DELAY: &str = "\
    SELECT CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 \
        ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::int8 END, \
        current_setting('hot_standby_feedback')";

/// Connects to each server and returns what there is to know, one line each.
pub(super) async fn check(
    connector: &Connector,
    connections: usize,
    schemas: Option<&[String]>,
) -> Result<Vec<String>> {
    let primary = connector.primary().await?;
    let server = ask_one(&primary, WHAT, SERVER).await?;
    let mut lines = vec![identity(&primary, &server)];
    lines.push(role_in_cluster(&primary, connector.has_replica()));
    lines.push(rights(&server));
    if connector.has_replica() {
        let replica = connector.reader().await?;
        lines.extend(replica_lines(&primary, &replica).await?);
        let server = ask_one(&replica, WHAT, SERVER).await?;
        lines.push(tables(&replica, &server, schemas).await?);
        lines.push(room(&server, connections));
        replica.close().await;
    } else {
        lines.push(tables(&primary, &server, schemas).await?);
        lines.push(room(&server, connections));
    }
    lines.extend(cautions(&primary, &server));
    primary.close().await;
    Ok(lines)
}

/// Why nobody tells what is running, if so: as far as the server that is read from can say.
pub(super) async fn blind(connector: &Connector, reader: &Client) -> Option<Blind> {
    const LOCKS: &str = "SELECT has_table_privilege('pg_catalog.pg_locks', 'SELECT') \
        AND has_function_privilege('pg_catalog.pg_lock_status()', 'EXECUTE')";
    if reader.is_in_recovery && !connector.has_replica() {
        return Some(Blind::Standby);
    }
    // What a replica may be asked is what its primary may.
    let answer = ask_one(reader, WHAT, LOCKS).await;
    answer.is_ok_and(|row| row.text(0) == Some("f")).then_some(Blind::Denied)
}

fn identity(client: &Client, server: &Row) -> String {
    let text = |column| server.text(column).unwrap_or("?");
    let line = match (client.is_encrypted, server.text(4)) {
        (true, Some(version)) => format!("encrypted by {version}"),
        (true, None) => "encrypted".to_owned(),
        (false, _) => "not encrypted".to_owned(),
    };
    format!("PostgreSQL {} at {}, database {:?}, role {:?}, {line}", text(2), client.server, text(0), text(1))
}

fn role_in_cluster(client: &Client, has_replica: bool) -> String {
    let line = match (client.is_in_recovery, has_replica) {
        (false, true) => "it is the primary, asked only which transactions are running",
        (false, false) => "it is the primary",
        (true, _) => {
            "it is a standby, where running transactions can't be seen: give the primary here and the standby \
             as `read_from`, or incremental syncs read whole tables, and of views nothing"
        }
    };
    line.to_owned()
}

fn rights(server: &Row) -> String {
    let line = match (server.is_true(6), server.is_true(5)) {
        (false, _) => {
            "pg_locks can't be read, so running transactions can't be seen: GRANT SELECT ON pg_locks and EXECUTE \
             ON FUNCTION pg_lock_status() to the role, or incremental syncs read whole tables, and of views nothing"
        }
        (true, true) => "running transactions can be seen, with their start (pg_read_all_stats)",
        (true, false) => {
            "running transactions can be seen, without their start: GRANT pg_read_all_stats to the role to tell which \
             of them hold a sync back"
        }
    };
    line.to_owned()
}

async fn tables(client: &Client, server: &Row, schemas: Option<&[String]>) -> Result<String> {
    let (readable, hidden) = discover::count(client, schemas).await?;
    let plural = if readable == 1 { "table or view" } else { "tables and views" };
    let line = format!("{readable} {plural} can be read");
    Ok(if hidden == 0 {
        line
    } else {
        format!("{line}, {hidden} can't: the role {:?} has no SELECT on them", server.text(1).unwrap_or("?"))
    })
}

fn room(server: &Row, connections: usize) -> String {
    let free: i64 = server.number(7).unwrap_or(0);
    let limit: i64 = server.number(9).unwrap_or(-1);
    let left = if limit < 0 { free } else { free.min(limit - server.number(8).unwrap_or(0)) }.max(0);
    let used = i64::try_from(connections).unwrap_or(i64::MAX);
    let line = format!("{left} more connections are free, and up to {connections} read at once");
    if used.saturating_mul(3) > left {
        format!("{line}: that is more than a third, so lower `connections`")
    } else {
        line
    }
}

/// What may bring a surprise later.
fn cautions(client: &Client, server: &Row) -> Vec<String> {
    let mut lines = Vec::new();
    if client.is_pooled {
        lines.push(
            "a connection pooler is in between: it must not share a session inside a transaction, and time-outs are \
             those of the role"
                .to_owned(),
        );
    }
    if server.text(3) == Some("SQL_ASCII") {
        lines.push(
            "the database has no encoding (SQL_ASCII): texts that are not UTF-8 stop a sync".to_owned(),
        );
    }
    if client.server_version < 120_000 {
        lines.push("PostgreSQL before 12 is not tested".to_owned());
    } else if client.server_version < 140_000 {
        lines.push("before PostgreSQL 14 a table is read by one session at a time".to_owned());
    }
    lines
}

async fn replica_lines(primary: &Client, replica: &Client) -> Result<Vec<String>> {
    let server = ask_one(replica, WHAT, SERVER).await?;
    let mut lines = vec![format!("rows are read from {}", identity(replica, &server))];
    let (here, there) = (system(primary).await?, system(replica).await?);
    if here.is_some() && there.is_some() && here != there {
        return Err(Error::config(format!("{} is not a replica of {}", replica.server, primary.server))
            .hint("`read_from` must be a standby of the same cluster, or an Aurora reader"));
    }
    if !replica.is_in_recovery {
        lines.push("it is no standby, so `read_from` gains nothing".to_owned());
        return Ok(lines);
    }
    // Aurora's readers share the storage and know nothing of this.
    if let Ok(delay) = ask_one(replica, WHAT, DELAY).await {
        let seconds: i64 = delay.number(0).unwrap_or(0);
        let feedback = match delay.text(1) {
            Some("on") => "",
            _ => "; hot_standby_feedback is off, so long reads may be ended by what the primary cleans up",
        };
        lines.push(format!("it is a standby, {seconds} s behind{feedback}"));
    }
    Ok(lines)
}

/// What tells a cluster from all others; none where the role may not know.
async fn system(client: &Client) -> Result<Option<String>> {
    match ask_one(client, WHAT, "SELECT system_identifier FROM pg_control_system()").await {
        Ok(row) => Ok(row.text(0).map(str::to_owned)),
        Err(error) if error.context_value(SQLSTATE).is_some() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use lab::postgres::Tls;
    use lab::{Cluster, Options};
    use protocol::{ErrorKind, Source};
    use serde_json::{Value, json};

    use super::super::Postgres;
    use super::*;

    async fn checked(settings: Value) -> Result<String> {
        let source = Postgres::open(serde_json::from_value(settings).unwrap()).await?;
        Ok(Source::check(&source).await?.join("\n"))
    }

    #[tokio::test]
    async fn says_who_is_connected_to_what_with_which_rights() {
        let tls = Tls::new();
        let cluster = Cluster::start(Options::default().tls(&tls).setting("max_connections", "20"));
        let database = cluster.database();
        database.execute("CREATE TABLE a (id int); CREATE TABLE b (id int)").await;
        let role = database.role("reader", "GRANT SELECT ON a TO {role}");
        let told = checked(json!({ "url": database.url_of(&role) })).await.unwrap();
        for part in [
            &format!("PostgreSQL {}", cluster.major()),
            &format!("at 127.0.0.1:{}, database {:?}, role {:?}", cluster.port(), database.name(), role.name),
            "encrypted by TLSv1.3",
            "it is the primary",
            "without their start",
            "1 table or view can be read, 1 can't",
            "up to 4 read at once",
        ] {
            assert!(told.contains(part), "{part:?} is missing in:\n{told}");
        }
        assert!(!told.contains(&role.password) && !told.contains("third"), "{told}");
        let told = checked(json!({ "url": database.url(), "connections": 19 })).await.unwrap();
        assert!(told.contains("with their start") && told.contains("more than a third"), "{told}");
    }

    #[tokio::test]
    async fn a_replica_is_checked_too_and_must_be_one() {
        let cluster = Cluster::start(Options::default());
        let standby = cluster.standby();
        let database = cluster.database();
        standby.catch_up(&cluster).await;
        let replica = standby.database(&database);
        let told =
            checked(json!({ "url": database.url(), "read_from": { "port": replica.port() } })).await.unwrap();
        assert!(told.contains("asked only which transactions are running"), "{told}");
        assert!(told.contains("it is a standby, 0 s behind\n"), "{told}");
        let told = checked(json!({ "url": replica.url() })).await.unwrap();
        assert!(told.contains("it is a standby, where running transactions can't be seen"), "{told}");

        let other = Cluster::shared().database();
        let settings = json!({ "url": database.url(), "read_from": { "url": other.url() } });
        let error = checked(settings).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
        assert!(error.to_string().contains("is not a replica of"), "{error}");
    }
}
