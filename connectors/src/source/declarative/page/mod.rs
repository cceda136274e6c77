//! Paginators: which page comes next and how it is asked for.

mod header;
mod repeat;
mod strategy;

use protocol::Result;

use super::component::Component;
use super::request::{Parts, RequestOption};
use super::scope::Scope;
use super::template::{StreamSlice, Template};
use super::value::{Map, Value};

pub(crate) use repeat::Repeats;
use strategy::Strategy;

/// How the pages of a slice follow each other.
pub(crate) struct Paginator(Option<Pages>);

struct Pages {
    strategy: Strategy,
    size_option: Option<RequestOption>,
    token_option: Option<TokenOption>,
}

enum TokenOption {
    /// The token is the address of the next page, or its path.
    Path,
    Option(RequestOption),
}

/// What a page has told once its records are through.
pub(crate) struct Page<'p> {
    /// The decoded answer, the first body of several; without its records where that is enough. Asked for only where
    /// an expression looks at it.
    pub(crate) response: &'p dyn Fn(bool) -> Result<Value>,
    /// The answer's headers.
    pub(crate) headers: &'p [(String, String)],
    /// The last record after filters and transformations.
    pub(crate) last_record: &'p dyn Fn() -> Result<Option<Value>>,
    /// How many records were left after filters.
    pub(crate) kept: usize,
    /// How many records were taken out of the answer.
    pub(crate) extracted: usize,
    /// The token that this page was asked for with.
    pub(crate) token: Option<&'p Value>,
    /// The size that was asked for instead of the strategy's own.
    pub(crate) size: Option<i64>,
    /// The slice.
    pub(crate) slice: &'p StreamSlice,
}

impl Paginator {
    /// Of its component; without one, and with `NoPagination`, there is one page.
    ///
    /// `apart` tells whether an expression means the same without the records of the answer.
    pub(crate) fn build(
        component: Option<&Component<'_>>,
        scope: &Scope,
        apart: &dyn Fn(&Template) -> bool,
    ) -> Result<Self> {
        let Some(component) = component else { return Ok(Self(None)) };
        match component.kind() {
            "NoPagination" => return Ok(Self(None)),
            "DefaultPaginator" => {}
            _ => return Err(component.unknown("paginator")),
        }
        let strategy = Strategy::build(&component.required("pagination_strategy")?, scope, apart)?;
        let size_option = component
            .child("page_size_option")?
            .map(|option| RequestOption::build(&option, scope))
            .transpose()?;
        if size_option.is_some() && strategy.page_size()?.is_none_or(|size| size == 0) {
            return Err(component.fail("`page_size_option` needs a `page_size` of the pagination strategy"));
        }
        let token_option = match component.child("page_token_option")? {
            None => None,
            Some(option) if option.kind() == "RequestPath" => Some(TokenOption::Path),
            Some(option) => Some(TokenOption::Option(RequestOption::build(&option, scope)?)),
        };
        let pages = Pages { strategy, size_option, token_option };
        pages.check().map_err(|error| error.context("component", component.place().to_owned()))?;
        Ok(Self(Some(pages)))
    }

    /// The token of the first page, where it has one.
    #[must_use]
    pub(crate) fn first(&self) -> Option<Value> {
        self.0.as_ref().and_then(|pages| pages.strategy.first())
    }

    /// How many records a page holds, where that is said.
    pub(crate) fn page_size(&self) -> Result<Option<i64>> {
        self.0.as_ref().map_or(Ok(None), |pages| pages.strategy.page_size())
    }

    /// Whether the sizes of pages can be changed in the middle.
    #[must_use]
    pub(crate) fn can_shrink(&self) -> bool {
        self.0.as_ref().is_some_and(|pages| pages.strategy.can_shrink())
    }

    /// What it adds to the request of a page.
    pub(crate) fn parts(&self, token: Option<&Value>, size: Option<i64>) -> Result<Parts> {
        let mut parts = Parts::default();
        let Some(pages) = &self.0 else { return Ok(parts) };
        if let (Some(TokenOption::Option(option)), Some(token)) = (&pages.token_option, token)
            && !token.is_none()
        {
            option.inject(&mut parts, token.clone());
        }
        if let Some(option) = &pages.size_option {
            let size = match size {
                Some(size) => Some(size),
                None => pages.strategy.page_size()?,
            };
            if let Some(size) = size.filter(|size| *size != 0) {
                option.inject(&mut parts, Value::Int(size));
            }
        }
        Ok(parts)
    }

    /// The path of the page, where the token is one.
    #[must_use]
    pub(crate) fn path(&self, token: Option<&Value>) -> Option<String> {
        let pages = self.0.as_ref()?;
        match (&pages.token_option, token) {
            (Some(TokenOption::Path), Some(token)) if token.is_true() => {
                Some(super::request::python_text(token))
            }
            _ => None,
        }
    }

    /// The token of the page after `page`; `None` ends the slice.
    pub(crate) fn next(&self, page: &Page<'_>) -> Result<Option<Value>> {
        match &self.0 {
            None => Ok(None),
            Some(pages) => Ok(pages.strategy.next(page)?.filter(Value::is_true)),
        }
    }

    /// `next_page_token` as templates see it.
    #[must_use]
    pub(crate) fn variable(token: Option<&Value>) -> Value {
        match token {
            None => Value::None,
            Some(token) => Value::Map(Map::from_iter([("next_page_token", token.clone())])),
        }
    }
}

impl Pages {
    /// Token and size must not be put into the same place.
    fn check(&self) -> Result<()> {
        let (Some(TokenOption::Option(token)), Some(size)) = (&self.token_option, &self.size_option) else {
            return Ok(());
        };
        let (mut one, mut other) = (Parts::default(), Parts::default());
        token.inject(&mut one, Value::Int(0));
        size.inject(&mut other, Value::Int(1));
        one.merge(other)
    }
}
