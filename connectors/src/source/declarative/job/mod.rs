//! Reports that a server makes on order: created, polled, downloaded (`AsyncRetriever`).
