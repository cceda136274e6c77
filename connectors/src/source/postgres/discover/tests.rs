//! What is found in real databases.

use std::time::Instant;

use arrow_schema::DataType;
use lab::{Cluster, Database};
use protocol::{ErrorKind, StreamFilter, StreamKind};
use serde_json::json;

use super::{Relation, relation, relations, stream};
use crate::source::postgres::connect::{Client, Connector};
use crate::source::postgres::types::TypeKind;

async fn connect(url: String) -> Client {
    let config = serde_json::from_value(json!({ "url": url })).unwrap();
    Connector::new(&config).unwrap().primary().await.unwrap()
}

async fn made(sql: &str) -> (Database, Client) {
    let database = Cluster::shared().database();
    database.execute(sql).await;
    let client = connect(database.url()).await;
    (database, client)
}

async fn all(client: &Client) -> Vec<Relation> {
    relations(client, &StreamFilter::all(), None).await.unwrap()
}

fn names(relations: &[Relation]) -> Vec<String> {
    relations.iter().map(Relation::stream_name).collect()
}

fn filter(patterns: &[&str]) -> StreamFilter {
    StreamFilter { patterns: patterns.iter().map(|pattern| (*pattern).to_owned()).collect() }
}

#[tokio::test]
async fn each_kind_of_table_is_found_and_described() {
    let (database, client) = made(
        "CREATE TABLE orders (id bigint PRIMARY KEY, gone int, price numeric(18,4) NOT NULL, note text, \
            double numeric GENERATED ALWAYS AS (price * 2) STORED); \
         ALTER TABLE orders DROP COLUMN gone; \
         COMMENT ON TABLE orders IS 'what people buy'; COMMENT ON COLUMN orders.note IS 'as they said it'; \
         INSERT INTO orders SELECT i, i, repeat('x', 100) FROM generate_series(1, 5000) i; ANALYZE orders; \
         CREATE VIEW recent AS SELECT id, price FROM orders; \
         CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM orders; \
         CREATE EXTENSION postgres_fdw; CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw; \
         CREATE FOREIGN TABLE remote (id int) SERVER elsewhere; \
         CREATE SEQUENCE numbers; CREATE TYPE pair AS (a int, b int); CREATE TEMP TABLE passing (id int); \
         CREATE TABLE nothing ()",
    )
    .await;
    let found = all(&client).await;
    assert_eq!(
        names(&found),
        ["public.nothing", "public.orders", "public.recent", "public.remote", "public.totals"]
    );
    let kinds: Vec<StreamKind> = found.iter().map(|relation| relation.kind).collect();
    assert_eq!(
        kinds,
        [
            StreamKind::Table,
            StreamKind::Table,
            StreamKind::View,
            StreamKind::ForeignTable,
            StreamKind::MaterializedView
        ]
    );
    let orders = &found[1];
    let columns: Vec<_> = orders
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.number, column.native.display.as_str(), column.not_null))
        .collect();
    assert_eq!(
        columns,
        [
            ("id", 1, "bigint", true),
            ("price", 3, "numeric(18,4)", true),
            ("note", 4, "text", false),
            ("double", 5, "numeric", false),
        ]
    );
    assert_eq!(orders.primary_key, ["id"]);
    assert_eq!(orders.estimated_rows, Some(5000));
    assert_eq!(orders.leaves.len(), 1);
    assert_eq!(orders.leaves[0].access_method.as_deref(), Some("heap"));
    let pages: u64 =
        database.value("SELECT pg_relation_size('orders') / 8192").await.unwrap().parse().unwrap();
    assert_eq!(orders.leaves[0].pages, pages);
    assert!(orders.whole && !orders.row_security);
    assert!(found[2].leaves.is_empty(), "a view has no rows of its own");

    let described = stream(orders, None);
    assert_eq!(described.comment.as_deref(), Some("what people buy"));
    assert_eq!(described.estimated_rows, Some(5000));
    assert_eq!(described.estimated_bytes, Some(pages * 8192));
    let price = described.schema.field_with_name("price").unwrap();
    assert_eq!((price.data_type(), price.is_nullable()), (&DataType::Decimal128(18, 4), false));
    let said = described.schema.field_with_name("note").unwrap();
    assert_eq!(said.metadata().get(protocol::Stream::COMMENT).map(String::as_str), Some("as they said it"));
}

