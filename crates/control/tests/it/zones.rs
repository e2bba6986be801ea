//! Slots over every change of the clocks from 2020 to 2040.

use coffre_control::model::{DaylightSaving, Schedule};
use coffre_control::schedule::{Timetable, find_zone};
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::policies::ZONES;

const BEGIN: &str = "2020-01-01T00:00:00Z";
const END: &str = "2041-01-01T00:00:00Z";

fn changes(zone: &TimeZone) -> Vec<Timestamp> {
    let (begin, end): (Timestamp, Timestamp) = (BEGIN.parse().unwrap(), END.parse().unwrap());
    zone.following(begin).map(|it| it.timestamp()).take_while(|it| *it < end).collect()
}

fn half_hours() -> impl Iterator<Item = Time> {
    (0..48).map(|half| jiff::civil::time(half / 2, half % 2 * 30, 0, 0))
}

fn days_around(change: Timestamp) -> (Timestamp, Timestamp) {
    (change - SignedDuration::from_hours(72), change + SignedDuration::from_hours(72))
}

fn slots(table: &Timetable, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    table.after(from).take_while(|slot| *slot <= to).collect()
}

/// What a day's time means, told by counting minutes: the first moment that shows it, or, when no
/// moment does, as much later as the gap is long.
fn expected(zone: &TimeZone, wanted: DateTime, around: Timestamp) -> Timestamp {
    let begin = around - SignedDuration::from_hours(100);
    let mut before: Option<Timestamp> = None;
    for minute in 0..(200 * 60) {
        let at = begin + SignedDuration::from_mins(minute);
        let at = at.round(jiff::Unit::Minute).unwrap();
        let shown = zone.to_datetime(at);
        if shown == wanted {
            return at;
        }
        if shown > wanted {
            // It was skipped: the clock before the gap goes on.
            let before = before.unwrap();
            return before + wanted.duration_since(zone.to_datetime(before));
        }
        before = Some(at);
    }
    panic!("{wanted} is not near {around}")
}

#[test]
fn every_day_has_its_slot_over_every_change_of_the_clocks() {
    let mut seen = 0;
    for name in ZONES {
        let zone = find_zone(name).unwrap();
        for change in changes(&zone) {
            seen += 1;
            let (from, to) = days_around(change);
            // Every time of the day has its turn at one change or another.
            for time in half_hours().skip(seen % 4).step_by(4) {
                let table =
                    Timetable::new(Schedule::Daily { time }, name, DaylightSaving::WallClock);
                let table = table.unwrap();
                let slots = slots(&table, from, to);
                assert!((5..=7).contains(&slots.len()), "{name} {change} {time}: {slots:?}");
                for slot in &slots {
                    let shown = zone.to_datetime(*slot);
                    // A time that was skipped shows later by the gap, on the same day.
                    let late = shown.time().duration_since(time).as_mins();
                    assert!(late == 0 || (1..=60).contains(&late), "{name} {slot} shows {shown}");
                }
                for pair in slots.windows(2) {
                    let hours = pair[1].duration_since(pair[0]).as_hours();
                    assert!((22..=26).contains(&hours), "{name}: {pair:?}");
                    assert_eq!(
                        table.latest(pair[1] - SignedDuration::from_nanos(1)),
                        Some(pair[0])
                    );
                    assert_eq!(table.latest(pair[1]), Some(pair[1]));
                    assert_eq!(table.after(pair[0]).next(), Some(pair[1]));
                }
            }
        }
    }
    assert!(seen > 250, "{seen} changes");
}

#[test]
fn a_time_on_the_day_of_a_change_means_what_the_clock_on_the_wall_says() {
    for name in ZONES {
        let zone = find_zone(name).unwrap();
        for change in changes(&zone).into_iter().take(6) {
            let day = zone.to_datetime(change).date();
            for time in half_hours().step_by(5).chain([jiff::civil::time(2, 30, 0, 0)]) {
                let wanted = day.to_datetime(time);
                let table =
                    Timetable::new(Schedule::Daily { time }, name, DaylightSaving::WallClock);
                let at = expected(&zone, wanted, change);
                let found = table.unwrap().after(at - SignedDuration::from_nanos(1)).next();
                assert_eq!(found, Some(at), "{name}: {wanted}");
            }
        }
    }
}

#[test]
fn hourly_slots_keep_their_places_on_the_wall_and_their_number() {
    for name in ZONES {
        let zone = find_zone(name).unwrap();
        for change in changes(&zone) {
            let (from, to) = days_around(change);
            for interval in [4_u8, 6, 8, 12] {
                let schedule = Schedule::Hourly {
                    interval_hours: interval,
                    window_start: jiff::civil::time(2, 0, 0, 0),
                    window_hours: 24,
                };
                let table = Timetable::new(schedule, name, DaylightSaving::WallClock).unwrap();
                let slots = slots(&table, from, to);
                let per_day = 24 / usize::from(interval);
                let wanted = 6 * per_day;
                assert!(slots.len().abs_diff(wanted) <= 1, "{name} {interval}: {}", slots.len());
                for pair in slots.windows(2) {
                    let minutes = pair[1].duration_since(pair[0]).as_mins();
                    let nominal = i64::from(interval) * 60;
                    assert!((minutes - nominal).abs() <= 60, "{name}: {pair:?}");
                }
            }
        }
    }
}

#[test]
fn a_fixed_offset_never_moves() {
    for name in ZONES {
        let time = jiff::civil::time(22, 0, 0, 0);
        let table =
            Timetable::new(Schedule::Daily { time }, name, DaylightSaving::FixedOffset).unwrap();
        let begin: Timestamp = BEGIN.parse().unwrap();
        let slots: Vec<Timestamp> = table.after(begin).take(800).collect();
        for pair in slots.windows(2) {
            assert_eq!(pair[1].duration_since(pair[0]), SignedDuration::from_hours(24), "{name}");
        }
    }
}
