//! Hosts that are not there, and those that are not who they say.

use super::server::{Reply, Server, page};
use super::{Case, TOKEN};

#[test]
fn a_host_that_is_not_there_is_tried_and_then_named() {
    let case = Case::with("", |_, _| page("{}"));
    let port = case.server.port.to_string();
    let case = case.change(&format!("127.0.0.1:{port}"), "no-such-host.invalid");
    case.read().fails("no-such-host.invalid");
    let case = case.change("no-such-host.invalid", "127.0.0.1:1");
    case.read().fails("127.0.0.1:1");
}

#[test]
fn a_server_without_tls_gets_nothing_to_read() {
    let case = Case::with("", |_, _| page("{}"));
    let port = case.server.port.to_string();
    let case = case.change(&format!("http://127.0.0.1:{port}"), &format!("https://127.0.0.1:{port}"));
    case.read().fails("127.0.0.1");
    assert_eq!(case.asked(), 0);
}

#[test]
fn a_proxy_of_the_environment_is_gone_through() {
    let proxy = Server::start(|_, _| page(r#"{"items": [{"id": 7}]}"#));
    let case = Case::with("", |_, _| page("{}"));
    let port = case.server.port.to_string();
    let case = case.change(&format!("127.0.0.1:{port}"), "api.test");
    let address = format!("http://127.0.0.1:{}", proxy.port);
    let place = case.place.set("HTTP_PROXY", &address).set("http_proxy", &address);
    let place = place.set("NO_PROXY", "").set("no_proxy", "");
    let case = Case { place, server: case.server };
    case.read().gives([7]);
    assert_eq!(proxy.asked()[0].target, "http://api.test/items");
}

#[test]
fn a_configuration_names_a_proxy() {
    let proxy = Server::start(|_, _| page(r#"{"items": [{"id": 7}]}"#));
    let case = Case::with("", |_, _| page("{}"));
    let port = case.server.port.to_string();
    let case = case.change(&format!("127.0.0.1:{port}"), "api.test");
    case.configure(&format!("    http: {{proxy: \"http://me:{TOKEN}@127.0.0.1:{}\"}}", proxy.port));
    let ran = case.place.run(&["check"]).exits(0);
    assert!(!ran.stdout.contains(TOKEN) && !ran.stderr.contains(TOKEN), "{}", ran.stderr);
    assert_eq!(proxy.asked()[0].target, "http://api.test/items");
}

#[test]
fn a_server_that_is_silent_is_given_up_after_the_time_that_is_configured() {
    // It takes requests and says nothing.
    let case = Case::with("", |_, _| Reply::Kept(Vec::new())).change(
        "        authenticator:",
        "        error_handler: {type: DefaultErrorHandler, max_retries: 0}\n        authenticator:",
    );
    case.configure("    http: {connect_timeout: 200ms, idle_timeout: 200ms}");
    let ran = case.place.run(&["sync"]);
    assert_ne!(ran.code, 0);
    assert!(ran.stderr.contains("silent for 200ms"), "{}", ran.stderr);
    assert!(case.asked() > 1, "the stream is read anew, as after any failure that may pass");
}
