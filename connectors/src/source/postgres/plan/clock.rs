//! What a cursor of time shows at an instant.

use protocol::{Error, Result};
use tokio_postgres::Client;

use super::super::answer::{ask_one, quote_literal, unexpected};
use super::super::error::SQLSTATE;
use super::super::session::Sessions;
use super::super::state::{Bound, CursorKind};

/// In µs.
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// Clocks on walls differ by so much, the earliest from the latest.
pub(super) const ALL_ZONES: i64 = 26 * HOUR;

/// The first value that a row stamped from `instant` on can have, by clocks of `zone`, or of UTC.
pub(super) async fn first(
    kind: CursorKind,
    instant: i64,
    zone: Option<&str>,
    sessions: &Sessions,
) -> Result<Bound> {
    if kind == CursorKind::Timestamptz {
        return Ok(Bound::Micros(instant));
    }
    let local = match zone {
        None | Some("UTC") => instant,
        Some(zone) => {
            let lease = sessions.lease().await?;
            let local = earliest_local(&lease, instant, zone).await?;
            lease.give_back();
            local
        }
    };
    Ok(Bound::Micros(if kind == CursorKind::Date { local.div_euclid(DAY) * DAY } else { local }))
}

/// The same by clocks of any zone, where none is named; and a day more of dates.
pub(super) async fn first_anywhere(
    kind: CursorKind,
    instant: i64,
    zone: Option<&str>,
    sessions: &Sessions,
) -> Result<Bound> {
    let slack = if kind == CursorKind::Timestamptz || zone.is_some() { 0 } else { ALL_ZONES };
    let slack = if kind == CursorKind::Date { slack + DAY } else { slack };
    first(kind, instant.saturating_sub(slack), zone, sessions).await
}

/// The earliest that clocks in `zone` show from `instant` on: they are put back once a year.
async fn earliest_local(client: &Client, instant: i64, zone: &str) -> Result<i64> {
    const WHAT: &str = "could not ask for the time in `cursor_timezone`";
    let start = CursorKind::Timestamptz.written(&Bound::Micros(instant));
    let zone = quote_literal(zone);
    // Clocks are changed at full quarters of an hour.
    let sql = format!(
        "SELECT (extract(epoch FROM min(t AT TIME ZONE {zone})) * 1000000)::int8 \
           FROM (SELECT '{start}'::timestamptz AS t UNION ALL \
                 SELECT g FROM generate_series(date_trunc('hour', '{start}'::timestamptz), \
                                               '{start}'::timestamptz + interval '26 hours', interval '15 minutes') g \
                  WHERE g > '{start}'::timestamptz) times"
    );
    let row = ask_one(client, WHAT, &sql).await.map_err(|error| match error.context_value(SQLSTATE) {
        Some("22023") => Error::config("`cursor_timezone` is no time zone that the server knows")
            .hint("name it like `Europe/Berlin`")
            .with_source(error),
        _ => error,
    })?;
    row.number(0).ok_or_else(|| unexpected(WHAT))
}

#[cfg(test)]
mod tests {
    use super::super::super::state::shown_instant;
    use super::*;

    /// Seconds of an instant of 2026-10-25, UTC. Clocks in Berlin are put back at 01:00, from 03:00 to 02:00.
    fn at(hour: i64, minute: i64) -> i64 {
        (1_792_886_400 + hour * 3600 + minute * 60) * 1_000_000
    }

    #[tokio::test]
    async fn an_hour_that_clocks_show_twice_is_waited_for() {
        let database = lab::Cluster::shared().database();
        let client = database.client().await;
        for (instant, shown, zone) in [
            (at(-2, 0), at(0, 0), "Europe/Berlin"),
            (at(-1, 59), at(1, 59), "Europe/Berlin"),
            (at(0, 0), at(2, 0), "Europe/Berlin"),
            (at(0, 1), at(2, 0), "Europe/Berlin"),
            (at(0, 59), at(2, 0), "Europe/Berlin"),
            (at(1, 0), at(2, 0), "Europe/Berlin"),
            (at(1, 1), at(2, 1), "Europe/Berlin"),
            (at(12, 0), at(8, 0), "America/New_York"),
            (at(12, 7), at(12, 7), "UTC"),
        ] {
            let earliest = earliest_local(&client, instant, zone).await.unwrap();
            assert_eq!(shown_instant(earliest), shown_instant(shown), "{} in {zone}", shown_instant(instant));
        }
        assert!(earliest_local(&client, 0, "Mars/Olympus").await.is_err());
    }
}
