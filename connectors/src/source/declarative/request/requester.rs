//! `HttpRequester`: one request of a manifest, from its templates to its answer.

use std::time::Duration;

use bytes::Bytes;
use protocol::{Error, Result};
use reqwest::Method;

use super::cache::Cache;
use super::input::Inputs;
use super::parts::{Data, Parts, collision};
use super::url::{form, join_base, python_text, with_params};
use crate::http::{Answer, Body, Client, Request};
use crate::source::declarative::auth::Authenticator;
use crate::source::declarative::component::Component;
use crate::source::declarative::fault::{ErrorHandler, Tries, Verdict};
use crate::source::declarative::page::Paginator;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::{Context, StreamSlice, TextTemplate};
use crate::source::declarative::value::{Map, Value};

/// Sends requests as an `HttpRequester` says.
pub struct Requester {
    scope: Scope,
    /// Of the stream: each has answers of its own in the cache.
    name: String,
    parameters: Value,
    method: Method,
    url: Option<TextTemplate>,
    url_base: Option<TextTemplate>,
    path: Option<TextTemplate>,
    inputs: Inputs,
    authenticator: Authenticator,
    handler: ErrorHandler,
    /// Its cookies are its own.
    client: Client,
    cache: Option<Cache>,
}

/// What one request is about.
#[derive(Default)]
pub struct Call<'a> {
    /// The slice; its extra fields are variables of their own.
    pub slice: Option<&'a StreamSlice>,
    /// The token of the page, where it has one.
    pub token: Option<&'a Value>,
    /// A path or address instead of the requester's own.
    pub path: Option<&'a str>,
    /// What paginator, cursor and partition routers add.
    pub parts: Parts,
}

/// How a request ended, once it did not fail.
pub enum Outcome {
    /// With an answer that counts.
    Answer(Answer),
    /// With one that is passed over (there may be none): no further page, and no records if its status is 400 or more.
    Ignored(Option<Answer>),
    /// The pagination is to start over.
    ResetPagination,
    /// The page is to be asked for again, smaller. With the handler's message.
    ReducePageSize(Option<String>),
    /// The slice is to be split. With the handler's message.
    SplitWindow(Option<String>),
}

impl Requester {
    /// Of its component; `name` is the stream's.
    pub fn build(component: &Component<'_>, scope: &Scope, name: &str) -> Result<Self> {
        if component.kind() != "HttpRequester" {
            return Err(component.unknown("requester"));
        }
        let method = component.text("http_method")?.unwrap_or_else(|| "GET".to_owned());
        let method = match method.to_ascii_uppercase().as_str() {
            "GET" => Method::GET,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            "DELETE" => Method::DELETE,
            other => return Err(component.fail(format!("`http_method` can't be {other:?}"))),
        };
        let raw_base = match component.text("url")? {
            Some(url) if !url.is_empty() => url,
            _ => component.text("url_base")?.unwrap_or_default(),
        };
        let authenticator =
            Authenticator::build(component.child("authenticator")?.as_ref(), scope, &raw_base, name)?;
        let handler = ErrorHandler::build(component.child("error_handler")?.as_ref(), scope)?;
        Ok(Self {
            scope: scope.clone(),
            name: name.to_owned(),
            parameters: component.parameters(),
            method,
            url: component.template("url")?,
            url_base: component.template("url_base")?,
            path: component.template("path")?,
            inputs: Inputs::build(component)?,
            authenticator,
            handler,
            client: scope.client().with_own_cookies().with_timeouts(
                seconds(component, "connect_timeout_in_seconds")?,
                seconds(component, "read_timeout_in_seconds")?,
            )?,
            cache: None,
        })
    }

    /// The same, whose answers are kept in `cache` where the component says so, or with `keeps` unless it says no.
    pub fn keeping(mut self, component: &Component<'_>, cache: &Cache, keeps: bool) -> Result<Self> {
        self.cache = component.flag("use_cache", keeps)?.then(|| cache.clone());
        Ok(self)
    }

    /// Sends it, again and again as the error handler says.
    pub async fn send(&self, call: Call<'_>) -> Result<Outcome> {
        Ok(self.send_seen(call).await?.0)
    }

    /// The same, with the request as it went out.
    pub async fn send_seen(&self, call: Call<'_>) -> Result<(Outcome, Request)> {
        let request = self.request(call).await?;
        let Some(cache) = self.cache.as_ref().filter(|_| self.method == Method::GET) else {
            return self.exchange(&request).await;
        };
        let slot = cache.slot(&self.name, &request);
        let mut slot = slot.lock().await;
        if let Some(answer) = cache.get(&slot).await? {
            let verdict = self.handler.judge(Ok(&answer), &mut Tries::new());
            return Ok((settle(verdict, Some(answer))?, request));
        }
        let (outcome, request) = self.exchange(&request).await?;
        if let Outcome::Answer(answer) = &outcome
            && answer.status == 200
        {
            cache.put(&mut slot, answer).await?;
        }
        Ok((outcome, request))
    }

    /// The request as it goes out, but for its credentials' headers.
    async fn request(&self, call: Call<'_>) -> Result<Request> {
        let token = Paginator::variable(call.token);
        let (address, mut parts) = {
            let context = self.context(call.slice, &token);
            let properties = call.slice.and_then(|slice| slice.extra().get("query_properties"));
            (self.address(&context, call.path)?, self.inputs.eval(&context, properties)?)
        };
        parts.merge(self.authenticator.parts().await?)?;
        parts.merge(call.parts)?;
        self.assemble(&address, parts)
    }

