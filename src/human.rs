//! Numbers, names and tables as people read them.

use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use crate::output::{STRONG, styled};

/// `1,234,567`
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `45.2 MiB`
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut size = number as f64 / 1024.0;
    let mut unit = 0;
    // What would round to four digits is the next unit's.
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if size < 9.995 {
        format!("{size:.2} {}", UNITS[unit])
    } else if size < 99.95 {
        format!("{size:.1} {}", UNITS[unit])
    } else {
        format!("{size:.0} {}", UNITS[unit])
    }
}

/// `0.42 s`, `12.3 s`, `3m 12s`, `2h 05m`
pub(crate) fn seconds(seconds: f64) -> String {
    if seconds < 9.995 {
        return format!("{seconds:.2} s");
    }
    if seconds < 99.95 {
        return format!("{seconds:.1} s");
    }
    whole_seconds(seconds.round())
}

/// `42 s`, `3m 12s`, `2h 05m`
pub(crate) fn whole_seconds(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    let whole = seconds as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{}m {:02}s", whole / 60, whole % 60),
        _ => format!("{}h {:02}m", whole / 3600, whole % 3600 / 60),
    }
}

/// `1 row`, `2 rows`
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Text from elsewhere on one line, without what would move a terminal's cursor.
pub(crate) fn plain(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).collect()
}

/// A table without lines. Columns are `right`-aligned where that is said.
pub(crate) struct Columns {
    table: Table,
}

impl Columns {
    /// A table with these headings; `>` before one puts the column to the right.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(headings.iter().map(|heading| heading.trim_start_matches('>')).collect::<Vec<_>>());
        for (at, heading) in headings.iter().enumerate() {
            if let Some(column) = table.column_mut(at) {
                column.set_padding((0, 2));
                if heading.starts_with('>') {
                    column.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        Self { table }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.table.add_row(cells.into_iter().map(|cell| plain(&cell)).collect::<Vec<_>>());
    }

    /// The lines, the headings in bold.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (at, line) in self.table.lines().enumerate() {
            let line = line.trim_end();
            let _ =
                if at == 0 { writeln!(text, "{}", styled(STRONG, line)) } else { writeln!(text, "{line}") };
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        for (number, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (10_000, "9.77 KiB"),
            (1_048_575, "1.00 MiB"),
            (47_395_635, "45.2 MiB"),
            (1 << 40, "1.00 TiB"),
            (u64::MAX, "16384 PiB"),
        ] {
            assert_eq!(bytes(number), text, "{number}");
        }
        for (number, text) in
            [(0.0, "0.00 s"), (9.999, "10.0 s"), (99.99, "1m 40s"), (192.4, "3m 12s"), (7500.0, "2h 05m")]
        {
            assert_eq!(seconds(number), text);
        }
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(1000, "row"), "1,000 rows");
    }

    #[test]
    fn tables_line_up_without_trailing_blanks() {
        let mut table = Columns::new(&["stream", ">rows"]);
        table.row(["a".to_owned(), "1".to_owned()]);
        table.row(["longer\u{1b}".to_owned(), "1,000".to_owned()]);
        let text = anstream::adapter::strip_str(&table.text()).to_string();
        assert_eq!(text, "stream    rows\na            1\nlonger\u{fffd}  1,000\n");
    }
}
