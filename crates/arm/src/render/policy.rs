//! Backup policies.

use coffre_control::model::{
    DayOfMonth, DaylightSaving, DaysFormat, Policy, PolicyKind, Retention, Schedule,
    SnapshotConsistency, Tiering, Vault, Weekday,
};
use jiff::civil::Time;
use serde_json::{Map, Value, json};

use super::{put, resource};
use crate::names::policy_id;

/// The day on which times of day are written, since Azure's type is a date with a time.
const DAY_OF_TIMES: &str = "2026-01-01";

/// The policy; `items` is how many protected items follow it.
pub(crate) fn policy(vault: &Vault, policy: &Policy, items: usize) -> Value {
    let mut properties = json!({
        "backupManagementType": "AzureIaasVM",
        "policyType": policy.kind.azure(),
        "instantRPDetails": {},
        "schedulePolicy": schedule(policy),
        "retentionPolicy": retention(policy),
        "tieringPolicy": { "ArchivedRP": tiering(policy.tiering) },
        "instantRpRetentionRangeInDays": policy.instant_days,
        "timeZone": policy.time_zone,
        "protectedItemsCount": items,
    });
    let fixed = policy.daylight_saving == DaylightSaving::FixedOffset;
    put(&mut properties, "daylightSaving", fixed.then(|| json!(policy.daylight_saving.azure())));
    let short = policy.short_retention;
    put(&mut properties, "allowShortRetention", short.then_some(json!(true)));
    let crash_only = policy.consistency == SnapshotConsistency::OnlyCrash;
    put(
        &mut properties,
        "snapshotConsistencyType",
        crash_only.then(|| json!("OnlyCrashConsistent")),
    );
    resource(
        policy_id(vault, &policy.name),
        &policy.name,
        "Microsoft.RecoveryServices/vaults/backupPolicies",
        properties,
    )
}

fn moment(time: Time) -> String {
    format!("{DAY_OF_TIMES}T{:02}:{:02}:{:02}Z", time.hour(), time.minute(), time.second())
}

fn weekdays(days: &[Weekday]) -> Vec<&'static str> {
    days.iter().map(|day| day.azure()).collect()
}

fn schedule(policy: &Policy) -> Value {
    match (policy.kind, &policy.schedule) {
        (PolicyKind::Standard, Schedule::Daily { time }) => json!({
            "schedulePolicyType": "SimpleSchedulePolicy",
            "scheduleRunFrequency": "Daily",
            "scheduleRunTimes": [moment(*time)],
            "scheduleWeeklyFrequency": 0,
        }),
        (PolicyKind::Standard, Schedule::Weekly { days, time }) => json!({
            "schedulePolicyType": "SimpleSchedulePolicy",
            "scheduleRunFrequency": "Weekly",
            "scheduleRunDays": weekdays(days),
            "scheduleRunTimes": [moment(*time)],
            "scheduleWeeklyFrequency": 0,
        }),
        (PolicyKind::Enhanced, Schedule::Daily { time }) => json!({
            "schedulePolicyType": "SimpleSchedulePolicyV2",
            "scheduleRunFrequency": "Daily",
            "dailySchedule": { "scheduleRunTimes": [moment(*time)] },
        }),
        (PolicyKind::Enhanced, Schedule::Weekly { days, time }) => json!({
            "schedulePolicyType": "SimpleSchedulePolicyV2",
            "scheduleRunFrequency": "Weekly",
            "weeklySchedule": { "scheduleRunDays": weekdays(days), "scheduleRunTimes": [moment(*time)] },
        }),
        (_, Schedule::Hourly { interval_hours, window_start, window_hours }) => json!({
            "schedulePolicyType": "SimpleSchedulePolicyV2",
            "scheduleRunFrequency": "Hourly",
            "hourlySchedule": {
                "interval": interval_hours,
                "scheduleWindowStartTime": moment(*window_start),
                "scheduleWindowDuration": window_hours,
            },
        }),
    }
}

fn retention(policy: &Policy) -> Value {
    let start = match &policy.schedule {
        Schedule::Daily { time } | Schedule::Weekly { time, .. } => *time,
        Schedule::Hourly { window_start, .. } => *window_start,
    };
    let Retention { daily, weekly, monthly, yearly } = &policy.retention;
    let times = [moment(start)];
    let mut body = json!({ "retentionPolicyType": "LongTermRetentionPolicy" });
    let rule = |count: u32, unit: &str, more: Value| {
        let mut rule = more;
        put(&mut rule, "retentionTimes", Some(json!(times)));
        let duration = json!({ "count": count, "durationType": unit });
        put(&mut rule, "retentionDuration", Some(duration));
        rule
    };
    put(&mut body, "dailySchedule", daily.map(|it| rule(it.days, "Days", json!({}))));
    let weekly = weekly
        .as_ref()
        .map(|it| rule(it.weeks, "Weeks", json!({ "daysOfTheWeek": weekdays(&it.days) })));
    put(&mut body, "weeklySchedule", weekly);
    let monthly = monthly.as_ref().map(|it| rule(it.months, "Months", Value::Object(days(&it.on))));
    put(&mut body, "monthlySchedule", monthly);
    let yearly = yearly.as_ref().map(|it| {
        let mut more = days(&it.on);
        let months: Vec<_> = it.in_months.iter().map(|month| month.azure()).collect();
        more.insert("monthsOfYear".to_owned(), json!(months));
        rule(it.years, "Years", Value::Object(more))
    });
    put(&mut body, "yearlySchedule", yearly);
    body
}

fn days(on: &DaysFormat) -> Map<String, Value> {
    let mut body = Map::new();
    match on {
        DaysFormat::Daily { days } => {
            let day = |day: &DayOfMonth| match day {
                DayOfMonth::Date(date) => json!({ "date": date, "isLast": false }),
                DayOfMonth::Last => json!({ "date": 0, "isLast": true }),
            };
            let days: Vec<Value> = days.iter().map(day).collect();
            body.insert("retentionScheduleFormatType".to_owned(), json!("Daily"));
            body.insert("retentionScheduleDaily".to_owned(), json!({ "daysOfTheMonth": days }));
        }
        DaysFormat::Weekly { days, weeks } => {
            let weeks: Vec<_> = weeks.iter().map(|week| week.azure()).collect();
            let weekly = json!({ "daysOfTheWeek": weekdays(days), "weeksOfTheMonth": weeks });
            body.insert("retentionScheduleFormatType".to_owned(), json!("Weekly"));
            body.insert("retentionScheduleWeekly".to_owned(), weekly);
        }
    }
    body
}

fn tiering(tiering: Option<Tiering>) -> Value {
    match tiering {
        None | Some(Tiering::DoNotTier) => {
            json!({ "tieringMode": "DoNotTier", "duration": 0, "durationType": "Invalid" })
        }
        Some(Tiering::TierRecommended) => {
            json!({ "tieringMode": "TierRecommended", "duration": 0, "durationType": "Invalid" })
        }
        Some(Tiering::TierAfter { months }) => {
            json!({ "tieringMode": "TierAfter", "duration": months, "durationType": "Months" })
        }
    }
}
