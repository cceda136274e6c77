//! Figures as different systems give them, and what is said of them.

use super::*;
use crate::bench::Sample;

/// A part that took so long, on two connections unless it says otherwise.
fn part(part: Part, seconds: f64, cpu_seconds: f64) -> PartReport {
    let sample = Sample {
        seconds,
        cpu_seconds,
        rows: 1_000_000,
        bytes: 1 << 28,
        partitions: 20,
        lanes: 2,
        ..Sample::default()
    };
    PartReport {
        part,
        connections: 2,
        lanes: 2,
        seconds,
        plan_seconds: 0.05,
        spread: 0.02,
        rows: if part == Part::Upload { 0 } else { sample.rows },
        rows_per_second: None,
        bytes: sample.bytes,
        bytes_per_second: Some(1e8),
        files: 0,
        cpu_seconds,
        cpu_seconds_per_million_rows: None,
        peak_rss_bytes: None,
        speed: None,
        samples: vec![sample],
    }
}

/// Seconds of one and two drains, and of all other parts; CPU seconds of decoding, encoding and the whole.
fn judged(drains: [f64; 2], others: [f64; 4], cpu: [f64; 3], cores: u64) -> Judgement {
    let one = PartReport { connections: 1, lanes: 1, ..part(Part::Drain, drains[0], 0.3) };
    let [decode, encode, upload, whole] = others;
    let parts = [
        one,
        part(Part::Drain, drains[1], 0.3),
        part(Part::Decode, decode, cpu[0]),
        part(Part::Encode, encode, cpu[1]),
        part(Part::Upload, upload, 0.1),
        part(Part::Whole, whole, cpu[2]),
    ];
    Judgement::of(&parts, 2, cores)
}

fn turns(judgement: &Judgement) -> Vec<Knob> {
    judgement.advice.iter().map(|advice| advice.turn).collect()
}

#[test]
fn a_slow_database_is_the_wall() {
    let scales = judged([10.0, 5.2], [5.3, 5.4, 0.5, 5.5], [0.5, 1.0, 1.2], 8);
    assert_eq!(scales.wall, Wall::Source);
    assert_eq!(turns(&scales)[0], Knob::Connections, "two are twice as fast as one: {scales:?}");
    let exhausted = judged([5.3, 5.2], [5.3, 5.4, 0.5, 5.5], [0.5, 1.0, 1.2], 8);
    assert_eq!((exhausted.wall, turns(&exhausted)[0]), (Wall::Source, Knob::Server));
    assert!(exhausted.advice[0].why.contains("can't be seen from here"), "{exhausted:?}");
}

#[test]
fn one_connection_says_nothing_of_two() {
    let parts = [part(Part::Drain, 5.0, 0.3), part(Part::Decode, 5.2, 0.5)];
    let judgement = Judgement::of(&parts, 1, 2);
    assert_eq!((judgement.wall, turns(&judgement)[0]), (Wall::Source, Knob::Connections));
    assert!(judgement.advice[0].why.contains("one connection only"), "{judgement:?}");
}

#[test]
fn a_slow_destination_is_the_wall() {
    let judgement = judged([2.0, 1.0], [1.1, 1.5, 9.5, 10.0], [0.5, 1.0, 1.2], 8);
    assert_eq!((judgement.wall, turns(&judgement)[0]), (Wall::Destination, Knob::Destination));
}

#[test]
fn cores_that_are_all_busy_are_the_wall() {
    let judgement = judged([2.0, 1.0], [1.5, 3.0, 0.2, 3.1], [2.0, 5.8, 5.9], 2);
    assert_eq!(judgement.wall, Wall::Cores);
    assert_eq!(turns(&judgement), [Knob::Machine, Knob::Compression]);
}

#[test]
fn encoding_while_cores_are_free_asks_for_more_lanes() {
    let judgement = judged([2.0, 1.0], [1.2, 3.0, 0.2, 3.1], [1.0, 4.0, 4.1], 8);
    assert_eq!((judgement.wall, turns(&judgement)[0]), (Wall::Encoding, Knob::Connections));
}

#[test]
fn a_table_of_one_part_has_no_use_for_connections() {
    let mut parts = [part(Part::Drain, 1.0, 0.3), part(Part::Decode, 1.2, 0.5), part(Part::Encode, 3.0, 2.0)];
    parts[2].samples[0].partitions = 1;
    parts[2].lanes = 1;
    parts[1].lanes = 1;
    let judgement = Judgement::of(&parts, 2, 8);
    assert_eq!((judgement.wall, turns(&judgement)), (Wall::Encoding, vec![Knob::Compression]));
}

#[test]
fn lanes_that_memory_has_no_room_for_are_told() {
    let mut whole = part(Part::Whole, 3.1, 2.0);
    whole.lanes = 1;
    let parts =
        [part(Part::Drain, 1.0, 0.3), part(Part::Decode, 1.2, 0.5), part(Part::Encode, 3.0, 2.0), whole];
    let judgement = Judgement::of(&parts, 2, 8);
    assert_eq!((judgement.wall, turns(&judgement)), (Wall::Encoding, vec![Knob::Memory]));
}

#[test]
fn no_rows_are_no_figures() {
    let mut parts = [part(Part::Drain, 0.1, 0.0)];
    parts[0].rows = 0;
    let judgement = Judgement::of(&parts, 2, 2);
    assert_eq!((judgement.wall, judgement.advice.len()), (Wall::Nothing, 0));
    assert_eq!(Judgement::of(&[], 2, 2).wall, Wall::Nothing);
}

#[test]
fn what_takes_from_the_worth_of_figures_is_told() {
    let mut parts = [part(Part::Drain, 0.1, 0.0), part(Part::Decode, 0.11, 0.0)];
    parts[1].spread = 0.5;
    parts[0].samples[0].rows += 1;
    let notes = Judgement::of(&parts, 2, 2).notes.join("\n");
    for word in ["connecting and planning", "50 % apart", "came or went"] {
        assert!(notes.contains(word), "{word}: {notes}");
    }
}
