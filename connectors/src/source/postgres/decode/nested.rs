//! Values made of values: arrays, rows of composite types, `hstore`.

use std::sync::Arc;

use arrow_array::{ArrayRef, ListArray, MapArray, StructArray};
use arrow_schema::{ArrowError, DataType};

use super::builder::Builder;
use super::bytes::{Bytes, Text};
use super::context::{Context, Instead};
use super::ends::Ends;
use super::fault::{Fault, Reason};
use super::validity::Validity;
use super::wire::{take, take_value};

/// PostgreSQL's arrays have no more dimensions.
const MAX_DIMENSIONS: i32 = 6;

/// Arrays as lists. Lower bounds are not kept: `[0:1]={7,8}` is the list of 7 and 8.
pub(super) struct Lists {
    ends: Ends,
    elements: Box<dyn Builder>,
}

impl Lists {
    pub(super) fn new(elements: Box<dyn Builder>) -> Self {
        Self { ends: Ends::default(), elements }
    }
}

impl Builder for Lists {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn fixed_bits(&self) -> usize {
        Ends::BITS
    }

    fn append(&mut self, mut bytes: &[u8], context: &mut Context) -> Result<(), Fault> {
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
        context.bytes += count * self.elements.fixed_bits() / 8;
        self.ends.push(self.elements.len())
    }

    fn append_null(&mut self) {
        self.ends.push_null();
    }

    fn finish(&mut self, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        let DataType::List(field) = data_type else { return Err(mismatch(data_type)) };
        let (offsets, nulls) = self.ends.finish();
        let elements = self.elements.finish(field.data_type())?;
        Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, elements, nulls)?))
    }
}

/// Rows of a composite type.
pub(super) struct Structs {
    attributes: Vec<Box<dyn Builder>>,
    validity: Validity,
    len: usize,
}

impl Structs {
    pub(super) fn new(attributes: Vec<Box<dyn Builder>>) -> Self {
        Self { attributes, validity: Validity::default(), len: 0 }
    }
}

impl Builder for Structs {
    fn len(&self) -> usize {
        self.len
    }

    fn fixed_bits(&self) -> usize {
        1 + self.attributes.iter().map(|attribute| attribute.fixed_bits()).sum::<usize>()
    }

    fn append(&mut self, mut bytes: &[u8], context: &mut Context) -> Result<(), Fault> {
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

    fn append_null(&mut self) {
        for attribute in &mut self.attributes {
            attribute.append_null();
        }
        self.validity.set_null(self.len);
        self.len += 1;
    }

    fn finish(&mut self, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        let DataType::Struct(fields) = data_type else { return Err(mismatch(data_type)) };
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
pub(super) struct Maps {
    ends: Ends,
    keys: Bytes<Text>,
    values: Bytes<Text>,
}

impl Maps {
    pub(super) fn new() -> Self {
        Self { ends: Ends::default(), keys: Bytes::new(Text), values: Bytes::new(Text) }
    }
}

impl Builder for Maps {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn fixed_bits(&self) -> usize {
        Ends::BITS
    }

    fn append(&mut self, mut bytes: &[u8], context: &mut Context) -> Result<(), Fault> {
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
        context.bytes += count * (self.keys.fixed_bits() + self.values.fixed_bits()) / 8;
        self.ends.push(self.keys.len())
    }

    fn append_null(&mut self) {
        self.ends.push_null();
    }

    fn finish(&mut self, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        let DataType::Map(entries, ordered) = data_type else { return Err(mismatch(data_type)) };
        let DataType::Struct(fields) = entries.data_type() else { return Err(mismatch(data_type)) };
        let (offsets, nulls) = self.ends.finish();
        let arrays = vec![self.keys.finish(&DataType::Utf8)?, self.values.finish(&DataType::Utf8)?];
        let pairs = StructArray::try_new(fields.clone(), arrays, None)?;
        Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, pairs, nulls, *ordered)?))
    }
}

#[cold]
fn mismatch(data_type: &DataType) -> ArrowError {
    ArrowError::SchemaError(format!("a codec of another type than {data_type}"))
}
