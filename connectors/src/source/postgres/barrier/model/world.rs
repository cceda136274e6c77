//! A server as far as cursors see it: transactions with parts that roll back, row versions, snapshots,
//! and the list of who is running.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::super::xids::Ends;
use super::super::Running;

/// Sessions that write.
pub(super) const SESSIONS: usize = 3;
/// By how much a stamp may lie below the start of its transaction.
pub(super) const MARGIN: i64 = 8;

/// What a row's cursor is set to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stamp {
    /// `now()`
    Begin,
    /// `date_trunc(…, now())`
    Truncated,
    /// `clock_timestamp()`
    Clock,
    Future,
    Null,
}

/// What happens next. Whatever can't happen does nothing.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Begin(usize),
    Insert(usize, Stamp),
    /// A new version of some row that is not being changed.
    Update(usize, usize),
    Savepoint(usize),
    RollbackToSavepoint(usize),
    Prepare(usize),
    /// Its rows become visible; it is still listed.
    Commit(usize),
    Abort(usize),
    /// It is not listed any more.
    Leave(usize),
    Restart,
    /// The sync does its next step.
    Sync,
    /// The sync is killed.
    Kill,
}

pub(super) fn events() -> impl Strategy<Value = Vec<Event>> {
    let stamp = prop_oneof![
        4 => Just(Stamp::Begin),
        2 => Just(Stamp::Truncated),
        2 => Just(Stamp::Clock),
        1 => Just(Stamp::Future),
        1 => Just(Stamp::Null),
    ];
    let session = || 0..SESSIONS;
    let event = prop_oneof![
        6 => session().prop_map(Event::Begin),
        8 => (session(), stamp).prop_map(|(session, stamp)| Event::Insert(session, stamp)),
        4 => (session(), any::<usize>()).prop_map(|(session, row)| Event::Update(session, row)),
        2 => session().prop_map(Event::Savepoint),
        1 => session().prop_map(Event::RollbackToSavepoint),
        1 => session().prop_map(Event::Prepare),
        6 => session().prop_map(Event::Commit),
        1 => session().prop_map(Event::Abort),
        5 => session().prop_map(Event::Leave),
        1 => Just(Event::Restart),
        24 => Just(Event::Sync),
        1 => Just(Event::Kill),
    ];
    prop::collection::vec(event, 30..160)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    Committed,
    Aborted,
}

#[derive(Debug)]
struct Transaction {
    id: String,
    began: i64,
    prepared: bool,
    /// Its number, once it has written.
    xid: Option<u64>,
    /// The part since its savepoint, and the number of that, once it has written.
    part: Option<Part>,
    fate: Fate,
    listed: bool,
}

#[derive(Debug, Default)]
struct Part(Option<u64>);

/// One version of a row.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) xmin: u64,
    xmax: Option<u64>,
    pub(super) stamp: Option<i64>,
}

pub(super) struct World {
    pub(super) clock: i64,
    pub(super) started: i64,
    next: u64,
    /// One past the last number of a transaction that has ended.
    completed: u64,
    /// By number: also the parts of transactions.
    fates: BTreeMap<u64, Fate>,
    /// When they ended.
    ended: BTreeMap<u64, i64>,
    /// The transactions that parts belong to.
    parts: BTreeMap<u64, usize>,
    transactions: Vec<Transaction>,
    sessions: [Option<usize>; SESSIONS],
    pub(super) versions: Vec<Version>,
}

impl World {
    /// Numbers begin a little below the end of a round.
    pub(super) fn new() -> Self {
        let next = (5 << 32) - 12;
        Self {
            clock: 1_000,
            started: 1,
            next,
            completed: next,
            fates: BTreeMap::new(),
            ended: BTreeMap::new(),
            parts: BTreeMap::new(),
            transactions: Vec::new(),
            sessions: [None; SESSIONS],
            versions: Vec::new(),
        }
    }

    pub(super) fn happens(&mut self, event: &Event) {
        self.clock += 1;
        match *event {
            Event::Begin(session) => self.begin(session),
            Event::Insert(session, stamp) => self.insert(session, stamp),
            Event::Update(session, row) => self.update(session, row),
            Event::Savepoint(session) => {
                if let Some(open) = self.open(session) {
                    self.transactions[open].part = Some(Part::default());
                }
            }
            Event::RollbackToSavepoint(session) => {
                if let Some(open) = self.open(session)
                    && let Some(Part(part)) = &mut self.transactions[open].part
                    && let Some(xid) = part.take()
                {
                    self.fates.insert(xid, Fate::Aborted);
                }
            }
            Event::Prepare(session) => {
                // The session goes on to something else; the transaction stays.
                if let Some(open) = self.open(session)
                    && self.transactions[open].xid.is_some()
                {
                    self.transactions[open].prepared = true;
                    self.sessions[session] = None;
                }
            }
            Event::Commit(session) => self.end(session, Fate::Committed),
            Event::Abort(session) => self.end(session, Fate::Aborted),
            Event::Leave(session) => self.leave(session),
            Event::Restart => self.restart(),
            Event::Sync | Event::Kill => {}
        }
    }

    fn open(&self, session: usize) -> Option<usize> {
        self.sessions[session].filter(|at| self.transactions[*at].fate == Fate::Open)
    }

