//! Recovery Services vault: holds recovery points and the policies that make them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::guard::GuardRef;
use crate::id::{SubscriptionId, VaultId};

/// A Recovery Services vault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vault {
    /// Identity.
    pub id: VaultId,
    /// The subscription it belongs to.
    pub subscription: SubscriptionId,
    /// Its resource group, in the group's own spelling.
    pub group: String,
    /// Name as first written: 2 to 50 letters, digits and hyphens, a letter first.
    pub name: String,
    /// Region, by name. It never changes.
    pub region: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// How many copies and where.
    pub redundancy: Redundancy,
    /// Whether points may be restored in the paired region.
    pub cross_region_restore: bool,
    /// True after the first protected item: the redundancy can no longer be changed.
    pub redundancy_locked: bool,
    /// What happens to deleted backup data.
    pub soft_delete: SoftDelete,
    /// Whether recovery points can be removed before their time.
    pub immutability: Immutability,
    /// Which alerts are raised.
    pub monitoring: MonitoringSettings,
    /// Whether clients outside the private network may reach it.
    pub public_network_access: bool,
    /// Whether points may be restored into another subscription.
    pub cross_subscription_restore: bool,
    /// Managed identity, when one was asked for.
    pub identity: Option<Identity>,
    /// The guard whose holders approve what takes protection away.
    #[serde(default)]
    pub guard: Option<GuardRef>,
    /// Where its blocks live.
    pub store_url: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub changed: Timestamp,
    /// Version of the stored row; 0 = never stored.
    pub etag: u64,
}

/// Copies of the backup data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Redundancy {
    /// A copy in the paired region too (the default).
    Geo,
    /// Copies in one place.
    Local,
    /// Copies in several zones of the region.
    Zone,
}

impl Redundancy {
    /// The word Azure uses: `GeoRedundant`, `LocallyRedundant`, `ZoneRedundant`.
    pub fn azure(self) -> &'static str {
        match self {
            Self::Geo => "GeoRedundant",
            Self::Local => "LocallyRedundant",
            Self::Zone => "ZoneRedundant",
        }
    }

    /// Reads Azure's word, whatever the case.
    pub fn from_azure(word: &str) -> Option<Self> {
        [Self::Geo, Self::Local, Self::Zone]
            .into_iter()
            .find(|it| it.azure().eq_ignore_ascii_case(word))
    }
}

/// Retention of deleted backup data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoftDelete {
    /// Whether it is on, and whether it can be switched off.
    pub state: SoftDeleteState,
    /// How long deleted data can be brought back, in days: 14 to 180.
    pub days: u16,
}

impl Default for SoftDelete {
    fn default() -> Self {
        Self { state: SoftDeleteState::Enabled, days: 14 }
    }
}

/// Whether deleted backup data can be brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SoftDeleteState {
    /// Deleted data is gone at once.
    Disabled,
    /// Deleted data can be brought back; may be switched off.
    Enabled,
    /// Deleted data can be brought back; can never be switched off.
    AlwaysOn,
}

impl SoftDeleteState {
    /// The word Azure uses: `Disabled`, `Enabled`, `AlwaysON`.
    pub fn azure(self) -> &'static str {
        match self {
            Self::Disabled => "Disabled",
            Self::Enabled => "Enabled",
            Self::AlwaysOn => "AlwaysON",
        }
    }

    /// Reads Azure's word, whatever the case.
    pub fn from_azure(word: &str) -> Option<Self> {
        [Self::Disabled, Self::Enabled, Self::AlwaysOn]
            .into_iter()
            .find(|it| it.azure().eq_ignore_ascii_case(word))
    }
}

/// Whether recovery points can be removed before their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Immutability {
    /// They can.
    Disabled,
    /// They cannot, but this may be switched off again.
    Unlocked,
    /// They cannot, for ever.
    Locked,
}

impl Immutability {
    /// The word Azure uses, the same as the name here.
    pub fn azure(self) -> &'static str {
        match self {
            Self::Disabled => "Disabled",
            Self::Unlocked => "Unlocked",
            Self::Locked => "Locked",
        }
    }

    /// Reads Azure's word, whatever the case.
    pub fn from_azure(word: &str) -> Option<Self> {
        [Self::Disabled, Self::Unlocked, Self::Locked]
            .into_iter()
            .find(|it| it.azure().eq_ignore_ascii_case(word))
    }
}

/// Which alerts a vault raises. Every one is on by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitoringSettings {
    /// An alert for each failed job.
    pub job_failures: bool,
    /// An alert for replication trouble.
    pub replication_issues: bool,
    /// An alert for failover trouble.
    pub failover_issues: bool,
    /// Classic alerts for critical operations.
    pub classic_critical: bool,
    /// Classic mails of Site Recovery.
    pub classic_site_recovery_mail: bool,
}

impl Default for MonitoringSettings {
    fn default() -> Self {
        Self {
            job_failures: true,
            replication_issues: true,
            failover_issues: true,
            classic_critical: true,
            classic_site_recovery_mail: true,
        }
    }
}

/// A managed identity, kept as the surface gave it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Whether the vault has an identity of its own.
    pub system_assigned: bool,
    /// Principal of the vault's own identity.
    pub principal: Option<uuid::Uuid>,
    /// Assigned identities by resource id.
    pub user_assigned: BTreeMap<String, Value>,
}
