//! Disks that are full or read-only, by small file systems of our own in a mount namespace.

use std::fs;
use std::process::Command;

use crate::support::{Lake, Ledger};

/// Runs a script in a mount namespace of its own; none, said aloud, where the machine allows none.
fn namespaced(ledger: &Ledger, script: &str) -> Option<String> {
    let probe = |flags: &str| {
        let made = Command::new("unshare").args([flags, "sh", "-c", "mount -t tmpfs tmpfs /mnt"]).output();
        made.is_ok_and(|output| output.status.success())
    };
    // As root; else as the root of a namespace of users.
    let Some(flags) = ["-m", "-rm"].into_iter().find(|flags| probe(flags)) else {
        eprintln!(
            "NOT TESTED: this machine lets nobody mount a small file system (unshare -m, unshare -rm), \
             so full and read-only disks were not tried"
        );
        return None;
    };
    // The configuration is written, the binary and its environment taken from a command.
    let sync = ledger.project.command(&["sync", "--output", "json"]);
    let mut command = Command::new("unshare");
    command.args([flags, "sh", "-euc", script, "script"]).arg(sync.get_program());
    command.current_dir(ledger.project.path("."));
    for (name, value) in sync.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.output().expect("unshare was just run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    Some(text(&output.stdout))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_full_disk_is_named_and_nothing_of_the_sync_stays() {
    let ledger = Ledger::incremental(10).await;
    let run = |name: &str, code: i32| {
        format!(
            "code=0; \"$1\" sync --output json >{name}.json 2>{name}.err || code=$?; test $code = {code}; "
        )
    };
    let see = |name: &str| format!("find lake -type f ! -name head.json | sort >{name}.files; ");
    // The table outgrows the disk between two syncs.
    let gate = "touch waiting; while test ! -e go; do sleep 0.01; done; ";
    let script = [
        "mkdir -p lake; mount -t tmpfs -o size=2m tmpfs lake; ",
        &run("first", 0),
        &see("before"),
        gate,
        &run("full", 74),
        &see("after"),
        "mount -o remount,size=64m lake; ",
        &run("last", 0),
        "cp -r lake out",
    ]
    .concat();
    let waiting = ledger.project.path("waiting");
    let ran = std::thread::scope(|scope| {
        let script = &script;
        let watched = &ledger;
        let thread = scope.spawn(move || namespaced(watched, script));
        while !waiting.exists() && !thread.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(3));
        }
        let database = &ledger.database;
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(database.execute(
                "INSERT INTO ledger (id, note) SELECT i, repeat(md5(random()::text), 5) || md5(random()::text) \
                 || md5(random()::text) || md5(random()::text) || md5(random()::text) \
                 FROM generate_series(11, 60000) i",
            ));
        });
        fs::write(ledger.project.path("go"), "").unwrap();
        thread.join().expect("the script is run")
    });
    if ran.is_none() {
        return;
    }
    let read = |name: &str| fs::read_to_string(ledger.project.path(name)).unwrap();
    assert_eq!(read("before.files"), read("after.files"), "{}", read("full.err"));
    let errors = read("full.err");
    assert!(errors.contains("public.ledger") && errors.contains("make room"), "{errors}");
    assert!(errors.contains("No space left on device"), "{errors}");
    let out = Lake::in_directory(&ledger.project.path("out"), "public.ledger");
    out.holds(1..=60_000).await;
}

#[tokio::test]
async fn a_read_only_file_system_is_named() {
    let ledger = Ledger::incremental(10).await;
    let script = "mkdir -p lake; mount -t tmpfs -o ro tmpfs lake; code=0; \
                  \"$1\" sync >out.txt 2>err.txt || code=$?; echo $code";
    let Some(printed) = namespaced(&ledger, script) else { return };
    let errors = fs::read_to_string(ledger.project.path("err.txt")).unwrap();
    assert_eq!(printed.trim(), "74", "{errors}");
    assert!(errors.contains("lake") && errors.contains("mount the file system writable"), "{errors}");
    ledger.project.sync();
    ledger.is_whole().await;
}
