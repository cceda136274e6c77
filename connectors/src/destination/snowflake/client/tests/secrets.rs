//! What is secret stands in no error and no debugging output.

use protocol::Secret;

use super::super::account::Account;
use super::super::{QueryTag, Session, Statement};
use super::server::{LOGIN, QUERY, Say, Server, pace};

#[tokio::test]
async fn a_server_that_repeats_secrets_is_not_quoted() {
    let server = Server::start(|seen, _| match seen.path.as_str() {
        LOGIN => None,
        _ => Some(Say::code("001003", "unexpected 'canary-key' near canary-password")),
    })
    .await;
    let statement =
        Statement::new("CREATE STAGE s CREDENTIALS=('canary-key')").concealing(Secret::new("canary-key"));
    let error = server.session().run(&statement).await.unwrap_err();
    assert_eq!(error.message(), "Snowflake can't run CREATE STAGE: unexpected '•••' near •••");
}

#[tokio::test]
async fn no_failure_shows_a_token_or_a_password() {
    for say in [
        (|| Say::HangUp) as fn() -> Say,
        || Say::Cut,
        || Say::Bytes(b"canary".to_vec()),
        || Say::Status(500, &[]),
        || Say::Status(302, &[("location", "http://canary/")]),
        || Say::code("390100", "who is canary-password?"),
        || Say::Json(serde_json::json!({ "success": true, "data": { "tokem": "canary" } })),
    ] {
        for path in [LOGIN, QUERY] {
            let server = Server::start(move |seen, _| (seen.path == path).then(say)).await;
            if let Err(error) = server.session().run(&Statement::new("SELECT 'canary'")).await {
                assert!(!format!("{error:?} {error:#}").contains("canary"), "{error:?}");
            }
        }
    }
}

#[test]
fn an_account_shows_none() {
    let secret = || Some(Secret::new("canary"));
    let account = Account {
        private_key: secret(),
        private_key_passphrase: secret(),
        access_token: secret(),
        oauth_token: secret(),
        password: secret(),
        proxy: secret(),
        ..Account::default()
    };
    assert!(!format!("{account:?}").contains("canary"));
}

#[test]
fn a_proxy_that_can_not_be_read_is_not_repeated() {
    let account = Account {
        account: Some("myorg-acc".to_owned()),
        user: Some("loader".to_owned()),
        password: Some(Secret::new("canary")),
        proxy: Some(Secret::new("http://user:canary@[proxy")),
        ..Account::default()
    };
    let Err(error) = Session::paced(&account, &QueryTag::new("shop"), pace()) else { panic!("no URL") };
    assert_eq!(error.message(), "`proxy` is not the URL of a proxy");
    assert!(!format!("{error:?}").contains("canary"));
}
