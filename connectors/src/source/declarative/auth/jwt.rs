//! `JwtAuthenticator`: a token of claims that is signed here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::{Error, Result};

use crate::http::auth::{Algorithm, Key, jwt};
use crate::source::declarative::component::Component;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::{MappingTemplate, TextTemplate, Types, text_of};
use crate::source::declarative::value::{Map, Value};

/// How long a token is good, in seconds, where a manifest does not say so.
const DURATION: i64 = 1200;

pub(super) struct Jwt {
    algorithm: Algorithm,
    name: String,
    secret: TextTemplate,
    passphrase: Option<TextTemplate>,
    encodes: bool,
    duration: i64,
    prefix: Option<TextTemplate>,
    /// `kid`, `typ` and `cty`.
    headers: Vec<(&'static str, TextTemplate)>,
    /// `iss`, `sub` and `aud`.
    claims: Vec<(&'static str, TextTemplate)>,
    more_headers: Option<MappingTemplate>,
    more_claims: Option<MappingTemplate>,
    parameters: Value,
}

impl Jwt {
    pub(super) fn build(component: &Component<'_>) -> Result<Self> {
        let name = component.required_text("algorithm")?;
        let algorithm = algorithm(&name)
            .ok_or_else(|| component.fail(format!("{name:?} is no algorithm of JSON web tokens")))?;
        let mut headers = parts(component, "jwt_headers", &["kid", "typ", "cty"])?;
        if !headers.iter().any(|(key, _)| *key == "typ") {
            headers.push(("typ", TextTemplate::compile("JWT")?));
        }
        Ok(Self {
            algorithm,
            name,
            secret: component.required_template("secret_key")?,
            passphrase: filled(component, "passphrase")?,
            encodes: component.flag("base64_encode_secret_key", false)?,
            duration: component.int("token_duration")?.unwrap_or(DURATION),
            prefix: filled(component, "header_prefix")?,
            headers,
            claims: parts(component, "jwt_payload", &["iss", "sub", "aud"])?,
            more_headers: component.mapping("additional_jwt_headers")?,
            more_claims: component.mapping("additional_jwt_payload")?,
            parameters: component.parameters(),
        })
    }

    /// The token, behind its prefix.
    pub(super) fn token(&self, scope: &Scope) -> Result<String> {
        let context = scope.context(&self.parameters);
        let token = jwt(&self.key(scope)?, &self.header(scope)?.to_json(), &self.claims(scope)?.to_json())?;
        scope.vault().mask().add(&token);
        let prefix = self.prefix.as_ref().map(|prefix| prefix.eval_text(&context)).transpose()?;
        Ok(match prefix.filter(|prefix| !prefix.is_empty()) {
            Some(prefix) => format!("{prefix} {token}"),
            None => token,
        })
    }

    /// What tells this token from others: all of it but the time.
    pub(super) fn key_text(&self, scope: &Scope) -> Result<String> {
        let Value::Map(mut claims) = self.claims(scope)? else { return Ok(String::new()) };
        for time in ["iat", "exp", "nbf"] {
            claims.remove(time);
        }
        let secret = self.secret.eval_text(&scope.context(&self.parameters))?;
        Ok(format!("{} {} {secret}", self.header(scope)?.to_json(), Value::Map(claims).to_json()))
    }

    fn key(&self, scope: &Scope) -> Result<Key> {
        let context = scope.context(&self.parameters);
        let secret = self.secret.eval_text(&context)?;
        scope.vault().mask().add(&secret);
        let passphrase = self.passphrase.as_ref().map(|phrase| phrase.eval_text(&context)).transpose()?;
        match passphrase.filter(|phrase| !phrase.is_empty()) {
            Some(phrase) => Key::new(self.algorithm, &secret, Some(&phrase)),
            None if self.encodes => Key::new(self.algorithm, &STANDARD.encode(&secret), None),
            None => Key::new(self.algorithm, &secret, None),
        }
    }

    /// The header, its keys in order.
    fn header(&self, scope: &Scope) -> Result<Value> {
        let mut header = self.more(self.more_headers.as_ref(), scope, &["kid", "alg", "typ", "cty"])?;
        header.insert("typ", "JWT");
        let context = scope.context(&self.parameters);
        for (key, template) in &self.headers {
            let value = template.eval(&context)?;
            match (*key, value) {
                ("typ", value) if !value.is_true() => drop(header.remove("typ")),
                // PyJWT takes texts alone.
                ("kid", value) => drop(header.insert("kid", text_of(&value))),
                (key, value) => drop(header.insert(key, value)),
            }
        }
        header.insert("alg", self.name.as_str());
        let mut entries: Vec<_> = header.into_iter().collect();
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(Value::Map(entries.into_iter().collect()))
    }

    fn claims(&self, scope: &Scope) -> Result<Value> {
        const RESERVED: [&str; 6] = ["iss", "sub", "aud", "iat", "exp", "nbf"];
        let mut claims = self.more(self.more_claims.as_ref(), scope, &RESERVED)?;
        let context = scope.context(&self.parameters);
        for (key, template) in &self.claims {
            let value = template.eval(&context)?;
            let value = if *key == "iss" { Value::Text(text_of(&value)) } else { value };
            claims.insert(*key, value);
        }
        let now = scope.clock().now().timestamp();
        claims.insert("iat", now);
        claims.insert("exp", now.saturating_add(self.duration));
        claims.insert("nbf", now);
        Ok(claims.into())
    }

    fn more(&self, template: Option<&MappingTemplate>, scope: &Scope, reserved: &[&str]) -> Result<Map> {
        let Some(template) = template else { return Ok(Map::new()) };
        let value = template.eval(&scope.context(&self.parameters), Types::ANY)?;
        let map = value.as_map().cloned().unwrap_or_default();
        match reserved.iter().find(|name| map.contains(name)) {
            Some(name) => Err(Error::config(format!(
                "{name:?} of a JSON web token has a field of its own and can't be an additional one"
            ))),
            None => Ok(map),
        }
    }
}

/// The templates of those `keys` of the object in `field` that are there and not empty.
fn parts(
    component: &Component<'_>,
    field: &str,
    keys: &[&'static str],
) -> Result<Vec<(&'static str, TextTemplate)>> {
    let Some(object) = component.child(field)? else { return Ok(Vec::new()) };
    let mut parts = Vec::new();
    for key in keys {
        if let Some(template) = filled(&object, key)? {
            parts.push((*key, template));
        }
    }
    Ok(parts)
}

/// The template of `field`, where it is there and not empty.
pub(super) fn filled(component: &Component<'_>, field: &str) -> Result<Option<TextTemplate>> {
    match component.text(field)?.filter(|text| !text.is_empty()) {
        Some(_) => component.template(field),
        None => Ok(None),
    }
}

fn algorithm(name: &str) -> Option<Algorithm> {
    Some(match name {
        "HS256" => Algorithm::HS256,
        "HS384" => Algorithm::HS384,
        "HS512" => Algorithm::HS512,
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES256K" => Algorithm::ES256K,
        "ES384" => Algorithm::ES384,
        "ES512" => Algorithm::ES512,
        "EdDSA" => Algorithm::EdDSA,
        _ => return None,
    })
}
