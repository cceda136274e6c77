//! The kit that HTTP sources are made of: one client, requests, answers.

mod answer;
mod client;
mod request;

pub use answer::Answer;
pub use client::{Client, Options};
pub use request::{Body, Request};
