//! A small shop in a real database, and a configuration that syncs it to a folder.

use lab::{Cluster, Database};

use super::run::Place;

/// A database with orders, and a place with a configuration for it.
pub(crate) struct Shop {
    pub(crate) database: Database,
    pub(crate) place: Place,
}

/// Three orders, one country, and an empty table whose name needs quotes.
const TABLES: &str = r#"
    CREATE TABLE orders (
        id bigint PRIMARY KEY,
        total numeric(10, 2) NOT NULL,
        note text,
        updated_at timestamptz NOT NULL DEFAULT now()
    );
    COMMENT ON TABLE orders IS 'what people bought';
    CREATE INDEX ON orders (updated_at);
    INSERT INTO orders SELECT i, i * 1.5, 'n' || i, timestamptz '2025-01-01' + i * interval '1 day'
        FROM generate_series(1, 3) i;
    CREATE TABLE countries (code char(2) PRIMARY KEY, name text, changed date);
    INSERT INTO countries VALUES ('DE', 'Germany', '2025-01-01');
    CREATE TABLE "Odd.Name ""x""" (a int);
    ANALYZE;
"#;

/// Syncs the tables of [`TABLES`].
pub(crate) const STREAMS: &str = "      - name: public.orders
        cursor: updated_at
      - name: public.countries
";

impl Shop {
    /// The shop, with these streams configured.
    pub(crate) async fn new(streams: &str) -> Self {
        let database = Cluster::shared().database();
        database.execute(TABLES).await;
        let place = Place::with(&configuration(streams)).set("SHOP_URL", &database.url());
        Self { database, place }
    }
}

/// What takes `streams` from `SHOP_URL` to the folder `lake`. Nothing is tried twice, and no row waits
/// for clocks that may be behind.
pub(crate) fn configuration(streams: &str) -> String {
    format!(
        "\
sources:
  shop:
    type: postgres
    url: ${{env:SHOP_URL}}
destinations:
  lake:
    type: parquet
    url: ./lake
connections:
  shop_to_lake:
    source: shop
    destination: lake
    retries: 0
    defaults: {{lag: 0s}}
    streams:
{streams}"
    )
}
