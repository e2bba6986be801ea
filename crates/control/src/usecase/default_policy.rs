//! The policies that every new vault has.

use jiff::civil::time;

use crate::id::VaultId;
use crate::model::{
    DailyRetention, DaylightSaving, Policy, PolicyKind, Retention, Schedule, SnapshotConsistency,
};

/// `DefaultPolicy` (daily, 30 days, 2 days of instant restore) and `EnhancedPolicy` (every four
/// hours from 08:00 for 12 hours, 30 days).
pub(crate) fn of_new_vault(vault: VaultId) -> [Policy; 2] {
    let month = Retention { daily: Some(DailyRetention { days: 30 }), ..Retention::default() };
    [
        Policy {
            vault,
            name: "DefaultPolicy".to_owned(),
            kind: PolicyKind::Standard,
            schedule: Schedule::Daily { time: time(22, 0, 0, 0) },
            retention: month.clone(),
            instant_days: 2,
            time_zone: "UTC".to_owned(),
            tiering: None,
            consistency: SnapshotConsistency::Best,
            daylight_saving: DaylightSaving::WallClock,
            short_retention: false,
            etag: 0,
        },
        Policy {
            vault,
            name: "EnhancedPolicy".to_owned(),
            kind: PolicyKind::Enhanced,
            schedule: Schedule::Hourly {
                interval_hours: 4,
                window_start: time(8, 0, 0, 0),
                window_hours: 12,
            },
            retention: month,
            instant_days: 2,
            time_zone: "UTC".to_owned(),
            tiering: None,
            consistency: SnapshotConsistency::Best,
            daylight_saving: DaylightSaving::WallClock,
            short_retention: false,
            etag: 0,
        },
    ]
}
