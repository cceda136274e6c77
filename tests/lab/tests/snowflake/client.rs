//! A client of the session protocol, no larger than the tests need.

use std::io::{Read, Write};
use std::net::TcpStream;

use lab::snowflake::Account;
use serde_json::{Value, json};

/// A session of an account's user.
pub(crate) struct Client {
    port: u16,
    token: String,
    master: String,
}

/// Rows, or the code of the refusal.
pub(crate) type Answer = Result<Vec<Vec<Option<String>>>, String>;

impl Client {
    pub(crate) fn login(account: &Account) -> Self {
        let answer = login(account, &json!({"PASSWORD": account.password}));
        let text = |key: &str| answer["data"][key].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        Self { port: account.port(), token: text("token"), master: text("masterToken") }
    }

    /// The rows that a statement answers, or the refusal's code.
    pub(crate) fn run(&self, sql: &str) -> Answer {
        self.run_as(&format!("{:x}", fastrand::u128(..)), sql).expect("nothing interrupts the connection")
    }

    /// The same under that request id; nothing where the connection is lost.
    pub(crate) fn run_as(&self, request: &str, sql: &str) -> Option<Answer> {
        let (_, answer) = self.send(request, sql)?;
        Some(rows(&answer))
    }

    /// The status and the whole answer.
    pub(crate) fn send(&self, request: &str, sql: &str) -> Option<(u16, Value)> {
        let path = format!("/queries/v1/query-request?requestId={request}");
        call(self.port, "POST", &path, &self.token, &json!({"sqlText": sql}))
    }

    /// Runs a statement that has to work.
    #[track_caller]
    pub(crate) fn must(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.run(sql).unwrap_or_else(|code| panic!("{sql}: {code}"))
    }

    /// The only value of a query.
    #[track_caller]
    pub(crate) fn value(&self, sql: &str) -> String {
        self.must(sql)[0][0].clone().unwrap_or_default()
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        call(self.port, "GET", path, &self.token, &Value::Null).expect("nothing interrupts the connection").1
    }

    /// Tells the service to end a statement.
    pub(crate) fn abort(&self, request: &str) -> Value {
        let body = json!({"requestId": request});
        let path = "/queries/v1/abort-request?requestId=0";
        call(self.port, "POST", path, &self.token, &body).expect("nothing interrupts the connection").1
    }

    /// Renews the token; the code of the refusal where that fails.
    pub(crate) fn renew(&mut self) -> Result<(), String> {
        let body = json!({"oldSessionToken": self.token, "requestType": "RENEW"});
        let answer =
            call(self.port, "POST", "/session/token-request", &self.master, &body).expect("it answers").1;
        if let Some(code) = answer["code"].as_str() {
            return Err(code.to_owned());
        }
        let text = |key: &str| answer["data"][key].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        (self.token, self.master) = (text("sessionToken"), text("masterToken"));
        Ok(())
    }
}

/// The answer to a login with these credentials.
pub(crate) fn login(account: &Account, credentials: &Value) -> Value {
    let mut data = json!({
        "ACCOUNT_NAME": account.account, "LOGIN_NAME": account.user, "CLIENT_APP_ID": "tidegate-lab",
        "SESSION_PARAMETERS": {"TIMEZONE": "UTC"},
    });
    for (key, value) in credentials.as_object().expect("credentials have names") {
        data[key] = value.clone();
    }
    let Account { database, schema, warehouse, .. } = account;
    let path = format!(
        "/session/v1/login-request?databaseName={database}&schemaName={schema}&warehouse={warehouse}"
    );
    call(account.port(), "POST", &path, "", &json!({"data": data}))
        .expect("nothing interrupts the connection")
        .1
}

pub(crate) fn rows(answer: &Value) -> Answer {
    match answer["code"].as_str() {
        Some(code) => Err(code.to_owned()),
        None => Ok(serde_json::from_value(answer["data"]["rowset"].clone()).unwrap_or_default()),
    }
}

fn call(port: u16, method: &str, path: &str, token: &str, body: &Value) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    let body = body.to_string();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\nAuthorization: Snowflake Token=\"{token}\"\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some((status, serde_json::from_str(body).unwrap_or_default()))
}
