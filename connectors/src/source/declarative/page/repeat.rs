//! Tokens that come again: an endless loop that ends here.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, Hash, Hasher};

use protocol::{Error, Result};

use super::Page;
use crate::source::declarative::value::Value;

/// Pages that are kept to find a ring.
const REMEMBERED: usize = 10_000;

/// The pages of one slice. A token that comes again is no loop by itself (a scroll keeps its token to the end); one
/// that comes again with the same records is, and would be for ever.
#[derive(Default)]
pub(crate) struct Repeats {
    seen: HashSet<u64, ahash::RandomState>,
    order: VecDeque<u64>,
}

impl Repeats {
    /// Notes that `page` (whose body is `body`) is followed by the page of `token`; fails where both were there before.
    pub(crate) fn note(&mut self, page: &Page<'_>, body: &[u8], token: &Value) -> Result<()> {
        let mut hasher = self.seen.hasher().build_hasher();
        token.to_json().hash(&mut hasher);
        page.extracted.hash(&mut hasher);
        // Bodies tell the time and number their requests, so records are compared where there are some.
        match (page.last_record)()? {
            Some(record) => record.to_json().hash(&mut hasher),
            None => body.hash(&mut hasher),
        }
        let print = hasher.finish();
        if !self.seen.insert(print) {
            return Err(Error::data(format!(
                "the pagination goes in a circle: page {} is one that was read before",
                self.order.len() + 1
            ))
            .hint(
                "The API hands out a token again that it handed out before; `cursor_value` or `stop_condition` of \
                 the paginator must tell that the last page is reached.",
            ));
        }
        self.order.push_back(print);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        Ok(())
    }

    /// Begins anew: the pagination starts over.
    pub(crate) fn forget(&mut self) {
        self.seen.clear();
        self.order.clear();
    }
}
