//! The steps, and what must hold after each of them.

use stateright::{Model, Property};

use crate::bucket::{Bucket, Commit, File, Put, Status};
use crate::run::{At, Attempt, Cleaner, Run};

/// A way to get the protocol wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// Commits are put without the condition that none of their number is there.
    UnconditionalPut,
    /// A sync goes on from the last commit without finishing it.
    NoRollForward,
    /// The clean-up aborts uploads that are meant for the next commit.
    EagerCleanUp,
    /// The clean-up aborts what was begun for a number that is taken and is not in that commit, whoever
    /// took it.
    CleanUpByNumber,
    /// A sync whose commit has no answer removes its files.
    ForgottenDoubt,
    /// The state is kept beside the commits, and written after them.
    StateApart,
}

/// How large the world is.
#[derive(Debug, Clone)]
pub struct Protocol {
    pub flaw: Option<Flaw>,
    /// Which of the two syncs overwrite.
    pub overwrites: [bool; 2],
    /// Files that one sync commits, one after the other; all are begun before the first is committed.
    pub batches: u8,
    /// Rows that the source has in the end.
    pub rows: u8,
    /// Crashes, of either sync; each is followed by another sync.
    pub crashes: u8,
    /// Answers that are lost. Whether the request arrives, and when, is open.
    pub losses: u8,
}

/// What may have happened on the way: tells that the model comes by.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// A sync made visible what another one committed.
    Forwarded,
    /// A commit without an answer was found to stand.
    Recognised,
    /// The clean-up aborted an upload.
    Cleaned,
    /// A request to commit arrived after its process had ended.
    Late,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Seen([bool; 4]);

impl Seen {
    fn note(&mut self, event: Event, happened: bool) {
        self.0[event as usize] |= happened;
    }

