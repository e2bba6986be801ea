//! A policy as sentences: when backups run, and how long their points are kept; and where its page is.

use coffre_control::id::VaultId;
use coffre_control::model::{
    DayOfMonth, DaysFormat, Month, Policy, Schedule, SnapshotConsistency, WeekOfMonth, Weekday,
};
use jiff::civil::Time;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::i18n::Value;
use crate::view::View;
use crate::words;

/// Where a policy is looked at and changed.
pub(crate) fn address(vault: VaultId, name: &str) -> String {
    format!("/portal/vaults/{vault}/policies/{}", utf8_percent_encode(name, NON_ALPHANUMERIC))
}

/// When backups run.
pub(crate) fn schedule(view: &View, policy: &Policy) -> String {
    let zone = Value::from(policy.time_zone.as_str());
    match &policy.schedule {
        Schedule::Daily { time } => {
            view.text("policy-daily", &[("time", (&clock(*time)).into()), ("zone", zone)])
        }
        Schedule::Weekly { days, time } => view.text(
            "policy-weekly",
            &[
                ("days", (&weekdays(view, days)).into()),
                ("time", (&clock(*time)).into()),
                ("zone", zone),
            ],
        ),
        Schedule::Hourly { interval_hours, window_start, window_hours } => view.text(
            "policy-hourly",
            &[
                ("interval", u64::from(*interval_hours).into()),
                ("time", (&clock(*window_start)).into()),
                ("window", u64::from(*window_hours).into()),
                ("zone", zone),
            ],
        ),
    }
}

/// How long points are kept, one sentence for each rule, and what else the policy says.
pub(crate) fn details(view: &View, policy: &Policy) -> Vec<String> {
    let retention = &policy.retention;
    let mut lines = Vec::new();
    if let Some(daily) = &retention.daily {
        lines.push(view.t1("retention-daily", "count", u64::from(daily.days)));
    }
    if let Some(weekly) = &retention.weekly {
        let days = weekdays(view, &weekly.days);
        let count = u64::from(weekly.weeks);
        lines.push(view.t2("retention-weekly", "days", &days, "count", count));
    }
    if let Some(monthly) = &retention.monthly {
        let days = days_of_month(view, &monthly.on);
        let count = u64::from(monthly.months);
        lines.push(view.t2("retention-monthly", "days", &days, "count", count));
    }
    if let Some(yearly) = &retention.yearly {
        let days = days_of_month(view, &yearly.on);
        let months = months(view, &yearly.in_months);
        lines.push(view.text(
            "retention-yearly",
            &[
                ("days", (&days).into()),
                ("months", (&months).into()),
                ("count", u64::from(yearly.years).into()),
            ],
        ));
    }
    if policy.consistency == SnapshotConsistency::OnlyCrash {
        lines.push(view.t("policy-only-crash"));
    }
    lines
}

fn clock(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

fn joined(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

fn weekdays(view: &View, days: &[Weekday]) -> String {
    joined(days.iter().map(|day| view.t(words::weekday(*day))))
}

fn weeks(view: &View, weeks: &[WeekOfMonth]) -> String {
    joined(weeks.iter().map(|week| view.t(words::week(*week))))
}

fn months(view: &View, months: &[Month]) -> String {
    joined(months.iter().map(|month| view.t(words::month(*month))))
}

fn days_of_month(view: &View, on: &DaysFormat) -> String {
    match on {
        DaysFormat::Daily { days } => joined(days.iter().map(|day| match day {
            DayOfMonth::Date(date) => date.to_string(),
            DayOfMonth::Last => view.t("day-last"),
        })),
        DaysFormat::Weekly { days, weeks: on } => {
            view.t2("days-of-weeks", "days", &weekdays(view, days), "weeks", &weeks(view, on))
        }
    }
}