#[tokio::test]
async fn a_partitioned_table_is_one_stream_and_its_parts_are_none() {
    let (_database, client) = made(
        "CREATE TABLE events (id int NOT NULL, at timestamptz NOT NULL) PARTITION BY RANGE (at); \
         CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01'); \
         CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') \
            PARTITION BY LIST (id); \
         CREATE TABLE events_2_a (at timestamptz NOT NULL, id int NOT NULL); \
         ALTER TABLE events_2 ATTACH PARTITION events_2_a FOR VALUES IN (1, 2); \
         INSERT INTO events SELECT 1, '2026-01-01'::timestamptz + i * interval '1 minute' FROM generate_series(1, 60000) i; \
         ANALYZE events; CREATE INDEX ON events (at); CREATE INDEX ON events_1 (id)",
    )
    .await;
    let found = all(&client).await;
    assert_eq!(names(&found), ["public.events"]);
    let events = &found[0];
    assert_eq!(events.kind, StreamKind::PartitionedTable);
    let leaves: Vec<&str> = events.leaves.iter().map(|leaf| leaf.name.as_str()).collect();
    assert_eq!(leaves, ["events_1", "events_2_a"]);
    assert!(events.columns.iter().all(|column| column.not_null));
    assert_eq!(events.estimated_rows, Some(60_000));
    assert!(events.bytes.unwrap() > 60_000 * 32);
    let cursor = &stream(events, None).cursors[0];
    assert_eq!((cursor.field.as_str(), cursor.indexed), ("at", Some(true)));
    assert!(events.indexes.iter().all(|index| index.leading == "at"), "id is indexed on one part only");

    let exact = relations(&client, &filter(&["public.events_1"]), None).await.unwrap();
    assert_eq!(names(&exact), ["public.events_1"]);
    assert_eq!(relation(&client, "public.events_2").await.unwrap().leaves.len(), 1);
    assert_eq!(relation(&client, "public.events_2_a").await.unwrap().kind, StreamKind::Table);
}

#[tokio::test]
async fn heirs_are_parts_of_their_parent_and_streams_too() {
    let (_database, client) = made(
        "CREATE TABLE cities (name text NOT NULL); CREATE TABLE capitals (country text) INHERITS (cities); \
         ALTER TABLE capitals ALTER COLUMN name DROP NOT NULL; INSERT INTO capitals VALUES (NULL, 'x')",
    )
    .await;
    let found = all(&client).await;
    assert_eq!(names(&found), ["public.capitals", "public.cities"]);
    assert_eq!(found[1].leaves.len(), 2);
    assert!(!found[1].columns[0].not_null, "a row of an heir may hold NULL");
}

#[tokio::test]
async fn hostile_names_lead_back_to_their_tables() {
    let database = Cluster::shared().database();
    let client = database.client().await;
    let schemas = ["public", "a.b", "q\"q", "Über äpfel", "drop table x;--"];
    let tables =
        ["plain", "Plain", "a.b", "a\"b", "\"", " ", "'; drop", "\\", "наука", "x*y", "a\nb", "SELECT"];
    for schema in schemas {
        let schema = super::relation::quoted(schema);
        client.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {schema}")).await.unwrap();
        for table in tables {
            let table = super::relation::quoted(table);
            client.batch_execute(&format!("CREATE TABLE {schema}.{table} ({table} int)")).await.unwrap();
        }
    }
    let session = connect(database.url()).await;
    let found = all(&session).await;
    assert_eq!(found.len(), schemas.len() * tables.len());
    let mut names = names(&found);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), found.len(), "two tables have one name");
    for listed in &found {
        let again = relation(&session, &listed.stream_name()).await.unwrap();
        assert_eq!((again.oid, &again.columns[0].name), (listed.oid, &listed.name));
        session.query(&format!("SELECT * FROM {}", again.qualified()), &[]).await.unwrap();
        let alone = relations(&session, &filter(&[&listed.stream_name()]), None).await.unwrap();
        assert!(alone.iter().any(|relation| relation.oid == listed.oid));
    }
}

