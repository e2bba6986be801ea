//! What a caller is told when the answer is no: a code with a page of its own, and a sentence that
//! says what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::Ask;
use crate::port::StoreFault;

/// The kind of an error, which decides the HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Who are you? (401)
    Unauthorized,
    /// You may not. (403)
    Forbidden,
    /// There is no such thing. (404)
    NotFound,
    /// Not while things are as they are. (409)
    Conflict,
    /// It was changed in between. (412)
    Precondition,
    /// The request makes no sense. (400)
    Invalid,
    /// Try again later. (503)
    Unavailable,
    /// A fault of the service. (500)
    Internal,
}

impl Class {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Precondition => 412,
            Self::Invalid => 400,
            Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }
}

macro_rules! codes {
    ($($name:ident: $class:ident, $title:literal, $recommendation:literal;)*) => {
        /// An error code. The name is what the REST surface shows; each has a page in
        /// `docs/errors/`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ErrorCode {
            $(#[doc = $title] $name,)*
        }

        impl ErrorCode {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code as the surface shows it.
            pub fn azure(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The kind of error.
            pub fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)* }
            }

            /// A few words for a heading.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What the owner of the VM or the vault can do.
            pub fn recommendation(self) -> &'static str {
                match self { $(Self::$name => $recommendation,)* }
            }
        }
    };
}

