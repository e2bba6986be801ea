//! Multi-user approval: a resource guard that some people hold, and what they were asked for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::id::{PrincipalId, VaultId};

/// An operation that takes protection away, so that one person alone may not do it in a vault that
/// a guard protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Critical {
    /// Switch soft delete off, or keep deleted data less long.
    DisableSoftDelete,
    /// Take the guard from a vault, or put another one in its place.
    RemoveGuard,
    /// Change a policy so that it keeps points less long.
    ReducePolicy,
    /// Put an item under a policy that keeps points less long.
    ReduceProtection,
    /// Stop protection with deletion of the data, or delete single points.
    DeleteData,
    /// Switch immutability off.
    DisableImmutability,
    /// Say that the service's clock is right, after which deletion goes on by it.
    ConfirmClock,
}

impl Critical {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::DisableSoftDelete,
        Self::RemoveGuard,
        Self::ReducePolicy,
        Self::ReduceProtection,
        Self::DeleteData,
        Self::DisableImmutability,
        Self::ConfirmClock,
    ];

    /// The operation as Azure's guards name it.
    pub fn azure(self) -> &'static str {
        match self {
            Self::DisableSoftDelete => "Microsoft.RecoveryServices/vaults/backupconfig/write",
            Self::RemoveGuard => {
                "Microsoft.RecoveryServices/vaults/backupResourceGuardProxies/delete"
            }
            Self::ReducePolicy => "Microsoft.RecoveryServices/vaults/backupPolicies/write",
            Self::ReduceProtection => {
                "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/write"
            }
            Self::DeleteData => {
                "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/delete"
            }
            Self::DisableImmutability => {
                "Microsoft.RecoveryServices/vaults/write#reduceImmutabilityState"
            }
            Self::ConfirmClock => "Microsoft.RecoveryServices/confirmClock/action",
        }
    }

    /// Reads Azure's name, whatever the case.
    pub fn from_azure(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.azure().eq_ignore_ascii_case(name))
    }

    /// Whether a guard may leave it out.
    pub fn is_optional(self) -> bool {
        !matches!(self, Self::DisableSoftDelete | Self::RemoveGuard)
    }
}

/// A resource guard. It is stored as the content of a record of its resource group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceGuard {
    /// Name as first written.
    pub name: String,
    /// Id of its resource group.
    pub scope: String,
    /// Region, by name; it only shows.
    pub region: String,
    /// Who approves. Never empty.
    pub holders: Vec<PrincipalId>,
    /// Operations that need no approval.
    pub excluded: Vec<Critical>,
}

impl ResourceGuard {
    /// Whether it stands before an operation.
    pub fn covers(&self, critical: Critical) -> bool {
        !critical.is_optional() || !self.excluded.contains(&critical)
    }
}

/// Which guard protects a vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardRef {
    /// Id of the guard's resource group.
    pub scope: String,
    /// Its name.
    pub name: String,
}

/// One exact request that needs a second person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The vault.
    pub vault: VaultId,
    /// What kind of operation it is.
    pub critical: Critical,
    /// Exactly what would be done; an approval holds for nothing else.
    pub subject: String,
    /// The same for people.
    pub words: String,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApprovalState {
    /// Nobody has decided.
    Asked,
    /// It may be done once, until its end.
    Granted,
    /// It may not be done.
    Refused,
    /// It was done.
    Used,
    /// Its time was over first. Never stored: it follows from the time.
    Expired,
}

/// Somebody, with the name that they had then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Who.
    pub id: PrincipalId,
    /// Their name at that time.
    pub name: String,
}

/// A request for approval, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Identity.
    pub id: Uuid,
    /// What it is for.
    pub ask: Ask,
    /// Who asked.
    pub asked_by: Person,
    /// When.
    pub asked: Timestamp,
    /// As it is stored; [`Approval::state`] also knows the time.
    pub stored: ApprovalState,
    /// Who decided.
    pub decided_by: Option<Person>,
    /// Until when somebody may decide; once granted, until when it may be used.
    pub until: Timestamp,
}

impl Approval {
    /// What came of it by now.
    pub fn state(&self, now: Timestamp) -> ApprovalState {
        let open = matches!(self.stored, ApprovalState::Asked | ApprovalState::Granted);
        if open && self.until <= now { ApprovalState::Expired } else { self.stored }
    }
}
