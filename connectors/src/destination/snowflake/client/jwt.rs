//! The token that a key pair logs in with: a JWT, signed by RS256, for a few minutes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use protocol::{Result, Secret};
use serde_json::json;

use super::key::SigningKey;

/// How long a token may be used, in seconds. It is made anew for each try; the rest is for clocks that are
/// behind. Snowflake takes an hour at most.
const VALID_SECONDS: i64 = 300;

/// A token for the user of the account, both as the login names them.
pub(super) fn token(key: &SigningKey, account: &str, user: &str, now: DateTime<Utc>) -> Result<Secret> {
    let subject = format!("{account}.{}", user.to_uppercase());
    let issued = now.timestamp();
    let claims = json!({
        "iss": format!("{subject}.{}", key.fingerprint()),
        "sub": subject,
        "iat": issued,
        "exp": issued + VALID_SECONDS,
    });
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())?);
    Ok(Secret::new(format!("{signed}.{signature}")))
}
