//! `HTTPAPIBudget`: how many requests a server endures, for all streams of a source.

use std::time::Duration;

use chrono::DateTime;
use protocol::Result;

use crate::http::Budget;
use crate::http::budget::{Matcher, Policy, Rate};
use crate::source::declarative::component::Component;
use crate::source::declarative::moment;
use crate::source::declarative::number;
use crate::source::declarative::template::{Context, TextTemplate, text_of};
use crate::source::declarative::value::Value;

/// The budget of the manifest's `api_budget`. `context` has the configuration.
pub fn budget(component: &Component<'_>, context: &Context<'_>) -> Result<Budget> {
    if component.kind() != "HTTPAPIBudget" {
        return Err(component.unknown("API budget"));
    }
    let mut policies = Vec::new();
    for child in component.children("policies")? {
        policies.push(policy(&child, context)?);
    }
    let named = |field: &str, default: &str| -> Result<String> {
        Ok(component.text(field)?.filter(|name| !name.is_empty()).unwrap_or_else(|| default.to_owned()))
    };
    let codes = component.texts("status_codes_for_ratelimit_hit")?;
    let codes: Vec<u16> = codes.iter().filter_map(|code| code.trim().parse().ok()).collect();
    Ok(Budget::new(policies).reacting_to(
        &named("ratelimit_reset_header", "ratelimit-reset")?,
        &named("ratelimit_remaining_header", "ratelimit-remaining")?,
        if codes.is_empty() { vec![429] } else { codes },
    ))
}

fn policy(component: &Component<'_>, context: &Context<'_>) -> Result<Policy> {
    let policy = match component.kind() {
        "FixedWindowCallRatePolicy" => {
            Policy::fixed_window(period(component, "period")?, count(component, "call_limit", context)?)
        }
        "MovingWindowCallRatePolicy" => {
            let mut rates = Vec::new();
            for rate in component.children("rates")? {
                rates.push(Rate {
                    limit: count(&rate, "limit", context)?,
                    interval: period(&rate, "interval")?,
                });
            }
            Policy::moving_window(rates)?
        }
        "UnlimitedCallRatePolicy" => Policy::unlimited(),
        _ => return Err(component.unknown("call rate policy")),
    };
    let mut matchers = Vec::new();
    for child in component.children("matchers")? {
        matchers.push(matcher(&child, context)?);
    }
    Ok(policy.matching(matchers))
}

/// Which requests are meant.
pub(in crate::source::declarative) fn matcher(
    component: &Component<'_>,
    context: &Context<'_>,
) -> Result<Matcher> {
    let mut matcher = Matcher::new();
    if let Some(method) = component.text("method")?.filter(|method| !method.is_empty()) {
        matcher = matcher.method(&method);
    }
    if let Some(base) = component.text("url_base")?.filter(|base| !base.is_empty()) {
        matcher = matcher.base(&base);
    }
    if let Some(pattern) = component.text("url_path_pattern")?.filter(|pattern| !pattern.is_empty()) {
        matcher = matcher.path(&pattern)?;
    }
    for (name, value) in component.value("params").and_then(Value::as_map).iter().flat_map(|map| map.iter()) {
        matcher = matcher.param(name, &text_of(value));
    }
    for (name, value) in component.value("headers").and_then(Value::as_map).iter().flat_map(|map| map.iter())
    {
        matcher = matcher.header(name, &text_of(value));
    }
    match component.value("weight") {
        Some(_) => matcher.weight(count(component, "weight", context)?),
        None => Ok(matcher),
    }
}

/// A number, or a template that evaluates to one.
fn count(component: &Component<'_>, field: &str, context: &Context<'_>) -> Result<u64> {
    let value = match component.required_value(field)? {
        Value::Text(text) => TextTemplate::compile(text)?.eval(context)?,
        other => other.clone(),
    };
    let number = match &value {
        Value::Int(number) => u64::try_from(*number).ok(),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "so does int()")]
        Value::Float(number) if *number >= 0.0 => Some(number.trunc() as u64),
        Value::Text(text) => number::parse_int(text, 10).and_then(|number| u64::try_from(&number).ok()),
        _ => None,
    };
    number.ok_or_else(|| component.fail(format!("`{field}` must be a number of 0 or more")))
}

/// A length of time that needs no calendar, or one that begins with the year 1970.
fn period(component: &Component<'_>, field: &str) -> Result<Duration> {
    let length = moment::Duration::parse(&component.required_text(field)?)?;
    let passed = length.after(&DateTime::UNIX_EPOCH).map(|end| end - DateTime::UNIX_EPOCH);
    passed
        .and_then(|passed| passed.to_std().ok())
        .ok_or_else(|| component.fail(format!("`{field}` is too long, or not after now")))
}
