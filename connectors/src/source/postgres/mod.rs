//! PostgreSQL: tables, partitioned tables, views, materialized views and foreign tables.

mod config;
mod connect;
mod duration;
mod error;
