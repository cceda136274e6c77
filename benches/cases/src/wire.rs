//! Rows as the server sends them: the binary format of COPY.

use crate::random::Random;

/// Bytes of COPY.
pub(crate) struct Wire(Vec<u8>);

impl Wire {
    /// As many rows of as many columns as told, each of which `fill` writes.
    pub(crate) fn of_rows(rows: usize, columns: usize, fill: impl Fn(&mut Self, &mut Random)) -> Vec<u8> {
        let mut wire = Self(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec());
        let mut random = Random::default();
        for _ in 0..rows {
            wire.short(columns);
            fill(&mut wire, &mut random);
        }
        wire.0.extend((-1_i16).to_be_bytes());
        wire.0
    }

    fn short(&mut self, number: usize) {
        self.0.extend(u16::try_from(number).expect("there are few").to_be_bytes());
    }

    pub(crate) fn field(&mut self, bytes: &[u8]) {
        self.0.extend(u32::try_from(bytes.len()).expect("values are short").to_be_bytes());
        self.0.extend(bytes);
    }

    pub(crate) fn optional(&mut self, is_there: bool, bytes: &[u8]) {
        if is_there { self.field(bytes) } else { self.0.extend((-1_i32).to_be_bytes()) }
    }

    pub(crate) fn text(&mut self, length: i32) {
        let length = usize::try_from(length).expect("lengths are not negative");
        self.field(&b"egular courts above the furiously final dependencies"[..length]);
    }

    /// `units * 10^-scale` as the server sends it.
    pub(crate) fn numeric(&mut self, units: i64, scale: usize) {
        let fraction = scale.div_ceil(4);
        let text = format!("{units}{}", "0".repeat(fraction * 4 - scale));
        let text = format!("{text:0>width$}", width = text.len().div_ceil(4).max(fraction) * 4);
        let digits: Vec<&[u8]> = text.as_bytes().chunks(4).collect();
        let zeros = digits.iter().take_while(|digit| **digit == b"0000").count();
        let end = digits.iter().rposition(|digit| *digit != b"0000").map_or(zeros, |last| last + 1);
        self.0.extend(u32::try_from(8 + 2 * (end - zeros)).expect("it is short").to_be_bytes());
        self.short(end - zeros);
        let weight = i16::try_from(digits.len() - zeros).expect("it is short")
            - i16::try_from(fraction).expect("it is short");
        self.0.extend((weight - 1).to_be_bytes());
        self.short(0);
        self.short(scale);
        for digit in &digits[zeros..end] {
            self.short(digit.iter().fold(0, |sum, byte| sum * 10 + usize::from(byte - b'0')));
        }
    }
}
