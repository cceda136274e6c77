//! An independent client, `psql`, agrees with the lab on who may connect to an encrypted cluster.

use std::process::Command;

use lab::postgres::{Binaries, Cluster, Database, Identity, Options, Role, Tls};

struct Client<'a> {
    mode: &'a str,
    authority: &'a Tls,
    identity: Option<Identity>,
}

impl Client<'_> {
    /// What the server says of the connection, or why there is none.
    fn connect(&self, database: &Database, role: &Role) -> Result<String, String> {
        let mut psql = Command::new(Binaries::preferred().program("psql"));
        psql.args(["-AtX", "-d", &database.url_of(role), "-c"]);
        psql.arg("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
        psql.env("PGSSLMODE", self.mode).env("PGSSLROOTCERT", self.authority.authority_path());
        if let Some(Identity { certificate, key }) = &self.identity {
            psql.env("PGSSLCERT", certificate).env("PGSSLKEY", key);
        }
        let output = psql.output().expect("the preferred binaries include psql");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }
}

fn fails(result: &Result<String, String>, reason: &str) -> bool {
    result.as_ref().is_err_and(|error| error.contains(reason))
}

#[test]
fn an_encrypted_cluster_wants_the_right_authority_and_no_plain_connection() {
    let tls = Tls::new();
    let cluster = Cluster::start(Options::default().tls(&tls));
    let (database, role) = (cluster.database(), cluster.role("reader"));
    let client = |mode, authority| Client { mode, authority, identity: None }.connect(&database, &role);
    assert_eq!(client("verify-full", &tls).as_deref(), Ok("t"));
    let plain = client("disable", &tls);
    assert!(fails(&plain, "rejects connection"), "{plain:?}");
    let stranger = client("verify-full", &Tls::new());
    assert!(fails(&stranger, "certificate verify failed"), "{stranger:?}");
}

#[test]
fn a_role_that_must_show_a_certificate_shows_its_own() {
    let tls = Tls::new();
    let options = Options::default().tls(&tls).client_certificate("reader");
    let cluster = Cluster::start(options);
    let (database, reader, other) = (cluster.database(), cluster.role("reader"), cluster.role("other"));
    let client = |identity| Client { mode: "verify-full", authority: &tls, identity };
    let shown = client(Some(tls.client("reader"))).connect(&database, &reader);
    assert_eq!(shown.as_deref(), Ok("t"));
    let without = client(None).connect(&database, &reader);
    assert!(fails(&without, "requires a valid client certificate"), "{without:?}");
    let of_another = client(Some(tls.client("other"))).connect(&database, &reader);
    assert!(
        fails(&of_another, "authentication failed") && cluster.log().contains("provided user name"),
        "{of_another:?}"
    );
    let forged = client(Some(Tls::new().client("reader"))).connect(&database, &reader);
    assert!(forged.is_err(), "{forged:?}");
    assert_eq!(client(None).connect(&database, &other).as_deref(), Ok("t"));
}

#[test]
fn a_wrong_server_certificate_is_told_apart() {
    let cases = [
        (Tls::expired(), "certificate verify failed"),
        (Tls::self_signed(), "certificate verify failed"),
        (Tls::for_names(&["db.example"]), "does not match host name"),
    ];
    for (tls, reason) in cases {
        let cluster = Cluster::start(Options::default().tls(&tls));
        let (database, role) = (cluster.database(), cluster.role("reader"));
        let client = Client { mode: "verify-full", authority: &tls, identity: None };
        let refused = client.connect(&database, &role);
        assert!(fails(&refused, reason), "{reason}: {refused:?}");
    }
}
