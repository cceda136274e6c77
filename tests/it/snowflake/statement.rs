//! Statements that are refused, not answered, or answered late.

use lab::snowflake::Fault;

use super::World;

/// Each moves rows or the state, or decides about them.
const STATEMENTS: [&str; 4] = ["^BEGIN", "^COPY", "^UPDATE", "^COMMIT"];

#[tokio::test]
async fn a_status_that_says_no_changes_nothing() {
    let world = World::hasty(10).await;
    for status in [400, 403, 404] {
        for statement in STATEMENTS {
            world.account.fault(Fault::status(status).matching(statement).times(99));
            let ran = world.project.run(&["sync"]);
            assert_ne!(ran.code, 0, "{status} {statement}");
            world.account.clear();
            assert_eq!(world.account.value("SELECT count(*) FROM LAKE.PAYMENTS").as_deref(), Some("0"));
        }
    }
    world.project.sync();
    world.has(10);
    world.is_clean();
}

#[tokio::test]
async fn a_service_that_is_away_for_long_ends_the_sync() {
    let world = World::hasty(10).await;
    for (statement, fault) in STATEMENTS.into_iter().zip([
        Fault::status(500),
        Fault::status(503),
        Fault::status(429),
        Fault::lost_before(),
    ]) {
        world.account.fault(fault.matching(statement).times(9999));
        world.project.sync_exits(75);
        world.account.clear();
    }
    world.project.sync();
    world.has(10);
    world.is_clean();
}

#[tokio::test]
async fn an_answer_that_comes_late_is_asked_for_until_it_is_there() {
    let world = World::hasty(10).await;
    for statement in STATEMENTS {
        world.account.fault(Fault::later(40).matching(statement));
    }
    world.project.sync();
    world.has(10);
    assert_eq!(world.account.faults_left(), 0);
}

#[tokio::test]
async fn a_question_for_an_answer_that_is_lost_is_asked_again() {
    let world = World::hasty(10).await;
    for statement in STATEMENTS {
        world.account.fault(Fault::later(2).matching(statement));
        for fault in [Fault::lost_before(), Fault::status(502), Fault::expired()] {
            world.account.fault(fault.matching(statement).at_poll());
        }
    }
    world.project.sync();
    world.has(10);
    assert_eq!(world.account.faults_left(), 0);
}

#[tokio::test]
async fn a_session_that_ends_while_an_answer_is_waited_for_takes_its_transaction_along() {
    for statement in STATEMENTS {
        let world = World::hasty(10).await;
        world.account.fault(Fault::later(2).matching(statement));
        world.account.fault(Fault::forgotten(390_111).matching(statement).at_poll());
        world.project.sync();
        world.has(10);
        world.is_clean();
    }
}

#[tokio::test]
async fn a_session_that_ends_amid_the_transaction_is_begun_anew() {
    for statement in STATEMENTS {
        for code in [390_104, 390_111, 390_114] {
            let world = World::hasty(10).await;
            world.account.fault(Fault::forgotten(code).matching(statement));
            world.project.sync();
            world.has(10);
            world.is_clean();
        }
    }
}

#[tokio::test]
async fn a_warehouse_that_does_not_work_is_told_as_what_it_is() {
    for (code, message, exit, said) in [
        (606, "No active warehouse selected in the current session.", 78, "set `warehouse`"),
        (
            90_073,
            "Warehouse LOAD_WH cannot be resumed because resource monitor has exceeded its quota.",
            74,
            "quota",
        ),
        (
            630,
            "Statement reached its statement or warehouse timeout of 60 second(s).",
            78,
            "larger warehouse",
        ),
        (604, "SQL execution canceled", 75, "cancelled"),
        (666, "Your account is suspended.", 77, "suspended"),
    ] {
        let world = World::hasty(10).await;
        world.account.fault(Fault::refusal(code, message).matching("^COPY").times(99));
        let report = world.project.sync_exits(exit).to_string();
        assert!(report.contains(said), "{code}: {report}");
        assert_eq!(world.account.value("SELECT count(*) FROM LAKE.PAYMENTS").as_deref(), Some("0"));
        world.account.clear();
        world.project.sync();
        world.has(10);
        world.is_clean();
    }
}

#[tokio::test]
async fn a_right_that_is_taken_away_is_told_and_nothing_is_lost() {
    for (right, said) in [
        ("INSERT", "GRANT SELECT, INSERT, UPDATE"),
        ("UPDATE", "GRANT SELECT, INSERT, UPDATE"),
        ("READ ON STAGE", "GRANT READ, WRITE"),
        ("WRITE ON STAGE", "GRANT READ, WRITE"),
        ("USAGE ON WAREHOUSE", "GRANT USAGE ON WAREHOUSE"),
    ] {
        let world = World::hasty(10).await;
        world.project.sync();
        world.add(11, 15).await;
        world.account.deny(right);
        let ran = world.project.run(&["sync", "--output", "json"]);
        assert!([77, 78].contains(&ran.code), "{right}: {} {}", ran.code, ran.stderr);
        assert!(ran.stdout.contains(said), "{right}: {}", ran.stdout);
        world.has(10);
        world.account.clear();
        world.project.sync();
        world.has(15);
        world.is_clean();
    }
}
