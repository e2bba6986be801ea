//! A policy as `az backup policy create --policy` takes it.

use coffre_control::model::{
    DayOfMonth, DaysFormat, PolicyKind, Retention, Schedule, SnapshotConsistency,
};
use coffre_control::usecase::PutPolicy;
use jiff::civil::Time;
use serde_json::{Value, json};

/// The JSON text, on one line.
pub(crate) fn text(policy: &PutPolicy) -> String {
    let mut properties = json!({
        "backupManagementType": "AzureIaasVM",
        "policyType": policy.kind.azure(),
        "timeZone": policy.time_zone,
        "instantRpRetentionRangeInDays": policy.instant_days,
        "schedulePolicy": schedule(policy),
        "retentionPolicy": retention(policy),
    });
    if policy.consistency == SnapshotConsistency::OnlyCrash {
        properties["snapshotConsistencyType"] = json!("OnlyCrashConsistent");
    }
    json!({ "properties": properties }).to_string()
}

/// A time of day as the API has it: on a day that means nothing.
fn stamp(time: Time) -> String {
    format!("2026-01-01T{:02}:{:02}:00Z", time.hour(), time.minute())
}

fn words<T: Copy>(values: &[T], word: impl Fn(T) -> &'static str) -> Vec<&'static str> {
    values.iter().map(|value| word(*value)).collect()
}

fn schedule(policy: &PutPolicy) -> Value {
    let enhanced = policy.kind == PolicyKind::Enhanced;
    let kind = if enhanced { "SimpleSchedulePolicyV2" } else { "SimpleSchedulePolicy" };
    match &policy.schedule {
        Schedule::Daily { time } if enhanced => json!({
            "schedulePolicyType": kind,
            "scheduleRunFrequency": "Daily",
            "dailySchedule": { "scheduleRunTimes": [stamp(*time)] },
        }),
        Schedule::Daily { time } => json!({
            "schedulePolicyType": kind,
            "scheduleRunFrequency": "Daily",
            "scheduleRunTimes": [stamp(*time)],
        }),
        Schedule::Weekly { days, time } => {
            let days = words(days, |day| day.azure());
            let inner = json!({ "scheduleRunDays": days, "scheduleRunTimes": [stamp(*time)] });
            let mut value = json!({ "schedulePolicyType": kind, "scheduleRunFrequency": "Weekly" });
            if enhanced {
                value["weeklySchedule"] = inner;
            } else {
                value["scheduleRunDays"] = inner["scheduleRunDays"].clone();
                value["scheduleRunTimes"] = inner["scheduleRunTimes"].clone();
            }
            value
        }
        Schedule::Hourly { interval_hours, window_start, window_hours } => json!({
            "schedulePolicyType": kind,
            "scheduleRunFrequency": "Hourly",
            "hourlySchedule": {
                "interval": interval_hours,
                "scheduleWindowStartTime": stamp(*window_start),
                "scheduleWindowDuration": window_hours,
            },
        }),
    }
}

fn retention(policy: &PutPolicy) -> Value {
    let Retention { daily, weekly, monthly, yearly } = &policy.retention;
    let time = match &policy.schedule {
        Schedule::Daily { time } | Schedule::Weekly { time, .. } => *time,
        Schedule::Hourly { window_start, .. } => *window_start,
    };
    let times = json!([stamp(time)]);
    let duration = |count: u32, unit: &str| json!({ "count": count, "durationType": unit });
    let mut value = json!({ "retentionPolicyType": "LongTermRetentionPolicy" });
    if let Some(daily) = daily {
        value["dailySchedule"] = json!({
            "retentionTimes": times, "retentionDuration": duration(daily.days, "Days"),
        });
    }
    if let Some(weekly) = weekly {
        value["weeklySchedule"] = json!({
            "daysOfTheWeek": words(&weekly.days, |day| day.azure()),
            "retentionTimes": times, "retentionDuration": duration(weekly.weeks, "Weeks"),
        });
    }
    if let Some(monthly) = monthly {
        let mut inner = on(&monthly.on);
        inner["retentionTimes"] = times.clone();
        inner["retentionDuration"] = duration(monthly.months, "Months");
        value["monthlySchedule"] = inner;
    }
    if let Some(yearly) = yearly {
        let mut inner = on(&yearly.on);
        inner["monthsOfYear"] = json!(words(&yearly.in_months, |month| month.azure()));
        inner["retentionTimes"] = times;
        inner["retentionDuration"] = duration(yearly.years, "Years");
        value["yearlySchedule"] = inner;
    }
    value
}

fn on(days: &DaysFormat) -> Value {
    match days {
        DaysFormat::Daily { days } => {
            let day = |day: &DayOfMonth| match day {
                DayOfMonth::Date(date) => json!({ "date": date, "isLast": false }),
                DayOfMonth::Last => json!({ "date": 0, "isLast": true }),
            };
            let days: Vec<Value> = days.iter().map(day).collect();
            json!({
                "retentionScheduleFormatType": "Daily",
                "retentionScheduleDaily": { "daysOfTheMonth": days },
            })
        }
        DaysFormat::Weekly { days, weeks } => json!({
            "retentionScheduleFormatType": "Weekly",
            "retentionScheduleWeekly": {
                "daysOfTheWeek": words(days, |day| day.azure()),
                "weeksOfTheMonth": words(weeks, |week| week.azure()),
            },
        }),
    }
}
