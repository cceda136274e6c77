//! Logins of the four kinds, and what is wrong with one.

use protocol::{ErrorKind, Secret};
use serde_json::{Value, json};

use super::super::account::Account;
use super::super::pace::Pace;
use super::super::{QueryTag, Session, Statement};
use super::server::{LOGIN, QUERY, Say, Server, pace};

async fn login(change: impl Fn(&mut Account)) -> (Value, std::collections::BTreeMap<String, String>) {
    let server = Server::start(|_, _| None).await;
    let mut account = Account { password: None, ..server.account() };
    change(&mut account);
    let session = Session::paced(&account, &QueryTag::new("shop"), pace()).unwrap();
    session.run(&Statement::new("SELECT 1")).await.unwrap();
    let mut seen = server.of(LOGIN).remove(0);
    let data = seen.body["data"].as_object_mut().unwrap();
    for known in ["CLIENT_APP_ID", "CLIENT_APP_VERSION", "CLIENT_ENVIRONMENT", "SESSION_PARAMETERS"] {
        data.remove(known).unwrap_or_else(|| panic!("{known} is not there"));
    }
    (json!(data), seen.query)
}

#[tokio::test]
async fn each_kind_of_proof_goes_out_as_its_own() {
    let (body, _) = login(|account| account.password = Some(Secret::new("pw"))).await;
    assert_eq!(body, json!({ "ACCOUNT_NAME": "MYORG-ACC", "LOGIN_NAME": "loader", "PASSWORD": "pw" }));
    let (body, _) = login(|account| account.access_token = Some(Secret::new("pat"))).await;
    assert_eq!(
        body,
        json!({ "ACCOUNT_NAME": "MYORG-ACC", "LOGIN_NAME": "loader",
            "AUTHENTICATOR": "PROGRAMMATIC_ACCESS_TOKEN", "TOKEN": "pat" })
    );
    let (body, _) = login(|account| {
        account.user = None;
        account.oauth_token = Some(Secret::new("oauth"));
    })
    .await;
    assert_eq!(body, json!({ "ACCOUNT_NAME": "MYORG-ACC", "AUTHENTICATOR": "OAUTH", "TOKEN": "oauth" }));
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap().serialize_pem();
    let (body, _) = login(|account| account.private_key = Some(Secret::new(key.as_str()))).await;
    assert_eq!(body["AUTHENTICATOR"], "SNOWFLAKE_JWT");
    assert_eq!(body["TOKEN"].as_str().unwrap().split('.').count(), 3);
}

#[tokio::test]
async fn the_address_says_where_the_session_is() {
    let (_, query) = login(|account| {
        account.password = Some(Secret::new("pw"));
        account.role = Some("LOADER & CO".to_owned());
        account.warehouse = Some("WH".to_owned());
        account.database = Some("RAW".to_owned());
        account.schema = Some("Ünï".to_owned());
    })
    .await;
    for (name, value) in
        [("roleName", "LOADER & CO"), ("warehouse", "WH"), ("databaseName", "RAW"), ("schemaName", "Ünï")]
    {
        assert_eq!(query[name], value);
    }
    assert!(query.contains_key("requestId") && query.contains_key("request_guid"));
}

#[tokio::test]
async fn a_token_in_a_file_is_read_at_each_login() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "first\n").unwrap();
    let server = Server::start(|seen, before| {
        (seen.path == QUERY && before == 0).then(|| Say::code("390114", "gone"))
    })
    .await;
    let account = Account { password: None, oauth_token_file: Some(path.clone()), ..server.account() };
    let session = Session::paced(&account, &QueryTag::new("shop"), pace()).unwrap();
    let begun = session.0.login(None).await.unwrap().unwrap();
    assert_eq!(begun.number, 1);
    std::fs::write(&path, "second").unwrap();
    session.run(&Statement::new("SELECT 1")).await.unwrap();
    let tokens: Vec<Value> = server.of(LOGIN).iter().map(|seen| seen.body["data"]["TOKEN"].clone()).collect();
    assert_eq!(tokens, ["first", "second"]);
}

