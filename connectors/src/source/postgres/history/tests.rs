use proptest::prelude::*;

use super::super::xids::Ends;
use super::*;

/// A version of a row: who wrote it, and its cursor.
type Version = (u64, Option<i64>);

#[derive(Debug, Clone)]
enum Event {
    /// A transaction begins, and writes these.
    Write(Vec<Option<i64>>),
    Commit(usize),
    /// An increment, after which the bound is moved by so much.
    Increment(i64),
    Sweep(i64),
    /// The state is too large.
    Thin,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let cursor = prop_oneof![6 => (0_i64..60).prop_map(Some), 1 => Just(None)];
    let event = prop_oneof![
        8 => prop::collection::vec(cursor, 1..3).prop_map(Event::Write),
        8 => any::<usize>().prop_map(Event::Commit),
        6 => (0_i64..4).prop_map(Event::Increment),
        1 => Just(Event::Increment(-5)),
        2 => (0_i64..4).prop_map(Event::Sweep),
        1 => Just(Event::Thin),
    ];
    prop::collection::vec(event, 1..120)
}

/// What a stream keeps from one sync to the next.
struct Kept {
    seen: Seen,
    swept: Swept,
    was_empty: bool,
}

#[derive(Default)]
struct World {
    versions: Vec<Version>,
    open: Vec<u64>,
    next: u64,
    times: Vec<u32>,
    bound: i64,
    kept: Option<Kept>,
}

fn again<T: Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

/// What the conditions in SQL say, of times.
fn is_unread(past: &Past, (xmin, xids): (u64, &Xids), (writer, cursor): Version) -> bool {
    let steps = &past.steps.0;
    let reached = |cursor| steps.iter().filter(|step| step.below <= Bound::Micros(cursor)).count();
    let place = cursor.map_or(steps.len(), reached);
    let first = steps.get(place).map_or(xmin, |step| step.xmin);
    let is_shown = steps.iter().take(place + 1).any(|step| step.added.contains(&writer))
        || (place == steps.len() && xids.contains(writer));
    writer >= first && !is_shown
}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        match (self, other) {
            (Self::Micros(one), Self::Micros(other)) => one.partial_cmp(other),
            _ => None,
        }
    }
}

impl World {
    fn ends(&self) -> Ends {
        Ends { xmin: self.open.iter().copied().min().unwrap_or(self.next), xmax: self.next }
    }

    fn visible(&self) -> Vec<usize> {
        (0..self.versions.len()).filter(|at| !self.open.contains(&self.versions[*at].0)).collect()
    }

    fn sync(&mut self, is_sweep: bool, moved: i64) {
        let (ends, visible) = (self.ends(), self.visible());
        let in_range = |at: &usize, since: i64| self.versions[*at].1.is_none_or(|cursor| cursor >= since);
        let bound = (self.bound + moved).max(0);
        let shown = |from: Option<i64>| {
            let looked = visible.iter().filter(|at| from.is_none_or(|from| in_range(at, from)));
            looked.map(|at| self.versions[*at].0).filter(|xid| *xid >= ends.xmin).collect::<Xids>()
        };
        let (rows, xids, swept): (Vec<usize>, Xids, Swept) = match &self.kept {
            None => (visible.clone(), shown(None), Swept::now(0)),
            Some(Kept { seen, swept, .. }) if is_sweep => {
                let past = Past { steps: swept.steps.clone(), attached: Vec::new() };
                let is_new = |at: &usize| is_unread(&past, (seen.xmin, &seen.xids), self.versions[*at]);
                let rows: Vec<usize> = visible.iter().copied().filter(is_new).collect();
                let told = rows.iter().map(|at| self.versions[*at].0);
                let known = seen.xids.iter().chain(swept.xids_from(ends.xmin)).chain(told);
                let xids = known.filter(|xid| *xid >= ends.xmin).collect();
                (rows, xids, Swept::now(0))
            }
            Some(Kept { seen, swept, was_empty }) => {
                let is_new = |at: &usize| {
                    let writer = self.versions[*at].0;
                    writer >= seen.xmin && !seen.xids.contains(writer) && in_range(at, self.bound)
                };
                let rows = visible.iter().copied().filter(is_new).collect();
                let swept = swept.clone().passed(Some(Bound::Micros(self.bound)), seen, *was_empty);
                (rows, shown(Some(self.bound.min(bound))), swept)
            }
        };
        for at in &rows {
            self.times[*at] += 1;
        }
        let since = Some(Bound::Micros(bound));
        let seen = Seen { since, below: None, xmin: ends.xmin, xmax: ends.xmax, xids, is_lookback: false };
        self.kept = Some(Kept { seen: again(&seen), swept: again(&swept), was_empty: rows.is_empty() });
        self.bound = bound;
    }

