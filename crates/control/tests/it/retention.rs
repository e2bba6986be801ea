//! The retention engine against the oracle, and its own laws.

use coffre_control::id::PointId;
use coffre_control::retention::{Entry, Origin, Rules, Verdict, judge, simulate};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::dice::{Dice, cases};
use crate::oracle::{TAGS, goes, keeps};
use crate::policies::rules;

fn moment(dice: &mut Dice, around: Timestamp, hours: i64) -> Timestamp {
    around + SignedDuration::from_secs(dice.within(-hours * 3600, hours * 3600))
}

/// A history as a life under some timetable leaves it, with all that goes wrong in one.
fn history(dice: &mut Dice, rules: &Rules) -> Vec<Entry> {
    let begin: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
    let begin = begin + SignedDuration::from_hours(dice.within(0, 24 * 800));
    let count = dice.below(40);
    let mut points = Vec::new();
    for slot in rules.timetable.after(begin) {
        if points.len() >= count {
            break;
        }
        if dice.one_in(3) {
            continue;
        }
        let time = slot + SignedDuration::from_secs(dice.within(0, 7200));
        let origin = match dice.below(12) {
            0 => Origin::OnDemand(moment(dice, time, 24 * 60)),
            1 => Origin::NoSlot,
            _ => Origin::Slot(slot),
        };
        let late = dice.one_in(20).then(|| time + SignedDuration::from_hours(dice.within(1, 900)));
        let locked =
            dice.one_in(10).then(|| time + SignedDuration::from_hours(dice.within(1, 2000)));
        points.push(Entry {
            id: PointId(Uuid::from_u128(dice.next().into())),
            time,
            kept_from: late.unwrap_or(time),
            origin,
            locked_until: locked,
        });
    }
    // Rows come in any order.
    for at in (1..points.len()).rev() {
        let other = dice.below(at + 1);
        points.swap(at, other);
    }
    points
}

fn probe(dice: &mut Dice, points: &[Entry], verdicts: &[Verdict]) -> Timestamp {
    if points.is_empty() {
        return Timestamp::UNIX_EPOCH;
    }
    let at = dice.below(points.len());
    // The moment of an end and the one before it are where mistakes live.
    match (dice.below(4), verdicts[at].expires) {
        (0, Some(end)) => end,
        (1, Some(end)) => end - SignedDuration::from_nanos(1),
        (2, _) => points[at].locked_until.unwrap_or(points[at].time),
        _ => moment(dice, points[at].time, 24 * 500),
    }
}

#[test]
fn the_engine_agrees_with_brute_force_over_random_histories_and_policies() {
    let mut lived = 0_u64;
    let mut went = 0_u64;
    for seed in 0..cases("COFFRE_RETENTION_CASES", 100_000) {
        let mut dice = Dice::new(seed);
        let rules = rules(&mut dice);
        let points = history(&mut dice, &rules);
        let verdicts = judge(Some(&rules), &points);
        assert_eq!(verdicts.len(), points.len());
        for _ in 0..3 {
            let now = probe(&mut dice, &points, &verdicts);
            for (at, verdict) in verdicts.iter().enumerate() {
                assert_eq!(verdict.id, points[at].id);
                for tag in TAGS {
                    let ours = verdict
                        .tags
                        .iter()
                        .any(|it| it.tag == *tag && it.until.is_none_or(|until| now < until));
                    let theirs = keeps(&rules, &points, at, *tag, now);
                    assert_eq!(ours, theirs, "seed {seed} {tag:?} at {now}: {:?}", points[at]);
                }
                let gone = verdict.goes(now);
                assert_eq!(gone, goes(&rules, &points, at, now), "seed {seed} at {now}");
                *if gone { &mut went } else { &mut lived } += 1;
            }
        }
    }
    assert!(lived > 500 && went > 500, "both sides were seen: {lived} lived, {went} went");
}

#[test]
fn the_newest_and_the_locked_never_go() {
    for seed in 0..cases("COFFRE_RETENTION_CASES", 1_000) {
        let mut dice = Dice::new(seed ^ 0xface);
        let rules = rules(&mut dice);
        let points = history(&mut dice, &rules);
        let Some(newest) = points.iter().max_by_key(|it| (it.time, it.id)) else { continue };
        for verdict in judge(Some(&rules), &points) {
            let at_the_end_of_time = verdict.goes(Timestamp::MAX);
            assert_eq!(at_the_end_of_time, verdict.id != newest.id, "seed {seed}");
            if let Some(until) = verdict.locked_until {
                assert!(!verdict.goes(until - SignedDuration::from_nanos(1)), "seed {seed}");
            }
        }
    }
}

