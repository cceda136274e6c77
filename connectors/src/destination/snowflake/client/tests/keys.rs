//! Private keys as people have them, made by OpenSSL.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use protocol::{Error, Secret};
use serde_json::Value;

use super::super::jwt;
use super::super::key::SigningKey;

/// PKCS#8, PEM.
static KEY: LazyLock<String> = LazyLock::new(|| openssl("genrsa 2048", ""));

fn openssl(arguments: &str, input: &str) -> String {
    let mut child = Command::new("openssl")
        .args(arguments.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl is installed");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments}");
    String::from_utf8(output.stdout).unwrap()
}

fn secret() -> Secret {
    Secret::new("canary")
}

fn fingerprint(text: &str) -> String {
    SigningKey::from_text(text, Some(&secret())).unwrap().fingerprint().to_owned()
}

fn error(text: &str) -> Error {
    match SigningKey::from_text(text, None) {
        Ok(_) => panic!("it is no key that fits"),
        Err(error) => error,
    }
}

#[test]
fn the_fingerprint_is_the_one_that_snowflake_shows() {
    // As Snowflake's manual has it: `openssl pkey -pubout -outform DER | openssl dgst -sha256 -binary`.
    let public = openssl("pkey -pubout", &KEY);
    let body: String = public.lines().filter(|line| !line.starts_with('-')).collect();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &STANDARD.decode(body).unwrap());
    assert_eq!(fingerprint(&KEY), format!("SHA256:{}", STANDARD.encode(digest)));
}

#[test]
fn one_key_is_the_same_in_every_form() {
    let pkcs1 = openssl("rsa -traditional", &KEY);
    assert!(pkcs1.contains("BEGIN RSA PRIVATE KEY"));
    let body: String = KEY.lines().filter(|line| !line.starts_with('-')).collect();
    let forms = [
        pkcs1.clone(),
        KEY.replace('\n', "\\n"),
        KEY.replace('\n', "\r\n"),
        KEY.replace('\n', " "),
        body,
        pkcs1.lines().filter(|line| !line.starts_with('-')).collect(),
        STANDARD.encode(KEY.as_str()),
    ];
    for form in forms {
        assert_eq!(fingerprint(&form), fingerprint(&KEY), "{}", &form[..40]);
    }
}

#[test]
fn a_passphrase_opens_what_openssl_makes() {
    for options in [
        "-v2 des3",
        "-v2 aes-128-cbc",
        "-v2 aes-192-cbc",
        "-v2 aes-256-cbc -v2prf hmacWithSHA1",
        "-v2 aes-256-cbc -v2prf hmacWithSHA512",
        "-v2 aes-256-cbc -iter 50000",
    ] {
        let form = openssl(&format!("pkcs8 -topk8 {options} -passout pass:canary"), &KEY);
        assert!(form.contains("BEGIN ENCRYPTED PRIVATE KEY"));
        assert_eq!(fingerprint(&form), fingerprint(&KEY), "{options}");
        let bare: String = form.lines().filter(|line| !line.starts_with('-')).collect();
        assert_eq!(fingerprint(&bare), fingerprint(&KEY), "{options}, without its frame");
        assert!(error(&form).message().contains("`private_key_passphrase` is not set"));
        for wrong in 0..3 {
            let wrong = Secret::new(format!("wrong-{wrong}"));
            let Err(error) = SigningKey::from_text(&form, Some(&wrong)) else { panic!("{options}") };
            assert_eq!(error.message(), "`private_key_passphrase` is not the passphrase of the private key");
        }
    }
}

#[test]
fn other_forms_are_refused_by_name() {
    let old = openssl("rsa -traditional -aes128 -passout pass:canary", &KEY);
    let scrypt = openssl("pkcs8 -topk8 -scrypt -passout pass:canary", &KEY);
    let public = openssl("pkey -pubout", &KEY);
    let ec = openssl("ecparam -name prime256v1 -genkey -noout", "");
    let ec8 = openssl("pkcs8 -topk8 -nocrypt", &ec);
    let small = openssl("genrsa 1024", "");
    let ssh = "-----BEGIN OPENSSH PRIVATE KEY-----\ncanary\n-----END OPENSSH PRIVATE KEY-----";
    let (cut, _) = KEY.split_at(400);
    for (text, said) in [
        (old.as_str(), "PKCS#1 with a passphrase"),
        (&public, "the private key is a public key"),
        (&ec, "the private key is EC"),
        (&ec8, "is not RSA"),
        (&small, "fewer than 2048 bits"),
        (ssh, "OpenSSH"),
        (cut, "ends in the middle"),
        ("", "is empty"),
        ("/run/secrets/key.p8", "the name of a file"),
        ("no key, canary!", "neither PEM nor base64"),
        ("Y2FuYXJ5", "can't be read"),
    ] {
        let error = error(text);
        assert!(error.message().contains(said), "{said}: {error}");
        assert!(error.advice().is_some() || said == "is empty", "{error}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
    let Err(error) = SigningKey::from_text(&scrypt, Some(&secret())) else { panic!("scrypt is not there") };
    assert!(error.message().contains("scrypt"), "{error}");
}

#[test]
fn a_file_may_hold_text_or_der() {
    let folder = tempfile::tempdir().unwrap();
    let body: String = KEY.lines().filter(|line| !line.starts_with('-')).collect();
    for (name, bytes) in [("key.p8", KEY.clone().into_bytes()), ("key.der", STANDARD.decode(body).unwrap())] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(SigningKey::from_file(&path, None).unwrap().fingerprint(), fingerprint(&KEY), "{name}");
    }
    let Err(error) = SigningKey::from_file(&folder.path().join("none"), None) else { panic!("no file") };
    assert!(error.to_string().contains("`private_key_file` can't be read (private_key_file"), "{error}");
}

#[test]
fn a_token_is_signed_and_says_who_and_for_how_long() {
    let key = SigningKey::from_text(&KEY, None).unwrap();
    let now = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let token = jwt::token(&key, "MYORG-ACC", "loader", now).unwrap();
    let parts: Vec<&str> = token.reveal().split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("three parts") };
    let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    assert_eq!(read(header), serde_json::json!({ "alg": "RS256", "typ": "JWT" }));
    assert_eq!(
        read(claims),
        serde_json::json!({
            "iss": format!("MYORG-ACC.LOADER.{}", key.fingerprint()),
            "sub": "MYORG-ACC.LOADER",
            "iat": 1_800_000_000,
            "exp": 1_800_000_300,
        })
    );
    let public =
        aws_lc_rs::signature::UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
    let signed = format!("{header}.{claims}");
    public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
}
