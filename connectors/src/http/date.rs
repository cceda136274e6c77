//! Dates of HTTP headers, in the three forms of RFC 9110 and those that servers write instead.

use chrono::{DateTime, NaiveDateTime, Utc};

/// Forms beside that of mails.
const FORMS: [&str; 5] = [
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a, %d-%b-%Y %H:%M:%S GMT",
    "%a %b %e %H:%M:%S %Y",
    "%a, %d %b %Y %H:%M:%S GMT",
    "%a, %d %b %Y %H:%M:%S",
];

/// The time that a header names.
pub(super) fn parse(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(date) = DateTime::parse_from_rfc2822(text).or_else(|_| DateTime::parse_from_rfc3339(text)) {
        return Some(date.to_utc());
    }
    FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()).map(|date| date.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_servers_write() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "1994-11-06T08:49:37Z",
        ] {
            assert_eq!(parse(text).map(|date| date.timestamp()), Some(784_111_777), "{text}");
        }
    }

    #[test]
    fn rubbish_is_none() {
        for text in ["", "soon", "120", "Sun, 99 Nov 1994 08:49:37 GMT"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