#[test]
fn a_longer_policy_never_ends_a_point_sooner() {
    for seed in 0..cases("COFFRE_RETENTION_CASES", 1_000) {
        let mut dice = Dice::new(seed ^ 0xbeef);
        let before = rules(&mut dice);
        let points = history(&mut dice, &before);
        let mut after = before.clone();
        after.instant_days += 1;
        after.retention.daily.iter_mut().for_each(|it| it.days += 3);
        after.retention.weekly.iter_mut().for_each(|it| it.weeks += 1);
        after.retention.monthly.iter_mut().for_each(|it| it.months += 1);
        after.retention.yearly.iter_mut().for_each(|it| it.years += 1);
        let pairs = judge(Some(&before), &points).into_iter().zip(judge(Some(&after), &points));
        for (old, new) in pairs {
            assert!(new.expires >= old.expires, "seed {seed}: {old:?} became {new:?}");
        }
    }
}

#[test]
fn stopped_protection_keeps_everything_without_end() {
    let mut dice = Dice::new(5);
    let rules = rules(&mut dice);
    for verdict in judge(None, &history(&mut dice, &rules)) {
        assert_eq!((verdict.expires, verdict.goes(Timestamp::MAX)), (None, false));
    }
}

/// The arithmetic of the articles: a month is 31 days, twelve of them are 372.
#[test]
fn twelve_months_are_372_days_and_a_year_is_366() {
    use coffre_control::model::*;
    use coffre_control::retention::Tag;
    let timetable = coffre_control::schedule::Timetable::new(
        Schedule::Daily { time: jiff::civil::time(22, 0, 0, 0) },
        "UTC",
        DaylightSaving::WallClock,
    )
    .unwrap();
    let first = DaysFormat::Daily { days: vec![DayOfMonth::Date(1)] };
    let rules = Rules {
        timetable,
        retention: Retention {
            daily: Some(DailyRetention { days: 30 }),
            weekly: None,
            monthly: Some(MonthlyRetention { on: first.clone(), months: 12 }),
            yearly: Some(YearlyRetention { in_months: vec![Month::January], on: first, years: 1 }),
        },
        instant_days: 2,
    };
    let slot: Timestamp = "2026-01-01T22:00:00Z".parse().unwrap();
    // The snapshot was complete only after midnight: the tag is that of the slot's day.
    let time: Timestamp = "2026-01-02T00:01:00Z".parse().unwrap();
    let point = Entry {
        id: PointId(Uuid::nil()),
        time,
        kept_from: time,
        origin: Origin::Slot(slot),
        locked_until: None,
    };
    let verdict = judge(Some(&rules), &[point]).remove(0);
    let days: Vec<(Tag, i64)> = verdict
        .tags
        .iter()
        .map(|it| (it.tag, it.until.unwrap().duration_since(time).as_hours() / 24))
        .collect();
    let expected = [(Tag::Instant, 2), (Tag::Daily, 30), (Tag::Yearly, 366), (Tag::Monthly, 372)];
    assert_eq!(days, expected);
    assert_eq!(verdict.rule(), Tag::Monthly);
}

/// Whatever the schedule and the ranges: a simulated point is a snapshot too for the days of the tier, then in the vault
/// alone, and never a snapshot alone.
#[test]
fn a_simulated_point_is_a_snapshot_for_the_days_of_the_operational_tier() {
    let (mut both, mut alone) = (0, 0);
    for seed in 0..cases("COFFRE_RETENTION_CASES", 300) {
        let mut dice = Dice::new(seed ^ 0x715e);
        let rules = rules(&mut dice);
        let begin: Timestamp = "2026-01-15T00:00:00Z".parse().unwrap();
        let begin = begin + SignedDuration::from_hours(dice.within(0, 24 * 365));
        let end = begin + SignedDuration::from_hours(24 * 60);
        let life = simulate::live(&rules, &[], begin, end);
        let now = begin + SignedDuration::from_secs(dice.within(0, 60 * 86_400));
        let since = now - SignedDuration::from_hours(24 * i64::from(rules.instant_days));
        let young = |it: &&simulate::Lived| it.entry.time > since && it.entry.time <= now;
        let count = simulate::count(&life, now);
        assert_eq!(count.snapshots, life.iter().filter(young).count(), "seed {seed} at {now}");
        assert!(count.snapshots <= count.points, "seed {seed} at {now}");
        let days = simulate::calendar(&rules, &life, now);
        let of_young = life.iter().filter(young).map(|it| rules.timetable.day_of(it.entry.time));
        let of_young: std::collections::BTreeSet<_> = of_young.collect();
        let marked = days.iter().filter(|(_, day)| day.snapshot).map(|(date, _)| *date);
        assert!(marked.eq(of_young), "seed {seed} at {now}: {days:?}");
        both += count.snapshots;
        alone += count.points - count.snapshots;
    }
    assert!(
        both > 100 && alone > 100,
        "both were seen: {both} in both tiers, {alone} in the vault"
    );
}
