//! Records into Arrow columns.

use std::collections::HashMap;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use protocol::{Adjustment, Error, Result, UnfitPolicy};

use super::cell::Cell;
use super::column::{Column, Fit};
use super::records::Record;
use super::scan::{Fault, Quoted, Scanner, Span};
use super::{EXTRA, Map, Records, Value};

/// Columns that grow record by record.
#[expect(clippy::struct_field_names, reason = "columns are what it is made of")]
pub struct Columns {
    schema: SchemaRef,
    policy: UnfitPolicy,
    columns: Vec<Column>,
    /// Where each field goes.
    places: HashMap<Box<str>, Place, ahash::RandomState>,
    /// The column of what is not declared.
    extra: Option<usize>,
    /// The fields of the last record in their order: the next one's are mostly the same.
    order: Vec<(Box<str>, Place)>,
    /// The values of the record at hand by column, of those whose record is `stamp`.
    slots: Vec<(u64, Span)>,
    stamp: u64,
    rows: usize,
    adjusted: Vec<Adjustment>,
    scratch: String,
    /// Fields of the record at hand that are not declared: keys and values.
    strays: Vec<(Span, Span)>,
    undeclared: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Column(usize),
    /// Known, but of no column.
    Left,
    /// Of no column and not known.
    Undeclared,
}

impl Columns {
    /// Columns of an Arrow schema (of [`arrow_schema`](super::arrow_schema), or some of its columns): a field that has
    /// no column goes to [`EXTRA`] where the schema has that, else it is left out and counted as `undeclared`.
    pub fn new(schema: SchemaRef, policy: UnfitPolicy) -> Result<Self> {
        let columns: Vec<Column> =
            schema.fields().iter().map(|field| Column::new(field)).collect::<Result<_>>()?;
        let extra = schema.fields().iter().position(|field| field.name() == EXTRA);
        let places = schema
            .fields()
            .iter()
            .enumerate()
            .filter(|(place, _)| Some(*place) != extra)
            .map(|(place, field)| (field.name().as_str().into(), Place::Column(place)))
            .collect();
        Ok(Self {
            slots: vec![(0, Span { start: 0, end: 0 }); columns.len()],
            schema,
            policy,
            columns,
            places,
            extra,
            order: Vec::new(),
            stamp: 0,
            rows: 0,
            adjusted: Vec::new(),
            scratch: String::new(),
            strays: Vec::new(),
            undeclared: String::new(),
        })
    }

