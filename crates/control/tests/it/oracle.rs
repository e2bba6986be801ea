//! Retention by brute force: the rules read aloud, with a calendar of its own. Shares nothing with
//! the engine but the day on which a slot lies.

use coffre_control::model::{DayOfMonth, DaysFormat, Month, WeekOfMonth, Weekday};
use coffre_control::retention::{Entry, Origin, Rules, Tag};
use jiff::Timestamp;

/// A day of a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Day {
    year: i64,
    month: i64,
    day: i64,
}

impl Day {
    fn of(rules: &Rules, moment: Timestamp) -> Self {
        let local = rules.timetable.local(moment);
        Self { year: local.year().into(), month: local.month().into(), day: local.day().into() }
    }

    fn length_of_month(self) -> i64 {
        match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if self.year % 400 == 0 || (self.year % 4 == 0 && self.year % 100 != 0) => 29,
            2 => 28,
            _ => 31,
        }
    }

    /// By counting days since a Saturday, 1 January 2000.
    fn weekday(self) -> Weekday {
        let mut days = 0;
        for year in 2000..self.year {
            let leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
            days += if leap { 366 } else { 365 };
        }
        for month in 1..self.month {
            days += Self { month, ..self }.length_of_month();
        }
        days += self.day - 1;
        Weekday::ALL[usize::try_from((6 + days) % 7).unwrap()]
    }

    /// The how-many-eth of its weekday in the month it is, and whether the last.
    fn is_in(self, week: WeekOfMonth) -> bool {
        let mut number = 0;
        let mut date = self.day;
        while date > 0 {
            number += 1;
            date -= 7;
        }
        match week {
            WeekOfMonth::First => number == 1,
            WeekOfMonth::Second => number == 2,
            WeekOfMonth::Third => number == 3,
            WeekOfMonth::Fourth => number == 4,
            WeekOfMonth::Last => self.day + 7 > self.length_of_month(),
        }
    }

    fn is_chosen(self, on: &DaysFormat) -> bool {
        match on {
            DaysFormat::Daily { days } => days.iter().any(|day| match day {
                DayOfMonth::Date(date) => i64::from(*date) == self.day,
                DayOfMonth::Last => self.day == self.length_of_month(),
            }),
            DaysFormat::Weekly { days, weeks } => {
                days.contains(&self.weekday()) && weeks.iter().any(|week| self.is_in(*week))
            }
        }
    }
}

/// Whether a rule keeps a point at a moment.
pub(crate) fn keeps(rules: &Rules, points: &[Entry], at: usize, tag: Tag, now: Timestamp) -> bool {
    let point = &points[at];
    let for_days = |days: u32| {
        let ends = i128::from(days) * 86_400 * 1_000_000_000 + point.kept_from.as_nanosecond();
        now.as_nanosecond() < ends
    };
    let day = match point.origin {
        Origin::OnDemand(until) => return tag == Tag::OnDemand && now < until,
        Origin::Slot(slot) => Day::of(rules, slot),
        Origin::NoSlot => Day::of(rules, point.time),
    };
    if tag == Tag::Instant {
        return for_days(rules.instant_days.into());
    }
    if let Origin::Slot(slot) = point.origin {
        for other in points {
            let Origin::Slot(theirs) = other.origin else { continue };
            let later = theirs > slot || (theirs == slot && other.id > point.id);
            if later && Day::of(rules, theirs) == day {
                return false;
            }
        }
    }
    let retention = &rules.retention;
    match tag {
        Tag::Daily => retention.daily.is_some_and(|daily| for_days(daily.days)),
        Tag::Weekly => retention
            .weekly
            .as_ref()
            .is_some_and(|it| it.days.contains(&day.weekday()) && for_days(it.weeks * 7)),
        Tag::Monthly => retention
            .monthly
            .as_ref()
            .is_some_and(|it| day.is_chosen(&it.on) && for_days(it.months * 31)),
        Tag::Yearly => retention.yearly.as_ref().is_some_and(|it| {
            let month = Month::ALL[usize::try_from(day.month - 1).unwrap()];
            it.in_months.contains(&month) && day.is_chosen(&it.on) && for_days(it.years * 366)
        }),
        Tag::Instant | Tag::OnDemand | Tag::Kept => false,
    }
}

/// Every tag that a policy can give.
pub(crate) const TAGS: &[Tag] =
    &[Tag::Instant, Tag::Daily, Tag::Weekly, Tag::Monthly, Tag::Yearly, Tag::OnDemand];

/// Whether a point may be deleted at a moment.
pub(crate) fn goes(rules: &Rules, points: &[Entry], at: usize, now: Timestamp) -> bool {
    let point = &points[at];
    let is_newest = points.iter().all(|it| (it.time, it.id) <= (point.time, point.id));
    let is_locked = point.locked_until.is_some_and(|until| now < until);
    let is_kept = TAGS.iter().any(|tag| keeps(rules, points, at, *tag, now));
    !is_newest && !is_locked && !is_kept
}
