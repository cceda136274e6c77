//! Values made of values: arrays, rows of composite types, `hstore`.

use std::sync::Arc;

use arrow_array::{ArrayRef, ListArray, MapArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, FieldRef, Fields};

use super::builder::Builder;
use super::context::{Context, Instead};
use super::fault::{Fault, Reason};
use super::primitive::renew;
use super::validity::Validity;
use super::variable::Variable;
use super::wire::{take, take_value};

/// PostgreSQL's arrays have no more dimensions.
const MAX_DIMENSIONS: i32 = 6;

/// Where each list ends among the elements of all, and which lists are NULL.
#[derive(Debug)]
struct Ends {
    offsets: Vec<i32>,
    validity: Validity,
}

impl Ends {
    fn new() -> Self {
        Self { offsets: vec![0], validity: Validity::default() }
    }

    fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    fn push(&mut self, end: usize) -> Result<(), Fault> {
        self.offsets.push(i32::try_from(end).map_err(|_| Fault::TooLong)?);
        Ok(())
    }

    fn push_null(&mut self) {
        let len = self.len();
        self.validity.set_null(len);
        self.offsets.push(self.offsets[len]);
    }

    fn finish(&mut self) -> (OffsetBuffer<i32>, Option<NullBuffer>) {
        let nulls = self.validity.finish(self.len());
        let offsets = renew(&mut self.offsets);
        self.offsets.push(0);
        (OffsetBuffer::new(ScalarBuffer::from(offsets)), nulls)
    }
}

/// Arrays as lists. Lower bounds are not kept: `[0:1]={7,8}` is the list of 7 and 8.
#[derive(Debug)]
pub(super) struct Lists {
    ends: Ends,
    elements: Box<Builder>,
    element_bits: usize,
}

impl Lists {
    pub(super) fn new(elements: Builder) -> Self {
        let element_bits = elements.fixed_bits();
        Self { ends: Ends::new(), elements: Box::new(elements), element_bits }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn append(&mut self, mut bytes: &[u8], context: &mut Context) -> Result<(), Fault> {
        let dimensions: i32 = take(&mut bytes)?;
        let _has_nulls: i32 = take(&mut bytes)?;
        let _element_type: u32 = take(&mut bytes)?;
        if !(0..=MAX_DIMENSIONS).contains(&dimensions) {
            return Err(Fault::Malformed);
        }
        let mut count = usize::from(dimensions > 0);
        for _ in 0..dimensions {
            let length: i32 = take(&mut bytes)?;
            let _lower_bound: i32 = take(&mut bytes)?;
            let length = usize::try_from(length).map_err(|_| Fault::Malformed)?;
            count = count.checked_mul(length).ok_or(Fault::Malformed)?;
        }
        // The nearest to a matrix is the list of its elements, row by row.
        if dimensions > 1 && context.unfit(Reason::Multidimensional)? == Instead::Null {
            self.ends.push_null();
            return Ok(());
        }
        for _ in 0..count {
            match take_value(&mut bytes)? {
                Some(value) => self.elements.append(value, context)?,
                None => self.elements.append_null(),
            }
        }
        if !bytes.is_empty() {
            return Err(Fault::Malformed);
        }
        context.bytes += count * self.element_bits / 8;
        self.ends.push(self.elements.len())
    }

    pub(super) fn append_null(&mut self) {
        self.ends.push_null();
    }

    pub(super) fn finish(&mut self, field: &FieldRef) -> Result<ArrayRef, ArrowError> {
        let (offsets, nulls) = self.ends.finish();
        let elements = self.elements.finish(field.data_type())?;
        Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, elements, nulls)?))
    }
}

/// Rows of a composite type.
#[derive(Debug)]
pub(super) struct Structs {
    attributes: Vec<Builder>,
    validity: Validity,
    len: usize,
}

impl Structs {
    pub(super) fn new(attributes: Vec<Builder>) -> Self {
        Self { attributes, validity: Validity::default(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn fixed_bits(&self) -> usize {
        1 + self.attributes.iter().map(Builder::fixed_bits).sum::<usize>()
    }

    pub(super) fn append(&mut self, mut bytes: &[u8], context: &mut Context) -> Result<(), Fault> {
        let count: i32 = take(&mut bytes)?;
        if usize::try_from(count) != Ok(self.attributes.len()) {
            return Err(Fault::Malformed);
        }
        for attribute in &mut self.attributes {
            let _type: u32 = take(&mut bytes)?;
            match take_value(&mut bytes)? {
                Some(value) => attribute.append(value, context)?,
                None => attribute.append_null(),
            }
        }
        self.len += 1;
        if bytes.is_empty() { Ok(()) } else { Err(Fault::Malformed) }
    }

    pub(super) fn append_null(&mut self) {
        for attribute in &mut self.attributes {
            attribute.append_null();
        }
        self.validity.set_null(self.len);
        self.len += 1;
    }

    pub(super) fn finish(&mut self, fields: &Fields) -> Result<ArrayRef, ArrowError> {
        let nulls = self.validity.finish(std::mem::take(&mut self.len));
        let arrays = self
            .attributes
            .iter_mut()
            .zip(fields)
            .map(|(attribute, field)| attribute.finish(field.data_type()))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(StructArray::try_new(fields.clone(), arrays, nulls)?))
    }
}

/// Values of `hstore`: texts by text, of which the values may be NULL.
#[derive(Debug)]
pub(super) struct Maps {
    ends: Ends,
    keys: Variable,
    values: Variable,
}

/// Bits of the two offsets of an entry and of its validity.
const ENTRY_BITS: usize = 2 * (32 + 1);

impl Maps {
    pub(super) fn new() -> Self {
        Self { ends: Ends::new(), keys: Variable::new(), values: Variable::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn append(&mut self, mut bytes: &[u8], context: &mut Context) -> Result<(), Fault> {
        let count: i32 = take(&mut bytes)?;
        let count = usize::try_from(count).map_err(|_| Fault::Malformed)?;
        for _ in 0..count {
            let key = take_value(&mut bytes)?.ok_or(Fault::Malformed)?;
            self.keys.append(key, context)?;
            match take_value(&mut bytes)? {
                Some(value) => self.values.append(value, context)?,
                None => self.values.append_null(),
            }
        }
        if !bytes.is_empty() {
            return Err(Fault::Malformed);
        }
        context.bytes += count * ENTRY_BITS / 8;
        self.ends.push(self.keys.len())
    }

    pub(super) fn append_null(&mut self) {
        self.ends.push_null();
    }

    pub(super) fn finish(&mut self, entries: &FieldRef, ordered: bool) -> Result<ArrayRef, ArrowError> {
        let DataType::Struct(fields) = entries.data_type() else {
            return Err(ArrowError::SchemaError("the entries of a map are not a struct".to_owned()));
        };
        let (offsets, nulls) = self.ends.finish();
        let arrays = vec![self.keys.finish_text()?, self.values.finish_text()?];
        let pairs = StructArray::try_new(fields.clone(), arrays, None)?;
        Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, pairs, nulls, ordered)?))
    }
}
