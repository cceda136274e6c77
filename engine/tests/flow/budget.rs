//! Memory: what is alive at once stays below what is configured, and no row is too wide to pass.

use arrow_schema::DataType;

use crate::memory::{Faults, Table, World};

const MIB: i64 = 1 << 20;

fn wide(rows: i64, partition_rows: i64, batch_rows: i64, payload_bytes: usize) -> Table {
    let table = Table::new(rows).cut(partition_rows, batch_rows);
    let mut table = table.columns([("id", DataType::Int64), ("payload", DataType::Binary)]);
    table.payload_bytes = payload_bytes;
    table
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batches_of_many_lanes_stay_below_the_budget() {
    // 64 MiB in batches of 256 KiB through 16 MiB.
    let world = World::new(wide(1024, 64, 4, 64 << 10))
        .files_of(8 << 20)
        .set("memory", "16MiB")
        .set("parallelism", 16);
    world.run_well().await;
    world.assert_whole("numbers", "narrow");
    let peak = world.tables.payload.peak();
    assert!(peak <= 8 * MIB, "{} KiB of batches were alive", peak / 1024);
    assert_eq!(world.tables.payload.now(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_wider_than_their_share_pass_one_after_the_other() {
    for (memory, lanes) in [(1, 1), (2, 4), (16, 4), (64, 8)] {
        let world = World::new(wide(24, 2, 1, 4 << 20))
            .files_of(16 << 20)
            .set("memory", format!("{memory}MiB"))
            .set("parallelism", lanes);
        let report = world.run(&Faults::none()).await;
        assert_eq!(report.exit_code, 0, "{report:#?}");
        world.assert_whole("numbers", "wide");
        // What is beyond the headroom: per lane one batch that is made, one that waits for room, one
        // that is written.
        let most = memory * MIB + 3 * lanes * 4 * MIB;
        assert!(world.tables.payload.peak() <= most, "{} MiB", world.tables.payload.peak() / MIB);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn streams_of_unlike_shares_never_wait_for_each_other_for_ever() {
    for round in 0..5 {
        let world = World::with_streams([
            ("a", wide(12, 2, 1, 3 << 20)),
            ("b", wide(12, 2, 1, 3 << 20)),
            ("c", wide(12, 2, 1, 3 << 20)),
        ])
        .set("memory", "8MiB")
        .set("parallelism", 3 + round);
        world.run_well().await;
        for name in ["a", "b", "c"] {
            world.assert_whole(name, "wide");
        }
    }
}
