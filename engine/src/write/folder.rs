//! Which folder a row goes to: Hive-style, by a date column or by the day of the load.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::{DataType, Schema, TimeUnit};
use arrow_select::filter::filter_record_batch;
use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use protocol::{Error, FolderBy, FolderGrain, Result};

/// What Hive, Spark, Athena and DuckDB take for NULL.
const NULL_FOLDER: &str = "__HIVE_DEFAULT_PARTITION__";
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Divides batches among folders.
#[derive(Debug, Clone)]
pub(crate) struct Folders {
    by: Option<FolderBy>,
    load_day: NaiveDate,
}

/// Fails when rows can't be put into folders by the column that is configured.
pub(crate) fn refuse_unfit_column(by: Option<&FolderBy>, schema: &Schema) -> Result<()> {
    let Some(column) = by.and_then(|by| by.column.as_deref()) else { return Ok(()) };
    let field = schema.field_with_name(column).map_err(|_| {
        Error::config(format!("`folders` names column {column:?}, which does not exist"))
            .context("column", column)
    })?;
    match field.data_type() {
        DataType::Date32 | DataType::Timestamp(TimeUnit::Microsecond, _) => Ok(()),
        other => {
            Err(Error::config(format!("`folders` needs a date or timestamp, column {column:?} is {other}"))
                .context("column", column))
        }
    }
}

impl Folders {
    pub(crate) fn new(by: Option<FolderBy>, load: DateTime<Utc>) -> Self {
        Self { by, load_day: load.date_naive() }
    }

    /// The folder of a file without rows.
    pub(crate) fn of_nothing(&self) -> Option<String> {
        let by = self.by.as_ref()?;
        Some(folder(by, by.column.is_none().then_some(self.load_day)))
    }

    /// The parts of `batch` by folder; `None` is the stream's own folder.
    pub(crate) fn split(&self, batch: RecordBatch) -> Result<Vec<(Option<String>, RecordBatch)>> {
        let Some(by) = &self.by else { return Ok(vec![(None, batch)]) };
        let Some(column) = &by.column else {
            return Ok(vec![(Some(folder(by, Some(self.load_day))), batch)]);
        };
        let days = days(&batch, column)?;
        let mut rows: BTreeMap<String, Vec<bool>> = BTreeMap::new();
        let mut names: BTreeMap<Option<i64>, String> = BTreeMap::new();
        for (row, day) in days.iter().enumerate() {
            let name = names.entry(*day).or_insert_with(|| folder(by, day.and_then(date)));
            if !rows.contains_key(name) {
                rows.insert(name.clone(), vec![false; days.len()]);
            }
            if let Some(mask) = rows.get_mut(name) {
                mask[row] = true;
            }
        }
        if rows.len() == 1 {
            return Ok(rows.into_keys().map(|name| (Some(name), batch.clone())).collect());
        }
        rows.into_iter()
            .map(|(name, mask)| {
                let part = filter_record_batch(&batch, &BooleanArray::from(mask))
                    .map_err(|error| Error::internal("a batch can't be divided").with_source(error))?;
                Ok((Some(name), part))
            })
            .collect()
    }
}

/// Days since 1970 of each row.
fn days(batch: &RecordBatch, column: &str) -> Result<Vec<Option<i64>>> {
    let missing =
        || Error::internal(format!("column {column:?} for folders is gone")).context("column", column);
    let array = batch.column_by_name(column).ok_or_else(missing)?;
    match array.data_type() {
        DataType::Date32 => {
            Ok(array.as_primitive::<Date32Type>().iter().map(|day| day.map(i64::from)).collect())
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().reinterpret_cast::<Int64Type>();
            Ok(micros.iter().map(|micros| micros.map(|micros| micros.div_euclid(MICROS_PER_DAY))).collect())
        }
        _ => Err(missing()),
    }
}

fn date(day: i64) -> Option<NaiveDate> {
    let epoch = NaiveDate::default();
    if day >= 0 {
        epoch.checked_add_days(Days::new(day.unsigned_abs()))
    } else {
        epoch.checked_sub_days(Days::new(day.unsigned_abs()))
    }
}

fn folder(by: &FolderBy, day: Option<NaiveDate>) -> String {
    let value = match (day, by.grain) {
        (None, _) => NULL_FOLDER.to_owned(),
        (Some(day), FolderGrain::Day) => day.format("%Y-%m-%d").to_string(),
        (Some(day), FolderGrain::Month) => day.format("%Y-%m").to_string(),
        (Some(day), FolderGrain::Year) => day.year().to_string(),
    };
    format!("{}={value}", by.folder_name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int32Array, TimestampMicrosecondArray};
    use std::sync::Arc;

    fn batch(micros: Vec<Option<i64>>) -> RecordBatch {
        let ids = Int32Array::from_iter_values(0..i32::try_from(micros.len()).unwrap());
        let at = TimestampMicrosecondArray::from(micros).with_timezone("UTC");
        RecordBatch::try_from_iter_with_nullable([
            ("id", Arc::new(ids) as Arc<dyn Array>, false),
            ("at", Arc::new(at) as Arc<dyn Array>, true),
        ])
        .unwrap()
    }

    fn split(by: FolderBy, micros: Vec<Option<i64>>) -> Vec<(String, usize)> {
        let folders = Folders::new(Some(by), DateTime::<Utc>::UNIX_EPOCH);
        let parts = folders.split(batch(micros)).unwrap();
        parts.into_iter().map(|(name, part)| (name.unwrap(), part.num_rows())).collect()
    }

    #[test]
    fn rows_go_to_the_folder_of_their_day() {
        let by = FolderBy { column: Some("at".into()), grain: FolderGrain::Day };
        let parts = split(by, vec![Some(0), Some(-1), None, Some(MICROS_PER_DAY - 1), Some(MICROS_PER_DAY)]);
        let expected = [
            ("at_day=1969-12-31", 1),
            ("at_day=1970-01-01", 2),
            ("at_day=1970-01-02", 1),
            ("at_day=__HIVE_DEFAULT_PARTITION__", 1),
        ];
        assert_eq!(parts, expected.map(|(name, rows)| (name.to_owned(), rows)));
    }

    #[test]
    fn days_of_one_month_share_a_folder() {
        let by = FolderBy { column: Some("at".into()), grain: FolderGrain::Month };
        let parts = split(by, vec![Some(0), Some(MICROS_PER_DAY), Some(40 * MICROS_PER_DAY)]);
        assert_eq!(parts, [("at_month=1970-01".to_owned(), 2), ("at_month=1970-02".to_owned(), 1)]);
    }

    #[test]
    fn without_a_column_the_day_of_the_load_counts() {
        let by = FolderBy { column: None, grain: FolderGrain::Day };
        assert_eq!(split(by, vec![None, Some(5)]), [("load_day=1970-01-01".to_owned(), 2)]);
    }

    #[test]
    fn refuses_a_column_that_is_no_date() {
        let by = FolderBy { column: Some("id".into()), grain: FolderGrain::Day };
        let error = refuse_unfit_column(Some(&by), batch(vec![]).schema_ref()).unwrap_err();
        assert!(error.message().contains("\"id\" is Int32"), "{error}");
    }
}
