//! Logins that are refused, that fail, and that end: nothing is changed, or nobody notices.

use lab::snowflake::Fault;
use serde_json::json;

use super::World;

/// With a quick patience, logged in by the user's key pair.
async fn by_key(count: u32) -> World {
    let mut world = World::hasty(count).await;
    let key = world.account.private_key.clone();
    let destination = &mut world.project.configuration()["destinations"]["lake"];
    destination.as_object_mut().expect("it has settings").remove("password");
    destination["private_key"] = json!(key);
    world
}

#[tokio::test]
async fn a_login_that_is_refused_says_what_to_look_at() {
    for (fault, said, exit) in [
        (Fault::refusal(390_100, "Incorrect username or password was specified."), "check `user`", 77),
        (Fault::refusal(390_144, "JWT token is invalid."), "RSA_PUBLIC_KEY_FP", 77),
        (Fault::refusal(390_422, "Incoming request with IP 10.0.0.1 is not allowed."), "network policy", 77),
        (Fault::status(401), "HTTP 401", 77),
        (Fault::status(403), "no such account", 78),
    ] {
        let world = by_key(5).await;
        world.project.sync();
        world.add(6, 9).await;
        world.account.fault(fault.at_login().times(2));
        let report = world.project.sync_exits(exit).to_string();
        assert!(report.contains(said), "{said}: {report}");
        assert!(!report.contains("PRIVATE KEY"), "{report}");
        world.has(5);
        world.account.clear();
        world.project.sync();
        world.has(9);
    }
}

#[tokio::test]
async fn a_login_that_fails_is_made_again() {
    let world = by_key(5).await;
    for fault in [
        Fault::status(429).retry_after(1),
        Fault::status(503),
        Fault::status(500),
        Fault::lost_before(),
        Fault::refusal(300_001, "try again"),
    ] {
        world.account.fault(fault.at_login());
    }
    world.project.sync();
    world.has(5);
    assert_eq!(world.account.faults_left(), 0);
}

#[tokio::test]
async fn a_login_that_always_fails_ends_the_sync() {
    for fault in [Fault::status(503), Fault::status(429), Fault::lost_before()] {
        let world = by_key(5).await;
        world.account.fault(fault.at_login().times(9999));
        world.project.sync_exits(75);
        world.account.clear();
        world.project.sync();
        world.has(5);
    }
}

/// Each login signs a token of its own: the first one is long too old when the second is made.
#[tokio::test]
async fn a_sync_outlives_the_token_that_its_key_pair_signed() {
    let world = by_key(20).await;
    world.account.fault(Fault::expired().matching("^COPY"));
    world.account.fault(Fault::forgotten(390_114).at_renewal());
    world.project.sync();
    world.has(20);
    assert_eq!(world.account.faults_left(), 0);
    let logins = world.account.asked().iter().filter(|asked| asked.kind == "login").count();
    assert!(logins >= 3, "{logins}: statements, uploads, and once more");
}

#[tokio::test]
async fn tokens_that_last_for_a_moment_are_renewed_all_the_time() {
    let world = by_key(20).await;
    world.account.token_validity(0.2);
    world.project.sync();
    world.has(20);
    let renewals = world.account.asked().iter().filter(|asked| asked.kind == "renew").count();
    assert!(renewals > 0);
}