    /// Whether all that is visible was read.
    fn is_whole(&self) -> bool {
        self.visible().into_iter().all(|at| self.times[at] > 0)
    }
}

/// Makes of what is kept what a worse algorithm would know.
type Spoils = fn(&mut Swept);

/// Lets it all happen. Returns how many versions were doubled, and whether that may be.
fn survives(events: &[Event], spoils: Spoils) -> Result<(usize, bool), TestCaseError> {
    let (mut world, mut is_coarse) = (World::default(), false);
    for event in events {
        match event {
            Event::Write(cursors) => {
                world.open.push(world.next);
                world.versions.extend(cursors.iter().map(|cursor| (world.next, *cursor)));
                world.times.resize(world.versions.len(), 0);
                world.next += 1;
            }
            Event::Commit(at) if !world.open.is_empty() => {
                let at = at % world.open.len();
                world.open.swap_remove(at);
            }
            Event::Commit(_) => {}
            Event::Increment(moved) => world.sync(false, *moved),
            Event::Sweep(moved) => {
                world.sync(true, *moved);
                prop_assert!(world.is_whole(), "lost: {:?} {:?}", world.versions, world.times);
            }
            Event::Thin => {
                if let Some(kept) = &mut world.kept {
                    kept.swept.is_coarse |= kept.swept.steps.thin(12);
                }
            }
        }
        is_coarse |= world.kept.as_ref().is_some_and(|kept| kept.swept.is_coarse);
        if let Some(kept) = &mut world.kept {
            spoils(&mut kept.swept);
        }
    }
    world.sync(true, 0);
    prop_assert!(world.is_whole(), "lost: {:?} {:?}", world.versions, world.times);
    Ok((world.times.iter().filter(|times| **times > 1).count(), is_coarse))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sweeps_read_what_was_passed_by_and_nothing_twice_unless_they_say_so(events in events()) {
        let (doubled, is_coarse) = survives(&events, |_| {})?;
        prop_assert!(doubled == 0 || is_coarse, "{} versions are doubled", doubled);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn steps_read_back(steps: Vec<(Result<i64, String>, u64, Vec<u64>)>) {
        let step = |(below, xmin, added): (Result<i64, String>, _, _)| {
            Step { below: below.map_or_else(Bound::Value, Bound::Micros), xmin, added }
        };
        let steps = Steps(steps.into_iter().map(step).collect());
        prop_assert_eq!(again(&steps), steps);
    }

    #[test]
    fn no_text_panics(text: String) {
        let _ = Steps::unpacked(&text);
        let _ = Steps::unpacked(&BASE64.encode(text));
    }
}

/// Joins steps and does not say so.
fn joins(swept: &mut Swept) {
    swept.steps.thin(0);
}

/// Joins steps so that the younger snapshot stays.
fn joins_the_wrong_way(swept: &mut Swept) {
    if swept.steps.0.len() > 1 {
        let older = swept.steps.0.remove(0);
        swept.steps.0[0].added.extend(older.added);
    }
}

/// Knows the last snapshot only.
fn forgets(swept: &mut Swept) {
    swept.steps.0.clear();
}

/// Takes a sync that has read something for one that has not.
fn confuses(swept: &mut Swept) {
    swept.is_next = true;
    if let Some(last) = swept.steps.0.last_mut() {
        last.below = Bound::Micros(1_000);
    }
}

#[test]
fn whatever_knows_less_loses_or_doubles_rows() {
    use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
    let worse: [(&str, Spoils); 4] = [
        ("joins", joins),
        ("joins the wrong way", joins_the_wrong_way),
        ("forgets", forgets),
        ("confuses", confuses),
    ];
    for (name, spoils) in worse {
        let config =
            Config { cases: 2000, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let result = runner.run(&events(), |events| {
            let (doubled, is_coarse) = survives(&events, spoils)?;
            prop_assert!(doubled == 0 || is_coarse);
            Ok(())
        });
        assert!(matches!(result, Err(TestError::Fail(..))), "what {name} survives: {result:?}");
    }
}

fn step(below: i64, xmin: u64, added: &[u64]) -> Step {
    Step { below: Bound::Micros(below), xmin, added: added.to_vec() }
}

#[test]
fn a_sync_each_minute_for_three_days_takes_no_more_than_is_allowed() {
    let mut swept = Swept::now(0);
    for minute in 1..=4_320 {
        let xmin = u64::try_from(minute).unwrap() * 5_000;
        let seen = Seen {
            since: None,
            below: None,
            xmin,
            xmax: xmin + 9,
            xids: [xmin + 3].into_iter().collect(),
            is_lookback: false,
        };
        swept = swept.passed(Some(Bound::Micros(minute * 60_000_000 + minute * 37)), &seen, false);
    }
    assert_eq!(swept.steps.0.len(), 4_320);
    assert!(!swept.is_coarse);
    assert!(serde_json::to_string(&swept).unwrap().len() < 68_000);
}

#[test]
fn joined_steps_keep_the_older_snapshot_and_all_transactions() {
    let mut steps =
        Steps(vec![step(1, 10, &[11]), step(2, 20, &[21]), step(3, 30, &[31]), step(4, 40, &[41])]);
    assert!(steps.thin(24));
    assert_eq!(steps.0, [step(2, 10, &[11]), step(3, 30, &[31, 21]), step(4, 40, &[41])]);
}

#[test]
fn the_cursor_decides_which_snapshot_counts() {
    let steps = Steps(vec![step(1_000_000, 10, &[11]), step(2_000_000, 20, &[])]);
    let past = Past { steps, attached: vec![Attached { leaves: vec![5], xmin: 7, xids: Xids::default() }] };
    let xids = [33].into_iter().collect();
    let conditions = past.conditions("at", CursorKind::Timestamptz, (30, &xids), None);
    let place = "(CASE WHEN \"at\"::timestamptz > '-infinity'::timestamptz THEN width_bucket(\"at\"::timestamptz, \
                 ARRAY['1970-01-01 00:00:01.000000+00','1970-01-01 00:00:02.000000+00']::timestamptz[]) ELSE 2 END)";
    assert_eq!(
        conditions[..3],
        [
            "age(xmin) <= (SELECT age('10'::xid))".to_owned(),
            "age(xmin) >= 0".to_owned(),
            format!("age(xmin) <= age(('{{10,20,30}}'::xid[])[1 + {place}])"),
        ]
    );
    assert!(conditions[3].contains("unnest('{11,33}'::xid[], '{0,2}'::int4[])"), "{}", conditions[3]);
    assert_eq!(
        conditions[4],
        "(tableoid <> ALL ('{5}'::oid[]) OR age(xmin) <= (SELECT age('7'::xid)) AND age(xmin) >= 0)"
    );
    assert_eq!(past.conditions("at", CursorKind::Timestamptz, (30, &xids), Some(6)).len(), 4);
}
