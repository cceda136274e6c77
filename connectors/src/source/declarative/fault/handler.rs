//! `DefaultErrorHandler` and `CompositeErrorHandler`.

use protocol::{Error, Result};

use super::verdict::{Tries, Verdict};
use crate::http::Answer;
use crate::source::declarative::component::Component;
use crate::source::declarative::scope::Scope;

/// Judges answers as a manifest's error handler says.
pub struct ErrorHandler {}

impl ErrorHandler {
    /// Of the component in `error_handler`; the reference's default without one.
    pub fn build(component: Option<&Component<'_>>, scope: &Scope) -> Result<Self> {
        let _ = (component, scope);
        todo!()
    }

    /// What `outcome` means. Counts it as a try.
    pub fn judge(&self, outcome: Result<&Answer, &Error>, tries: &mut Tries) -> Verdict {
        let _ = (outcome, tries);
        todo!()
    }
}
