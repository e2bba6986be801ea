//! What makes a policy valid. Each refusal names the field, the rule, and a value that keeps it.

use jiff::civil::Time;

use super::policy::PutPolicy;
use crate::error::{ErrorCode, Refusal};
use crate::model::{DayOfMonth, DaysFormat, PolicyKind, Retention, Schedule};
use crate::schedule::{ZONE_EXAMPLES, find_zone};

/// Refuses a policy that breaks a rule.
pub(crate) fn check(policy: &PutPolicy) -> Result<(), Refusal> {
    if policy.time_zone.trim().is_empty() {
        return Err(broken("timeZone", "is empty; use a zone name, for example 'UTC'"));
    }
    if let Err(unknown) = find_zone(&policy.time_zone) {
        return Err(broken(
            "timeZone",
            &format!(
                "names no zone: {unknown}; use a Windows or an IANA name, for example {ZONE_EXAMPLES}"
            ),
        ));
    }
    check_schedule(policy)?;
    check_retention(policy)?;
    check_instant_days(policy)
}

fn check_schedule(policy: &PutPolicy) -> Result<(), Refusal> {
    match &policy.schedule {
        Schedule::Daily { time } => on_half_hour("scheduleRunTimes", *time),
        Schedule::Weekly { days, time } => {
            unique("scheduleRunDays", days, "for example Sunday")?;
            on_half_hour("scheduleRunTimes", *time)
        }
        Schedule::Hourly { interval_hours, window_start, window_hours } => {
            if policy.kind == PolicyKind::Standard {
                return Err(broken(
                    "scheduleRunFrequency",
                    "is Hourly, which only an Enhanced policy (V2) can be; use Daily or Weekly",
                ));
            }
            if ![4, 6, 8, 12, 24].contains(interval_hours) {
                return Err(broken(
                    "hourlySchedule.interval",
                    &format!("is {interval_hours} hours; use 4, 6, 8, 12 or 24"),
                ));
            }
            if !(4..=24).contains(window_hours)
                || window_hours < interval_hours
                || window_hours % interval_hours != 0
            {
                return Err(broken(
                    "hourlySchedule.scheduleWindowDuration",
                    &format!(
                        "is {window_hours} hours; use a multiple of the interval \
                         ({interval_hours}) from 4 to 24"
                    ),
                ));
            }
            on_half_hour("hourlySchedule.scheduleWindowStartTime", *window_start)
        }
    }
}

fn check_retention(policy: &PutPolicy) -> Result<(), Refusal> {
    let (schedule, least) = (&policy.schedule, if policy.short_retention { 1 } else { 7 });
    let Retention { daily, weekly, monthly, yearly } = &policy.retention;
    if daily.is_none() && weekly.is_none() && monthly.is_none() && yearly.is_none() {
        return Err(broken(
            "retentionPolicy",
            "keeps nothing; give at least one range, for example 30 days",
        ));
    }
    if let Some(daily) = daily {
        within("dailySchedule.retentionDuration.count", daily.days, least, 9999, "days")?;
    }
    if let Schedule::Weekly { days: run_days, .. } = schedule {
        if daily.is_some() {
            return Err(broken(
                "dailySchedule",
                "cannot be there when backups run weekly; give a weekly range",
            ));
        }
        let other = weekly.iter().flat_map(|it| &it.days).find(|day| !run_days.contains(day));
        if let Some(day) = other {
            return Err(broken(
                "weeklySchedule.daysOfTheWeek",
                &format!("names {}, on which no backup runs", day.azure()),
            ));
        }
    } else if daily.is_none() {
        return Err(broken(
            "dailySchedule",
            "is missing; a policy that runs every day keeps its points for 7 to 9999 days",
        ));
    }
    if let Some(weekly) = weekly {
        unique("weeklySchedule.daysOfTheWeek", &weekly.days, "for example Sunday")?;
        within("weeklySchedule.retentionDuration.count", weekly.weeks, 1, 5163, "weeks")?;
    }
    if let Some(monthly) = monthly {
        within("monthlySchedule.retentionDuration.count", monthly.months, 1, 1188, "months")?;
        check_days("monthlySchedule", &monthly.on, schedule)?;
    }
    if let Some(yearly) = yearly {
        within("yearlySchedule.retentionDuration.count", yearly.years, 1, 99, "years")?;
        unique("yearlySchedule.monthsOfYear", &yearly.in_months, "for example January")?;
        check_days("yearlySchedule", &yearly.on, schedule)?;
    }
    Ok(())
}

fn check_days(field: &str, days: &DaysFormat, schedule: &Schedule) -> Result<(), Refusal> {
    match days {
        DaysFormat::Weekly { days, weeks } => {
            let inner = format!("{field}.retentionScheduleWeekly");
            unique(&format!("{inner}.daysOfTheWeek"), days, "for example Sunday")?;
            unique(&format!("{inner}.weeksOfTheMonth"), weeks, "for example First")
        }
        DaysFormat::Daily { days } => {
            let inner = format!("{field}.retentionScheduleDaily.daysOfTheMonth");
            if matches!(schedule, Schedule::Weekly { .. }) {
                return Err(broken(
                    &format!("{field}.retentionScheduleFormatType"),
                    "is Daily, but backups run weekly; use Weekly",
                ));
            }
            unique(&inner, days, "for example 1")?;
            for day in days {
                if let DayOfMonth::Date(date) = day {
                    within(&inner, u32::from(*date), 1, 28, "as a date, or the last day")?;
                }
            }
            Ok(())
        }
    }
}

