//! Orders of a shop: `GET /orders?since=...&until=...`, a page after the other. A whole incremental source.
#![allow(clippy::wildcard_imports, reason = "what a source is made of")]

use arrow_schema::DataType;
use chrono::{DateTime, Utc};
use connectors::http::auth::Auth;
use connectors::http::{Answer, Client, Options, Pages, Paging, Polite, Request};
use connectors::json::{Columns, Page, Records};
use protocol::*;
use serde::Deserialize;

#[derive(Deserialize, schemars::JsonSchema)]
pub struct Config {
    url: String,
    token: Secret,
}

/// Since when, until when.
type Span = (Option<DateTime<Utc>>, DateTime<Utc>);

pub struct Shop(Client, Polite, url::Url);

impl Source for Shop {
    const NAME: &'static str = "shop";
    type Config = Config;
    type Partition = Span;
    type State = Option<DateTime<Utc>>;
    type Seen = ();
    async fn open(config: Config) -> Result<Self> {
        let url = config.url.parse().map_err(|error| Error::config("`url` is none").with_source(error))?;
        Ok(Self(Client::new(&Options::default())?, Polite { auth: Auth::Bearer(config.token) }, url))
    }
    async fn check(&self) -> Result<Vec<String>> {
        self.1.fetch(&self.0, &Request::get(self.2.clone())).await?;
        Ok(vec!["the shop answers".to_owned()])
    }
    async fn discover(&self, _: &StreamFilter) -> Result<Catalog> {
        let orders = Stream::new("orders").field("id", DataType::Int64).field("updated_at", DataType::Utf8);
        let orders = orders.field("total", DataType::Float64).primary_key(["id"]).cursor("updated_at");
        Ok(Catalog::new([orders]))
    }
    async fn plan(&self, request: &PlanRequest<'_, Self::State>) -> Result<Plan<Span, Self::State>> {
        let since = request.state.filter(|_| request.stream.sync_mode == SyncMode::Incremental);
        let until = Utc::now();
        Ok(Plan::whole((since, until), Some(until)))
    }
    async fn read(&self, stream: &ConfiguredStream, span: Span, out: &mut Emitter<'_, Self>) -> Result<()> {
        let [since, until] = [span.0.unwrap_or_default(), span.1].map(|time| time.to_rfc3339());
        let request = Request::get(self.2.clone()).query("since", &since).query("until", &until);
        let mut pages = Pages::new(&self.0, &self.1, request, Paging::NextUrl { path: &["links", "next"] });
        let mut columns = Columns::new(stream.schema.clone(), stream.on_unfit)?;
        let read = |page: &Answer| Page::new(&page.body)?.items(&["data"]);
        while let Some(orders) = pages.next(read, Records::len).await? {
            columns.append(&orders)?;
            out.batch(columns.finish()?).await?;
        }
        Ok(())
    }
}
