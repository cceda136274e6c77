//! `page_size_reduction`: pages that are asked for again, smaller.

use std::time::Duration;

use protocol::{Error, Result};

use crate::source::declarative::component::Component;
use crate::source::declarative::value::Value;

/// How pages shrink.
#[derive(Debug, Clone)]
pub(super) struct Shrinking {
    factor: f64,
    smallest: i64,
    most: u32,
    /// Whether a page that worked brings the old size back.
    restores: bool,
    wait: f64,
    at_smallest: u32,
    message: Option<String>,
}

/// The size of the pages of one window.
pub(super) struct Shrinker {
    rule: Shrinking,
    size: Option<i64>,
    in_a_row: u32,
    at_smallest: u32,
}

impl Shrinking {
    pub(super) fn build(component: &Component<'_>) -> Result<Self> {
        let rule = Self {
            factor: number(component, "reduction_factor", 2.0)?,
            smallest: component.int("minimum_page_size")?.unwrap_or(1),
            most: count(component, "max_attempts", 5)?,
            restores: component.text("reset_policy")?.as_deref() == Some("AFTER_SUCCESSFUL_PAGE"),
            wait: number(component, "backoff_seconds", 0.5)?,
            at_smallest: count(component, "retries_at_minimum_page_size", 0)?,
            message: component.text("failure_message")?,
        };
        if rule.factor <= 1.0 || rule.smallest < 1 || rule.most < 1 || rule.wait < 0.0 {
            return Err(component.fail(
                "`reduction_factor` must be above 1, `minimum_page_size` and `max_attempts` at least 1, \
                 `backoff_seconds` not negative",
            ));
        }
        Ok(rule)
    }

    pub(super) fn shrinker(&self) -> Shrinker {
        Shrinker { rule: self.clone(), size: None, in_a_row: 0, at_smallest: 0 }
    }
}

impl Shrinker {
    /// The size to ask for instead of the paginator's.
    pub(super) fn size(&self) -> Option<i64> {
        self.size
    }

    /// Takes note that a page came.
    pub(super) fn worked(&mut self) {
        self.in_a_row = 0;
        self.at_smallest = 0;
        if self.rule.restores {
            self.size = None;
        }
    }

    /// Makes the next page smaller, and waits a little.
    pub(super) async fn shrink(&mut self, configured: Option<i64>, why: Option<&str>) -> Result<()> {
        let Some(current) = self.size.or(configured) else {
            return Err(Error::config("pages are to be made smaller, but no page size is given").hint(
                "Set `page_size` of the pagination strategy and `page_size_option` of the paginator.",
            ));
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "sizes of pages are small"
        )]
        let smaller = ((current as f64 / self.rule.factor).floor() as i64).max(self.rule.smallest);
        let steps = if smaller >= current {
            if self.at_smallest >= self.rule.at_smallest {
                return Err(self.refused(current, why));
            }
            self.at_smallest += 1;
            self.at_smallest
        } else {
            self.in_a_row += 1;
            if self.in_a_row > self.rule.most {
                return Err(self.refused(current, why));
            }
            self.size = Some(smaller);
            self.in_a_row
        };
        tracing::info!(from = current, to = smaller, "pages are made smaller");
        let wait = Duration::try_from_secs_f64(self.rule.wait * f64::from(steps)).unwrap_or_default();
        crate::http::pause(wait).await;
        Ok(())
    }

    fn refused(&self, size: i64, why: Option<&str>) -> Error {
        let mut message = format!("the API refuses pages even of {size} records");
        for part in [why, self.rule.message.as_deref()].into_iter().flatten() {
            message.push_str(": ");
            message.push_str(part);
        }
        Error::transient(message)
    }
}

fn number(component: &Component<'_>, field: &str, default: f64) -> Result<f64> {
    match component.value(field) {
        None => Ok(default),
        Some(Value::Float(number)) => Ok(*number),
        Some(_) => {
            let number = component.int(field)?.and_then(|number| i32::try_from(number).ok());
            number.map(f64::from).ok_or_else(|| component.fail(format!("`{field}` is too large")))
        }
    }
}

fn count(component: &Component<'_>, field: &str, default: u32) -> Result<u32> {
    match component.int(field)? {
        None => Ok(default),
        Some(number) => {
            u32::try_from(number).map_err(|_| component.fail(format!("`{field}` is out of range")))
        }
    }
}