    fn begin(&mut self, session: usize) {
        if self.open(session).is_some() {
            return;
        }
        self.leave(session);
        let id = format!("{}/{}", session + 2, self.transactions.len());
        let (began, fate) = (self.clock, Fate::Open);
        self.transactions.push(Transaction {
            id,
            began,
            prepared: false,
            xid: None,
            part: None,
            fate,
            listed: true,
        });
        self.sessions[session] = Some(self.transactions.len() - 1);
    }

    /// The number that the session's next row carries; the whole transaction has one before its parts.
    fn number(&mut self, open: usize) -> u64 {
        let mut take = || {
            self.next += 1;
            self.fates.insert(self.next - 1, Fate::Open);
            self.next - 1
        };
        let transaction = &mut self.transactions[open];
        let whole = *transaction.xid.get_or_insert_with(&mut take);
        match &mut transaction.part {
            Some(Part(part)) => {
                let part = *part.get_or_insert_with(&mut take);
                self.parts.insert(part, open);
                part
            }
            None => whole,
        }
    }

    fn insert(&mut self, session: usize, stamp: Stamp) {
        let Some(open) = self.open(session) else { return };
        let began = self.transactions[open].began;
        let stamp = match stamp {
            Stamp::Begin => Some(began),
            Stamp::Truncated => Some(began - began.rem_euclid(MARGIN)),
            Stamp::Clock => Some(self.clock),
            Stamp::Future => Some(self.clock + 500),
            Stamp::Null => None,
        };
        let xmin = self.number(open);
        self.versions.push(Version { xmin, xmax: None, stamp });
    }

    fn update(&mut self, session: usize, row: usize) {
        let Some(open) = self.open(session) else { return };
        let is_free = |version: &Version| {
            let ended = version.xmax.is_none_or(|xmax| self.fates[&xmax] == Fate::Aborted);
            ended && self.fates[&version.xmin] == Fate::Committed
        };
        let free: Vec<usize> = (0..self.versions.len()).filter(|at| is_free(&self.versions[*at])).collect();
        let Some(old) = free.get(row.checked_rem(free.len()).unwrap_or(0)).copied() else { return };
        let xid = self.number(open);
        self.versions[old].xmax = Some(xid);
        let stamp = Some(self.transactions[open].began);
        self.versions.push(Version { xmin: xid, xmax: None, stamp });
    }

    fn end(&mut self, session: usize, fate: Fate) {
        // Of two, a prepared one is ended by whatever session.
        let prepared = self.transactions.iter().position(|one| one.prepared && one.fate == Fate::Open);
        let Some(at) = self.open(session).or(prepared) else { return };
        let transaction = &mut self.transactions[at];
        transaction.fate = fate;
        // A prepared one's entry goes with it; a session's goes later.
        transaction.listed &= !transaction.prepared;
        // Its parts share its fate, unless they were rolled back.
        let parts = self.parts.iter().filter(|(_, whole)| **whole == at).map(|(xid, _)| *xid);
        let numbers: Vec<u64> = parts.chain(transaction.xid).collect();
        for xid in numbers {
            if self.fates[&xid] == Fate::Open {
                self.fates.insert(xid, fate);
            }
            self.ended.insert(xid, self.clock);
            self.completed = self.completed.max(xid + 1);
        }
    }

    /// How long after its stamp a version became visible.
    pub(super) fn lasted(&self, at: usize) -> Option<i64> {
        let version = &self.versions[at];
        Some(self.ended.get(&version.xmin)? - version.stamp?)
    }

    fn leave(&mut self, session: usize) {
        if let Some(at) = self.sessions[session].filter(|at| self.transactions[*at].fate != Fate::Open) {
            self.transactions[at].listed = false;
            self.sessions[session] = None;
        }
    }

    /// Ends all that is not prepared. What is prepared has another name from now on.
    fn restart(&mut self) {
        self.started = self.clock;
        for session in 0..SESSIONS {
            if self.open(session).is_some() {
                self.end(session, Fate::Aborted);
            }
            self.leave(session);
        }
        for transaction in &mut self.transactions {
            if transaction.prepared && transaction.fate == Fate::Open {
                transaction.id = format!("-1/{}", transaction.xid.expect("it has written"));
            }
        }
    }

    /// Who is listed as running; with their starts, where the role may know.
    pub(super) fn running(&self, may_know: bool) -> Vec<Running> {
        let listed = self.transactions.iter().filter(|transaction| transaction.listed);
        let running = listed.map(|transaction| Running {
            id: transaction.id.clone(),
            process: (!transaction.prepared).then_some(1),
            user: None,
            since: (may_know && !transaction.prepared).then_some(transaction.began),
            prepared: None,
        });
        running.collect()
    }

    /// A snapshot's ends.
    pub(super) fn ends(&self) -> Ends {
        let open = self.fates.iter().filter(|(_, fate)| **fate == Fate::Open).map(|(xid, _)| *xid);
        Ends { xmin: open.fold(self.completed, u64::min), xmax: self.completed }
    }

    /// The versions that a snapshot shows now, by their place.
    pub(super) fn visible(&self) -> Vec<usize> {
        let committed = |xid: &u64| self.fates[xid] == Fate::Committed;
        let shown =
            |version: &Version| committed(&version.xmin) && !version.xmax.as_ref().is_some_and(committed);
        (0..self.versions.len()).filter(|at| shown(&self.versions[*at])).collect()
    }
}
