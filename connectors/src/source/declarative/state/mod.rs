//! The states of streams as Airbyte writes them: read, migrated, put together.
