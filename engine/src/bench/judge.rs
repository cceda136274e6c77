//! What the figures say: which part is the wall, and what to turn. Nothing is said that was not measured, and
//! where a cause can't be seen from here, that is said.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Part, PartReport};

/// A part that takes such a share of the whole by itself is its wall.
const WALL: f64 = 0.85;
/// What a step adds, as a share of the whole, to be worth a word.
const STEP: f64 = 0.15;
/// Twice the connections that are so much faster are not at their end.
const GAIN: f64 = 1.3;
/// A share of connecting and planning that makes figures say little.
const START: f64 = 0.2;
/// Rounds that are further apart were disturbed.
const SPREAD: f64 = 0.3;

/// What the figures say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judgement {
    /// What the whole waits for.
    pub wall: Wall,
    /// The figures that say so.
    pub because: String,
    /// What to turn, the most promising first.
    pub advice: Vec<Advice>,
    /// What takes from the worth of the figures.
    pub notes: Vec<String>,
}

/// What a sync waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wall {
    /// The database, or the line to it.
    Source,
    /// The destination, or the line to it.
    Destination,
    /// The cores of this machine, which the sync alone keeps busy.
    Cores,
    /// Decoding, while cores are free.
    Decoding,
    /// Encoding and compressing, while cores are free.
    Encoding,
    /// No part stands out.
    Nothing,
}

/// Something to turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Advice {
    /// What.
    pub turn: Knob,
    /// Why, with figures, and how.
    pub why: String,
}

/// What there is to turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Knob {
    /// `connections` of the source, and `parallelism` of the connection.
    Connections,
    /// `memory` of the connection.
    Memory,
    /// `compression` of the destination.
    Compression,
    /// `columns`, `exclude` and `filter` of the stream.
    Columns,
    /// The server: its machine, or another one to read from.
    Server,
    /// The machine that tidegate runs on.
    Machine,
    /// The place that files go to.
    Destination,
}

impl Knob {
    /// What it is called, where a person can turn it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections, parallelism",
            Self::Memory => "memory",
            Self::Compression => "compression",
            Self::Columns => "columns, exclude, filter",
            Self::Server => "the server",
            Self::Machine => "this machine",
            Self::Destination => "the destination",
        }
    }
}

/// The parts that a judgement looks at.
struct Parts<'a> {
    all: &'a [PartReport],
    /// The most that was measured: the whole, where there is a destination.
    top: &'a PartReport,
    parallelism: u64,
    cores: u64,
}

impl Judgement {
    pub(super) fn of(all: &[PartReport], parallelism: u64, cores: u64) -> Self {
        let top = all.iter().filter(|part| part.part != Part::Upload).max_by_key(|part| part.part);
        let Some(top) = top.filter(|top| top.rows > 0) else {
            let because = "there are no rows, so nothing was measured but connecting and planning".to_owned();
            return Self { wall: Wall::Nothing, because, advice: Vec::new(), notes: Vec::new() };
        };
        let parts = Parts { all, top, parallelism, cores: cores.max(1) };
        let (wall, because) = parts.wall();
        Self { wall, because, advice: parts.advice(wall), notes: parts.notes() }
    }
}

