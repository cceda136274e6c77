//! Tables to measure with, the same on every machine: what they look like in SQL, and their rows as the
//! text that `COPY … FROM STDIN` takes. Knows no database.
//!
//! `lineitem` is of TPC-H: narrow, many decimals, short texts. `payments` is what services have: keys, money,
//! times with a zone, JSON, arrays, NULLs.

mod lineitem;
mod payments;
mod scale;

pub use scale::{InvalidScale, Scale};

/// A table to measure with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// The largest table of TPC-H.
    Lineitem,
    /// Three million payments at scale 1.
    Payments,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Lineitem, Self::Payments];

    /// Its name, which needs no quotes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lineitem => "lineitem",
            Self::Payments => "payments",
        }
    }

    /// The columns in SQL, as `CREATE TABLE` takes them between its parentheses.
    #[must_use]
    pub fn columns(self) -> &'static str {
        match self {
            Self::Lineitem => lineitem::COLUMNS,
            Self::Payments => payments::COLUMNS,
        }
    }

    /// What makes the indexes of `table` (its name, quoted and qualified as need be) once the rows are there.
    #[must_use]
    pub fn indexes(self, table: &str) -> Vec<String> {
        match self {
            Self::Lineitem => Vec::new(),
            Self::Payments => vec![
                format!("ALTER TABLE {table} ADD PRIMARY KEY (id)"),
                format!("CREATE INDEX ON {table} (updated_at)"),
            ],
        }
    }

    /// How many rows there are, to within a percent.
    #[must_use]
    pub fn rows(self, scale: Scale) -> u64 {
        scale.of(match self {
            Self::Lineitem => lineitem::ROWS,
            Self::Payments => payments::ROWS,
        })
    }

    /// The rows, in pieces of whole rows.
    #[must_use]
    pub fn text(self, scale: Scale) -> Text {
        let rows: Rows = match self {
            Self::Lineitem => Box::new(lineitem::rows(scale)),
            Self::Payments => Box::new(payments::rows(scale)),
        };
        Text(rows)
    }
}

/// Writes the next row behind what is there; false where there is none.
type Rows = Box<dyn FnMut(&mut String) -> bool + Send>;

/// The rows of a table in the text format of COPY, some tens of kilobytes at a time.
pub struct Text(Rows);

impl Text {
    /// A piece is complete once it has as many bytes.
    const PIECE_BYTES: usize = 64 << 10;
}

impl Iterator for Text {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut piece = String::with_capacity(Self::PIECE_BYTES + 4096);
        while piece.len() < Self::PIECE_BYTES && (self.0)(&mut piece) {}
        (!piece.is_empty()).then_some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(table: Table, scale: f64) -> Vec<Vec<String>> {
        let text: String = table.text(Scale::new(scale).unwrap()).collect();
        assert!(text.ends_with('\n'));
        text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    }

    #[test]
    fn there_are_as_many_rows_as_told_and_as_many_values_as_columns() {
        for table in Table::ALL {
            let told = table.rows(Scale::new(0.002).unwrap());
            let rows = rows(table, 0.002);
            let found = rows.len() as u64;
            assert!(found.abs_diff(told) <= told / 50, "{table:?}: {found} for {told}");
            let columns = table.columns().trim().lines().count();
            assert!(rows.iter().all(|row| row.len() == columns), "{table:?}");
        }
    }

    #[test]
    fn the_same_rows_come_each_time() {
        for table in Table::ALL {
            assert_eq!(rows(table, 0.001), rows(table, 0.001));
        }
    }

    #[test]
    fn the_smallest_scale_has_a_row() {
        let least = Scale::new(f64::MIN_POSITIVE).unwrap();
        for table in Table::ALL {
            assert!(table.text(least).next().is_some(), "{table:?}");
        }
    }

    #[test]
    fn pieces_are_bounded() {
        let text = Table::Payments.text(Scale::new(0.001).unwrap());
        assert!(text.into_iter().all(|piece| piece.len() < Text::PIECE_BYTES + 4096));
    }
}
