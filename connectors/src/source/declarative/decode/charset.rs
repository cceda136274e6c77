//! The encodings that texts of answers are in.

use bytes::Bytes;
use protocol::{Error, Result};

use super::super::component::Component;
use crate::http::Answer;

/// An encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    /// UTF-8 of which a byte order mark is no part.
    Utf8Marked,
    Latin1,
    Windows1252,
    /// By its byte order mark, else little endian.
    Utf16,
    Utf16Little,
    Utf16Big,
}

impl Charset {
    /// The `encoding` of a decoder; UTF-8 without one.
    pub(super) fn build(component: &Component<'_>) -> Result<Self> {
        match component.text("encoding")? {
            None => Ok(Self::Utf8),
            Some(name) if name.is_empty() => Ok(Self::Utf8),
            Some(name) => Self::named(&name)
                .ok_or_else(|| component.fail(format!("the encoding {name:?} is not known here"))),
        }
    }

    fn named(name: &str) -> Option<Self> {
        let name: String =
            name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        Some(match name.as_str() {
            "utf8" | "u8" | "ascii" | "usascii" => Self::Utf8,
            "utf8sig" => Self::Utf8Marked,
            "latin1" | "latin" | "l1" | "iso88591" | "88591" | "cp819" => Self::Latin1,
            "cp1252" | "windows1252" | "1252" => Self::Windows1252,
            "utf16" | "u16" => Self::Utf16,
            "utf16le" => Self::Utf16Little,
            "utf16be" => Self::Utf16Big,
            _ => return None,
        })
    }

    /// The text of octets.
    pub(super) fn decode(self, bytes: &Bytes) -> Result<String> {
        let wrong = || Error::data(format!("an answer is not {self:?}"));
        match self {
            Self::Utf8 => String::from_utf8(bytes.to_vec()).map_err(|_| wrong()),
            Self::Utf8Marked => {
                let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
                String::from_utf8(bytes.to_vec()).map_err(|_| wrong())
            }
            Self::Latin1 => Ok(bytes.iter().map(|byte| char::from(*byte)).collect()),
            Self::Windows1252 => {
                bytes.iter().map(|byte| windows(*byte)).collect::<Option<_>>().ok_or_else(wrong)
            }
            Self::Utf16 => match bytes.get(..2) {
                Some([0xfe, 0xff]) => wide(&bytes[2..], u16::from_be_bytes),
                Some([0xff, 0xfe]) => wide(&bytes[2..], u16::from_le_bytes),
                _ => wide(bytes, u16::from_le_bytes),
            }
            .ok_or_else(wrong),
            Self::Utf16Little => wide(bytes, u16::from_le_bytes).ok_or_else(wrong),
            Self::Utf16Big => wide(bytes, u16::from_be_bytes).ok_or_else(wrong),
        }
    }
}

fn wide(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    let units: Vec<u16> = bytes.chunks_exact(2).map(|two| unit([two[0], two[1]])).collect();
    String::from_utf16(&units).ok()
}

fn windows(byte: u8) -> Option<char> {
    const HIGH: [char; 32] = [
        '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’',
        '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..0xa0 => Some(HIGH[usize::from(byte - 0x80)]).filter(|letter| *letter != '\0'),
        other => Some(char::from(other)),
    }
}

/// The text of an answer, by what its header says; without that it is UTF-8, or else Latin 1.
pub(super) fn text_of(answer: &Answer) -> String {
    let named = answer.header("content-type").and_then(|kind| {
        let name = kind.split(';').skip(1).find_map(|part| {
            let (key, value) = part.split_once('=')?;
            key.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
        })?;
        Charset::named(name)
    });
    let charset = named.unwrap_or(Charset::Utf8);
    charset
        .decode(&answer.body)
        .unwrap_or_else(|_| answer.body.iter().map(|byte| char::from(*byte)).collect())
}
