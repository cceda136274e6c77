//! The headers of an answer as the expressions of a paginator see them.

use crate::source::declarative::value::{Map, Value};

/// The words in quotes, and behind points, of some expressions: names by which they may ask for headers.
pub(super) fn words(expressions: &[&str]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for expression in expressions {
        for word in expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')) {
            if !word.is_empty() && !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
        }
    }
    words
}

/// `headers`: a name counts as the expression spells it, since the server's spelling is not kept on the way (and over
/// HTTP/2 there is none). Where expressions spell one name in several ways, the way that most servers spell it is the
/// one: who asks for two means to tell them apart. `link` is the parsed `Link` header.
pub(super) fn variable(headers: &[(String, String)], words: &[String]) -> Value {
    let mut map = Map::new();
    for (name, value) in headers {
        let value = match map.get(&title(name)) {
            // One header in several lines is one with commas.
            Some(Value::Text(there)) => format!("{there}, {value}"),
            _ => value.clone(),
        };
        let title = title(name);
        if !words.contains(&title) {
            for word in words.iter().filter(|word| word.eq_ignore_ascii_case(name)) {
                map.insert(word.as_str(), value.as_str());
            }
        }
        map.insert(title, value);
    }
    let links = headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("link"))
        .map(|(_, value)| value.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    map.insert("link", links_of(&links));
    Value::Map(map)
}

/// `x-next-page` as most servers spell it.
fn title(name: &str) -> String {
    let mut begins = true;
    name.chars()
        .map(|c| {
            let c = if begins { c.to_ascii_uppercase() } else { c };
            begins = c == '-';
            c
        })
        .collect()
}

/// The links of a `Link` header by their `rel`, or by their address where there is none.
fn links_of(header: &str) -> Value {
    let mut links = Map::new();
    for (address, attributes) in split_links(header) {
        let mut link = Map::new();
        link.insert("url", address.as_str());
        for attribute in attributes.split(';') {
            let Some((name, value)) = attribute.split_once('=') else { continue };
            let strip = |text: &str| text.trim_matches(|c| matches!(c, ' ' | '"' | '\'')).to_owned();
            link.insert(strip(name), strip(value));
        }
        let key = match link.get("rel") {
            Some(Value::Text(rel)) if !rel.is_empty() => rel.clone(),
            _ => address,
        };
        links.insert(key, link);
    }
    Value::Map(links)
}

/// `<address>; attributes` and so on; commas inside of brackets belong to the address.
fn split_links(header: &str) -> Vec<(String, String)> {
    let mut links = Vec::new();
    let mut rest = header;
    while let Some(open) = rest.find('<') {
        let Some(close) = rest[open..].find('>').map(|at| open + at) else { break };
        let address = rest[open + 1..close].to_owned();
        let after = &rest[close + 1..];
        let end = after.find('<').unwrap_or(after.len());
        let attributes = after[..end].trim_end_matches([' ', ',']);
        links.push((address, attributes.trim_start_matches(';').to_owned()));
        rest = &after[end..];
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_by_their_relation() {
        let headers = vec![
            (
                "link".to_owned(),
                "<https://a.b/x?p=2,3>; rel=\"next\", <https://a.b/x?p=9>; rel=last".to_owned(),
            ),
            ("x-next-page".to_owned(), "7".to_owned()),
        ];
        let seen = variable(&headers, &words(&["{{ headers['X-NEXT-page'] }}"]));
        let url = |rel: &str| seen.get("link").and_then(|l| l.get(rel)).and_then(|l| l.get("url"));
        assert_eq!(url("next").and_then(Value::as_text), Some("https://a.b/x?p=2,3"));
        assert_eq!(url("last").and_then(Value::as_text), Some("https://a.b/x?p=9"));
        for name in ["X-Next-Page", "X-NEXT-page"] {
            assert_eq!(seen.get(name).and_then(Value::as_text), Some("7"), "{name}");
        }
    }

    #[test]
    fn a_name_in_two_spellings_is_the_usual_one() {
        let headers = vec![("x-next".to_owned(), "7".to_owned())];
        let found = |expression: &str| {
            let seen = variable(&headers, &words(&[expression]));
            ["X-Next", "x-next"].map(|name| seen.get(name).is_some())
        };
        assert_eq!(found("{{ headers['X-Next'] }}"), [true, false]);
        assert_eq!(found("{{ headers['x-next'] }}"), [true, true]);
        assert_eq!(found("{{ headers.get('x-next') or headers['X-Next'] }}"), [true, false]);
        assert_eq!(found("{{ headers | length }}"), [true, false]);
    }
}
