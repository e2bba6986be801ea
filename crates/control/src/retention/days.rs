//! Which days a range chooses.

use jiff::civil::Date;

use crate::model::{
    DayOfMonth, DaysFormat, Month, MonthlyRetention, WeekOfMonth, Weekday, WeeklyRetention,
    YearlyRetention,
};

impl Weekday {
    /// The weekday of a date.
    pub fn of(date: Date) -> Self {
        let number = usize::from(date.weekday().to_sunday_zero_offset().unsigned_abs());
        Self::ALL[number]
    }
}

impl Month {
    /// The month of a date.
    pub fn of(date: Date) -> Self {
        Self::ALL[usize::from(date.month().unsigned_abs()) - 1]
    }
}

impl WeekOfMonth {
    /// Whether a date lies in the week.
    fn has(self, date: Date) -> bool {
        let (day, length) = (date.day(), date.days_in_month());
        match self {
            Self::First => day <= 7,
            Self::Second => (8..=14).contains(&day),
            Self::Third => (15..=21).contains(&day),
            Self::Fourth => (22..=28).contains(&day),
            Self::Last => day > length - 7,
        }
    }
}

impl DayOfMonth {
    fn is(self, date: Date) -> bool {
        match self {
            Self::Date(day) => i16::from(day) == i16::from(date.day()),
            Self::Last => date.day() == date.days_in_month(),
        }
    }
}

impl DaysFormat {
    /// Whether a day of a month is chosen.
    pub fn chooses(&self, date: Date) -> bool {
        match self {
            Self::Daily { days } => days.iter().any(|day| day.is(date)),
            Self::Weekly { days, weeks } => {
                days.contains(&Weekday::of(date)) && weeks.iter().any(|week| week.has(date))
            }
        }
    }
}

impl WeeklyRetention {
    /// Whether the point of a day is a weekly one.
    pub fn chooses(&self, date: Date) -> bool {
        self.days.contains(&Weekday::of(date))
    }
}

impl MonthlyRetention {
    /// Whether the point of a day is a monthly one.
    pub fn chooses(&self, date: Date) -> bool {
        self.on.chooses(date)
    }
}

impl YearlyRetention {
    /// Whether the point of a day is a yearly one.
    pub fn chooses(&self, date: Date) -> bool {
        self.in_months.contains(&Month::of(date)) && self.on.chooses(date)
    }
}
