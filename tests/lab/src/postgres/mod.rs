//! `PostgreSQL` servers: which there are ([`Binaries`]), a cluster of our own ([`Cluster`]), databases
//! in it ([`Database`]), certificates ([`Tls`]) and hot standbys ([`Standby`]).

mod binaries;
mod cluster;
mod database;
mod options;
mod server;
mod standby;
mod tls;

pub use binaries::Binaries;
pub use cluster::Cluster;
pub use database::{Database, Role};
pub use options::Options;
pub use standby::Standby;
pub use tls::{Identity, Tls};
