use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;

/// `hello`, of which no encoder is in the tree.
const BROTLI: &[u8] = b"\x0b\x02\x80hello\x03";

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn bare(data: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Undoes it, given in pieces of that size.
fn undo(encodings: &str, data: &[u8], size: usize) -> io::Result<Vec<u8>> {
    let mut inflater = Inflater::new(encodings)?.expect("there is something to undo");
    let mut whole = Vec::new();
    let mut pieces = data.chunks(size);
    loop {
        match inflater.pull()? {
            Piece::Bytes(bytes) => {
                assert!(!bytes.is_empty() && bytes.len() <= PIECE);
                whole.extend_from_slice(&bytes);
            }
            Piece::Hungry => match pieces.next() {
                Some(piece) => inflater.push(Bytes::copy_from_slice(piece)),
                None => inflater.finish(),
            },
            Piece::End => return Ok(whole),
        }
    }
}

/// Text that does not compress too well.
fn text() -> Vec<u8> {
    let mut text = Vec::new();
    for number in 0..30_000_u32 {
        write!(text, "{{\"id\":{number},\"hash\":{}}},", number.wrapping_mul(2_654_435_761)).unwrap();
    }
    text
}

#[test]
fn each_encoding_is_undone_in_whatever_pieces_it_comes() {
    let text = text();
    let zstd = zstd::encode_all(&text[..], 3).unwrap();
    for size in [1, 7, 1000, 1 << 20] {
        for (name, data) in [
            ("gzip", gzip(&text)),
            (" X-GZIP ", gzip(&text)),
            ("deflate", zlib(&text)),
            ("deflate", bare(&text)),
            ("zstd", zstd.clone()),
            ("identity, gzip, zstd", zstd::encode_all(&gzip(&text)[..], 3).unwrap()),
            ("zstd, gzip", gzip(&zstd)),
        ] {
            assert!(undo(name, &data, size).unwrap() == text, "{name} by {size}");
        }
        assert_eq!(undo("br", BROTLI, size).unwrap(), b"hello");
        assert!(undo("gzip, br", BROTLI, size).is_err(), "what is in it is not gzip");
    }
}

#[test]
fn members_one_after_the_other_are_one_body_and_rubbish_behind_is_none() {
    let mut data = gzip(b"one ");
    data.extend(gzip(b"two"));
    for rubbish in [&b""[..], b"\0\0\0\0", b"rubbish"] {
        let mut data = data.clone();
        data.extend_from_slice(rubbish);
        for size in [1, 5, 1000] {
            assert_eq!(undo("gzip", &data, size).unwrap(), b"one two");
        }
    }
}

#[test]
fn a_body_that_is_cut_off_is_an_error_at_every_byte() {
    let text = &text()[..2000];
    let cases = [
        ("gzip", gzip(text)),
        ("deflate", zlib(text)),
        ("deflate", bare(text)),
        ("zstd", zstd::encode_all(text, 3).unwrap()),
        ("br", BROTLI.to_vec()),
    ];
    for (name, data) in cases {
        for length in 1..data.len() {
            assert!(undo(name, &data[..length], 64).is_err(), "{name} after {length} of {}", data.len());
        }
    }
}

#[test]
fn an_empty_body_is_empty_whatever_it_is_called() {
    for name in ["gzip", "deflate", "br", "zstd"] {
        assert_eq!(undo(name, b"", 1).unwrap(), b"");
    }
}

#[test]
fn what_is_unknown_is_passed_on_and_what_is_absurd_is_not() {
    for name in ["", "identity", "aws-chunked", "gzip, exotic"] {
        assert!(Inflater::new(name).unwrap().is_none(), "{name}");
    }
    assert!(Inflater::new("gzip, gzip, gzip, gzip, gzip").is_err());
    assert!(undo("gzip", b"{\"plain\": true}", 4).is_err());
}

#[test]
fn a_window_that_takes_too_much_memory_is_refused() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(&text()).unwrap();
    assert!(undo("zstd", &encoder.finish().unwrap(), 1 << 20).is_err());
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(data: Vec<u8>, size in 1..64_usize) {
        for name in ["gzip", "deflate", "br", "zstd", "gzip, br"] {
            let _ = undo(name, &data, size);
        }
    }
}
