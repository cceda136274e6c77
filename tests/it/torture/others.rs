//! All who work on the database besides the syncs: writers, administrators, careless readers.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::{JoinHandle, JoinSet};

use super::Torture;
use super::account::Account;
use super::control::{self, Reader};
use super::housekeeper;
use super::restart;
use super::writer::{Deeds, Writer};

const WRITERS: i64 = 8;
/// Less would prove little, however long it took.
const FLOOR: Deeds = Deeds {
    committed: 300,
    rolled_back: 20,
    prepared: 15,
    savepoints_undone: 40,
    chained: 5,
    idle: 100,
    long: 8,
    early: 10,
    cut: 3,
};
const VERSIONS: usize = 1000;

pub(super) struct Others {
    writers: JoinSet<Deeds>,
    straggler: JoinHandle<u64>,
    housekeeper: JoinHandle<i64>,
    restarter: JoinHandle<[u64; 2]>,
    controls: JoinSet<(Reader, Account)>,
    /// Nobody writes any more: careless readers read once more.
    silence: Arc<AtomicBool>,
}

impl Others {
    pub(super) async fn start(torture: &Torture) -> Self {
        let shared =
            || (Arc::clone(&torture.database), Arc::clone(&torture.truth), Arc::clone(&torture.over));
        let mut writers = JoinSet::new();
        for number in 1..=WRITERS {
            let random = torture.settings.random(number.unsigned_abs());
            let writer = Writer::new(number, random, &torture.database, &torture.truth, &torture.over).await;
            writers.spawn(writer.write());
        }
        let readers = Reader::all();
        let marks = readers.iter().map(Reader::last).collect();
        let (database, truth, over) = shared();
        let straggler = tokio::spawn(control::straggle(database, truth, over, marks));
        let (database, truth, over) = shared();
        let housekeeper = tokio::spawn(housekeeper::keep(database, truth, over));
        let (cluster, restarts, over) =
            (Arc::clone(&torture.cluster), torture.restarts.clone(), Arc::clone(&torture.over));
        let random = torture.settings.random(103);
        let restarter =
            tokio::task::spawn_blocking(move || restart::restart(&cluster, &restarts, random, &over));
        let (mut controls, silence) = (JoinSet::new(), Arc::<AtomicBool>::default());
        for reader in readers {
            let (database, truth, _) = shared();
            controls.spawn(reader.read(database, truth, Arc::clone(&silence)));
        }
        Self { writers, straggler, housekeeper, restarter, controls, silence }
    }

    /// Waits for all of them, who know that it is over. Fails where they did too little, or where a
    /// careless reader was careful enough. Returns what they did, for people.
    pub(super) async fn end(self, torture: &Torture) -> String {
        let [crashes, restarts] = self.restarter.await.expect("the server comes back");
        let mut sum = Deeds::default();
        for deeds in self.writers.join_all().await {
            sum.add(deeds);
        }
        let times = self.straggler.await.expect("a straggler does not fail");
        let attached = self.housekeeper.await.expect("a housekeeper does not fail");
        let versions = torture.truth.count();
        assert!(sum.reaches(FLOOR) && versions >= VERSIONS, "too little was written: {versions}, {sum:?}");
        assert!(times > 0 && attached > 1, "too little was tried: {times} stragglers, {attached} partitions");
        assert!(crashes > 0 && restarts > 0, "too little was broken: {crashes} crashes, {restarts} restarts");
        let mut summary = format!(
            "{versions} row versions; {sum:?}\n{times} stragglers, {attached} partitions attached, \
             {crashes} crashes and {restarts} restarts of the server\n"
        );
        self.silence.store(true, Ordering::Relaxed);
        for (reader, account) in self.controls.join_all().await {
            let (faults, output) = (account.faults(), account.output().len());
            let habit = format!("{:?} of {}", reader.habit, reader.table.name());
            // It has lost what the straggler held back, at least.
            let lost = faults.lost.len();
            assert!(lost as u64 >= times, "a careless reader lost {lost} of {output}: {habit}");
            let _ = writeln!(summary, "careless reader {habit}: {output} versions, lost {lost}");
        }
        summary
    }
}
