//! Reads what the destination holds.

use std::collections::BTreeMap;

use arrow_array::{RecordBatch, UInt32Array};
use arrow_select::take::take_record_batch;
use protocol::{CommittedFile, DynDestination, Error, Result};
use tokio::task::block_in_place;

use super::columns::Columns;
use super::digest::Digests;
use super::image::{Image, Place};
use crate::ParquetFile;

/// A target as it was when its files were listed.
pub(super) struct Target<'a> {
    pub(super) destination: &'a dyn DynDestination,
    pub(super) name: &'a str,
    /// Number of the commit that was the last one then.
    pub(super) sequence: u64,
    /// In the order of their commits.
    pub(super) files: &'a [CommittedFile],
}

impl Target<'_> {
    /// Takes all rows into `image`, as far as it covers them.
    pub(super) async fn read_into(
        &self,
        image: &mut Image,
        columns: &Columns,
        digests: &Digests,
    ) -> Result<()> {
        let names = columns.target();
        for (number, file) in (0..).zip(self.files) {
            let opened = self.open(file).await?;
            let mut first = 0;
            for group in 0..opened.row_groups() {
                let mut batches = opened.row_group(group, Some(&names)).await?;
                while let Some(batch) = block_in_place(|| batches.next()) {
                    let batch = batch?;
                    block_in_place(|| {
                        let versions = columns.versions(&batch, digests, number, first)?;
                        for version in &versions {
                            image.put(version);
                        }
                        Ok::<_, Error>(())
                    })?;
                    first += rows_of(file, batch.num_rows())?;
                }
            }
        }
        Ok(())
    }

    /// The rows at `places`, which are sorted, file by file, of all columns or of those named.
    pub(super) async fn rows(
        &self,
        places: &[Place],
        columns: Option<&[&str]>,
        mut take: impl AsyncFnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let mut by_file: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for place in places {
            by_file.entry(place.file).or_default().push(place.row);
        }
        for (number, rows) in by_file {
            let file =
                self.files.get(number as usize).ok_or_else(|| Error::internal("a row is in no file"))?;
            let opened = self.open(file).await?;
            let (mut first, mut rows) = (0, rows.as_slice());
            for group in 0..opened.row_groups() {
                let end = first
                    + rows_of(file, usize::try_from(opened.row_group_rows(group)).unwrap_or(usize::MAX))?;
                if rows.first().is_none_or(|row| *row >= end) {
                    first = end;
                    continue;
                }
                let mut batches = opened.row_group(group, columns).await?;
                while let Some(batch) = block_in_place(|| batches.next()) {
                    let batch = batch?;
                    let next = first + rows_of(file, batch.num_rows())?;
                    let (here, later) = rows.split_at(rows.partition_point(|row| *row < next));
                    if !here.is_empty() {
                        let wanted: UInt32Array = here.iter().map(|row| row - first).collect();
                        let part = take_record_batch(&batch, &wanted)
                            .map_err(|error| Error::internal("rows can't be picked").with_source(error))?;
                        take(part).await?;
                    }
                    (first, rows) = (next, later);
                }
            }
        }
        Ok(())
    }

    /// A file that is gone was overwritten by another sync, or by nobody who may.
    async fn open(&self, file: &CommittedFile) -> Result<ParquetFile> {
        if let Some(opened) = ParquetFile::open(self.destination, self.name, file).await? {
            return Ok(opened);
        }
        if self.destination.head(self.name).await?.sequence != self.sequence {
            return Err(Error::conflict("another sync replaced the files while they were compared"));
        }
        Err(Error::data(format!("file {:?} of the target is gone", file.path))
            .context("file", file.path.clone())
            .hint("`tidegate verify` says what else is damaged"))
    }
}

/// Rows are counted in 32 bits: Parquet files of more are made by nobody.
fn rows_of(file: &CommittedFile, rows: usize) -> Result<u32> {
    // Half of the range, so that a sum of two never overflows.
    u32::try_from(rows).ok().filter(|_| file.rows < u64::from(u32::MAX / 2)).ok_or_else(|| {
        Error::unsupported(format!("file {:?} has too many rows to be compared", file.path))
            .context("file", file.path.clone())
    })
}
