//! Random policies.

use coffre_control::model::{
    DailyRetention, DayOfMonth, DaylightSaving, DaysFormat, Month, MonthlyRetention, Retention,
    Schedule, WeekOfMonth, Weekday, WeeklyRetention, YearlyRetention,
};
use coffre_control::retention::Rules;
use coffre_control::schedule::Timetable;
use jiff::civil::{Time, time};

use crate::dice::Dice;

/// A time on the half hour.
fn half_hour(dice: &mut Dice) -> Time {
    let hour = i8::try_from(dice.below(24)).unwrap();
    time(hour, if dice.one_in(2) { 30 } else { 0 }, 0, 0)
}

pub(crate) fn schedule(dice: &mut Dice) -> Schedule {
    match dice.below(3) {
        0 => Schedule::Daily { time: half_hour(dice) },
        1 => Schedule::Weekly { days: dice.some(Weekday::ALL), time: half_hour(dice) },
        _ => {
            let interval = *dice.pick(&[4_u8, 6, 8, 12, 24]);
            let most = 24 / interval;
            let times = u8::try_from(1 + dice.below(usize::from(most))).unwrap();
            Schedule::Hourly {
                interval_hours: interval,
                window_start: half_hour(dice),
                window_hours: interval * times,
            }
        }
    }
}

fn days(dice: &mut Dice) -> DaysFormat {
    if dice.one_in(2) {
        let date = u8::try_from(dice.within(1, 28)).unwrap();
        let mut days = vec![DayOfMonth::Date(date)];
        if dice.one_in(2) {
            days.push(DayOfMonth::Last);
        }
        DaysFormat::Daily { days }
    } else {
        DaysFormat::Weekly { days: dice.some(Weekday::ALL), weeks: dice.some(WeekOfMonth::ALL) }
    }
}

fn count(dice: &mut Dice, most: i64) -> u32 {
    u32::try_from(dice.within(1, most)).unwrap()
}

pub(crate) fn retention(dice: &mut Dice) -> Retention {
    let mut retention = Retention::default();
    if !dice.one_in(4) {
        retention.daily = Some(DailyRetention { days: count(dice, 40) });
    }
    if dice.one_in(2) {
        let weekly = WeeklyRetention { days: dice.some(Weekday::ALL), weeks: count(dice, 12) };
        retention.weekly = Some(weekly);
    }
    if dice.one_in(2) {
        retention.monthly = Some(MonthlyRetention { on: days(dice), months: count(dice, 14) });
    }
    if dice.one_in(3) {
        let yearly = YearlyRetention {
            in_months: dice.some(Month::ALL),
            on: days(dice),
            years: count(dice, 5),
        };
        retention.yearly = Some(yearly);
    }
    retention
}

pub(crate) const ZONES: &[&str] = &[
    "UTC",
    "Pacific Standard Time",
    "Europe/Paris",
    "AUS Eastern Standard Time",
    "India Standard Time",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Casablanca",
    "Pacific/Chatham",
];

pub(crate) fn rules(dice: &mut Dice) -> Rules {
    let saving = match dice.one_in(4) {
        true => DaylightSaving::FixedOffset,
        false => DaylightSaving::WallClock,
    };
    let zone = ZONES[dice.below(ZONES.len())];
    Rules {
        timetable: Timetable::new(schedule(dice), zone, saving).unwrap(),
        retention: retention(dice),
        instant_days: u16::try_from(dice.within(1, 7)).unwrap(),
    }
}