#[expect(clippy::cast_precision_loss, reason = "shares are shown with two digits")]
impl Parts<'_> {
    /// The part, at the same number of connections as the top.
    fn part(&self, part: Part) -> Option<&PartReport> {
        let mut found = self.all.iter().filter(|report| report.part == part);
        found.rfind(|report| report.connections == self.top.connections)
    }

    fn share(&self, part: &PartReport) -> f64 {
        part.seconds / self.top.seconds.max(f64::EPSILON)
    }

    /// Cores that this process kept busy.
    fn busy(&self) -> f64 {
        self.top.cpu_seconds / self.top.seconds.max(f64::EPSILON)
    }

    fn wall(&self) -> (Wall, String) {
        let (top, name) = (self.top, name(self.top.part));
        let took = seconds(top.seconds);
        let drain = self.part(Part::Drain).filter(|drain| self.share(drain) >= WALL);
        if let Some(drain) = drain {
            let drained = seconds(drain.seconds);
            return (Wall::Source, format!("{name} takes {took}, and draining alone {drained}"));
        }
        let upload = self.part(Part::Upload).filter(|upload| self.share(upload) >= WALL);
        if let Some(upload) = upload {
            let alone = seconds(upload.seconds);
            return (Wall::Destination, format!("{name} takes {took}, and uploading as many bytes {alone}"));
        }
        if self.busy() >= WALL * self.cores as f64 {
            let because = format!("{name} keeps {:.1} of {} cores busy for {took}", self.busy(), self.cores);
            return (Wall::Cores, because);
        }
        self.step().unwrap_or_else(|| {
            let cores = format!("{:.1} of {} cores are busy with it", self.busy(), self.cores);
            (Wall::Nothing, format!("{name} takes {took}, no part by itself nearly as long, and {cores}"))
        })
    }

    /// The step that adds most to the one before.
    fn step(&self) -> Option<(Wall, String)> {
        let steps = [
            (Part::Drain, Part::Decode, Wall::Decoding),
            (Part::Decode, Part::Encode, Wall::Encoding),
            (Part::Encode, Part::Whole, Wall::Destination),
        ];
        let added = steps.into_iter().filter_map(|(before, after, wall)| {
            let (before, after) = (self.part(before)?, self.part(after)?);
            Some((after.seconds - before.seconds, before, after, wall))
        });
        let (more, before, after, wall) = added.max_by(|a, b| a.0.total_cmp(&b.0))?;
        (more >= STEP * self.top.seconds).then(|| {
            let because = format!(
                "{} takes {}, and {} {}: the step between adds most",
                name(before.part),
                seconds(before.seconds),
                name(after.part),
                seconds(after.seconds)
            );
            (wall, because)
        })
    }

    fn advice(&self, wall: Wall) -> Vec<Advice> {
        let mut advice = match wall {
            Wall::Source => self.of_source(),
            Wall::Destination => self.of_destination(),
            Wall::Cores => self.of_cores(),
            Wall::Decoding | Wall::Encoding => self.of_lanes(wall),
            Wall::Nothing => Vec::new(),
        };
        if self.is_short_of_memory() && !advice.iter().any(|advice| advice.turn == Knob::Memory) {
            advice.push(self.of_memory());
        }
        advice
    }

    /// What the number of connections does tells whether the server has more to give.
    fn of_source(&self) -> Vec<Advice> {
        let mut drains: Vec<&PartReport> =
            self.all.iter().filter(|report| report.part == Part::Drain).collect();
        drains.sort_by_key(|drain| drain.connections);
        let less = Advice {
            turn: Knob::Columns,
            why: "columns and rows that nobody needs are not read where the stream leaves them out"
                .to_owned(),
        };
        let [.., before, last] = drains.as_slice() else {
            let why = "draining was measured over one connection only: allow 2, and measure again".to_owned();
            return vec![Advice { turn: Knob::Connections, why }, less];
        };
        let gain = before.seconds / last.seconds.max(f64::EPSILON);
        let measured = format!(
            "draining is {gain:.2} times as fast over {} connections as over {}",
            last.connections, before.connections
        );
        if gain >= GAIN {
            let why = format!(
                "{measured}: it is not at its end. Allow {}, and measure again",
                last.connections * 2
            );
            return vec![Advice { turn: Knob::Connections, why }, less];
        }
        let why = format!(
            "{measured}: more connections will not help. Whether its cores, its disks or the line are at their \
             end can't be seen from here; `read_from` can name another server"
        );
        vec![Advice { turn: Knob::Server, why }, less]
    }

    fn of_destination(&self) -> Vec<Advice> {
        let mut advice = Vec::new();
        if let Some(upload) = self.part(Part::Upload) {
            let rate = upload.bytes_per_second.unwrap_or_default() / 1e6;
            let why = format!(
                "it takes {rate:.0} MB/s from {} files at once: one that is nearer, or faster, or more files at \
                 once by `parallelism`",
                upload.lanes
            );
            advice.push(Advice { turn: Knob::Destination, why });
        }
        let why = "fewer bytes are uploaded sooner: `zstd` makes the smallest files".to_owned();
        advice.push(Advice { turn: Knob::Compression, why });
        advice
    }

    fn of_cores(&self) -> Vec<Advice> {
        let why = format!("all of its {} cores are busy with this: more of them will help", self.cores);
        let mut advice = vec![Advice { turn: Knob::Machine, why }];
        advice.extend(self.of_compression());
        advice
    }

    /// Cores are free: more lanes could use them, if there were any.
    fn of_lanes(&self, wall: Wall) -> Vec<Advice> {
        if self.is_short_of_memory() {
            return vec![self.of_memory()];
        }
        let mut advice = Vec::new();
        let partitions = self.top.samples.last().map_or(0, |sample| sample.partitions);
        // A table that is read in fewer parts has no use for more connections.
        if self.top.lanes < self.cores.min(partitions) {
            let why = format!(
                "{} of {partitions} partitions were worked on at once, and there are {} cores: allow more, and \
                 measure again",
                self.top.lanes, self.cores
            );
            advice.push(Advice { turn: Knob::Connections, why });
        }
        if wall == Wall::Encoding {
            advice.extend(self.of_compression());
        }
        if advice.is_empty() {
            let why = format!(
                "it keeps {:.1} of {} cores busy; a server on the same machine takes of the rest, which can't be \
                 seen from here",
                self.busy(),
                self.cores
            );
            advice.push(Advice { turn: Knob::Machine, why });
        }
        advice
    }

    fn of_compression(&self) -> Option<Advice> {
        let (decode, encode) = (self.part(Part::Decode)?, self.part(Part::Encode)?);
        let share = (encode.cpu_seconds - decode.cpu_seconds) / self.top.cpu_seconds.max(f64::EPSILON);
        (share >= 0.4).then(|| Advice {
            turn: Knob::Compression,
            why: format!(
                "encoding takes {:.0} % of the CPU time: another `compression` may take less, and makes larger \
                 files; measure it",
                share * 100.0
            ),
        })
    }

    fn is_short_of_memory(&self) -> bool {
        matches!(self.top.part, Part::Encode | Part::Whole)
            && self.top.lanes < self.parallelism.min(self.top.connections)
            && self.part(Part::Decode).is_some_and(|decode| decode.lanes > self.top.lanes)
    }

    fn of_memory(&self) -> Advice {
        let why = format!(
            "it has room for {} of the {} lanes that `parallelism` and `connections` allow",
            self.top.lanes,
            self.parallelism.min(self.top.connections)
        );
        Advice { turn: Knob::Memory, why }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.top.plan_seconds > START * self.top.seconds {
            notes.push(format!(
                "{} of {} were spent connecting and planning: so few rows say little of a large table",
                seconds(self.top.plan_seconds),
                seconds(self.top.seconds)
            ));
        }
        let apart =
            self.all.iter().filter(|part| part.spread > SPREAD).max_by(|a, b| a.spread.total_cmp(&b.spread));
        if let Some(part) = apart {
            notes.push(format!(
                "the rounds of {} are {:.0} % apart: something else was at work; `--rounds` makes medians surer",
                name(part.part),
                part.spread * 100.0
            ));
        }
        let mut rows =
            self.all.iter().filter(|part| part.part != Part::Upload).flat_map(|part| &part.samples);
        if rows.any(|sample| sample.rows != self.top.rows) {
            notes.push("rows came or went meanwhile: the parts did not read the same".to_owned());
        }
        notes
    }
}

fn name(part: Part) -> &'static str {
    match part {
        Part::Drain => "draining",
        Part::Decode => "decoding",
        Part::Encode => "encoding into nothing",
        Part::Upload => "uploading",
        Part::Whole => "the whole",
    }
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.2} s")
}

#[cfg(test)]
mod tests;
