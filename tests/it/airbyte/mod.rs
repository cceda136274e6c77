//! Airbyte's world: its protocol on stdout, its manifests and its connectors as sources, its states.

mod api;
mod connector;
mod kill;
mod manifest;
mod postgres;
mod protocol;
