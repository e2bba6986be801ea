//! The slots of one schedule in one zone.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::zone::{UnknownZone, find_zone, standard_offset};
use crate::model::{DaylightSaving, Policy, Schedule, Weekday};

/// The longest pause between two slots is a week; clocks may add a little.
const DAYS_LOOKED_AT: i64 = 9;

/// The year whose standard offset a fixed one is.
const YEAR_OF_OFFSET: i16 = 2026;

/// A schedule in its zone.
#[derive(Clone, Debug)]
pub struct Timetable {
    schedule: Schedule,
    zone: TimeZone,
}

impl Timetable {
    /// The timetable of a policy.
    pub fn of(policy: &Policy) -> Result<Self, UnknownZone> {
        Self::new(policy.schedule.clone(), &policy.time_zone, policy.daylight_saving)
    }

    /// The timetable of a schedule in a zone.
    pub fn new(
        schedule: Schedule,
        time_zone: &str,
        daylight_saving: DaylightSaving,
    ) -> Result<Self, UnknownZone> {
        let zone = find_zone(time_zone)?;
        let zone = match daylight_saving {
            DaylightSaving::WallClock => zone,
            DaylightSaving::FixedOffset => standard_offset(&zone, YEAR_OF_OFFSET),
        };
        Ok(Self { schedule, zone })
    }

    /// Slots later than a moment, in order, without end.
    pub fn after(&self, moment: Timestamp) -> Slots<'_> {
        // Slots of the day before may lie after it: a window may pass midnight.
        let first = self.day_of(moment).checked_sub(Span::new().days(2)).unwrap_or(Date::MIN);
        Slots { table: self, day: Some(first), waiting: Vec::new(), last: moment }
    }

    /// The last slot that is not later than a moment.
    pub fn latest(&self, moment: Timestamp) -> Option<Timestamp> {
        let today = self.day_of(moment);
        (-1..DAYS_LOOKED_AT)
            .filter_map(|ago| today.checked_sub(Span::new().days(ago)).ok())
            .flat_map(|day| self.slots_of(day))
            .filter(|slot| *slot <= moment)
            .max()
    }

    /// The day in the zone on which a moment lies.
    pub fn day_of(&self, moment: Timestamp) -> Date {
        self.local(moment).date()
    }

    /// The wall clock of the zone at a moment.
    pub fn local(&self, moment: Timestamp) -> DateTime {
        self.zone.to_datetime(moment)
    }

    /// The offset from UTC at a moment, for people (`+02`).
    pub fn offset(&self, moment: Timestamp) -> String {
        self.zone.to_offset(moment).to_string()
    }

    /// The most slots that a day has.
    pub fn slots_per_day(&self) -> u32 {
        u32::try_from(times_of(&self.schedule).len()).unwrap_or(u32::MAX)
    }

    /// The shortest time between two slots, in hours, as the schedule says it.
    pub fn hours_between(&self) -> u32 {
        match self.schedule {
            Schedule::Daily { .. } | Schedule::Weekly { .. } => 24,
            Schedule::Hourly { interval_hours, .. } => u32::from(interval_hours),
        }
    }

    /// Slots that begin on a day, in order.
    fn slots_of(&self, day: Date) -> Vec<Timestamp> {
        if let Schedule::Weekly { days, .. } = &self.schedule
            && !days.contains(&Weekday::of(day))
        {
            return Vec::new();
        }
        let at = |(time, days): (Time, i64)| {
            let day = day.checked_add(Span::new().days(days)).ok()?;
            self.zone.to_ambiguous_timestamp(day.to_datetime(time)).compatible().ok()
        };
        times_of(&self.schedule).into_iter().filter_map(at).collect()
    }
}

/// Times of day of a schedule, each with the number of days after the first.
fn times_of(schedule: &Schedule) -> Vec<(Time, i64)> {
    match *schedule {
        Schedule::Daily { time } | Schedule::Weekly { time, .. } => vec![(time, 0)],
        Schedule::Hourly { interval_hours, window_start, window_hours } => {
            let step = usize::from(interval_hours.max(1));
            (0..=i64::from(window_hours))
                .step_by(step)
                // The slot after a whole day is the first of the next one.
                .filter(|hours| *hours < 24)
                .map(|hours| {
                    let hour = i64::from(window_start.hour()) + hours;
                    let wrapped = i8::try_from(hour % 24).expect("a remainder of 24 is small");
                    let time = Time::new(wrapped, window_start.minute(), 0, 0)
                        .expect("hour and minute of a day make a time");
                    (time, hour / 24)
                })
                .collect()
        }
    }
}

/// Slots in order.
#[derive(Clone, Debug)]
pub struct Slots<'a> {
    table: &'a Timetable,
    /// The next day to look at; none at the end of time.
    day: Option<Date>,
    /// Slots that were found and not given out, the next one last.
    waiting: Vec<Timestamp>,
    /// Only later ones are given out.
    last: Timestamp,
}

impl Iterator for Slots<'_> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        loop {
            while let Some(slot) = self.waiting.pop() {
                if slot > self.last {
                    self.last = slot;
                    return Some(slot);
                }
            }
            let day = self.day?;
            self.day = day.tomorrow().ok();
            self.waiting = self.table.slots_of(day);
            self.waiting.reverse();
        }
    }
}
