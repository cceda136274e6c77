//! Where the records of a page are.

use super::scan::{Fault, Scanner, Span};

/// Spans of records, and whether all of them are in plain JSON.
pub(crate) struct Located {
    pub(crate) spans: Vec<Span>,
    pub(crate) is_odd: bool,
}

/// The records of a page by a path of plain keys, as the reference extracts them: items of a root list are bodies of
/// their own, a list at the path gives its items, an object itself, and what is empty gives nothing. `None` where a
/// list stands in the way: then it takes values to tell. The whole text is checked.
pub(crate) fn locate(text: &str, path: &[&str]) -> Result<Option<Located>, Fault> {
    let mut scanner = Scanner::new(text, 0);
    let mut finder = Finder { spans: Vec::new(), is_irregular: false };
    scanner.blank();
    if scanner.peek() == Some(b'[') {
        scanner.array(|scanner| {
            scanner.blank();
            finder.body(scanner, path)
        })?;
    } else {
        finder.body(&mut scanner, path)?;
    }
    scanner.end()?;
    let located = Located { spans: finder.spans, is_odd: scanner.is_odd };
    Ok((!finder.is_irregular).then_some(located))
}

struct Finder {
    spans: Vec<Span>,
    is_irregular: bool,
}

impl Finder {
    /// Looks through the value that begins here.
    fn body(&mut self, scanner: &mut Scanner<'_>, path: &[&str]) -> Result<(), Fault> {
        let Some((key, rest)) = path.split_first() else { return self.found(scanner) };
        match scanner.peek() {
            Some(b'{') => {
                let before = self.spans.len();
                scanner.object(|scanner, found| {
                    if !found.is(key) {
                        return scanner.value().map(drop);
                    }
                    // The last of equal keys counts.
                    self.spans.truncate(before);
                    scanner.blank();
                    self.body(scanner, rest)
                })
            }
            Some(b'[') => {
                self.is_irregular = true;
                scanner.value().map(drop)
            }
            _ => scanner.value().map(drop),
        }
    }

    fn found(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        if scanner.peek() == Some(b'[') {
            return scanner.array(|scanner| {
                self.spans.push(scanner.value()?);
                Ok(())
            });
        }
        let first = scanner.peek();
        let mut next = scanner.clone();
        let span = scanner.value()?;
        let is_empty = match first {
            Some(b'{') => {
                next.step();
                next.peek() == Some(b'}')
            }
            Some(b'"') => span.end - span.start == 2,
            Some(b'n' | b'f') => true,
            Some(b'-' | b'0'..=b'9') => {
                // Zero is nothing, however it is written.
                self.is_irregular = true;
                true
            }
            _ => false,
        };
        if !is_empty {
            self.spans.push(span);
        }
        Ok(())
    }
}