#[tokio::test]
async fn types_are_trees_with_their_modifiers() {
    let (_database, client) = made(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN money2 AS numeric(10,2); \
         CREATE DOMAIN price AS money2 CHECK (VALUE > 0); CREATE TYPE point3 AS (x numeric(5,1), \"y y\" mood[], z price); \
         CREATE EXTENSION hstore; CREATE EXTENSION citext; \
         CREATE TABLE t (e mood, d price, c point3, a numeric(18,4)[], aa int[][], ac point3[], ad price[], r int4range, \
            h hstore, i citext, n name, p point, v varchar(7), b bit(3), iv int2vector, ts timestamp(3), u uuid)",
    )
    .await;
    let table = relation(&client, "public.t").await.unwrap();
    let native = |name: &str| &table.column(name).unwrap().native;
    assert_eq!(native("e").kind, TypeKind::Enum);
    let TypeKind::Domain(base) = &native("d").kind else { panic!("{:?}", native("d")) };
    let TypeKind::Domain(base) = &base.kind else { panic!("{base:?}") };
    assert_eq!(
        (base.name.as_str(), base.display.as_str(), base.modifier),
        ("numeric", "numeric(10,2)", 655_366)
    );
    let TypeKind::Composite(attributes) = &native("c").kind else { panic!("{:?}", native("c")) };
    let shown: Vec<_> =
        attributes.iter().map(|(name, native)| (name.as_str(), native.display.as_str())).collect();
    assert_eq!(shown, [("x", "numeric(5,1)"), ("y y", "mood[]"), ("z", "price")]);
    let TypeKind::Array(element) = &native("a").kind else { panic!("{:?}", native("a")) };
    assert_eq!((element.display.as_str(), element.modifier), ("numeric(18,4)", 1_179_656));
    let TypeKind::Array(element) = &native("ac").kind else { panic!("{:?}", native("ac")) };
    assert!(matches!(element.kind, TypeKind::Composite(_)));
    assert_eq!(native("aa").display, "integer[]");
    assert_eq!(native("r").kind, TypeKind::Range);
    for name in ["h", "i", "n", "p", "v", "b", "ts", "u"] {
        assert_eq!(native(name).kind, TypeKind::Base, "{name}");
    }
    assert_eq!((native("v").display.as_str(), native("v").modifier), ("character varying(7)", 11));
    assert_eq!(native("h").schema, "public");
    let fields = stream(&table, None).schema;
    let type_of = |name: &str| fields.field_with_name(name).unwrap().data_type().clone();
    assert_eq!(type_of("d"), DataType::Decimal128(10, 2));
    assert!(matches!(type_of("c"), DataType::Struct(_)));
    assert!(matches!(type_of("h"), DataType::Map(..)));
}

#[tokio::test]
async fn keys_come_from_the_primary_key_or_the_chosen_identity() {
    let (_database, client) = made(
        "CREATE TABLE a (x int, y int, z int, PRIMARY KEY (z, x) INCLUDE (y)); \
         CREATE TABLE b (x int NOT NULL, y int); CREATE UNIQUE INDEX b_x ON b (x); ALTER TABLE b REPLICA IDENTITY USING INDEX b_x; \
         CREATE TABLE c (x int NOT NULL UNIQUE)",
    )
    .await;
    let keys: Vec<Vec<String>> =
        all(&client).await.into_iter().map(|relation| relation.primary_key).collect();
    assert_eq!(keys, [vec!["z".to_owned(), "x".to_owned()], vec!["x".to_owned()], vec![]]);
}

#[tokio::test]
async fn cursors_are_offered_best_first() {
    let (_database, client) = made(
        "CREATE DOMAIN moment AS timestamptz; \
         CREATE TABLE t (id bigint PRIMARY KEY, born date, due timestamptz, created_at timestamptz, seen timestamp, \
            modified moment, updated_at timestamp, note text, n int); \
         CREATE INDEX ON t (updated_at, n); CREATE INDEX ON t (created_at) WHERE n > 0; CREATE INDEX ON t ((note || note)); \
         CREATE INDEX ON t USING hash (due); CREATE INDEX ON t USING brin (modified); \
         CREATE VIEW v AS SELECT created_at, id FROM t",
    )
    .await;
    let table = stream(&relation(&client, "public.t").await.unwrap(), None);
    let offered: Vec<_> =
        table.cursors.iter().map(|cursor| (cursor.field.as_str(), cursor.indexed)).collect();
    assert_eq!(
        offered,
        [
            ("modified", Some(true)),
            ("updated_at", Some(true)),
            ("created_at", Some(false)),
            ("due", Some(false)),
            ("seen", Some(false)),
            ("born", Some(false)),
            ("id", Some(true)),
        ]
    );
    assert_eq!(table.cursors[0].note, None);
    assert!(table.cursors[2].note.as_ref().unwrap().contains("no index"));
    let view = stream(&relation(&client, "public.v").await.unwrap(), None);
    assert_eq!(view.cursors.len(), 1);
    assert_eq!(view.cursors[0].indexed, None);
}

#[tokio::test]
async fn a_missing_table_is_told_with_names_like_it() {
    let (database, client) = made(
        "CREATE TABLE orders (id int); CREATE SCHEMA shop; CREATE TABLE shop.carts (id int); \
        CREATE INDEX orders_id ON orders (id)",
    )
    .await;
    let error = |name: &'static str| {
        let client = &client;
        async move { relation(client, name).await.unwrap_err() }
    };
    for (name, hint) in [
        ("public.order", "did you mean \"public.orders\"?"),
        ("public.Orders", "did you mean \"public.orders\"?"),
        ("public.carts", "did you mean \"shop.carts\"?"),
        ("public.something_else", "`tidegate discover` lists what can be read"),
    ] {
        let error = error(name).await;
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(error.advice(), Some(hint), "{name}");
        assert!(error.to_string().contains(database.name()), "{error}");
    }
    assert!(error("public.orders_id").await.to_string().contains("is an index"));
    assert_eq!(error("orders").await.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn what_the_role_may_not_read_is_left_out_and_told_with_the_grant() {
    let (database, _) = made(
        "CREATE TABLE open (id int PRIMARY KEY, secret text); CREATE TABLE closed (id int); \
         CREATE TABLE partly (id int, secret text, PRIMARY KEY (id, secret)); \
         CREATE SCHEMA hidden; CREATE TABLE hidden.t (id int); \
         CREATE TABLE guarded (id int); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; \
         CREATE TABLE parts (id int) PARTITION BY LIST (id); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1)",
    )
    .await;
    let role = database.role(
        "re\"ader",
        "GRANT SELECT ON open, guarded, parts, hidden.t TO {role}; GRANT SELECT (id) ON partly TO {role}",
    );
    let client = connect(database.url_of(&role)).await;
    let found = all(&client).await;
    assert_eq!(names(&found), ["public.guarded", "public.open", "public.partly", "public.parts"]);
    assert!(found[0].row_security && !found[1].row_security);
    assert!(found[1].whole && !found[2].whole);
    let partly: Vec<&str> = found[2].columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(partly, ["id"]);
    assert!(found[2].primary_key.is_empty(), "half a key is none");
    assert!(!found[3].leaves[0].readable, "a right on the parent is none on its parts");

    let quoted = super::relation::quoted(&role.name);
    let error = relation(&client, "public.closed").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    let grant = format!("GRANT SELECT ON \"public\".\"closed\" TO {quoted};");
    assert!(error.advice().unwrap().contains(&grant), "{error:?}");
    let error = relation(&client, "hidden.t").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.advice().unwrap().contains(&format!("GRANT USAGE ON SCHEMA \"hidden\" TO {quoted};")));
    database.execute(&format!("{grant} GRANT USAGE ON SCHEMA hidden TO {quoted}")).await;
    relation(&client, "public.closed").await.unwrap();
    relation(&client, "hidden.t").await.unwrap();
}

#[tokio::test]
async fn schemas_and_patterns_narrow_what_is_found() {
    let (_database, client) = made(
        "CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.x (id int); CREATE TABLE b.x (id int); CREATE TABLE b.y (id int); \
         CREATE EXTENSION pg_stat_statements",
    )
    .await;
    let found = |patterns: &'static [&'static str], schemas: Option<Vec<String>>| {
        let client = &client;
        async move { names(&relations(client, &filter(patterns), schemas.as_deref()).await.unwrap()) }
    };
    assert_eq!(found(&[], None).await, ["a.x", "b.x", "b.y"]);
    assert_eq!(found(&["b.*"], None).await, ["b.x", "b.y"]);
    assert_eq!(found(&[], Some(vec!["a".to_owned()])).await, ["a.x"]);
    assert_eq!(found(&["*.x"], Some(vec!["b".to_owned()])).await, ["b.x"]);
    assert_eq!(found(&["public.pg_stat_statements"], None).await, ["public.pg_stat_statements"]);
    assert!(found(&["c.*"], None).await.is_empty());
}