fn check_instant_days(policy: &PutPolicy) -> Result<(), Refusal> {
    let weekly = matches!(policy.schedule, Schedule::Weekly { .. });
    let (least, most) = match (policy.kind, weekly) {
        (PolicyKind::Standard, false) => (1, 5),
        (PolicyKind::Standard, true) => (5, 5),
        (PolicyKind::Enhanced, false) => (1, 30),
        (PolicyKind::Enhanced, true) => (5, 20),
    };
    within("instantRpRetentionRangeInDays", u32::from(policy.instant_days), least, most, "days")?;
    match policy.retention.daily {
        Some(daily) if daily.days < u32::from(policy.instant_days) => Err(broken(
            "instantRpRetentionRangeInDays",
            "is longer than the daily range; snapshots cannot outlive their points",
        )),
        _ => Ok(()),
    }
}

fn on_half_hour(field: &str, time: Time) -> Result<(), Refusal> {
    let on = time.minute() % 30 == 0 && time.second() == 0 && time.subsec_nanosecond() == 0;
    if on {
        return Ok(());
    }
    Err(broken(field, &format!("is {time}; use the full or the half hour, for example 22:30")))
}

fn unique<T: PartialEq>(field: &str, values: &[T], example: &str) -> Result<(), Refusal> {
    if values.is_empty() {
        return Err(broken(field, &format!("is empty; pick at least one, {example}")));
    }
    let twice = values.iter().enumerate().any(|(at, value)| values[..at].contains(value));
    if twice { Err(broken(field, "names one value twice")) } else { Ok(()) }
}

fn within(field: &str, value: u32, least: u32, most: u32, unit: &str) -> Result<(), Refusal> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(broken(field, &format!("is {value}; use {least} to {most} {unit}")))
}

fn broken(field: &str, what: &str) -> Refusal {
    Refusal::new(
        ErrorCode::BMSUserErrorInvalidPolicyInput,
        format!("Input provided for the policy is invalid: {field} {what}."),
    )
    .about(field)
}

#[cfg(test)]
mod tests {
    use jiff::civil::time;

    use super::*;
    use crate::id::VaultId;
    use crate::model::{MonthlyRetention, Weekday, WeeklyRetention};
    use crate::usecase::default_policy;

    fn valid() -> PutPolicy {
        let [policy, _] = default_policy::of_new_vault(VaultId(uuid::Uuid::nil()));
        as_input(policy)
    }

    fn as_input(policy: crate::model::Policy) -> PutPolicy {
        PutPolicy {
            name: policy.name,
            kind: policy.kind,
            schedule: policy.schedule,
            retention: policy.retention,
            instant_days: policy.instant_days,
            time_zone: policy.time_zone,
            tiering: policy.tiering,
            consistency: policy.consistency,
            daylight_saving: policy.daylight_saving,
            short_retention: policy.short_retention,
        }
    }

    #[test]
    fn the_policies_of_a_new_vault_keep_the_rules() {
        for policy in default_policy::of_new_vault(VaultId(uuid::Uuid::nil())) {
            check(&as_input(policy)).unwrap();
        }
    }

    #[test]
    fn each_broken_rule_names_its_field() {
        type Break = fn(&mut PutPolicy);
        let cases: &[(&str, Break)] = &[
            ("timeZone", |p| p.time_zone = " ".into()),
            ("scheduleRunTimes", |p| p.schedule = Schedule::Daily { time: time(22, 10, 0, 0) }),
            ("scheduleRunFrequency", |p| {
                p.schedule = Schedule::Hourly {
                    interval_hours: 4,
                    window_start: time(8, 0, 0, 0),
                    window_hours: 12,
                };
            }),
            ("retentionPolicy", |p| p.retention = Retention::default()),
            ("dailySchedule.retentionDuration.count", |p| {
                p.retention.daily.as_mut().unwrap().days = 6;
            }),
            ("instantRpRetentionRangeInDays", |p| p.instant_days = 6),
            ("scheduleRunDays", |p| {
                p.schedule = Schedule::Weekly { days: vec![], time: time(22, 0, 0, 0) };
            }),
            ("dailySchedule", |p| {
                p.schedule =
                    Schedule::Weekly { days: vec![Weekday::Sunday], time: time(22, 0, 0, 0) };
            }),
            ("weeklySchedule.daysOfTheWeek", |p| {
                p.retention.weekly = Some(WeeklyRetention {
                    days: vec![Weekday::Sunday, Weekday::Sunday],
                    weeks: 4,
                });
            }),
            ("monthlySchedule.retentionScheduleDaily.daysOfTheMonth", |p| {
                p.retention.monthly = Some(MonthlyRetention {
                    on: DaysFormat::Daily { days: vec![DayOfMonth::Date(29)] },
                    months: 12,
                });
            }),
        ];
        for (field, spoil) in cases {
            let mut policy = valid();
            spoil(&mut policy);
            let refusal = check(&policy).unwrap_err();
            assert_eq!(refusal.target.as_deref(), Some(*field), "{}", refusal.message);
            assert_eq!(refusal.code, ErrorCode::BMSUserErrorInvalidPolicyInput);
        }
    }
}
