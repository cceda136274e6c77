//! Which pages of one listing were asked for: what would never end, ends in an error.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use protocol::{Error, Result};

/// Pages of one listing before it is given up.
const PAGES: u64 = 10_000_000;
/// So many tokens are remembered; a ring of others is found once it was gone round twice or thrice.
const REMEMBERED: usize = 100_000;
/// So often the same page may come in a row under tokens that differ.
const SAME: u32 = 100;

/// The way through the pages of one listing. One of each is kept while it is read.
pub struct Trail {
    hasher: RandomState,
    seen: HashSet<u64>,
    pages: u64,
    /// The token of the last page whose number was a power of two.
    anchor: Option<u64>,
    last: Option<u64>,
    same: u32,
}

impl Default for Trail {
    fn default() -> Self {
        Self { hasher: RandomState::new(), seen: HashSet::new(), pages: 0, anchor: None, last: None, same: 0 }
    }
}

impl Trail {
    /// A new listing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that the page of `token` is asked for next: a cursor, an address, a number as text. Fails with
    /// [`ErrorKind::Data`](protocol::ErrorKind::Data) where that page was asked for before.
    pub fn step(&mut self, token: &str) -> Result<()> {
        self.pages += 1;
        if self.pages > PAGES {
            return Err(Error::data(format!("a listing has more than {PAGES} pages")));
        }
        let token = self.hasher.hash_one(token);
        let was_there = if self.seen.len() < REMEMBERED {
            !self.seen.insert(token)
        } else {
            self.anchor == Some(token) || self.seen.contains(&token)
        };
        if self.pages.is_power_of_two() {
            self.anchor = Some(token);
        }
        if !was_there {
            return Ok(());
        }
        Err(Error::data(format!("the listing goes in a circle: page {} was there before", self.pages + 1))
            .hint("the server names a next page that it named already; the pagination of the stream may be wrong"))
    }

    /// Shows the body of a page that held records. Fails where the server seems to ignore which page it is asked
    /// for: the same page a hundred times in a row.
    pub fn page(&mut self, body: &[u8]) -> Result<()> {
        let print = self.hasher.hash_one(body);
        self.same = if self.last == Some(print) { self.same + 1 } else { 0 };
        self.last = Some(print);
        if self.same < SAME {
            return Ok(());
        }
        Err(Error::data(format!("the server sent the same page {SAME} times in a row"))
            .hint("it may ignore the parameter that says which page is wanted"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::ErrorKind;

    #[test]
    fn a_token_that_repeats_is_found_at_once() {
        let mut trail = Trail::new();
        trail.step("a").unwrap();
        assert_eq!(trail.step("a").unwrap_err().kind(), ErrorKind::Data);
    }

    #[test]
    fn a_ring_is_found_when_it_closes() {
        let mut trail = Trail::new();
        for token in ["a", "b", "c"] {
            trail.step(token).unwrap();
        }
        assert!(trail.step("b").unwrap_err().to_string().contains("circle"));
    }

    #[test]
    fn a_ring_longer_than_what_is_remembered_is_found() {
        let mut trail = Trail::new();
        let (start, ring) = (REMEMBERED, REMEMBERED / 2);
        let token = |step: usize| if step < start { step } else { start + (step - start) % ring }.to_string();
        let steps = (0..start + 4 * ring).take_while(|step| trail.step(&token(*step)).is_ok()).count();
        assert!((start + ring..start + 4 * ring).contains(&steps), "{steps}");
    }

    #[test]
    fn the_same_page_again_and_again_is_given_up() {
        let mut trail = Trail::new();
        let pages = (0..1000).take_while(|_| trail.page(b"[1]").is_ok()).count();
        assert_eq!(pages, 100);
        let mut trail = Trail::new();
        assert!((0..1000).all(|page: i32| trail.page(&(page % 7).to_le_bytes()).is_ok()));
    }
}
