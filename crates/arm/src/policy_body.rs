//! Reads the body of a policy: Azure's shape, in the loose spelling in which the commands post
//! their own read-backs. The rules of a policy are checked by the use-case.

use coffre_control::model::{
    DailyRetention, DayOfMonth, DaylightSaving, DaysFormat, Month, MonthlyRetention, PolicyKind,
    Retention, Schedule, SnapshotConsistency, Tiering, WeekOfMonth, Weekday, WeeklyRetention,
    YearlyRetention,
};
use coffre_control::usecase::PutPolicy;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::http::error::ArmError;
use crate::http::filter::parse_time;
use crate::http::members::Members;
use crate::http::query::clip;

/// The policy that the body of a PUT asks for.
pub(crate) fn read(name: &str, body: &Members<'_>) -> Result<PutPolicy, ArmError> {
    let properties = body.object("properties")?;
    let management = properties.text("backupManagementType")?.unwrap_or("AzureIaasVM");
    if !management.eq_ignore_ascii_case("AzureIaasVM") {
        return Err(wrong("backupManagementType", management));
    }
    let schedule_members = properties.object("schedulePolicy")?;
    let kind = kind(&properties, &schedule_members)?;
    let consistency = match properties.text("snapshotConsistencyType")? {
        Some(text) if text.eq_ignore_ascii_case("OnlyCrashConsistent") => {
            SnapshotConsistency::OnlyCrash
        }
        _ => SnapshotConsistency::Best,
    };
    let instant = properties.integer("instantRpRetentionRangeInDays")?.unwrap_or(match kind {
        PolicyKind::Standard => 2,
        PolicyKind::Enhanced => 7,
    });
    Ok(PutPolicy {
        name: name.to_owned(),
        kind,
        schedule: schedule(&schedule_members)?,
        retention: retention(&properties.object("retentionPolicy")?)?,
        instant_days: narrow(instant, "instantRpRetentionRangeInDays")?,
        time_zone: properties
            .text("timeZone")?
            .filter(|it| !it.is_empty())
            .unwrap_or("UTC")
            .to_owned(),
        tiering: tiering(&properties.object("tieringPolicy")?.object("ArchivedRP")?)?,
        consistency,
        daylight_saving: daylight_saving(&properties)?,
        short_retention: properties.boolean("allowShortRetention")?.unwrap_or(false),
    })
}

/// A member of ours: Azure has no choice here.
fn daylight_saving(properties: &Members<'_>) -> Result<DaylightSaving, ArmError> {
    match properties.text("daylightSaving")? {
        None | Some("") => Ok(DaylightSaving::WallClock),
        Some(text) => DaylightSaving::from_azure(text).ok_or_else(|| wrong("daylightSaving", text)),
    }
}

fn wrong(member: &str, text: &str) -> ArmError {
    ArmError::bad_request(
        "BMSUserErrorInvalidPolicyInput",
        format!("'{}' is no value for {member}.", clip(text)),
    )
    .target(member)
}

fn missing(member: &str) -> ArmError {
    ArmError::bad_request(
        "BMSUserErrorInvalidPolicyInput",
        format!("The policy lacks the member {member}."),
    )
    .target(member)
}

fn narrow<T: TryFrom<i64>>(number: i64, member: &str) -> Result<T, ArmError> {
    T::try_from(number).map_err(|_| wrong(member, &number.to_string()))
}

fn kind(properties: &Members<'_>, schedule: &Members<'_>) -> Result<PolicyKind, ArmError> {
    let second = schedule
        .text("schedulePolicyType")?
        .is_some_and(|it| it.eq_ignore_ascii_case("SimpleSchedulePolicyV2"));
    match properties.text("policyType")? {
        None | Some("") => Ok(if second { PolicyKind::Enhanced } else { PolicyKind::Standard }),
        Some(text) if text.eq_ignore_ascii_case("V1") => Ok(PolicyKind::Standard),
        Some(text) if text.eq_ignore_ascii_case("V2") => Ok(PolicyKind::Enhanced),
        Some(text) => Err(wrong("policyType", text)),
    }
}

fn schedule(members: &Members<'_>) -> Result<Schedule, ArmError> {
    let frequency = members
        .text("scheduleRunFrequency")?
        .ok_or_else(|| missing("schedulePolicy.scheduleRunFrequency"))?;
    // The newer shape nests what the older one has at the top.
    let nested = |name: &str| -> Result<Members<'_>, ArmError> {
        if members.has(name) { members.object(name) } else { Ok(members.clone()) }
    };
    match frequency.to_ascii_lowercase().as_str() {
        "daily" => Ok(Schedule::Daily { time: run_time(&nested("dailySchedule")?)? }),
        "weekly" => {
            let weekly = nested("weeklySchedule")?;
            let days = words(&weekly, "scheduleRunDays", Weekday::from_azure)?;
            Ok(Schedule::Weekly { days, time: run_time(&weekly)? })
        }
        "hourly" => {
            let hourly = members.object("hourlySchedule")?;
            let number = |name: &str| hourly.integer(name)?.ok_or_else(|| missing(name));
            let start = hourly
                .text("scheduleWindowStartTime")?
                .ok_or_else(|| missing("scheduleWindowStartTime"))?;
            Ok(Schedule::Hourly {
                interval_hours: narrow(number("interval")?, "interval")?,
                window_start: time_of_day(start, "scheduleWindowStartTime")?,
                window_hours: narrow(number("scheduleWindowDuration")?, "scheduleWindowDuration")?,
            })
        }
        _ => Err(wrong("scheduleRunFrequency", frequency)),
    }
}

