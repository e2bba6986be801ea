//! What a policy leads to: its next runs, the rule that keeps each day's point, and how many
//! points and bytes there will be.

use coffre_control::id::PointId;
use coffre_control::model::{Policy, RecoveryPoint};
use coffre_control::retention::{Entry, Origin, Rules, Tag, Verdict, judge};
use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// Runs that are shown.
const RUNS: usize = 5;
/// Days that the calendar shows.
const CALENDAR_DAYS: i64 = 365;
/// Days after which points and space are told.
const HORIZONS: [i64; 5] = [7, 30, 90, 365, 5 * 365];
/// More slots than a schedule every four hours has in the longest horizon.
const SLOTS_MAX: usize = 14_000;

/// A run to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The moment.
    pub(crate) time: Timestamp,
    /// The wall clock of the policy's zone.
    pub(crate) local: DateTime,
    /// The zone's offset from UTC then (`+02`).
    pub(crate) offset: String,
}

/// Bytes that points are expected to take, from what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Stored by the first backup of an item.
    pub(crate) first: u64,
    /// Stored by each further one.
    pub(crate) further: u64,
    /// Nothing was measured yet.
    pub(crate) assumed: bool,
}

/// How it is after some days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Then {
    pub(crate) days: i64,
    /// Points of one item.
    pub(crate) points: usize,
    /// Bytes of one item, at most.
    pub(crate) bytes: u64,
}

/// What a policy leads to.
#[derive(Clone, Debug)]
pub(crate) struct Forecast {
    pub(crate) runs: Vec<Run>,
    /// The rule that keeps the last point of each day longest; days without a backup are not there.
    pub(crate) days: Vec<(Date, Tag)>,
    pub(crate) then: Vec<Then>,
}

impl Sizes {
    /// A machine that nobody has measured.
    const ASSUMED: Self = Self { first: 10 << 30, further: 200 << 20, assumed: true };

    /// Measured at the points of some items, each newest first.
    pub(crate) fn measured(items: &[Vec<RecoveryPoint>]) -> Self {
        let firsts: Vec<u64> =
            items.iter().filter_map(|points| Some(points.last()?.stats.stored_bytes)).collect();
        let further: Vec<u64> = items
            .iter()
            .flat_map(|points| points.iter().rev().skip(1).map(|it| it.stats.stored_bytes))
            .collect();
        let Some(first) = mean(&firsts) else { return Self::ASSUMED };
        Self { first, further: mean(&further).unwrap_or(first / 50), assumed: false }
    }
}

fn mean(values: &[u64]) -> Option<u64> {
    let sum: u128 = values.iter().map(|it| u128::from(*it)).sum();
    let count = u128::try_from(values.len()).ok().filter(|count| *count > 0)?;
    u64::try_from(sum / count).ok()
}

/// Looks ahead from a moment. A policy whose zone nobody knows leads nowhere: none.
pub(crate) fn look_ahead(policy: &Policy, sizes: Sizes, now: Timestamp) -> Option<Forecast> {
    let rules = Rules::of(policy).ok()?;
    let table = &rules.timetable;
    let end = |days: i64| {
        now.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX)
    };
    let longest = end(HORIZONS[HORIZONS.len() - 1]);
    let slots: Vec<Timestamp> =
        table.after(now).take_while(|slot| *slot <= longest).take(SLOTS_MAX).collect();
    let runs = slots.iter().take(RUNS).map(|&time| Run {
        time,
        local: table.local(time),
        offset: table.offset(time),
    });
    let entries: Vec<Entry> = slots.iter().enumerate().map(|(at, slot)| entry(at, *slot)).collect();
    let verdicts = judge(Some(&rules), &entries);
    let year = end(CALENDAR_DAYS);
    let days = slots
        .iter()
        .zip(&verdicts)
        .take_while(|(slot, _)| **slot <= year)
        .filter(|(_, verdict)| !verdict.superseded)
        .map(|(slot, verdict)| (table.day_of(*slot), verdict.rule()))
        .collect();
    let then = HORIZONS.map(|days| after(days, end(days), &slots, &verdicts, sizes)).to_vec();
    Some(Forecast { runs: runs.collect(), days, then })
}

fn entry(at: usize, slot: Timestamp) -> Entry {
    Entry {
        id: PointId(Uuid::from_u128(at as u128)),
        time: slot,
        kept_from: slot,
        origin: Origin::Slot(slot),
        locked_until: None,
    }
}

