//! The `Link` header: `<https://api.test/items?page=2>; rel="next"`.

/// One link of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it leads, as it stands between the angle brackets; may be relative.
    pub url: String,
    /// What is said of it, in order, names as they are written: `rel`, `title`.
    pub params: Vec<(String, String)>,
}

impl Link {
    /// The first parameter of that name.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether the link is of that relation, of which it may have several.
    #[must_use]
    pub fn is(&self, relation: &str) -> bool {
        self.param("rel")
            .is_some_and(|all| all.split_ascii_whitespace().any(|one| one.eq_ignore_ascii_case(relation)))
    }
}

/// The links of a header. What can't be read as a link is left out.
#[must_use]
pub fn links(header: &str) -> Vec<Link> {
    let mut links = Vec::new();
    let mut rest = header;
    while let Some(start) = rest.find('<') {
        let Some(length) = rest[start + 1..].find('>') else { break };
        let url = rest[start + 1..start + 1 + length].trim().to_owned();
        let (params, after) = params(&rest[start + length + 2..]);
        links.push(Link { url, params });
        rest = after;
    }
    links
}

/// The parameters up to the comma that ends a link, and what follows it. A comma in quotes ends nothing.
fn params(text: &str) -> (Vec<(String, String)>, &str) {
    let mut params = Vec::new();
    let (mut quoted, mut escaped, mut start) = (false, false, 0);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' | ',' if !quoted => {
                params.extend(param(&text[start..at]));
                start = at + 1;
                if letter == ',' {
                    return (params, &text[start..]);
                }
            }
            _ => {}
        }
    }
    params.extend(param(&text[start..]));
    (params, "")
}

fn param(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let value = value.trim();
    let value = value.strip_prefix('"').map_or(value, |value| value.strip_suffix('"').unwrap_or(value));
    Some((name.trim().to_owned(), value.trim_matches('\'').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(header: &str) -> Option<String> {
        links(header).into_iter().find(|link| link.is("next")).map(|link| link.url)
    }

    #[test]
    fn finds_the_next_page_however_it_is_written() {
        for header in [
            "<https://a.test/x?page=2>; rel=\"next\"",
            "<https://a.test/x?page=2>; rel=next",
            "<https://a.test/x?page=2>;rel='next'",
            "<https://a.test/x?page=2>; title=\"a, b; c\"; REL=\"prev Next\"",
            "<https://a.test/x?page=9>; rel=\"last\", <https://a.test/x?page=2>; rel=\"next\"",
            "<https://a.test/x?page=2>; rel=\"next\",<https://a.test/x?page=9>; rel=\"last\"",
            " < https://a.test/x?page=2 > ; rel = \"next\" ; results=\"true\"",
        ] {
            assert_eq!(next(header).as_deref(), Some("https://a.test/x?page=2"), "{header}");
        }
    }

    #[test]
    fn commas_and_semicolons_of_an_address_belong_to_it() {
        let found = next("<https://a.test/x?ids=1,2;3>; rel=\"next\"");
        assert_eq!(found.as_deref(), Some("https://a.test/x?ids=1,2;3"));
    }

    #[test]
    fn what_is_no_link_is_left_out() {
        for header in ["", "next", "<https://a.test", "rel=\"next\"", "<>", "<a>; rel=\"last\", <b"] {
            assert_eq!(next(header), None, "{header}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_header_panics(header: String) {
            let _ = links(&header);
        }
    }
}
