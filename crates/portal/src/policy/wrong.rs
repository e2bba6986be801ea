//! Which field of the editor a refusal is about. Beside the field stands its rule with an example,
//! in the reader's language.

use coffre_control::Refusal;

/// A field, or a group of fields, that has a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Name,
    Kind,
    Frequency,
    Time,
    RunDays,
    Interval,
    Window,
    Zone,
    Instant,
    Ranges,
    Daily,
    Weekly,
    WeeklyDays,
    Monthly,
    MonthlyDays,
    Yearly,
    YearlyDays,
    YearlyMonths,
}

impl Field {
    /// The end of the id under which its rule stands.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Kind => "kind",
            Self::Frequency => "frequency",
            Self::Time => "time",
            Self::RunDays => "run-days",
            Self::Interval => "interval",
            Self::Window => "window",
            Self::Zone => "zone",
            Self::Instant => "instant",
            Self::Ranges => "ranges",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::WeeklyDays => "weekly-days",
            Self::Monthly => "monthly",
            Self::MonthlyDays => "monthly-days",
            Self::Yearly => "yearly",
            Self::YearlyDays => "yearly-days",
            Self::YearlyMonths => "yearly-months",
        }
    }

    /// Key of its rule.
    pub(crate) fn rule(self) -> &'static str {
        match self {
            Self::Name => "rule-name",
            Self::Kind => "rule-kind",
            Self::Frequency => "rule-frequency",
            Self::Time => "rule-time",
            Self::RunDays => "rule-run-days",
            Self::Interval => "rule-interval",
            Self::Window => "rule-window",
            Self::Zone => "rule-zone",
            Self::Instant => "rule-instant",
            Self::Ranges => "rule-ranges",
            Self::Daily => "rule-daily",
            Self::Weekly => "rule-weekly",
            Self::WeeklyDays => "rule-weekly-days",
            Self::Monthly => "rule-monthly",
            Self::MonthlyDays | Self::YearlyDays => "rule-month-days",
            Self::Yearly => "rule-yearly",
            Self::YearlyMonths => "rule-yearly-months",
        }
    }

    /// The field that a use-case's refusal names; none when it is about something else.
    pub(crate) fn of(refusal: &Refusal) -> Option<Self> {
        let target = refusal.target.as_deref()?;
        Some(match target {
            "name" => Self::Name,
            "policyType" => Self::Kind,
            "timeZone" => Self::Zone,
            "scheduleRunFrequency" => Self::Frequency,
            "scheduleRunTimes" | "hourlySchedule.scheduleWindowStartTime" => Self::Time,
            "scheduleRunDays" => Self::RunDays,
            "hourlySchedule.interval" => Self::Interval,
            "hourlySchedule.scheduleWindowDuration" => Self::Window,
            "retentionPolicy" => Self::Ranges,
            "dailySchedule" | "dailySchedule.retentionDuration.count" => Self::Daily,
            "weeklySchedule.retentionDuration.count" => Self::Weekly,
            "weeklySchedule.daysOfTheWeek" => Self::WeeklyDays,
            "monthlySchedule.retentionDuration.count" => Self::Monthly,
            "yearlySchedule.retentionDuration.count" => Self::Yearly,
            "yearlySchedule.monthsOfYear" => Self::YearlyMonths,
            "instantRpRetentionRangeInDays" => Self::Instant,
            other if other.starts_with("monthlySchedule.") => Self::MonthlyDays,
            other if other.starts_with("yearlySchedule.") => Self::YearlyDays,
            _ => return None,
        })
    }
}