/// Points alive at a moment, and what they take at most: a point holds what changed since the one
/// before it that is still there, and never more than a whole machine.
fn after(
    days: i64,
    moment: Timestamp,
    slots: &[Timestamp],
    verdicts: &[Verdict],
    sizes: Sizes,
) -> Then {
    let taken = slots.iter().take_while(|slot| **slot <= moment).count();
    let mut bytes = 0_u64;
    let mut points = 0;
    let mut before: Option<usize> = None;
    for (at, verdict) in verdicts[..taken].iter().enumerate() {
        let newest = at + 1 == taken;
        if !newest && verdict.expires.is_some_and(|expires| expires <= moment) {
            continue;
        }
        let slots_between = before.map(|before| u64::try_from(at - before).unwrap_or(u64::MAX));
        bytes = bytes.saturating_add(match slots_between {
            None => sizes.first,
            Some(slots) => sizes.further.saturating_mul(slots).min(sizes.first),
        });
        points += 1;
        before = Some(at);
    }
    Then { days, points, bytes }
}

#[cfg(test)]
mod tests {
    use coffre_control::id::VaultId;
    use coffre_control::model::{
        DailyRetention, DaylightSaving, PolicyKind, Retention, Schedule, SnapshotConsistency,
        Weekday, WeeklyRetention,
    };
    use jiff::civil::Time;

    use super::*;

    fn nightly() -> Policy {
        Policy {
            vault: VaultId(Uuid::nil()),
            name: "Nightly".to_owned(),
            kind: PolicyKind::Standard,
            schedule: Schedule::Daily { time: Time::constant(22, 0, 0, 0) },
            retention: Retention {
                daily: Some(DailyRetention { days: 30 }),
                weekly: Some(WeeklyRetention { days: vec![Weekday::Sunday], weeks: 10 }),
                ..Retention::default()
            },
            instant_days: 2,
            time_zone: "Europe/Paris".to_owned(),
            tiering: None,
            consistency: SnapshotConsistency::Best,
            daylight_saving: DaylightSaving::WallClock,
            short_retention: false,
            etag: 0,
        }
    }

    const SIZES: Sizes = Sizes { first: 1000, further: 10, assumed: false };

    #[test]
    fn runs_stay_on_the_wall_clock() {
        let now: Timestamp = "2026-10-23T12:00:00Z".parse().unwrap();
        let ahead = look_ahead(&nightly(), SIZES, now).unwrap();
        let runs: Vec<(String, &str)> =
            ahead.runs.iter().map(|run| (run.time.to_string(), run.offset.as_str())).collect();
        assert_eq!(
            runs,
            [
                ("2026-10-23T20:00:00Z".to_owned(), "+02"),
                ("2026-10-24T20:00:00Z".to_owned(), "+02"),
                ("2026-10-25T21:00:00Z".to_owned(), "+01"),
                ("2026-10-26T21:00:00Z".to_owned(), "+01"),
                ("2026-10-27T21:00:00Z".to_owned(), "+01"),
            ]
        );
        assert!(ahead.runs.iter().all(|run| run.local.hour() == 22));
    }

    #[test]
    fn points_and_bytes_follow_the_ranges() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let ahead = look_ahead(&nightly(), SIZES, now).unwrap();
        assert_eq!(ahead.days.len(), 365);
        let weekly = ahead.days.iter().filter(|(_, tag)| *tag == Tag::Weekly).count();
        assert_eq!(weekly, 52);
        let points: Vec<usize> = ahead.then.iter().map(|then| then.points).collect();
        // 30 daily points and the Sundays of the five or six weeks before them.
        assert_eq!(points[..2], [7, 30]);
        assert!((35..=37).contains(&points[3]), "{points:?}");
        assert_eq!(points[3], points[4]);
        // A week: the first whole, six times what changed.
        assert_eq!(ahead.then[0].bytes, 1000 + 6 * 10);
        assert!(ahead.then[3].bytes >= 1000 + 30 * 10);
    }

    #[test]
    fn an_unknown_zone_leads_nowhere() {
        let mut policy = nightly();
        "Mars Standard Time".clone_into(&mut policy.time_zone);
        assert!(look_ahead(&policy, SIZES, Timestamp::UNIX_EPOCH).is_none());
    }
}
