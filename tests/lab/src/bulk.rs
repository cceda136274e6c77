//! The tables that are measured with, `lineitem` and `payments`, in a database of the lab.

use std::pin::pin;

use bytes::Bytes;
use futures::SinkExt;
use tokio_postgres::Client;
use workload::{Scale, Table};

/// Makes both tables. They are not logged, and vacuumed, so that nothing but reading is measured.
pub async fn create(client: &Client, scale: Scale) {
    for table in Table::ALL {
        let name = table.name();
        run(client, &format!("CREATE UNLOGGED TABLE {name} ({})", table.columns())).await;
        let statement = format!("COPY {name} FROM STDIN");
        let copy = client.copy_in::<_, Bytes>(&statement).await;
        let mut copy = pin!(copy.unwrap_or_else(|error| panic!("{statement}: {error:?}")));
        for piece in table.text(scale) {
            copy.feed(Bytes::from(piece)).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        }
        copy.finish().await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        for statement in table.indexes(name) {
            run(client, &statement).await;
        }
        run(client, &format!("VACUUM (FREEZE, ANALYZE) {name}")).await;
    }
}

async fn run(client: &Client, sql: &str) {
    client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}
