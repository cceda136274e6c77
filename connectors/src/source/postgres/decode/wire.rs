//! Numbers as they stand on the wire, most significant byte first, and the insides of nested values.

use super::fault::Fault;

/// A number of fixed width.
pub(super) trait FromWire: Sized {
    /// The number that `bytes` are; fails when there are more or fewer than it has.
    fn from_wire(bytes: &[u8]) -> Result<Self, Fault>;
}

/// A macro, since there is no trait for `from_be_bytes`.
macro_rules! from_wire {
    ($($number:ty),*) => {$(
        impl FromWire for $number {
            #[inline]
            fn from_wire(bytes: &[u8]) -> Result<Self, Fault> {
                match bytes.try_into() {
                    Ok(bytes) => Ok(Self::from_be_bytes(bytes)),
                    Err(_) => Err(Fault::Malformed),
                }
            }
        }
    )*};
}
from_wire!(i16, u16, i32, u32, i64, f32, f64);

/// Takes a number off the front.
#[inline]
pub(super) fn take<T: FromWire>(bytes: &mut &[u8]) -> Result<T, Fault> {
    let (number, rest) = bytes.split_at_checked(size_of::<T>()).ok_or(Fault::Malformed)?;
    *bytes = rest;
    T::from_wire(number)
}

/// Takes a length and as many bytes off the front; `None` is NULL.
#[inline]
pub(super) fn take_value<'a>(bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Fault> {
    let length: i32 = take(bytes)?;
    if length == -1 {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| Fault::Malformed)?;
    let (value, rest) = bytes.split_at_checked(length).ok_or(Fault::Malformed)?;
    *bytes = rest;
    Ok(Some(value))
}