#[tokio::test]
async fn a_login_that_is_refused_is_not_repeated_and_says_what_to_look_at() {
    let server = Server::start(|seen, _| {
        (seen.path == LOGIN).then(|| Say::code("390100", "Incorrect username or password was specified."))
    })
    .await;
    let error = server.session().run(&Statement::new("SELECT 1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert_eq!(error.message(), "Snowflake can't log in: Incorrect username or password was specified");
    assert_eq!(error.context_value("account"), Some("MYORG-ACC"));
    assert!(error.advice().unwrap().contains("check `user`"));
    assert_eq!(server.of(LOGIN).len(), 1);
}

#[tokio::test]
async fn a_key_that_is_not_known_is_named_by_its_fingerprint() {
    let server =
        Server::start(|seen, _| (seen.path == LOGIN).then(|| Say::code("390144", "JWT token is invalid.")))
            .await;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap().serialize_pem();
    let account = Account { password: None, private_key: Some(Secret::new(key)), ..server.account() };
    let session = Session::paced(&account, &QueryTag::new("shop"), pace()).unwrap();
    let error = session.run(&Statement::new("SELECT 1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.context_value("key").unwrap().starts_with("SHA256:"));
    assert!(error.advice().unwrap().contains("RSA_PUBLIC_KEY_FP"));
}

#[tokio::test]
async fn each_try_of_a_key_pair_is_signed_anew() {
    let server =
        Server::start(|seen, before| (seen.path == LOGIN && before == 0).then_some(Say::HangUp)).await;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap().serialize_pem();
    let account = Account { password: None, private_key: Some(Secret::new(key)), ..server.account() };
    // The second that it was issued in is a part of it.
    let second = std::time::Duration::from_millis(1001);
    let slow = Pace { first: second, longest: second, ..Pace::default() };
    let session = Session::paced(&account, &QueryTag::new("shop"), slow).unwrap();
    session.run(&Statement::new("SELECT 1")).await.unwrap();
    let tokens: std::collections::BTreeSet<String> =
        server.of(LOGIN).iter().map(|seen| seen.body["data"]["TOKEN"].to_string()).collect();
    assert_eq!(tokens.len(), 2);
}

#[tokio::test]
async fn an_account_that_does_not_exist_is_a_matter_of_the_configuration() {
    let server = Server::start(|seen, _| (seen.path == LOGIN).then_some(Say::Status(403, &[]))).await;
    let error = server.session().run(&Statement::new("SELECT 1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.message(), "can't log in: the server answers HTTP 403");
    assert!(error.advice().unwrap().contains("check `account`"));
    assert_eq!(server.of(LOGIN).len(), 1);
}

#[test]
fn who_logs_in_must_be_clear() {
    let open = |change: fn(&mut Account)| {
        let mut account = Account { account: Some("myorg-acc".to_owned()), ..Account::default() };
        change(&mut account);
        match Session::open(account, QueryTag::new("shop")) {
            Ok(_) => panic!("it is not clear who logs in"),
            Err(error) => error,
        }
    };
    for (change, said) in [
        ((|_| {}) as fn(&mut Account), "nothing is set that proves who logs in"),
        (|account| account.password = Some(Secret::new("canary")), "`user` is not set"),
        (
            |account| {
                account.password = Some(Secret::new("canary"));
                account.access_token = Some(Secret::new("canary"));
            },
            "`access_token` and `password` are both set",
        ),
        (
            |account| {
                account.user = Some("x".to_owned());
                account.private_key = Some(Secret::new("no key, canary!"));
            },
            "the private key is neither PEM nor base64",
        ),
    ] {
        let error = open(change);
        assert_eq!((error.kind(), error.message()), (ErrorKind::Config, said));
        assert!(error.advice().is_some() && !format!("{error:?}").contains("canary"), "{error:?}");
    }
}

#[test]
fn an_account_can_be_a_part_of_a_configuration() {
    #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Config {
        #[serde(flatten)]
        account: Account,
        stage: String,
    }
    let config: Config = serde_json::from_value(json!({
        "account": "myorg-acc", "user": "loader", "password": "canary", "port": 8443, "protocol": "http",
        "lock_timeout": "30s", "private_key_file": "key.p8", "stage": "s",
    }))
    .unwrap();
    assert_eq!((config.account.port, config.stage.as_str()), (Some(8443), "s"));
    assert!(!format!("{config:?}").contains("canary"));
    let wrong = serde_json::from_value::<Config>(json!({ "stage": "s", "acount": "x" })).unwrap_err();
    assert!(wrong.to_string().contains("acount"), "{wrong}");
    let schema = serde_json::to_value(schemars::schema_for!(Config)).unwrap();
    assert_eq!(schema["properties"]["private_key_file"]["format"], "path");
}