fn run_time(members: &Members<'_>) -> Result<Time, ArmError> {
    let times = members.list("scheduleRunTimes")?.unwrap_or_default();
    match times {
        [Value::String(text)] => time_of_day(text, "scheduleRunTimes"),
        _ => Err(missing("scheduleRunTimes with exactly one time")),
    }
}

fn time_of_day(text: &str, member: &str) -> Result<Time, ArmError> {
    let time = parse_time(text).ok_or_else(|| wrong(member, text))?;
    Ok(time.to_zoned(TimeZone::UTC).time())
}

fn words<T>(
    members: &Members<'_>,
    name: &str,
    read: fn(&str) -> Option<T>,
) -> Result<Vec<T>, ArmError> {
    let list = members.list(name)?.unwrap_or_default();
    let each = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        read(text).ok_or_else(|| wrong(name, text))
    };
    list.iter().map(each).collect()
}

fn retention(members: &Members<'_>) -> Result<Retention, ArmError> {
    let rule = |name: &str| members.has(name).then(|| members.object(name)).transpose();
    let mut retention = Retention::default();
    if let Some(daily) = rule("dailySchedule")? {
        retention.daily = Some(DailyRetention { days: count(&daily, "Days")? });
    }
    if let Some(weekly) = rule("weeklySchedule")? {
        let days = words(&weekly, "daysOfTheWeek", Weekday::from_azure)?;
        retention.weekly = Some(WeeklyRetention { days, weeks: count(&weekly, "Weeks")? });
    }
    if let Some(monthly) = rule("monthlySchedule")? {
        let on = days_format(&monthly)?;
        retention.monthly = Some(MonthlyRetention { on, months: count(&monthly, "Months")? });
    }
    if let Some(yearly) = rule("yearlySchedule")? {
        let in_months = words(&yearly, "monthsOfYear", Month::from_azure)?;
        let on = days_format(&yearly)?;
        retention.yearly = Some(YearlyRetention { in_months, on, years: count(&yearly, "Years")? });
    }
    Ok(retention)
}

fn count(rule: &Members<'_>, unit: &str) -> Result<u32, ArmError> {
    let duration = rule.object("retentionDuration")?;
    let named = duration.text("durationType")?.unwrap_or(unit);
    if !named.eq_ignore_ascii_case(unit) {
        return Err(wrong("durationType", named));
    }
    let count = duration.integer("count")?.ok_or_else(|| missing("retentionDuration.count"))?;
    narrow(count, "retentionDuration.count")
}

fn days_format(rule: &Members<'_>) -> Result<DaysFormat, ArmError> {
    let format = rule
        .text("retentionScheduleFormatType")?
        .ok_or_else(|| missing("retentionScheduleFormatType"))?;
    match format.to_ascii_lowercase().as_str() {
        "daily" => {
            let daily = rule.object("retentionScheduleDaily")?;
            let days = daily.list("daysOfTheMonth")?.unwrap_or_default();
            Ok(DaysFormat::Daily { days: days.iter().map(day_of_month).collect::<Result<_, _>>()? })
        }
        "weekly" => {
            let weekly = rule.object("retentionScheduleWeekly")?;
            Ok(DaysFormat::Weekly {
                days: words(&weekly, "daysOfTheWeek", Weekday::from_azure)?,
                weeks: words(&weekly, "weeksOfTheMonth", WeekOfMonth::from_azure)?,
            })
        }
        _ => Err(wrong("retentionScheduleFormatType", format)),
    }
}

fn day_of_month(value: &Value) -> Result<DayOfMonth, ArmError> {
    let day = Members::of(value)?;
    if day.boolean("isLast")?.unwrap_or(false) {
        return Ok(DayOfMonth::Last);
    }
    let date = day.integer("date")?.ok_or_else(|| missing("daysOfTheMonth.date"))?;
    Ok(DayOfMonth::Date(narrow(date, "daysOfTheMonth.date")?))
}

fn tiering(rule: &Members<'_>) -> Result<Option<Tiering>, ArmError> {
    let Some(mode) = rule.text("tieringMode")? else { return Ok(None) };
    match mode.to_ascii_lowercase().as_str() {
        "donottier" | "invalid" => Ok(Some(Tiering::DoNotTier)),
        "tierrecommended" => Ok(Some(Tiering::TierRecommended)),
        "tierafter" => {
            let months =
                rule.integer("duration")?.ok_or_else(|| missing("tieringPolicy.duration"))?;
            Ok(Some(Tiering::TierAfter { months: narrow(months, "tieringPolicy.duration")? }))
        }
        _ => Err(wrong("tieringMode", mode)),
    }
}