#[tokio::test]
async fn the_sizes_of_one_table_are_as_they_are_now() {
    let (database, client) =
        made("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 1000); ANALYZE t").await;
    database.execute("INSERT INTO t SELECT generate_series(1, 99000)").await;
    let now = relation(&client, "public.t").await.unwrap();
    let rows = now.estimated_rows.unwrap();
    assert!((80_000..120_000).contains(&rows), "{rows}");
    assert!(now.leaves[0].pages > 400);
    database.execute("CREATE TABLE fresh (id int)").await;
    assert_eq!(relation(&client, "public.fresh").await.unwrap().estimated_rows, None);
}

#[tokio::test]
async fn thousands_of_tables_are_found_in_seconds() {
    let database = Cluster::shared().database();
    let lots = 4;
    for lot in 0..lots {
        let make = "CREATE TABLE t%s_%s (id bigint PRIMARY KEY, a text, b numeric(10,2), c timestamptz, d int[], e jsonb, \
                    f date, g boolean, h uuid, i text)";
        let each = format!("FOR i IN 1..500 LOOP EXECUTE format('{make}', {lot}, i); END LOOP;");
        database.execute(&format!("DO $$ BEGIN {each} END $$")).await;
    }
    let client = connect(database.url()).await;
    let start = Instant::now();
    assert_eq!(all(&client).await.len(), lots * 500);
    let taken = start.elapsed();
    println!("{} tables in {taken:?}", lots * 500);
    // A debug build on a busy machine is several times slower.
    assert!(taken.as_secs() < 10, "{taken:?}");
}

