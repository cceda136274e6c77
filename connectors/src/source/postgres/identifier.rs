//! Names in SQL: the one place that quotes them.

/// The name as SQL writes it, whatever is in it: `"we""ird"`.
#[must_use]
pub(crate) fn quote_identifier(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('"');
    for character in name.chars() {
        if character == '"' {
            quoted.push('"');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_never_ends_the_name() {
        for (name, expected) in [
            ("orders", r#""orders""#),
            ("Ärger mit Leerzeichen", r#""Ärger mit Leerzeichen""#),
            (r#"we"ird; drop table x;--"#, r#""we""ird; drop table x;--""#),
            (r#"""#, r#""""""#),
            (r"back\slash", r#""back\slash""#),
        ] {
            assert_eq!(quote_identifier(name), expected);
        }
    }
}
