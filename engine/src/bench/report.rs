//! What a bench measured. Its JSON form is a public, versioned contract: fields are added, never renamed.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Judgement, Part, Sample, Subject};

/// Version of the document.
pub const BENCH_VERSION: u32 = 1;

/// What a bench of one connection or one source measured.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct BenchReport {
    /// Version of this form: 1.
    pub version: u32,
    /// The connection; none where a source was measured alone.
    pub connection: Option<String>,
    /// The source.
    pub source: String,
    /// Version of the program.
    pub program: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How often each part was measured, in turn.
    pub rounds: u64,
    /// Cores that this process may use.
    pub cores: u64,
    /// Scale of the tables that were made for it; none where tables were there.
    pub scale: Option<f64>,
    /// One entry per stream.
    pub streams: Vec<StreamBench>,
}

/// What was measured of one stream.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct StreamBench {
    /// Its name at the source.
    pub stream: String,
    /// Rows that the source thinks it has.
    pub estimated_rows: Option<u64>,
    /// Whether only a part of the stream was read.
    pub is_portion: bool,
    /// The parts, in the order in which they build on each other.
    pub parts: Vec<PartReport>,
    /// What the figures say.
    pub judgement: Judgement,
}

/// What was measured of one part: medians of the rounds, each in a process of its own.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PartReport {
    /// Which part.
    pub part: Part,
    /// Partitions that were read, or files that were uploaded, at once, at most.
    pub connections: u64,
    /// How many really were, as far as `memory` and their number allow.
    pub lanes: u64,
    /// From the first connection to the last row: connecting and planning included.
    pub seconds: f64,
    /// Of these, before the first row was asked for.
    pub plan_seconds: f64,
    /// How far the rounds are apart, as a share of the median.
    pub spread: f64,
    /// Rows that were read; 0 for an upload, which reads none.
    pub rows: u64,
    /// Rows per second.
    pub rows_per_second: Option<f64>,
    /// Bytes: as the source sent them (drain), of columns in memory (decode), or of files.
    pub bytes: u64,
    /// These bytes per second.
    pub bytes_per_second: Option<f64>,
    /// Files that were written.
    pub files: u64,
    /// CPU time of the process, all of it. What the server spends can't be seen from here.
    pub cpu_seconds: f64,
    /// The same for a million rows.
    pub cpu_seconds_per_million_rows: Option<f64>,
    /// The most memory that a process ever had; none where the system does not tell.
    pub peak_rss_bytes: Option<u64>,
    /// How fast it was, compared with draining over one connection.
    pub speed: Option<f64>,
    /// What each round gave.
    pub samples: Vec<Sample>,
}

impl BenchReport {
    /// JSON schema of this form.
    #[must_use]
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }
}

impl StreamBench {
    /// Sums up what was measured of `subject`: for each part and number of connections, its samples.
    /// `parallelism` is what is configured, `cores` what there is.
    #[must_use]
    pub fn new(
        subject: &Subject,
        measured: Vec<(Part, u64, Vec<Sample>)>,
        parallelism: u64,
        cores: u64,
    ) -> Self {
        let mut parts: Vec<PartReport> = measured
            .into_iter()
            .filter(|(_, _, samples)| !samples.is_empty())
            .map(|(part, connections, samples)| PartReport::new(part, connections, samples))
            .collect();
        let base = parts.iter().find(|part| part.part == Part::Drain).map(|drain| drain.seconds);
        for part in &mut parts {
            part.speed = base.and_then(|base| ratio(base, part.seconds));
        }
        let judgement = Judgement::of(&parts, parallelism, cores);
        Self {
            stream: subject.stream.clone(),
            estimated_rows: subject.estimated_rows,
            is_portion: subject.estimated_rows > subject.chosen_rows,
            parts,
            judgement,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates are shown with three digits")]
impl PartReport {
    fn new(part: Part, connections: u64, samples: Vec<Sample>) -> Self {
        let seconds = median(&samples, |sample| sample.seconds);
        let cpu_seconds = median(&samples, |sample| sample.cpu_seconds);
        let last = samples.last().cloned().unwrap_or_default();
        let (fastest, slowest) = samples
            .iter()
            .fold((f64::MAX, 0.0_f64), |(least, most), s| (least.min(s.seconds), most.max(s.seconds)));
        let per_second = |count: u64| if count == 0 { None } else { ratio(count as f64, seconds) };
        Self {
            part,
            connections,
            lanes: last.lanes,
            seconds,
            plan_seconds: median(&samples, |sample| sample.plan_seconds),
            spread: ratio(slowest - fastest, seconds).unwrap_or_default(),
            rows: last.rows,
            rows_per_second: per_second(last.rows),
            bytes: last.bytes,
            bytes_per_second: per_second(last.bytes),
            files: last.files,
            cpu_seconds,
            cpu_seconds_per_million_rows: ratio(cpu_seconds * 1e6, last.rows as f64),
            peak_rss_bytes: samples.iter().filter_map(|sample| sample.peak_rss_bytes).max(),
            speed: None,
            samples,
        }
    }
}

/// None where nothing was divided by: an empty table has no rates.
fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

/// The middle one, or the mean of the middle two.
fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(seconds: &[f64]) -> Vec<Sample> {
        seconds.iter().map(|&seconds| Sample { seconds, rows: 1000, ..Sample::default() }).collect()
    }

    #[test]
    fn medians_are_not_moved_by_one_that_is_far_off() {
        let part = PartReport::new(Part::Drain, 1, samples(&[1.0, 9.0, 2.0]));
        assert_eq!((part.seconds, part.rows_per_second, part.spread), (2.0, Some(500.0), 4.0));
        let even = PartReport::new(Part::Drain, 1, samples(&[1.0, 2.0]));
        assert!((even.seconds - 1.5).abs() < f64::EPSILON);
    }

    #[test]
    fn nothing_is_divided_by_zero() {
        let empty = PartReport::new(Part::Drain, 1, vec![Sample::default()]);
        assert_eq!((empty.rows_per_second, empty.bytes_per_second), (None, None));
        assert_eq!((empty.cpu_seconds_per_million_rows, empty.spread), (None, 0.0));
    }
}
