//! What stands before the values of a page: which rows are NULL, and where lists begin and end.

use std::ops::Range;

use arrow_array::{Array, ListArray};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer};
use parquet::schema::types::ColumnDescriptor;

use super::bits;

/// Levels of one page.
pub(super) enum Levels {
    /// All rows have a value.
    None,
    /// Which rows have one.
    Optional(BooleanBufferBuilder),
    Lists(Lists),
}

/// One of them for each item, and for each list that is empty or NULL.
pub(super) struct Lists {
    /// 1 where an item goes on with the list of the one before.
    repetition: Vec<u16>,
    definition: Vec<u16>,
    /// What stands for an item, for a NULL in its place, and for an empty list.
    item: u16,
    no_item: u16,
    empty: u16,
}

impl Levels {
    pub(super) fn of(descriptor: &ColumnDescriptor, is_nullable: bool) -> Self {
        if descriptor.max_rep_level() > 0 {
            let empty = u16::from(is_nullable);
            let item = descriptor.max_def_level().unsigned_abs();
            let (repetition, definition) = (Vec::new(), Vec::new());
            return Self::Lists(Lists { repetition, definition, item, no_item: empty + 1, empty });
        }
        if is_nullable { Self::Optional(BooleanBufferBuilder::new(0)) } else { Self::None }
    }

    /// Puts those of `count` values and NULLs behind what `body` has, and begins another page.
    pub(super) fn end_page(&mut self, body: &mut Vec<u8>, nulls: usize) {
        match self {
            Self::None => {}
            Self::Optional(valid) => {
                bits::put_levels(body, |body| bits::put_valid(body, valid, nulls));
                valid.truncate(0);
            }
            Self::Lists(lists) => {
                bits::put_levels(body, |body| bits::put_runs(body, &lists.repetition, 1));
                let width = bits::width_of(usize::from(lists.item) + 1);
                bits::put_levels(body, |body| bits::put_runs(body, &lists.definition, width));
                lists.repetition.clear();
                lists.definition.clear();
            }
        }
    }

    /// Gives memory back.
    pub(super) fn clear(&mut self) {
        if let Self::Lists(lists) = self {
            (lists.repetition, lists.definition) = (Vec::new(), Vec::new());
        }
    }

    /// Bytes of memory that rows take.
    pub(super) fn memory(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Optional(valid) => valid.len() / 8,
            Self::Lists(lists) => (lists.repetition.len() + lists.definition.len()) * size_of::<u16>(),
        }
    }
}

impl Lists {
    pub(super) fn len(&self) -> usize {
        self.repetition.len()
    }

    /// Appends rows; `items` is told of the items that they have. How many are no item.
    pub(super) fn append(
        &mut self,
        list: &ListArray,
        rows: Range<usize>,
        mut items: impl FnMut(Range<usize>),
    ) -> usize {
        let before = self.len();
        let item_nulls = list.values().nulls().filter(|nulls| nulls.null_count() > 0);
        let (mut taken, mut count) = (0..0, 0);
        for row in rows {
            let [start, end] =
                [list.offsets()[row], list.offsets()[row + 1]].map(|at| at.cast_unsigned() as usize);
            if list.is_null(row) || start == end {
                self.repetition.push(0);
                self.definition.push(if list.is_null(row) { 0 } else { self.empty });
                continue;
            }
            self.repetition.push(0);
            self.repetition.resize(self.repetition.len() + end - start - 1, 1);
            self.append_items(item_nulls, start..end);
            if start != taken.end {
                items(std::mem::replace(&mut taken, start..start));
            }
            taken.end = end;
            count += end - start - item_nulls.map_or(0, |nulls| nulls.slice(start, end - start).null_count());
        }
        items(taken);
        self.len() - before - count
    }

    fn append_items(&mut self, nulls: Option<&NullBuffer>, items: Range<usize>) {
        match nulls {
            None => self.definition.resize(self.definition.len() + items.len(), self.item),
            Some(nulls) => {
                let (item, no_item) = (self.item, self.no_item);
                self.definition.extend(items.map(|at| if nulls.is_valid(at) { item } else { no_item }));
            }
        }
    }
}
