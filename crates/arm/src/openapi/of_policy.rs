//! Shapes of policies, and of a policy that is lived ahead.

use serde_json::{Value, json};

use super::shape::{
    Shapes, boolean, exactly, list, object, one_of, open, or_null, resource, text, time, whole,
    with, word,
};

pub(super) fn all() -> Shapes {
    vec![
        ("Policy", resource("Microsoft.RecoveryServices/vaults/backupPolicies", policy())),
        ("Simulation", simulation()),
    ]
}

fn policy() -> Value {
    object([
        ("backupManagementType", exactly("AzureIaasVM")),
        ("policyType", one_of(&["V1", "V2"])),
        ("instantRPDetails", object([])),
        ("schedulePolicy", json!({ "oneOf": [schedule(), enhanced_schedule()] })),
        ("retentionPolicy", retention()),
        ("tieringPolicy", object([("ArchivedRP", tiering())])),
        ("instantRpRetentionRangeInDays", whole()),
        ("timeZone", word()),
        ("protectedItemsCount", whole()),
        ("daylightSaving?", one_of(&["WallClock", "FixedOffset"])),
        ("allowShortRetention?", boolean()),
        ("snapshotConsistencyType?", exactly("OnlyCrashConsistent")),
    ])
}

fn days() -> Value {
    let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    list(one_of(&days))
}

fn schedule() -> Value {
    object([
        ("schedulePolicyType", exactly("SimpleSchedulePolicy")),
        ("scheduleRunFrequency", one_of(&["Daily", "Weekly"])),
        ("scheduleRunDays?", days()),
        ("scheduleRunTimes", list(time())),
        ("scheduleWeeklyFrequency", whole()),
    ])
}

fn enhanced_schedule() -> Value {
    let hourly = object([
        ("interval", whole()),
        ("scheduleWindowStartTime", time()),
        ("scheduleWindowDuration", whole()),
    ]);
    let weekly = object([("scheduleRunDays", days()), ("scheduleRunTimes", list(time()))]);
    object([
        ("schedulePolicyType", exactly("SimpleSchedulePolicyV2")),
        ("scheduleRunFrequency", one_of(&["Hourly", "Daily", "Weekly"])),
        ("hourlySchedule?", hourly),
        ("dailySchedule?", object([("scheduleRunTimes", list(time()))])),
        ("weeklySchedule?", weekly),
    ])
}

fn rule(unit: &str) -> Value {
    let duration = object([("count", whole()), ("durationType", exactly(unit))]);
    object([("retentionTimes", list(time())), ("retentionDuration", duration)])
}

fn rule_of_days(unit: &str) -> Value {
    let day = object([("date", whole()), ("isLast", boolean())]);
    let weeks = list(one_of(&["First", "Second", "Third", "Fourth", "Last"]));
    let weekly = object([("daysOfTheWeek", days()), ("weeksOfTheMonth", weeks)]);
    let mut shape = with(rule(unit), "retentionScheduleFormatType", one_of(&["Daily", "Weekly"]));
    shape = with(shape, "retentionScheduleDaily?", object([("daysOfTheMonth", list(day))]));
    with(shape, "retentionScheduleWeekly?", weekly)
}

fn retention() -> Value {
    let months = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    object([
        ("retentionPolicyType", exactly("LongTermRetentionPolicy")),
        ("dailySchedule?", rule("Days")),
        ("weeklySchedule?", with(rule("Weeks"), "daysOfTheWeek", days())),
        ("monthlySchedule?", rule_of_days("Months")),
        ("yearlySchedule?", with(rule_of_days("Years"), "monthsOfYear", list(one_of(&months)))),
    ])
}

fn tiering() -> Value {
    object([
        ("tieringMode", one_of(&["DoNotTier", "TierRecommended", "TierAfter"])),
        ("duration", whole()),
        ("durationType", one_of(&["Invalid", "Months"])),
    ])
}

fn simulation() -> Value {
    let change = || {
        list(object([
            ("recoveryPointTime", time()),
            ("expiresNow", or_null(time())),
            ("wouldExpire", or_null(time())),
        ]))
    };
    let changes = object([
        ("virtualMachine", word()),
        ("deletes", change()),
        ("shortens", change()),
        ("keepsLonger", change()),
    ]);
    let tiers = || list(one_of(&["InstantRP", "HardenedRP"]));
    object([
        ("nextRuns", list(object([("utc", time()), ("local", word()), ("offset", text())]))),
        ("end", time()),
        // Beside these four, a number for each rule.
        (
            "counts",
            list(open([
                ("date", time()),
                ("points", whole()),
                ("snapshotAndVault", whole()),
                ("vaultOnly", whole()),
            ])),
        ),
        ("calendar", list(object([("date", word()), ("tag", word()), ("tiers", tiers())]))),
        (
            "snapshots",
            list(object([
                ("recoveryPointTime", time()),
                ("snapshotUntil", time()),
                ("tiers", tiers()),
            ])),
        ),
        ("changes", list(changes)),
    ])
}
