//! The state of a cursor that has seen much: each sync reads it, and each commit writes it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use connectors::source::postgres::State;
use serde_json::json;

use crate::random::Random;

/// A state as the last commit holds it.
pub struct Cursor(String);

impl Cursor {
    /// One that has seen so many of the transactions that were open.
    ///
    /// # Panics
    ///
    /// Never: the state is sound.
    #[must_use]
    pub fn new(transactions: usize) -> Self {
        let mut random = Random::default();
        let first = 7_000_000_000;
        let gaps = (0..transactions).map(|at| if at == 0 { first } else { 1 + u64::from(random.below(300)) });
        let mut bytes = Vec::new();
        for mut gap in gaps {
            while gap >= 0x80 {
                bytes.push(u8::try_from(gap & 0x7f).expect("seven bits") | 0x80);
                gap >>= 7;
            }
            bytes.push(u8::try_from(gap).expect("seven bits"));
        }
        let noon = 1_795_348_800_000_001_i64;
        let state = json!({ "cursor": {
            "column": "updated_at", "kind": "timestamptz", "loaded": true, "settled": noon,
            "identity": { "system": "7", "timeline": 1, "database": 5, "relation": 16_384 },
            "seen": {
                "since": { "micros": noon }, "xmin": first, "xmax": first + 300 * transactions as u64,
                "xids": BASE64.encode(bytes),
            },
        } });
        let cursor = Self(state.to_string());
        let again: serde_json::Value = serde_json::from_str(&cursor.round_trip()).expect("it is JSON");
        assert_eq!(again, state, "it is the form of a state");
        cursor
    }

    /// What a sync does with it: reads it, and writes it.
    ///
    /// # Panics
    ///
    /// Never: the state is sound.
    #[must_use]
    pub fn round_trip(&self) -> String {
        let state: State = serde_json::from_str(&self.0).expect("the state is sound");
        serde_json::to_string(&state).expect("a state can be written")
    }
}
