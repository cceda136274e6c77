//! Official drivers log in, upload, load and read through the stand-in: its protocol is the service's.

use std::process::Command;

use lab::postgres::Tls;
use lab::snowflake::Account;
use lab::{Snowflake, python, python_command};
use serde_json::{Value, json};

/// What a driver's run printed.
fn run(driver: &str, account: &Account, tls: &Tls) -> Value {
    let authority = tls.authority_path();
    let settings = json!({
        "host": account.host(), "port": account.port(), "account": account.account, "user": account.user,
        "password": account.password, "private_key": account.private_key, "role": account.role,
        "warehouse": account.warehouse, "database": account.database, "schema": account.schema,
    });
    let mut command: Command = python_command("snowflake_driver.py");
    command.args([driver, &settings.to_string()]);
    command.env("SSL_CERT_FILE", &authority).env("REQUESTS_CA_BUNDLE", &authority);
    let output = command.output().expect("the interpreter is there");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{driver}: {text}\n{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{driver}: {error} in {text}"))
}

#[test]
fn official_drivers_load_an_encrypted_file() {
    // The Python driver puts the bucket's name before the endpoint's.
    let tls = Tls::for_names(&["localhost", "127.0.0.1", "*.127.0.0.1"]);
    let server = Snowflake::encrypted(&tls);
    for driver in ["connector", "adbc"] {
        let account = server.account();
        let told = run(driver, &account, &tls);
        let rows = json!([
            ["1", "Ann", "2020-01-02 03:04:05.678901", "12.34", "True"],
            ["2", null, null, null, "False"]
        ]);
        assert_eq!(told["rows"], rows, "{driver}");
        assert_eq!(told["many"], 2000, "{driver}");
        assert_eq!(told["copied"][0]["status"], "LOADED", "{driver}");
        assert_eq!(told["copied"][0]["rows_loaded"].to_string().trim_matches('"'), "2", "{driver}");
        // The reader of the service would take these instants for numbers.
        assert!(
            told["misread"].as_str().is_some_and(|error| error.contains("USE_LOGICAL_TYPE")),
            "{driver}: {told}"
        );
        let copy = account.statements().into_iter().find(|sql| sql.starts_with("COPY")).expect("it was sent");
        damage(&server, &account);
        account.execute("TRUNCATE TABLE orders");
        let (code, message) = account.attempt(&copy).unwrap_err();
        assert!(code == "100183" && message.contains("decrypt"), "{driver}: {code} {message}");
    }
}

/// Changes one byte of every object that is staged.
fn damage(server: &Snowflake, account: &Account) {
    let bucket = server.bucket();
    let folder = format!("{}/", account.account);
    let keys = [&bucket.endpoint, &bucket.access_key, &bucket.secret_key, &bucket.name, &folder];
    assert_eq!(python("damage_objects.py", &keys.map(String::as_str)), 1);
}
