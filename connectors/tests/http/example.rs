//! The source that is an example, against a shop.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use protocol::conformance::source::{Expected, SourceFixture, source};
use protocol::{
    ConfiguredStream, DriftPolicy, DynSource, Result, Source, StreamFilter, SyncMode, UnfitPolicy, WriteMode,
};
use serde_json::json;

use crate::server::{Asked, Reply, Server, reply};
use crate::shop::Shop;

const PAGE: usize = 10;

#[derive(Clone)]
struct Order {
    id: i64,
    updated_at: DateTime<Utc>,
    total: f64,
}

/// A page of the orders that were changed in the time that is asked for, and the next page's address.
fn answer(orders: &Mutex<Vec<Order>>, asked: &Asked, number: usize) -> Reply {
    if asked.header("authorization") != Some("Bearer canary") {
        return reply(401, &[], "");
    }
    if number % 7 == 3 {
        return reply(503, &["Retry-After: 0"], "busy");
    }
    let time = |name: &str| asked.param(name)?.parse::<DateTime<Utc>>().ok();
    let (since, until) = (time("since").unwrap_or_default(), time("until").unwrap_or_else(Utc::now));
    let orders = orders.lock().unwrap();
    let fitting: Vec<&Order> =
        orders.iter().filter(|order| since <= order.updated_at && order.updated_at < until).collect();
    let page: usize = asked.param("page").map_or(0, |page| page.parse().unwrap());
    let next = (fitting.len() > (page + 1) * PAGE).then(|| {
        let next = page + 1;
        let form = |time: DateTime<Utc>| time.to_rfc3339().replace('+', "%2B");
        format!("/orders?since={}&until={}&page={next}", form(since), form(until))
    });
    let data: Vec<_> = fitting.iter().skip(page * PAGE).take(PAGE).map(|order| {
        json!({"id": order.id, "updated_at": order.updated_at.to_rfc3339(), "total": order.total, "note": null})
    }).collect();
    reply(
        200,
        &["Content-Type: application/json"],
        json!({"data": data, "links": {"next": next}}).to_string(),
    )
}

async fn shop(orders: &Arc<Mutex<Vec<Order>>>) -> Server {
    let orders = orders.clone();
    Server::start(move |number, asked| answer(&orders, asked, number)).await
}

fn orders(count: i64) -> Arc<Mutex<Vec<Order>>> {
    let order = |id| Order { id, updated_at: Utc::now() - TimeDelta::seconds(1000 - id), total: 1.25 };
    Arc::new(Mutex::new((0..count).map(order).collect()))
}

struct Fixture {
    server: Server,
    stream: ConfiguredStream,
    expected: Vec<String>,
}

impl Fixture {
    async fn new(sync_mode: SyncMode, count: i64) -> Self {
        let orders = orders(count);
        let server = shop(&orders).await;
        let row = |order: &Order| format!("{} | {} | 1.25", order.id, order.updated_at.to_rfc3339());
        let expected = orders.lock().unwrap().iter().map(row).collect();
        let config = serde_json::from_value(json!({"url": server.at("orders"), "token": "canary"})).unwrap();
        let shop = Shop::open(config).await.unwrap();
        let catalog = Source::discover(&shop, &StreamFilter::all()).await.unwrap();
        let orders = catalog.stream("orders").unwrap();
        let stream = ConfiguredStream {
            connection: "shop".into(),
            name: "orders".into(),
            target: "orders".into(),
            schema: orders.schema.clone(),
            primary_key: orders.primary_key.clone(),
            sync_mode,
            write_mode: WriteMode::Append,
            cursor: Some("updated_at".into()),
            soft_delete: None,
            lag: None,
            filter: None,
            on_unfit: UnfitPolicy::default(),
            on_drift: DriftPolicy::default(),
            options: BTreeMap::new(),
        };
        Self { server, stream, expected }
    }
}

impl SourceFixture for Fixture {
    async fn open(&self) -> Result<Box<dyn DynSource>> {
        let config = json!({"url": self.server.at("orders"), "token": "canary"});
        Ok(Box::new(Shop::open(serde_json::from_value(config).unwrap()).await?))
    }

    fn stream(&self) -> ConfiguredStream {
        self.stream.clone()
    }

    fn expected(&self) -> Expected {
        Expected::Rows(self.expected.clone())
    }
}

#[tokio::test]
async fn the_example_is_short_and_conforms() {
    let code = include_str!("../../examples/shop.rs");
    assert!(code.lines().count() < 70, "{} lines", code.lines().count());
    for mode in [SyncMode::Incremental, SyncMode::FullRefresh] {
        source(&Fixture::new(mode, 35).await).await;
    }
    source(&Fixture::new(SyncMode::Incremental, 0).await).await;
}
