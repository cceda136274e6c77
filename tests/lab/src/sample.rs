//! Tables like those of a payment service, the same on every machine and server version: each value
//! follows from the row's id by a hash.

use tokio_postgres::Client;

const CUSTOMERS: u64 = 100_000;
const ORDER_ITEMS: u64 = 500_000;

/// How many rows a [`touch`] changed and added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touched {
    pub updated: u64,
    pub inserted: u64,
}

/// Makes `payments` with so many rows, 100,000 `customers` and 500,000 `order_items`.
pub async fn create(client: &Client, payments_rows: u64) {
    payments(client, payments_rows).await;
    customers(client, CUSTOMERS).await;
    order_items(client, ORDER_ITEMS).await;
}

/// Makes `payments`: ids from 1 without a gap, `updated_at` spread over the year 2025 and growing
/// roughly with the id, equal for many rows of the same second.
pub async fn payments(client: &Client, rows: u64) {
    run(client, include_str!("sample/payments.sql")).await;
    let created =
        format!("timestamptz '2025-01-01 00:00:00+00' + id * (interval '330 days' / {})", rows.max(1));
    let delay = "((b >> 20) & 4095) * ((b >> 32) & 1023) * interval '0.4 seconds'";
    let updated = format!(
        "CASE WHEN b & 7 = 0 THEN date_trunc('second', created_at + {delay}) ELSE created_at + {delay} END"
    );
    let insert = payments_from(&format!("generate_series(1, {rows})"), &created, &updated);
    run(client, &insert).await;
    run(
        client,
        "ALTER TABLE payments ADD PRIMARY KEY (id);
         CREATE INDEX payments_updated_at ON payments (updated_at);
         ANALYZE payments",
    )
    .await;
}

/// Makes `customers`, ids from 1.
pub async fn customers(client: &Client, rows: u64) {
    let sql = include_str!("sample/customers.sql");
    run(client, &sql.replace("{rows}", &rows.to_string())).await;
}

/// Makes `order_items`: sixteen columns, seven lines for an order.
pub async fn order_items(client: &Client, rows: u64) {
    let sql = include_str!("sample/order_items.sql");
    run(client, &sql.replace("{rows}", &rows.to_string())).await;
}

/// Changes `updated` payments all over the table and adds `inserted` new ones, in two transactions;
/// their `updated_at` is now.
pub async fn touch(client: &Client, updated: u64, inserted: u64) -> Touched {
    let last = "SELECT coalesce(max(id), 0) FROM payments";
    let last: i64 = client.query_one(last, &[]).await.expect("payments exists").get(0);
    let update = format!(
        "UPDATE payments SET status = 'refunded', amount = amount + 0.01, updated_at = now()
         WHERE id IN (SELECT 1 + i * {last} / {updated} FROM generate_series(0, {updated}::bigint - 1) i)"
    );
    let updated = if updated == 0 { 0 } else { run(client, &update).await };
    let ids = format!("generate_series({last} + 1, {last} + {inserted})");
    let inserted = run(client, &payments_from(&ids, "now()", "now()")).await;
    Touched { updated, inserted }
}

/// Inserts the payments of these ids.
fn payments_from(ids: &str, created_at: &str, updated_at: &str) -> String {
    include_str!("sample/payments_rows.sql")
        .replace("{ids}", ids)
        .replace("{created_at}", created_at)
        .replace("{updated_at}", updated_at)
}

/// Runs the statements; returns how many rows the last of them touched.
async fn run(client: &Client, sql: &str) -> u64 {
    let messages = client.simple_query(sql).await;
    let messages = messages.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let counts = messages.iter().filter_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
        _ => None,
    });
    counts.last().unwrap_or_default()
}
