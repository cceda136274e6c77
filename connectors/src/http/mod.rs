//! The kit that HTTP sources are made of: one client, requests and answers, retries, budgets, authentication, paging.

mod answer;
pub mod auth;
pub mod budget;
mod client;
mod coding;
mod cookie;
mod date;
mod exchange;
mod failure;
mod link;
mod options;
mod pages;
mod pause;
mod polite;
mod redirect;
mod request;
mod trail;

pub use answer::{Answer, Incoming};
pub use budget::Budget;
pub use client::Client;
pub use exchange::{Adapt, Manners, Opened, Outcome, Retries, Verdict, exchange, exchange_open, retry_after};
pub use link::{Link, links};
pub use options::Options;
pub use pages::{Pages, Paging};
pub use pause::{Moment, pause};
pub use polite::Polite;
pub use request::{Body, Request};
pub use trail::Trail;