    fn has(&self, event: Event) -> bool {
        self.0[event as usize]
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub bucket: Bucket,
    pub runs: [Run; 2],
    pub cleaner: Cleaner,
    pub crashes: u8,
    pub losses: u8,
    /// The name of the next process.
    pub next: u8,
    pub seen: Seen,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// A sync does what is next.
    Go(usize),
    /// A request to commit arrives.
    Arrive(usize),
    /// The answer to a sync's commit does not.
    LoseAnswer(usize),
    /// A sync that does not know whether its commit stands gives up.
    GiveUp(usize),
    /// A sync is killed, and another one begins.
    Crash(usize),
    /// The clean-up does what is next.
    Clean,
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let run = |id| Run { id, at: At::Begin, rest: Vec::new() };
        vec![State {
            bucket: Bucket::default(),
            runs: [run(0), run(1)],
            cleaner: Cleaner::Idle,
            crashes: self.crashes,
            losses: self.losses,
            next: 2,
            seen: Seen::default(),
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for (slot, run) in state.runs.iter().enumerate() {
            let ended = matches!(run.at, At::Done | At::Failed | At::Stuck);
            if !ended && !matches!(run.at, At::Sent { created: None, .. }) {
                steps.push(Step::Go(slot));
            }
            if matches!(run.at, At::Sent { .. }) && state.losses > 0 {
                steps.push(Step::LoseAnswer(slot));
            }
            if let At::Unknown(attempt) = &run.at
                && state.bucket.head() == attempt.head
            {
                steps.push(Step::GiveUp(slot));
            }
            // One that has ended may be followed by another as well.
            if state.crashes > 0 && run.at != At::Begin {
                steps.push(Step::Crash(slot));
            }
        }
        steps.extend((0..state.bucket.puts.len()).map(Step::Arrive));
        steps.push(Step::Clean);
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::Go(slot) => self.go(&mut state, slot),
            Step::Arrive(put) => self.arrive(&mut state, put),
            Step::LoseAnswer(slot) => {
                state.losses -= 1;
                if let At::Sent { attempt, .. } = &state.runs[slot].at {
                    state.runs[slot].at = At::Unknown(attempt.clone());
                }
            }
            Step::GiveUp(slot) => {
                if let At::Unknown(attempt) = &state.runs[slot].at {
                    // It may arrive yet: its file is kept.
                    let flawed = self.has(Flaw::ForgottenDoubt);
                    state.runs[slot].at = if flawed { At::Lost { file: attempt.file } } else { At::Failed };
                }
            }
            Step::Crash(slot) => {
                state.crashes -= 1;
                state.runs[slot] = Run { id: state.next, at: At::Begin, rest: Vec::new() };
                state.next += 1;
            }
            Step::Clean => self.clean(&mut state),
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        type Condition = fn(&Protocol, &State) -> bool;
        let always = |name, holds: Condition| Property::always(name, holds);
        let sometimes = |name, happens: Condition| Property::sometimes(name, happens);
        vec![
            always("every visible file is in one commit", |_, state| is_committed_once(&state.bucket)),
            always("each row of a state is in its files, once", |_, state| {
                (0..=state.bucket.head()).all(|sequence| is_exact(&state.bucket, sequence))
            }),
            always("no committed file is lost", |_, state| is_whole(&state.bucket)),
            always("all of a commit is done before the next one", |_, state| is_in_turn(&state.bucket)),
            always("readers find all of the last commit or of the one before", |_, state| {
                is_readable(&state.bucket)
            }),
            always("what is noted as finished is all that is visible", |_, state| {
                let bucket = &state.bucket;
                bucket.hint != bucket.head() || visible(bucket) == bucket.generation(bucket.hint)
            }),
            always("no number is used twice", |_, state| !state.bucket.reused),
            always("no sync finds a commit that can't be finished", |_, state| {
                state.runs.iter().all(|run| run.at != At::Stuck)
            }),
            sometimes("both syncs commit", |_, state| {
                let has = |run: &Run| state.bucket.commits.iter().any(|commit| commit.run == run.id);
                state.runs.iter().all(|run| has(run) && run.at == At::Done)
            }),
            sometimes("one of two loses", |_, state| {
                let [first, second] = &state.runs;
                [(first, second), (second, first)].iter().any(|(a, b)| a.at == At::Failed && b.at == At::Done)
            }),
            sometimes("a commit is finished by another sync", |_, state| state.seen.has(Event::Forwarded)),
            sometimes("a commit without an answer is recognised", |model, state| {
                model.losses == 0 || state.seen.has(Event::Recognised)
            }),
            sometimes("an upload is cleaned up", |_, state| state.seen.has(Event::Cleaned)),
            sometimes("a request arrives after its process has ended", |_, state| {
                state.seen.has(Event::Late)
            }),
        ]
    }
}

fn is_committed_once(bucket: &Bucket) -> bool {
    let times = |file: &u8| bucket.commits.iter().filter(|commit| commit.file == *file).count();
    visible(bucket).iter().all(|file| times(file) == 1)
}

fn is_whole(bucket: &Bucket) -> bool {
    let is_there = |file: &u8| matches!(bucket.file(*file).status, Status::Waiting | Status::Visible);
    bucket.generation(bucket.head()).iter().all(is_there)
}

/// Whether nothing waits but what the last commit names.
fn is_in_turn(bucket: &Bucket) -> bool {
    let before = bucket.head().checked_sub(1).map(|before| bucket.generation(before)).unwrap_or_default();
    before.iter().all(|file| bucket.file(*file).status != Status::Waiting)
}

/// Whether the files of commit `sequence` hold the rows that its state accounts for, each once.
fn is_exact(bucket: &Bucket, sequence: u8) -> bool {
    let rows = |file: &u8| {
        let (first, end) = bucket.file(*file).rows;
        first..end
    };
    let mut found: Vec<u8> = bucket.generation(sequence).iter().flat_map(rows).collect();
    found.sort_unstable();
    found.into_iter().eq(0..bucket.state(sequence))
}

fn visible(bucket: &Bucket) -> Vec<u8> {
    (0_u8..).zip(&bucket.files).filter(|(_, file)| file.status == Status::Visible).map(|(at, _)| at).collect()
}

/// Whether who lists the files finds all of the last commit's or all of those before: an overwrite leaves
/// the old files until the new ones are there.
fn is_readable(bucket: &Bucket) -> bool {
    let (seen, head) = (visible(bucket), bucket.head());
    let holds = |sequence: u8| bucket.generation(sequence).iter().all(|file| seen.contains(file));
    holds(head) || head > 0 && holds(head - 1)
}

impl Protocol {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn go(&self, state: &mut State, slot: usize) {
        let State { bucket, runs, seen, .. } = state;
        let run = &mut runs[slot];
        run.at = match run.at.clone() {
            At::Begin => {
                let head = bucket.head();
                if head == bucket.hint || self.has(Flaw::NoRollForward) {
                    At::Read { head }
                } else {
                    At::Publish { head, own: false }
                }
            }
            At::Publish { head, own } => Self::publish(bucket, seen, run, head, own),
            At::Void { head, next, own } => {
                let old = bucket.void(head);
                match old.get(next) {
                    Some(file) => {
                        let file = bucket.file_mut(*file);
                        if file.status == Status::Visible {
                            file.status = Status::Removed;
                        }
                        At::Void { head, next: next + 1, own }
                    }
                    None => At::Hint { head, own },
                }
            }
            At::Hint { head, own } => {
                bucket.hint = head;
                if own { Self::next(run, head) } else { At::Read { head } }
            }
            At::Read { head } => self.read(bucket, run, slot, head),
            At::Commit(attempt) => {
                let commit = Commit {
                    run: run.id,
                    file: attempt.file,
                    state: attempt.upto,
                    overwrites: self.overwrites[slot],
                };
                bucket.puts.push(Put { sequence: attempt.head + 1, commit });
                At::Sent { attempt, created: None }
            }
            At::Sent { attempt, created: Some(true) } => At::Publish { head: attempt.head + 1, own: true },
            // It exists: who it is by is looked up.
            At::Sent { attempt, .. } | At::Unknown(attempt) => Self::look(bucket, seen, run, attempt),
            At::Lost { file } => {
                let rest = std::mem::take(&mut run.rest).into_iter().map(|(file, _)| file);
                for file in rest.chain([file]) {
                    abort(bucket, file);
                }
                At::Failed
            }
            ended @ (At::Done | At::Failed | At::Stuck) => ended,
        };
    }

    fn publish(bucket: &mut Bucket, seen: &mut Seen, run: &mut Run, head: u8, own: bool) -> At {
        let file = bucket.commits[usize::from(head) - 1].file;
        match bucket.file(file).status {
            Status::Waiting | Status::Visible => {
                seen.note(Event::Forwarded, !own && bucket.file(file).status == Status::Waiting);
                bucket.file_mut(file).status = Status::Visible;
                At::Void { head, next: 0, own }
            }
            // Another one did all of this, and committed after it.
            Status::Aborted | Status::Removed if bucket.head() > head => {
                if own {
                    Self::next(run, head)
                } else {
                    At::Begin
                }
            }
            Status::Aborted | Status::Removed => At::Stuck,
        }
    }

    /// What a sync does after a commit of its own.
    fn next(run: &mut Run, head: u8) -> At {
        if run.rest.is_empty() {
            return At::Done;
        }
        let (file, upto) = run.rest.remove(0);
        At::Commit(Attempt { head, file, upto })
    }

    fn read(&self, bucket: &mut Bucket, run: &mut Run, slot: usize, head: u8) -> At {
        let known = if self.has(Flaw::StateApart) { bucket.hint } else { head };
        let state = bucket.state(known);
        let overwrites = self.overwrites[slot];
        let batches = if overwrites { 1 } else { self.batches };
        run.rest = (state..self.rows.min(state + batches))
            .map(|row| {
                let rows = (if overwrites { 0 } else { row }, row + 1);
                let file = File { run: run.id, base: head + 1, rows, status: Status::Waiting };
                (bucket.stage(file), row + 1)
            })
            .collect();
        Self::next(run, head)
    }

    /// Whose the commit is that this one was to be.
    fn look(bucket: &Bucket, seen: &mut Seen, run: &Run, attempt: Attempt) -> At {
        match bucket.commit(attempt.head + 1) {
            Some(commit) if (commit.run, commit.file) == (run.id, attempt.file) => {
                seen.note(Event::Recognised, true);
                At::Publish { head: attempt.head + 1, own: true }
            }
            Some(_) => At::Lost { file: attempt.file },
            None => At::Commit(attempt),
        }
    }

    fn arrive(&self, state: &mut State, put: usize) {
        let Put { sequence, commit } = state.bucket.puts.remove(put);
        let created = if sequence == state.bucket.head() + 1 {
            state.bucket.commits.push(commit.clone());
            true
        } else if self.has(Flaw::UnconditionalPut) {
            state.bucket.commits[usize::from(sequence) - 1] = commit.clone();
            state.bucket.reused = true;
            true
        } else {
            false
        };
        let sender = state.runs.iter_mut().find(|run| run.id == commit.run);
        match sender.map(|run| &mut run.at) {
            Some(At::Sent { attempt, created: answer @ None }) if attempt.head + 1 == sequence => {
                *answer = Some(created);
            }
            None | Some(At::Failed) => state.seen.note(Event::Late, created),
            Some(_) => {}
        }
    }

    fn clean(&self, state: &mut State) {
        let bucket = &mut state.bucket;
        match &mut state.cleaner {
            Cleaner::Idle => {
                let files = (0_u8..).zip(&bucket.files);
                let files: Vec<u8> = files
                    .filter(|(at, file)| self.is_garbage(bucket, *at, **file))
                    .map(|(at, _)| at)
                    .collect();
                if !files.is_empty() {
                    state.cleaner = Cleaner::Aborts { files };
                }
            }
            Cleaner::Aborts { files } => {
                let file = files.remove(0);
                state.seen.note(Event::Cleaned, abort(bucket, file));
                if files.is_empty() {
                    state.cleaner = Cleaner::Idle;
                }
            }
        }
    }

    /// Whether nobody can commit the upload any more, as far as the clean-up can know: another process has
    /// taken a number that its process would need, and no commit up to now names it.
    fn is_garbage(&self, bucket: &Bucket, at: u8, file: File) -> bool {
        let taken = |commit: &Commit| {
            let names = commit.file == at;
            (names, commit.run != file.run)
        };
        let since = usize::from(file.base) - 1;
        let later: Vec<(bool, bool)> =
            bucket.commits.get(since..).unwrap_or_default().iter().map(taken).collect();
        let named = later.iter().any(|(names, _)| *names);
        let overtaken = match self.flaw {
            Some(Flaw::EagerCleanUp) => file.base <= bucket.head() + 1,
            Some(Flaw::CleanUpByNumber) => file.base <= bucket.head(),
            _ => later.iter().any(|(_, by_another)| *by_another),
        };
        file.status == Status::Waiting && overtaken && !named
    }
}

/// Aborts an upload; says whether it was open.
fn abort(bucket: &mut Bucket, file: u8) -> bool {
    let status = &mut bucket.file_mut(file).status;
    let was_open = *status == Status::Waiting;
    if was_open {
        *status = Status::Aborted;
    }
    was_open
}
