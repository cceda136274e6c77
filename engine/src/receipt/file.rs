//! The receipt of one file, as it grows.

use std::fmt::Write;
use std::sync::Arc;

use arrow_array::RecordBatch;
use protocol::{Digest, Receipt, WrittenReceipt};
use twox_hash::XxHash3_128;

use super::{RowHasher, content};

/// Sums over rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    /// Of the source's columns.
    content: Digest,
    /// Of all columns.
    written: Digest,
}

/// For each column of a row group the sum over its values' hashes: they tell where a file differs from
/// what was written, when its receipt has told that it does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ColumnSums(pub(crate) Vec<u64>);

impl ColumnSums {
    /// Key of a file's metadata that holds those of all its row groups, 16 digits for each column.
    pub(crate) const KEY: &'static str = "tidegate.column_sums";

    pub(crate) fn of(columns: usize) -> Self {
        Self(vec![0; columns])
    }

    pub(crate) fn add(&mut self, column: usize, sum: u64) {
        if let Some(all) = self.0.get_mut(column) {
            *all = all.wrapping_add(sum);
        }
    }

    pub(crate) fn write(groups: &[Self]) -> String {
        let mut text = String::new();
        for (at, group) in groups.iter().enumerate() {
            if at > 0 {
                text.push(' ');
            }
            for sum in &group.0 {
                write!(text, "{sum:016x}").expect("a String takes all that is written to it");
            }
        }
        text
    }

    /// `None` where it is not what [`ColumnSums::write`] writes.
    pub(crate) fn read(text: &str) -> Option<Vec<Self>> {
        let group = |text: &str| {
            let sums = text.as_bytes().chunks(16).map(|digits| {
                let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() == 16)?;
                u64::from_str_radix(digits, 16).ok()
            });
            sums.collect::<Option<Vec<u64>>>().map(Self)
        };
        text.split(' ').filter(|text| !text.is_empty()).map(group).collect()
    }
}

/// The receipt of a file that is being written.
pub(crate) struct FileReceipt {
    hasher: Arc<RowHasher>,
    sums: Sums,
    encoded: XxHash3_128,
    /// One for each row of a batch: kept, so that it need not be allocated again.
    rows: Vec<u64>,
    group: ColumnSums,
    groups: Vec<ColumnSums>,
}

impl FileReceipt {
    pub(crate) fn new(hasher: Arc<RowHasher>) -> Self {
        let group = ColumnSums::of(hasher.columns.len());
        let encoded = XxHash3_128::new();
        Self { hasher, sums: Sums::default(), encoded, rows: Vec::new(), group, groups: Vec::new() }
    }

    /// Takes in rows.
    pub(crate) fn rows(&mut self, batch: &RecordBatch) {
        self.rows.clear();
        self.rows.resize(batch.num_rows(), 0);
        let mut sum = 0;
        let mut source = None;
        for hashed in &self.hasher.columns {
            if hashed.is_added && source.is_none() {
                source = Some(content(&self.rows));
            }
            hashed.column.add(batch.column(hashed.index), &mut self.rows);
            let before = sum;
            sum = self.rows.iter().fold(0_u64, |sum, row| sum.wrapping_add(*row));
            self.group.add(hashed.index, sum.wrapping_sub(before));
        }
        let written = content(&self.rows);
        self.sums.content += source.unwrap_or(written);
        self.sums.written += written;
    }

    /// Ends a row group.
    pub(crate) fn end_group(&mut self) {
        let columns = self.group.0.len();
        self.groups.push(std::mem::replace(&mut self.group, ColumnSums::of(columns)));
    }

    /// The sums of all row groups that have ended.
    pub(crate) fn groups(&self) -> &[ColumnSums] {
        &self.groups
    }

    /// Takes in bytes of the file, in their order.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.encoded.write(bytes);
    }

    pub(crate) fn finish(&self) -> Receipt {
        let added = self.hasher.added.clone();
        let written = WrittenReceipt { added, content: self.sums.written };
        Receipt {
            version: Receipt::VERSION,
            content: self.sums.content,
            encoded: Digest::new(self.encoded.finish_128()),
            written: (!self.hasher.added.is_empty()).then_some(written),
        }
    }
}
