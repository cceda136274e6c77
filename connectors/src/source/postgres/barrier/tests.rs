use super::*;

fn mark(at: i64, open: &[&str]) -> Mark {
    Mark { at, started: 1, open: open.iter().map(|id| (*id).to_owned()).collect(), value: None }
}

fn running(id: &str, since: Option<i64>) -> Running {
    Running { id: id.to_owned(), process: Some(1), user: None, since, prepared: None }
}

fn barrier(mark: Mark, running: Vec<Running>) -> Barrier {
    let server = Server { system: None, timeline: None, database: 1 };
    Barrier { server, listed: Instant::now(), has_waited: true, mark, running, busy_since: None }
}

#[test]
fn a_quiet_server_settles_at_once() {
    let barrier = barrier(mark(100, &[]), vec![running("3/9", None)]);
    let settled = barrier.settle(&[mark(50, &["3/9"])], Some("7".to_owned()));
    assert_eq!(settled.last.as_ref().unwrap().value.as_deref(), Some("7"));
    assert_eq!(settled.open, []);
    assert_eq!(barrier.instant(&settled), Some(100));
}

#[test]
fn an_earlier_mark_settles_once_its_own_transactions_have_ended() {
    let barrier = barrier(mark(100, &["5/1"]), vec![running("5/1", None)]);
    let settled = barrier.settle(&[mark(50, &["4/4"]), mark(60, &["4/4", "5/1"])], None);
    assert_eq!(barrier.instant(&settled), Some(50));
    assert_eq!(settled.open, [mark(100, &["5/1"])], "the mark of 60 waits for the same and yields less");
    assert_eq!(barrier.blockers().len(), 1);
}

#[test]
fn nothing_settles_while_one_transaction_stays() {
    let barrier = barrier(mark(100, &["5/1"]), vec![running("5/1", None)]);
    let settled = barrier.settle(&[mark(50, &["5/1"])], None);
    assert_eq!(barrier.instant(&settled), None);
}

#[test]
fn a_restart_ends_every_transaction() {
    let mut old = mark(50, &["5/1"]);
    old.started = 0;
    let barrier = barrier(mark(100, &["5/1"]), vec![running("5/1", None)]);
    assert_eq!(barrier.instant(&barrier.settle(&[old], None)), Some(50));
}

#[test]
fn nothing_settles_while_the_start_of_a_prepared_transaction_is_unknown() {
    let barrier = barrier(mark(100, &[]), vec![running("-1/733", None)]);
    let settled = barrier.settle(&[mark(50, &[])], None);
    assert_eq!(barrier.instant(&settled), None);
    assert_eq!(barrier.blockers().len(), 1);
}

#[test]
fn known_starts_tell_what_is_settled() {
    let mut barrier =
        barrier(mark(100, &["5/1", "6/1"]), vec![running("5/1", Some(80)), running("6/1", Some(70))]);
    let settled = barrier.settle(&[mark(50, &[])], None);
    assert_eq!(barrier.instant(&settled), Some(70));
    barrier.running[1].since = None;
    assert_eq!(barrier.instant(&settled), Some(50), "one unknown start and only the marks count");
}

#[test]
fn a_busy_session_holds_the_instant_back() {
    let mut barrier = barrier(mark(100, &[]), vec![]);
    barrier.busy_since = Some(90);
    assert_eq!(barrier.instant(&barrier.settle(&[], None)), Some(90));
}

#[test]
fn a_state_keeps_few_marks() {
    let earlier: Vec<Mark> = (0..200).map(|at| mark(at, &[&format!("{at}/1")])).collect();
    let all = (0..200).map(|at| running(&format!("{at}/1"), None)).collect();
    let settled = barrier(mark(500, &["0/1"]), all).settle(&earlier, None);
    assert!(settled.open.len() <= MARKS, "{}", settled.open.len());
    assert_eq!(settled.open.last().unwrap().at, 500);
}

#[test]
fn the_listing_knows_readers_by_their_name() {
    assert_eq!(RUNNING.matches(SNAPSHOT_NAME).count(), 2);
    assert_eq!(SNAPSHOT_NAME.len(), 20);
}
