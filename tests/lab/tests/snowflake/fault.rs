//! Troubles strike where they were ordered, and the log tells what arrived.

use std::time::Duration;

use lab::Snowflake;
use lab::snowflake::Fault;

use crate::client::{Client, rows};

#[test]
fn a_repeated_request_is_run_once() {
    let account = Snowflake::shared().account();
    let client = Client::login(&account);
    client.must("CREATE TABLE t (a INT)");
    for _ in 0..3 {
        assert!(client.run_as("the-same", "INSERT INTO t VALUES (1)").unwrap().is_ok());
    }
    assert_eq!(client.value("SELECT count(*) FROM t"), "1");
}

#[test]
fn an_answer_lost_after_the_commit_is_there_for_the_same_request() {
    let account = Snowflake::shared().account();
    let client = Client::login(&account);
    client.must("CREATE TABLE t (a INT)");
    client.must("BEGIN");
    client.must("INSERT INTO t VALUES (1)");
    account.fault(Fault::lost_after().matching("^commit$"));
    assert!(client.run_as("commit", "COMMIT").is_none());
    assert_eq!(account.value("SELECT count(*) FROM t").as_deref(), Some("1"));
    assert!(client.run_as("commit", "COMMIT").unwrap().is_ok());
    let commits: Vec<_> = account.asked().into_iter().filter(|asked| asked.sql == "COMMIT").collect();
    assert_eq!(commits.len(), 1, "{commits:?}");
    assert_eq!(account.faults_left(), 0);
}

#[test]
fn a_commit_lost_on_its_way_has_not_happened() {
    let account = Snowflake::shared().account();
    let client = Client::login(&account);
    client.must("CREATE TABLE t (a INT)");
    client.must("BEGIN");
    client.must("INSERT INTO t VALUES (1)");
    account.fault(Fault::lost_before().matching("^commit$"));
    assert!(client.run_as("commit", "COMMIT").is_none());
    assert_eq!(account.value("SELECT count(*) FROM t").as_deref(), Some("0"));
    assert!(client.run_as("commit", "COMMIT").unwrap().is_ok());
    assert_eq!(account.value("SELECT count(*) FROM t").as_deref(), Some("1"));
}

#[test]
fn statuses_strike_so_many_times_and_after_so_many_others() {
    let account = Snowflake::shared().account();
    let client = Client::login(&account);
    account.fault(Fault::status(503).times(2).skipping(1));
    let statuses: Vec<u16> =
        (0..4).map(|turn| client.send(&format!("{turn}"), "SELECT 1").unwrap().0).collect();
    assert_eq!(statuses, [200, 503, 503, 200]);
}

#[test]
fn a_slow_statement_is_asked_for_again_and_can_be_aborted() {
    let account = Snowflake::shared().account();
    let client = Client::login(&account);
    account.answer_within(0.05);
    account.fault(Fault::delayed(3600.0));
    let (_, answer) = client.send("slow", "SELECT 1").unwrap();
    assert_eq!(answer["code"], "333333");
    let path = answer["data"]["getResultUrl"].as_str().unwrap();
    assert_eq!(client.get(path)["code"], "333333");
    assert_eq!(client.abort("slow")["success"], true);
    let ended = (0..100).find_map(|_| {
        let answer = client.get(path);
        std::thread::sleep(Duration::from_millis(20));
        (answer["code"] != "333333").then_some(answer)
    });
    assert_eq!(rows(&ended.expect("it was aborted")), Err("000604".to_owned()));
    assert_eq!(client.abort("slow")["code"], "000605");
}

#[test]
fn an_answer_can_be_asked_for_as_often_as_ordered() {
    let account = Snowflake::shared().account();
    let client = Client::login(&account);
    account.fault(Fault::later(2));
    let (_, answer) = client.send("later", "SELECT 42").unwrap();
    assert_eq!(answer["code"], "333334");
    let path = answer["data"]["getResultUrl"].as_str().unwrap();
    let polled: Vec<_> = (0..3).map(|_| rows(&client.get(path))).collect();
    let running = Err("333333".to_owned());
    assert_eq!(polled, [running.clone(), running, Ok(vec![vec![Some("42".to_owned())]])]);
}
