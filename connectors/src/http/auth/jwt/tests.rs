use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256K1_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED,
    ED25519, EcdsaSigningAlgorithm, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    UnparsedPublicKey, VerificationAlgorithm,
};

use super::*;

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn verifies(token: &str, algorithm: &'static dyn VerificationAlgorithm, public: &[u8]) -> bool {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(algorithm, public).verify(message.as_bytes(), &signature).is_ok()
}

#[test]
fn a_shared_secret_signs_as_others_do() {
    // What PyJWT makes of the same.
    let key = Key::new(Algorithm::HS256, "secret", None).unwrap();
    let token = jwt(&key, r#"{"alg":"HS256","kid":"k","typ":"JWT"}"#, r#"{"iss":"a","iat":1}"#).unwrap();
    assert_eq!(
        token,
        "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJhIiwiaWF0IjoxfQ.\
         3eV1HrLFhEGLsMe6ZfkMxyuzweQa0x1OiYUljyTPHNI"
    );
    for (algorithm, length) in [(Algorithm::HS384, 64), (Algorithm::HS512, 86)] {
        let token = jwt(&Key::new(algorithm, "secret", None).unwrap(), "{}", "{}").unwrap();
        assert_eq!(token.rsplit('.').next().unwrap().len(), length);
    }
}

#[test]
fn rsa_keys_sign() {
    let pair = rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let text = pem("PRIVATE KEY", der.as_ref());
    for (algorithm, verification) in [
        (Algorithm::RS256, &RSA_PKCS1_2048_8192_SHA256),
        (Algorithm::RS384, &RSA_PKCS1_2048_8192_SHA384),
        (Algorithm::RS512, &RSA_PKCS1_2048_8192_SHA512),
        (Algorithm::PS256, &RSA_PSS_2048_8192_SHA256),
        (Algorithm::PS384, &RSA_PSS_2048_8192_SHA384),
        (Algorithm::PS512, &RSA_PSS_2048_8192_SHA512),
    ] {
        // As they stand in JSON, where newlines are two characters.
        for text in [text.clone(), text.replace('\n', "\\n")] {
            let key = Key::new(algorithm, &text, None).unwrap();
            let token = jwt(&key, "{}", r#"{"iss":"me"}"#).unwrap();
            assert!(verifies(&token, verification, pair.public_key().as_ref()), "{algorithm:?}");
        }
    }
    assert!(Key::new(Algorithm::ES256, &text, None).is_err(), "it is RSA");
}

#[test]
fn keys_of_curves_sign_and_only_for_their_algorithm() {
    type Case = (Algorithm, &'static EcdsaSigningAlgorithm, &'static dyn VerificationAlgorithm, usize);
    let cases: [Case; 4] = [
        (Algorithm::ES256, &ECDSA_P256_SHA256_FIXED_SIGNING, &ECDSA_P256_SHA256_FIXED, 64),
        (Algorithm::ES256K, &ECDSA_P256K1_SHA256_FIXED_SIGNING, &ECDSA_P256K1_SHA256_FIXED, 64),
        (Algorithm::ES384, &ECDSA_P384_SHA384_FIXED_SIGNING, &ECDSA_P384_SHA384_FIXED, 96),
        (Algorithm::ES512, &ECDSA_P521_SHA512_FIXED_SIGNING, &ECDSA_P521_SHA512_FIXED, 132),
    ];
    for (algorithm, signing, verification, length) in cases {
        let pair = EcdsaKeyPair::generate(signing).unwrap();
        let text = pem("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref());
        let token = jwt(&Key::new(algorithm, &text, None).unwrap(), "{}", "{}").unwrap();
        let signature = URL_SAFE_NO_PAD.decode(token.rsplit('.').next().unwrap()).unwrap();
        assert_eq!(signature.len(), length, "{algorithm:?}");
        assert!(verifies(&token, verification, pair.public_key().as_ref()), "{algorithm:?}");
        for other in cases.iter().filter(|case| case.0 != algorithm) {
            assert!(Key::new(other.0, &text, None).is_err(), "{algorithm:?} as {:?}", other.0);
        }
    }
    let pair = Ed25519KeyPair::generate().unwrap();
    let text = pem("PRIVATE KEY", pair.to_pkcs8().unwrap().as_ref());
    let token = jwt(&Key::new(Algorithm::EdDSA, &text, None).unwrap(), "{}", "{}").unwrap();
    assert!(verifies(&token, &ED25519, pair.public_key().as_ref()));
}

#[test]
fn what_is_no_key_is_refused_without_showing_it() {
    let canary = STANDARD.encode("canary-canary-canary");
    for text in [
        String::new(),
        "canary".to_owned(),
        format!("-----BEGIN PRIVATE KEY-----\n{canary}\n-----END PRIVATE KEY-----"),
        format!("-----BEGIN PRIVATE KEY-----\n{canary}"),
        format!("-----BEGIN ENCRYPTED PRIVATE KEY-----\n{canary}\n-----END ENCRYPTED PRIVATE KEY-----"),
        "-----BEGIN PRIVATE KEY-----\ncanary!\n-----END PRIVATE KEY-----".to_owned(),
    ] {
        for passphrase in [None, Some("canary")] {
            let error = Key::new(Algorithm::RS256, &text, passphrase).err().unwrap();
            assert_eq!(error.kind(), protocol::ErrorKind::Config);
            let shown = format!("{error:?}");
            assert!(!shown.contains("canary") && !shown.contains(&canary), "{shown}");
        }
    }
}

#[test]
fn names_are_those_of_the_header() {
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::named(algorithm.name()), Some(algorithm));
    }
    assert_eq!(Algorithm::named("none"), None);
}
