//! Which connectors there are: one line each.

use protocol::{DestinationFactory, SourceFactory};

use crate::destination::parquet::Parquet;
use crate::destination::snowflake::Snowflake;
use crate::source::airbyte::Airbyte;
use crate::source::manifest::Manifest;
use crate::source::postgres::Postgres;

/// All sources.
#[must_use]
pub fn sources() -> Vec<SourceFactory> {
    vec![SourceFactory::of::<Postgres>(), SourceFactory::of::<Manifest>(), SourceFactory::of::<Airbyte>()]
}

/// All destinations.
#[must_use]
pub fn destinations() -> Vec<DestinationFactory> {
    vec![DestinationFactory::of::<Parquet>(), DestinationFactory::of::<Snowflake>()]
}

/// The source of that name.
#[must_use]
pub fn source(name: &str) -> Option<SourceFactory> {
    sources().into_iter().find(|factory| factory.name == name)
}

/// The destination of that name.
#[must_use]
pub fn destination(name: &str) -> Option<DestinationFactory> {
    destinations().into_iter().find(|factory| factory.name == name)
}