    /// Fields that are declared but of which no column was chosen: they are left out and not counted.
    pub fn leave<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        for name in names {
            self.places.entry(name.into()).or_insert(Place::Left);
        }
        self.order.clear();
    }

    /// Appends records. Fails with [`ErrorKind::Data`](protocol::ErrorKind::Data) where a value does not fit and the
    /// policy says so; the columns are of no use then.
    pub fn append(&mut self, records: &Records) -> Result<()> {
        for index in 0..records.len() {
            match records.record(index) {
                Record::Raw(text) if records.is_odd() => {
                    self.append_value(&Value::from_json(text.as_bytes())?)?;
                }
                Record::Raw(text) => self.append_text(text)?,
                Record::Value(value) => self.append_value(value)?,
            }
            self.rows += 1;
        }
        Ok(())
    }

    /// An object's text, which has been checked.
    fn append_text(&mut self, text: &str) -> Result<()> {
        if !text.starts_with('{') {
            return Err(not_an_object());
        }
        self.stamp += 1;
        self.strays.clear();
        let (mut at, mut is_escaped) = (0, false);
        Scanner::new(text, 0)
            .object(|scanner, key| {
                let place = self.place(at, key);
                at += 1;
                let span = scanner.value()?;
                match place {
                    // The last of equal keys counts.
                    Place::Column(column) => self.slots[column] = (self.stamp, span),
                    Place::Left => {}
                    Place::Undeclared => {
                        is_escaped |= key.is_escaped;
                        self.strays.push((key.span, span));
                    }
                }
                Ok(())
            })
            .map_err(Fault::error)?;
        if self.strays.len() > 1 && (is_escaped || self.strays_repeat(text)) {
            // Values know which of equal keys counts.
            return self.append_value(&Value::from_json(text.as_bytes())?);
        }
        self.note_strays(text);
        for column in 0..self.columns.len() {
            let (stamp, span) = self.slots[column];
            if stamp == self.stamp {
                let (mut scratch, mut is_mended) = (std::mem::take(&mut self.scratch), false);
                let cell = Cell::of_text(span.of(text), &mut scratch, &mut is_mended);
                let pushed = self.push(column, cell);
                self.scratch = scratch;
                pushed?;
                if is_mended {
                    let name = self.schema.field(column).name().clone();
                    self.count(&name, "surrogate");
                }
            } else if Some(column) == self.extra && !self.undeclared.is_empty() {
                let undeclared = std::mem::take(&mut self.undeclared);
                let pushed = self.push(column, Cell::Nested(&undeclared));
                self.undeclared = undeclared;
                pushed?;
            } else {
                self.columns[column].push_null();
            }
        }
        Ok(())
    }

    /// Whether a key that is not declared stands in the record more than once.
    fn strays_repeat(&self, text: &str) -> bool {
        const FEW: usize = 16;
        if self.strays.len() > FEW {
            let mut seen = std::collections::HashSet::with_capacity(self.strays.len());
            return !self.strays.iter().all(|(key, _)| seen.insert(key.of(text)));
        }
        let is_before =
            |place: usize, key: &str| self.strays[..place].iter().any(|(earlier, _)| earlier.of(text) == key);
        self.strays.iter().enumerate().any(|(place, (key, _))| is_before(place, key.of(text)))
    }

    /// Puts the fields that have no column together, or counts them where there is no place for them.
    fn note_strays(&mut self, text: &str) {
        self.undeclared.clear();
        let strays = std::mem::take(&mut self.strays);
        for (key, value) in &strays {
            if self.extra.is_none() {
                self.count(EXTRA, "undeclared");
                continue;
            }
            self.undeclared.push(if self.undeclared.is_empty() { '{' } else { ',' });
            self.undeclared.push('"');
            self.undeclared.push_str(key.of(text));
            self.undeclared.push_str("\":");
            super::records::write_compact(value.of(text), &mut self.undeclared);
        }
        if !self.undeclared.is_empty() {
            self.undeclared.push('}');
        }
        self.strays = strays;
    }

    /// Where the value of `key` goes, which is the field at `at` of its record.
    #[inline]
    fn place(&mut self, at: usize, key: Quoted<'_>) -> Place {
        if let Some((expected, place)) = self.order.get(at)
            && !key.is_escaped
            && **expected == *key.inner
        {
            return *place;
        }
        self.search(at, key)
    }

    #[cold]
    fn search(&mut self, at: usize, key: Quoted<'_>) -> Place {
        const LONGEST: usize = 4096;
        let name = key.text();
        let place = self.places.get(&*name).copied().unwrap_or(Place::Undeclared);
        let entry = (Box::from(&*name), place);
        let known = self.order.len();
        match self.order.get_mut(at) {
            Some(slot) => *slot = entry,
            None if at == known && at < LONGEST => self.order.push(entry),
            None => {}
        }
        place
    }

    fn append_value(&mut self, value: &Value) -> Result<()> {
        let Some(map) = value.as_map() else {
            return match value {
                // Keys that are no texts become such.
                Value::Dict(_) => self.append_text(&value.to_json()),
                _ => Err(not_an_object()),
            };
        };
        let (mut found, mut rest) = (0, Map::new());
        for column in 0..self.columns.len() {
            let value = map.get(self.schema.field(column).name()).filter(|_| Some(column) != self.extra);
            match value {
                Some(value) => {
                    found += 1;
                    self.push(column, Cell::of_value(value))?;
                }
                None if Some(column) == self.extra => {}
                None => self.columns[column].push_null(),
            }
        }
        if found < map.len() {
            for (key, value) in map.iter() {
                if self.places.contains_key(key) {
                    continue;
                }
                if self.extra.is_none() {
                    self.count(EXTRA, "undeclared");
                } else {
                    rest.insert(key, value.clone());
                }
            }
        }
        match self.extra {
            Some(extra) if rest.is_empty() => self.columns[extra].push_null(),
            Some(extra) => self.push(extra, Cell::Value(&rest.into()))?,
            None => {}
        }
        Ok(())
    }

    #[inline]
    fn push(&mut self, column: usize, cell: Cell<'_>) -> Result<()> {
        match self.columns[column].push(cell, self.policy) {
            Fit::Whole => Ok(()),
            fit => self.misfit(column, &fit),
        }
    }

    #[cold]
    fn misfit(&mut self, column: usize, fit: &Fit) -> Result<()> {
        let schema = self.schema.clone();
        let field = schema.field(column);
        match fit {
            Fit::Unfit(reason) if self.policy == UnfitPolicy::Error => Err(Error::data(format!(
                "a value ({reason}) does not fit its column of type {}",
                field.data_type()
            ))
            .context("column", field.name().clone())
            .hint(
                "set `on_unfit: null` to write NULL for such values and count them, or correct the schema",
            )),
            Fit::Unfit(reason) | Fit::Changed(reason) => {
                self.count(field.name(), reason);
                Ok(())
            }
            Fit::Whole => Ok(()),
        }
    }

    fn count(&mut self, column: &str, reason: &str) {
        match self.adjusted.iter_mut().find(|known| known.column == column && known.reason == reason) {
            Some(known) => known.values += 1,
            None => self.adjusted.push(Adjustment {
                column: column.to_owned(),
                reason: reason.to_owned(),
                values: 1,
            }),
        }
    }

    /// How many records are in them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no record in them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// About how many bytes of Arrow memory they hold.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.columns.iter().map(|column| column.bytes(self.rows)).sum()
    }

    /// What is in them, as a batch; they are empty then.
    pub fn finish(&mut self) -> Result<RecordBatch> {
        let arrays = self.columns.iter_mut().map(Column::finish).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|error| Error::internal("columns of JSON do not fit together").with_source(error))
    }

    /// What was changed since the last call.
    pub fn adjusted(&mut self) -> Vec<Adjustment> {
        std::mem::take(&mut self.adjusted)
    }
}

fn not_an_object() -> Error {
    Error::data("a record is not an object")
}