codes! {
    InvalidAuthenticationToken: Unauthorized, "Not signed in",
        "Sign in again.";
    InvalidCredentials: Unauthorized, "Sign-in failed",
        "Check the name or client id and the secret.";
    AuthorizationFailed: Forbidden, "Not allowed",
        "Ask an owner for a role that allows this.";

    SubscriptionNotFound: NotFound, "Unknown subscription",
        "List the subscriptions and use one of them.";
    ResourceGroupNotFound: NotFound, "Unknown resource group",
        "Create the resource group first, or check its name.";
    ResourceNotFound: NotFound, "Unknown resource",
        "Check the name, the resource group and the subscription.";
    DeploymentNotFound: NotFound, "Unknown deployment",
        "List the deployments of the resource group and use one of them.";
    ResourceGroupDeletionBlocked: Conflict, "The resource group is not empty",
        "Delete what is in the resource group first.";
    LocationNotAvailableForResourceType: Invalid, "Unknown region",
        "List the locations and use one of them.";
    InvalidResourceName: Invalid, "The name breaks the rules",
        "Choose a name that keeps the rules in the message.";
    InvalidResourceLocation: Conflict, "The resource is in another region",
        "A resource cannot change its region; use the one it has, or another name.";
    InvalidRequestContent: Invalid, "The request cannot be understood",
        "Correct the field named in the message.";
    InvalidParameter: Invalid, "A value is out of range",
        "Use a value inside the range given in the message.";
    Conflict: Conflict, "Changed in between",
        "Look at the resource again and repeat the request.";
    PreconditionFailed: Precondition, "Changed in between",
        "Read the resource again and repeat the request with its new etag.";
    ServiceUnavailable: Unavailable, "The service is busy",
        "Try again in a moment.";
    InternalServerError: Internal, "A fault of the service",
        "Try again; if it stays, give the request id to the operator of the service.";

    VaultNameAlreadyInUse: Conflict, "The vault name is taken",
        "Choose another name, or use the vault that has it.";
    ServiceResourceNotEmptyWithContainerDetails: Invalid, "The vault is not empty",
        "Stop protection of its items with deletion of their data, then delete the vault.";
    UserErrorStorageTypeLocked: Conflict, "The redundancy can no longer be changed",
        "Create a vault with the redundancy that you want and protect the virtual machines there.";
    UserErrorSoftDeleteAlwaysOn: Forbidden, "Soft delete is always on",
        "Nothing can switch it off for this vault.";
    UserErrorImmutabilityLocked: Forbidden, "Immutability is locked",
        "Nothing can switch it off for this vault.";

    UserErrorResourceGuardApprovalNeeded: Forbidden, "A second person has to approve this",
        "Ask a holder of the resource guard to approve the request, then repeat the same.";
    UserErrorResourceGuardHeld: Forbidden, "A resource guard is held by somebody else",
        "Ask one of its holders.";
    ResourceGuardInUse: Conflict, "The resource guard protects vaults",
        "Take the guard from the vaults named in the message first.";

    BMSUserErrorPolicyNotFound: NotFound, "Unknown backup policy",
        "List the policies of the vault and use one of them.";
    BMSUserErrorInvalidPolicyInput: Invalid, "The backup policy breaks a rule",
        "Correct the field named in the message.";
    BMSUserErrorPolicyInUse: Invalid, "The backup policy is in use",
        "Put the items named in the message under another policy first.";

    UserErrorVmNotFoundV2: NotFound, "The virtual machine is not there",
        "Check name and resource group; if the virtual machine is new, run discovery.";
    BMSUserErrorVmNotInVaultRegion: Invalid, "Vault and virtual machine are in different regions",
        "Use a vault in the region of the virtual machine.";
    BMSUserErrorContainerIsAlreadyRegisteredWithAnotherVault: Conflict,
        "The virtual machine is an item of another vault",
        "Use that vault, or delete its backup data there first.";
    UserErrorHypervisorUnavailable: Unavailable, "The hypervisor does not answer",
        "Try again when the hypervisor is back.";
    UserErrorVmNotManaged: Conflict, "Somebody else starts and stops this virtual machine",
        "Start or stop it where it was defined.";
    UserErrorVmNotInDesirableState: Conflict, "The virtual machine is in the wrong state",
        "Bring it into the state named in the message.";

    ProtectedItemNotFound: NotFound, "Unknown protected item",
        "List the items of the vault; the virtual machine may not be protected.";
    BMSUserErrorItemInSoftDeletedState: Conflict, "The item was deleted",
        "Bring it back with undelete, or wait until its data is removed.";
    BMSUserErrorItemNotInSoftDeletedState: Conflict, "The item was not deleted",
        "There is nothing to bring back.";
    BMSUserErrorProtectionStopped: Conflict, "Protection is stopped",
        "Resume protection with a policy first.";
    UserErrorBackupOperationInProgress: Conflict,
        "Another operation is currently in progress on this item",
        "Wait for the job named in the message, or cancel it.";
    UserErrorDeleteBackupItemOnImmutableItem: Forbidden, "The vault is immutable",
        "Stop protection and keep the data; it is removed when its time has come.";
    UserErrorRetentionReductionOnImmutableVault: Forbidden, "The vault is immutable",
        "Keep at least what the policy keeps now; more is allowed.";
    BMSUserErrorInvalidRecoveryPointExpiryTime: Invalid, "The retention date cannot be used",
        "Use a date in the future, at most 99 years away.";

    UserErrorRecoveryPointNotFound: NotFound, "Unknown recovery point",
        "List the recovery points of the item and use one of them.";
    UserErrorTargetStorageAccountNotFound: NotFound, "Unknown target storage account",
        "List the storage accounts and use one of the vault's region.";
    UserErrorStorageAccountInAnotherRegion: Invalid,
        "The target storage account is in a different region",
        "Use a storage account in the region of the vault.";
    UserErrorInvalidDiskLuns: Invalid, "Unknown disks",
        "Use logical unit numbers of data disks in the recovery point.";
    UserErrorTargetVmAlreadyExists: Conflict, "The name of the new virtual machine is taken",
        "Choose another name or resource group.";

    BMSUserErrorJobNotFound: NotFound, "Unknown job",
        "List the jobs of the vault.";
    BMSUserErrorJobNotInCancelableState: Conflict, "The job can no longer be cancelled",
        "Wait for its end.";
    OperationNotFound: NotFound, "Unknown operation",
        "Operations are kept for some days; look at the resource itself.";
    JobLeaseLost: Conflict, "Another worker has the job",
        "Nothing to do: the other worker carries on.";
    JobTransitionIllegal: Internal, "A job was told something impossible",
        "Report it with the log of the service.";

    UserErrorGuestAgentStatusUnavailable: Unavailable, "The guest agent does not answer",
        "Install and start qemu-guest-agent in the virtual machine.";
    GuestAgentSnapshotTaskStatusError: Unavailable, "The guest did not report its snapshot",
        "Look at the guest agent's log in the virtual machine, then back up again.";
    UserErrorFsFreezeFailed: Conflict, "File systems could not be frozen",
        "Unmount or repair the file systems named in the message, then back up again.";
    ExtensionFailedTimeoutVMNetworkUnresponsive: Unavailable, "The guest was too slow",
        "Back up when the virtual machine has less to do.";
    ExtensionOperationFailedForManagedDisks: Unavailable, "The snapshot failed",
        "Read the message; back up again when its cause is gone.";
    ExtensionFailedSnapshotLimitReachedError: Conflict, "Too many snapshots of the disk",
        "Remove bitmaps or snapshots that other tools left on the disk.";
    UserErrorInstantRpNotFound: NotFound, "The snapshot of the recovery point is not there",
        "Nothing has to be done: the vault has the recovery point. Read the message to have snapshots again.";
    UserErrorBCMPremiumStorageQuotaError: Unavailable, "Too little scratch space",
        "Make room in the scratch folder of the hypervisor, then back up again.";
    UserErrorDiskNotFound: NotFound, "A disk is gone",
        "Attach the disk again, or leave it out of the backup.";
    UserErrorUnsupportedDiskSize: Invalid, "The disk is too large",
        "Leave the disk out of the backup.";
    VaultStoreFull: Unavailable, "The vault's store is full",
        "Make room in the store; nothing was lost, the next backup goes on.";
    VaultStoreUnavailable: Unavailable, "The vault's store does not answer",
        "Bring the store back; the next backup goes on.";
    VaultStoreDamaged: Internal, "Data in the vault is damaged",
        "Verify the vault; restore another recovery point meanwhile.";
    DeploymentActive: Conflict, "The deployment is still running",
        "Wait for its end, or cancel it.";
    DeploymentCannotBeCancelled: Conflict, "The deployment has ended",
        "Look how it ended; what it made stays.";
    ScopeLocked: Conflict, "A lock forbids it",
        "Remove the lock that the message names, or ask who made it.";
    VaultLocked: Unavailable, "The vault's key is not at hand",
        "Give the service the passphrase or the recovery key of the vault.";
    CopyingVHDsFromBackUpVaultTakingLongTime: Unavailable, "The store is too slow",
        "Check the store's load; the job goes on.";
    RestoreTargetFull: Unavailable, "Too little room at the target",
        "Make room at the target, then restore again.";
    RestoreTargetUnavailable: Unavailable, "The target cannot be written",
        "Check that the target exists and is writable, then restore again.";
    UserErrorRestoredDataDiffers: Internal, "What was written differs from the recovery point",
        "Check the target's disk, then restore again.";
    UserErrorJobCancelled: Conflict, "The job was cancelled",
        "Nothing to do.";
    BackupInternalError: Internal, "A fault of the service",
        "Try again; if it stays, give the job's id to the operator of the service.";
}

