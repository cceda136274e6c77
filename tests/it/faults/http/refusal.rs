//! Hosts that are not there, and those that are not who they say.

use super::Case;
use super::server::{Server, page};

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