    fn context<'a>(&'a self, slice: Option<&'a StreamSlice>, token: &'a Value) -> Context<'a> {
        let mut context =
            self.scope.context(&self.parameters).with("next_page_token", token).with_slice(slice);
        for (name, value) in slice.iter().flat_map(|slice| slice.extra().iter()) {
            context = context.with(name, value);
        }
        context
    }

    fn address<'a>(&'a self, context: &'a Context<'a>, path: Option<&str>) -> Result<String> {
        let eval = |template: &'a Option<TextTemplate>| match template {
            Some(template) => template.eval_text(context),
            None => Ok(String::new()),
        };
        let (url, base) = (eval(&self.url)?, eval(&self.url_base)?);
        let path = match path {
            Some(path) if !path.is_empty() => path.to_owned(),
            _ => eval(&self.path)?.trim_start_matches('/').to_owned(),
        };
        Ok(join_base(if base.is_empty() { &url } else { &base }, &path))
    }

    fn assemble(&self, address: &str, parts: Parts) -> Result<Request> {
        if let Some((key, _)) = parts.params.iter().find(|(_, value)| matches!(value, Value::Map(_))) {
            return Err(Error::config(format!("the parameter {key:?} of a request can't be an object")));
        }
        let mut request = Request::new(self.method.clone(), with_params(address, &parts.params)?);
        for (name, value) in parts.headers.iter() {
            request.set_header(name, python_text(value));
        }
        if self.method != Method::DELETE {
            request.body = body(&parts.data, parts.json)?;
        }
        Ok(request)
    }

    /// With the credentials' headers, which no other component may set as well.
    async fn signed(&self, request: &Request) -> Result<Request> {
        let mut signed = Request { headers: Vec::new(), ..request.clone() };
        self.authenticator.sign(&mut signed).await?;
        let credentials = std::mem::replace(&mut signed.headers, request.headers.clone());
        for (name, value) in credentials {
            if signed.headers.iter().any(|(known, _)| *known == name) {
                return Err(collision(&name));
            }
            signed.set_header(&name, value);
        }
        Ok(signed)
    }

    async fn exchange(&self, request: &Request) -> Result<(Outcome, Request)> {
        let mut tries = Tries::new();
        loop {
            let signed = self.signed(request).await?;
            let sent = self.client.send(&signed).await;
            if let Ok(answer) = &sent {
                self.authenticator.observe(&signed, answer);
                tries.rotates(self.authenticator.has_alternative(&signed));
            }
            let verdict = self.handler.judge(sent.as_ref(), &mut tries);
            match verdict {
                Verdict::Retry { wait, why } => {
                    tracing::warn!(error = %self.authenticator.mask(&why), ?wait, "a request is made again");
                    pause(wait).await;
                }
                Verdict::RateLimited { wait, why } => {
                    tracing::warn!(error = %self.authenticator.mask(&why), ?wait, "the server asks for patience");
                    pause(wait).await;
                }
                Verdict::RefreshToken { wait, why } => {
                    tracing::warn!(error = %self.authenticator.mask(&why), "a request needs a new token");
                    self.authenticator.refresh(&signed, &mut tries).await?;
                    pause(wait).await;
                }
                other => {
                    let outcome =
                        settle(other, sent.ok()).map_err(|error| self.authenticator.mask(&error))?;
                    return Ok((outcome, signed));
                }
            }
        }
    }
}

async fn pause(wait: Duration) {
    crate::http::pause(wait).await;
}

/// What a verdict that is final comes to.
fn settle(verdict: Verdict, answer: Option<Answer>) -> Result<Outcome> {
    match verdict {
        Verdict::Success => answer
            .map(Outcome::Answer)
            .ok_or_else(|| Error::internal("a request without an answer was taken for a success")),
        Verdict::Ignore(message) => {
            tracing::info!(message, "an answer is passed over");
            Ok(Outcome::Ignored(answer))
        }
        Verdict::ResetPagination => Ok(Outcome::ResetPagination),
        Verdict::ReducePageSize(message) => Ok(Outcome::ReducePageSize(message)),
        Verdict::SplitWindow(message) => Ok(Outcome::SplitWindow(message)),
        Verdict::Fail(error) => Err(error),
        Verdict::Retry { why, .. } | Verdict::RateLimited { why, .. } | Verdict::RefreshToken { why, .. } => {
            Err(why)
        }
    }
}

/// The body of a request; an empty one is not sent.
fn body(data: &Data, json: Map) -> Result<Body> {
    let has_data = match data {
        Data::Form(form) => !form.is_empty(),
        Data::Text(text) => !text.is_empty(),
    };
    if has_data && !json.is_empty() {
        return Err(Error::config("a request can't have both a body of data and one of JSON"));
    }
    Ok(match data {
        Data::Form(fields) if has_data => Body::Form(form(fields).into()),
        Data::Text(text) if has_data => Body::Raw(Bytes::from(text.clone())),
        _ if json.is_empty() => Body::Empty,
        _ => Body::Json(Value::Map(json).to_json().into()),
    })
}

fn seconds(component: &Component<'_>, field: &str) -> Result<Option<Duration>> {
    match component.value(field) {
        None => Ok(None),
        Some(Value::Int(seconds)) => Ok(u64::try_from(*seconds).ok().map(Duration::from_secs)),
        Some(Value::Float(seconds)) => Duration::try_from_secs_f64(*seconds)
            .map(Some)
            .map_err(|_| component.fail(format!("`{field}` is no time"))),
        Some(other) => Err(component.fail(format!("`{field}` must be a number, not {}", other.kind()))),
    }
}