impl ErrorCode {
    /// Reads a code, as written.
    pub fn from_azure(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.azure() == text)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.azure())
    }
}

/// A use-case's no. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// The code.
    pub code: ErrorCode,
    /// Whole sentences: what is wrong, with names, and what to do.
    pub message: String,
    /// The field or the resource it is about.
    pub target: Option<String>,
    /// What a second person would have to approve, when that is all that stands in the way.
    pub ask: Option<Box<Ask>>,
    /// What happened in the store, for the log; never for the caller.
    #[source]
    pub fault: Option<Box<StoreFault>>,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), target: None, ask: None, fault: None }
    }

    /// The same, about this field or resource.
    #[must_use]
    pub fn about(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }
}

impl From<StoreFault> for Refusal {
    fn from(fault: StoreFault) -> Self {
        let (code, message) = match &fault {
            StoreFault::Stale { .. } | StoreFault::Exists { .. } => (
                ErrorCode::Conflict,
                "Somebody else changed this in between. Look again and repeat the request.",
            ),
            StoreFault::Busy { .. } => {
                (ErrorCode::ServiceUnavailable, "The service is busy. Try again in a moment.")
            }
            StoreFault::ReadOnly { .. } | StoreFault::BadRow { .. } | StoreFault::Broken { .. } => {
                (
                    ErrorCode::InternalServerError,
                    "The service could not use its database. Its log says more.",
                )
            }
        };
        Self {
            code,
            message: message.to_owned(),
            target: None,
            ask: None,
            fault: Some(Box::new(fault)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_back_and_are_stored_by_name() {
        for &code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_azure(code.azure()), Some(code));
            assert_eq!(serde_json::to_value(code).unwrap(), code.azure());
        }
        assert_eq!(ErrorCode::from_azure("Nonsense"), None);
    }

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
        for &code in ErrorCode::ALL {
            let path = folder.join(format!("{code}.md"));
            let page = std::fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("no page {}: {error}", path.display()));
            for part in ["# ", "## Cause", "## What you do", "## What the operator does"] {
                assert!(page.contains(part), "{} lacks '{part}'", path.display());
            }
            assert!(page.contains(code.title()), "{} lacks its title", path.display());
        }
        for entry in std::fs::read_dir(&folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let stem = name.strip_suffix(".md").unwrap_or(&name).to_owned();
            assert!(
                stem == "README" || ErrorCode::from_azure(&stem).is_some(),
                "page without a code: {name}"
            );
        }
    }

    #[test]
    fn titles_and_recommendations_are_text_for_people() {
        for &code in ErrorCode::ALL {
            assert!(!code.title().ends_with('.'), "{code}: a title is no sentence");
            assert!(code.recommendation().ends_with('.'), "{code}: a recommendation is one");
        }
    }
}
