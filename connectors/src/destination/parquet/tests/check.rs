//! The destination's own check: what it proves, and that it leaves no trace.

use protocol::{Destination, ErrorKind};
use serde_json::json;

use super::bench::{Directory, InMemory, opened, refused, tree};
use super::memory::{Call, Fault};

#[tokio::test]
async fn leaves_nothing_in_a_directory_not_even_the_directory() {
    let place = Directory::new();
    let lake = place.path().join("deep/er/lake");
    let parquet = opened(json!({ "url": lake })).await.unwrap();
    let lines = parquet.check().await.unwrap();
    assert!(lines[0].contains(lake.to_str().unwrap()), "{lines:?}");
    assert!(!place.path().join("deep").exists());

    std::fs::create_dir_all(lake.join("_tidegate")).unwrap();
    std::fs::write(lake.join("mine.txt"), "mine").unwrap();
    parquet.check().await.unwrap();
    assert_eq!(tree(place.path()), ["deep/er/lake/mine.txt"]);
    assert_eq!(std::fs::read_dir(lake.join("_tidegate")).unwrap().count(), 0);
}

#[tokio::test]
async fn leaves_nothing_in_a_bucket_and_says_what_to_set_up() {
    let place = InMemory::new();
    let lines = place.destination().check().await.unwrap();
    assert!(lines.iter().any(|line| line.contains("7 days")), "{lines:?}");
    assert_eq!(place.keys().await, Vec::<String>::new());
}

#[tokio::test]
async fn names_the_step_that_failed_and_cleans_up() {
    for (call, key, step) in [
        (Call::Part, "check-", "staging"),
        (Call::Put, "probe-", "committing"),
        (Call::Complete, "check-", "publishing"),
        (Call::Get, ".check", "reading"),
        (Call::Delete, "", "committing"),
    ] {
        let place = InMemory::new();
        place.0.fail(call, key, Fault::Forbidden, 1);
        let error = refused(place.destination().check().await);
        assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
        assert_eq!(error.context_value("step"), Some(step), "{error:?}");
        if call != Call::Delete {
            assert_eq!(place.keys().await, Vec::<String>::new(), "after failing at {step}");
        }
    }
}
