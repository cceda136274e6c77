//! The session against a server that answers by script, and keeps what it was sent.
