//! Backup policy: when backups are taken and how long their points are kept.

use jiff::civil::Time;
use serde::{Deserialize, Serialize};

use crate::id::VaultId;

/// A backup policy of one vault. Its name is unique in the vault, whatever the case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// The vault it belongs to.
    pub vault: VaultId,
    /// Name as first written.
    pub name: String,
    /// Standard (V1) or Enhanced (V2).
    pub kind: PolicyKind,
    /// When backups run.
    pub schedule: Schedule,
    /// How long points are kept.
    pub retention: Retention,
    /// Days that a point stays in the operational tier: 1 to 5 (Standard), 1 to 30 (Enhanced).
    pub instant_days: u16,
    /// Zone of the schedule: a Windows name (`Pacific Standard Time`) or an IANA name.
    pub time_zone: String,
    /// When points move to the archive tier.
    pub tiering: Option<Tiering>,
    /// Which consistency a snapshot asks for.
    pub consistency: SnapshotConsistency,
    /// What happens to its times when clocks change.
    #[serde(default)]
    pub daylight_saving: DaylightSaving,
    /// Whether a daily range below 7 days was asked for on purpose.
    #[serde(default)]
    pub short_retention: bool,
    /// Version of the stored row; 0 = never stored.
    pub etag: u64,
}

/// Which family of policies it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyKind {
    /// Once a day or once a week.
    Standard,
    /// Up to every four hours.
    Enhanced,
}

impl PolicyKind {
    /// The word Azure uses: `V1` or `V2`.
    pub fn azure(self) -> &'static str {
        match self {
            Self::Standard => "V1",
            Self::Enhanced => "V2",
        }
    }
}

/// When backups run, in the policy's time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Schedule {
    /// Every day at one time.
    Daily {
        /// On the hour or the half hour.
        time: Time,
    },
    /// On some days of the week at one time.
    Weekly {
        /// At least one, none twice.
        days: Vec<Weekday>,
        /// On the hour or the half hour.
        time: Time,
    },
    /// Several times a day.
    Hourly {
        /// Hours between two backups: 4, 6, 8, 12 or 24.
        interval_hours: u8,
        /// The first backup of the day.
        window_start: Time,
        /// How long after the first the last may start, in hours: 4 to 24.
        window_hours: u8,
    },
}

/// How long points are kept. At least one range must be there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// For every day's point.
    pub daily: Option<DailyRetention>,
    /// For the points of chosen days of the week.
    pub weekly: Option<WeeklyRetention>,
    /// For the points of chosen days of the month.
    pub monthly: Option<MonthlyRetention>,
    /// For the points of chosen days of the year.
    pub yearly: Option<YearlyRetention>,
}

/// Retention of every day's point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DailyRetention {
    /// In days: 7 to 9999.
    pub days: u32,
}

/// Retention of weekly points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeeklyRetention {
    /// At least one, none twice.
    pub days: Vec<Weekday>,
    /// In weeks: 1 to 5163.
    pub weeks: u32,
}

/// Retention of monthly points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthlyRetention {
    /// Which days of the month count.
    pub on: DaysFormat,
    /// In months: 1 to 1188. A month counts as 31 days.
    pub months: u32,
}

/// Retention of yearly points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct YearlyRetention {
    /// In which months; at least one, none twice.
    pub in_months: Vec<Month>,
    /// Which days of these months count.
    pub on: DaysFormat,
    /// In years: 1 to 99. A year counts as 366 days.
    pub years: u32,
}

/// How days of a month are chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DaysFormat {
    /// By date ("day based").
    Daily {
        /// At least one, none twice.
        days: Vec<DayOfMonth>,
    },
    /// By weekday ("week based"): the first Sunday, the last Friday.
    Weekly {
        /// At least one, none twice.
        days: Vec<Weekday>,
        /// At least one, none twice.
        weeks: Vec<WeekOfMonth>,
    },
}

/// A day of a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DayOfMonth {
    /// A date from 1 to 28.
    Date(u8),
    /// The last day, whichever it is.
    Last,
}

/// When points move to the archive tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tiering {
    /// Never.
    DoNotTier,
    /// When it is cheaper.
    TierRecommended,
    /// After a time.
    TierAfter {
        /// In months.
        months: u32,
    },
}

/// Which consistency a snapshot asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SnapshotConsistency {
    /// The best that the guest gives.
    #[default]
    Best,
    /// Crash-consistent only: the guest is never frozen.
    OnlyCrash,
}

/// What happens to the times of a schedule when clocks change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DaylightSaving {
    /// A backup at 22:00 stays at 22:00 on the wall.
    #[default]
    WallClock,
    /// The zone's standard offset holds all year, as Azure does it.
    FixedOffset,
}

impl DaylightSaving {
    /// The word at the surface, the same as the name here.
    pub fn azure(self) -> &'static str {
        match self {
            Self::WallClock => "WallClock",
            Self::FixedOffset => "FixedOffset",
        }
    }

    /// Reads the word, whatever the case.
    pub fn from_azure(word: &str) -> Option<Self> {
        [Self::WallClock, Self::FixedOffset]
            .into_iter()
            .find(|it| it.azure().eq_ignore_ascii_case(word))
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* $variant),* }

        impl $name {
            /// All of them in order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word Azure uses, the same as the name here.
            pub fn azure(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),* }
            }

            /// Reads Azure's word, whatever the case.
            pub fn from_azure(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|it| it.azure().eq_ignore_ascii_case(word))
            }
        }
    };
}

words! {
    /// A day of the week.
    Weekday {
        /// Day 1 of Azure's week.
        Sunday,
        /// Day 2.
        Monday,
        /// Day 3.
        Tuesday,
        /// Day 4.
        Wednesday,
        /// Day 5.
        Thursday,
        /// Day 6.
        Friday,
        /// Day 7.
        Saturday,
    }
}

words! {
    /// A week of a month.
    WeekOfMonth {
        /// Days 1 to 7.
        First,
        /// Days 8 to 14.
        Second,
        /// Days 15 to 21.
        Third,
        /// Days 22 to 28.
        Fourth,
        /// The last seven days.
        Last,
    }
}

words! {
    /// A month of the year.
    Month {
        /// 1.
        January,
        /// 2.
        February,
        /// 3.
        March,
        /// 4.
        April,
        /// 5.
        May,
        /// 6.
        June,
        /// 7.
        July,
        /// 8.
        August,
        /// 9.
        September,
        /// 10.
        October,
        /// 11.
        November,
        /// 12.
        December,
    }
}