#[tokio::test]
async fn every_version_is_understood() {
    for binaries in lab::Binaries::all() {
        let major = binaries.major();
        let cluster = Cluster::shared_major(major).unwrap();
        let database = cluster.database();
        database
            .execute(
                "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL, tags text[]) PARTITION BY RANGE (id); \
                 CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (10); INSERT INTO t VALUES (1, now(), '{a}')",
            )
            .await;
        let client = connect(database.url()).await;
        assert_eq!(client.server_version / 10_000, major);
        let found = all(&client).await;
        assert_eq!(names(&found), ["public.t"], "PostgreSQL {major}");
        assert_eq!(found[0].leaves.len(), 1);
        let not_null: Vec<bool> = found[0].columns.iter().map(|column| column.not_null).collect();
        assert_eq!(not_null, [true, true, false], "PostgreSQL {major}");
        assert_eq!(relation(&client, "public.t").await.unwrap().primary_key, ["id"]);
        if major >= 18 {
            database.execute("CREATE TABLE u (a int); INSERT INTO u VALUES (NULL); ALTER TABLE u ADD NOT NULL a NOT VALID").await;
            let table = relation(&client, "public.u").await.unwrap();
            assert!(!table.columns[0].not_null, "a row from before may hold NULL");
        }
    }
}
