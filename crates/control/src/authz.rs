//! Who may do what. Use-cases ask [`Caller::may`] before they look at anything else.

use serde::{Deserialize, Serialize};

use crate::error::{ErrorCode, Refusal};
use crate::id::PrincipalId;

/// Somebody who was authenticated, with what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Identity.
    pub principal: PrincipalId,
    /// Name, for logs and the audit.
    pub name: String,
    /// Roles, in every subscription.
    pub roles: Vec<Role>,
    /// What they may do besides, by roles that somebody made.
    pub grants: Vec<Action>,
}

/// A role, as Azure names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Everything, also who may do what.
    Owner,
    /// Everything but who may do what.
    Contributor,
    /// All of backup but the deletion of vaults.
    BackupContributor,
    /// Makes resource guards and approves what they stand before; changes nothing else.
    BackupMuaAdmin,
    /// Backups and restores; no policies, no end of protection.
    BackupOperator,
    /// Looks at everything, changes nothing.
    Reader,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// Look at anything.
    Read,
    /// Make or change a resource group.
    WriteGroup,
    /// Delete a resource group.
    DeleteGroup,
    /// Make or change a vault.
    WriteVault,
    /// Delete a vault.
    DeleteVault,
    /// Make or change a policy.
    WritePolicy,
    /// Delete a policy.
    DeletePolicy,
    /// Put a VM under protection, or under another policy.
    EnableProtection,
    /// Stop protection and keep the points.
    StopProtection,
    /// Delete backup data.
    DeleteBackupData,
    /// Bring deleted backup data back.
    Undelete,
    /// Start a backup.
    BackupNow,
    /// Start a restore.
    Restore,
    /// Cancel a job.
    CancelJob,
    /// Look for new VMs.
    RefreshContainers,
    /// Deploy a template; each resource in it needs its own permission on top.
    Deploy,
    /// Change the tags of any resource.
    WriteTags,
    /// Make, change or remove a resource that backups only name: a network, a disk.
    WriteResource,
    /// Start or stop a VM.
    PowerVm,
    /// Make or change a storage account.
    WriteStorageAccount,
    /// Say who can sign in and what they may do.
    WriteAccess,
    /// Make a resource guard. What happens to one later, its holders say.
    WriteGuard,
    /// Decide about what a guard protects. Only its holders may, whatever their roles.
    Approve,
}

impl Action {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Read,
        Self::WriteGroup,
        Self::DeleteGroup,
        Self::WriteVault,
        Self::DeleteVault,
        Self::WritePolicy,
        Self::DeletePolicy,
        Self::EnableProtection,
        Self::StopProtection,
        Self::DeleteBackupData,
        Self::Undelete,
        Self::BackupNow,
        Self::Restore,
        Self::CancelJob,
        Self::RefreshContainers,
        Self::Deploy,
        Self::WriteTags,
        Self::WriteResource,
        Self::PowerVm,
        Self::WriteStorageAccount,
        Self::WriteAccess,
        Self::WriteGuard,
        Self::Approve,
    ];

    /// The operation of Resource Manager that a role has to allow.
    pub fn azure(self) -> &'static str {
        match self {
            Self::Read => "*/read",
            Self::WriteGroup => "Microsoft.Resources/subscriptions/resourceGroups/write",
            Self::DeleteGroup => "Microsoft.Resources/subscriptions/resourceGroups/delete",
            Self::WriteVault => "Microsoft.RecoveryServices/vaults/write",
            Self::DeleteVault => "Microsoft.RecoveryServices/vaults/delete",
            Self::WritePolicy => "Microsoft.RecoveryServices/vaults/backupPolicies/write",
            Self::DeletePolicy => "Microsoft.RecoveryServices/vaults/backupPolicies/delete",
            Self::EnableProtection => {
                "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/write"
            }
            Self::StopProtection => {
                "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/stopProtection/action"
            }
            Self::DeleteBackupData => {
                "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/delete"
            }
            Self::Undelete => {
                "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/undelete/action"
            }
            Self::BackupNow => {
                "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/backup/action"
            }
            Self::Restore => {
                "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints/restore/action"
            }
            Self::CancelJob => "Microsoft.RecoveryServices/vaults/backupJobs/cancel/action",
            Self::RefreshContainers => {
                "Microsoft.RecoveryServices/vaults/backupFabrics/refreshContainers/action"
            }
            Self::Deploy => "Microsoft.Resources/deployments/write",
            Self::WriteTags => "Microsoft.Resources/tags/write",
            Self::WriteResource => "Microsoft.Compute/disks/write",
            Self::PowerVm => "Microsoft.Compute/virtualMachines/start/action",
            Self::WriteStorageAccount => "Microsoft.Storage/storageAccounts/write",
            Self::WriteAccess => "Microsoft.Authorization/roleAssignments/write",
            Self::WriteGuard => "Microsoft.DataProtection/resourceGuards/write",
            Self::Approve => {
                "Microsoft.RecoveryServices/vaults/backupResourceGuardProxies/unlockDelete/action"
            }
        }
    }

    /// What a person would say: "may not …".
    pub fn words(self) -> &'static str {
        match self {
            Self::Read => "read resources",
            Self::WriteGroup => "create or change resource groups",
            Self::DeleteGroup => "delete resource groups",
            Self::WriteVault => "create or change vaults",
            Self::DeleteVault => "delete vaults",
            Self::WritePolicy => "create or change backup policies",
            Self::DeletePolicy => "delete backup policies",
            Self::EnableProtection => "protect virtual machines",
            Self::StopProtection => "stop protection",
            Self::DeleteBackupData => "delete backup data",
            Self::Undelete => "bring back deleted backup data",
            Self::BackupNow => "start backups",
            Self::Restore => "restore",
            Self::CancelJob => "cancel jobs",
            Self::RefreshContainers => "discover virtual machines",
            Self::Deploy => "deploy templates",
            Self::WriteTags => "change tags",
            Self::WriteResource => "create or change resources",
            Self::PowerVm => "start or stop virtual machines",
            Self::WriteStorageAccount => "create or change storage accounts",
            Self::WriteAccess => "say who can sign in and what they may do",
            Self::WriteGuard => "create resource guards",
            Self::Approve => "approve what a resource guard protects",
        }
    }
}

impl Role {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Owner,
        Self::Contributor,
        Self::BackupContributor,
        Self::BackupMuaAdmin,
        Self::BackupOperator,
        Self::Reader,
    ];

    /// The id under which Azure knows the role.
    pub fn definition(self) -> &'static str {
        match self {
            Self::Owner => "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
            Self::Contributor => "b24988ac-6180-42a0-ab88-20f7382dd24c",
            Self::BackupContributor => "5e467623-bb1f-42f4-a55d-6e525e11384b",
            Self::BackupMuaAdmin => "c2a970b4-16a7-4a51-8c84-8a8ea6ee0bb8",
            Self::BackupOperator => "00c29273-979b-4161-815c-10b084fb9324",
            Self::Reader => "acdd72a7-3385-48ef-bd42-f606fba81ae7",
        }
    }

    /// The role that an id of Azure names.
    pub fn from_definition(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.definition().eq_ignore_ascii_case(id))
    }

    /// Azure's name of the role.
    pub fn azure(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Contributor => "Contributor",
            Self::BackupContributor => "Backup Contributor",
            Self::BackupMuaAdmin => "Backup MUA Admin",
            Self::BackupOperator => "Backup Operator",
            Self::Reader => "Reader",
        }
    }

    /// Whether the role allows an action.
    pub fn allows(self, action: Action) -> bool {
        match self {
            Self::Owner => true,
            Self::Contributor => {
                !matches!(action, Action::WriteAccess | Action::WriteGuard | Action::Approve)
            }
            Self::BackupContributor => match action {
                Action::Read
                | Action::WriteVault
                | Action::WritePolicy
                | Action::DeletePolicy
                | Action::EnableProtection
                | Action::StopProtection
                | Action::DeleteBackupData
                | Action::Undelete
                | Action::BackupNow
                | Action::Restore
                | Action::CancelJob
                | Action::Deploy
                | Action::RefreshContainers => true,
                Action::WriteGroup
                | Action::DeleteGroup
                | Action::DeleteVault
                | Action::WriteTags
                | Action::WriteResource
                | Action::PowerVm
                | Action::WriteStorageAccount
                | Action::WriteAccess
                | Action::WriteGuard
                | Action::Approve => false,
            },
            Self::BackupMuaAdmin => {
                matches!(action, Action::Read | Action::WriteGuard | Action::Approve)
            }
            Self::BackupOperator => matches!(
                action,
                Action::Read
                    | Action::EnableProtection
                    | Action::BackupNow
                    | Action::Restore
                    | Action::CancelJob
                    | Action::RefreshContainers
            ),
            Self::Reader => action == Action::Read,
        }
    }
}

impl Caller {
    /// The service itself: the schedule, the reconcilers. Its id is the nil UUID.
    pub fn system() -> Self {
        Self {
            principal: PrincipalId(uuid::Uuid::nil()),
            name: "coffre".to_owned(),
            roles: vec![Role::Owner],
            grants: Vec::new(),
        }
    }

    /// Whether it is the service itself.
    pub fn is_system(&self) -> bool {
        self.principal.uuid().is_nil()
    }

    /// Refuses with `AuthorizationFailed` unless one of the roles allows the action.
    pub fn may(&self, action: Action) -> Result<(), Refusal> {
        if self.roles.iter().any(|role| role.allows(action)) || self.grants.contains(&action) {
            return Ok(());
        }
        Err(Refusal::new(
            ErrorCode::AuthorizationFailed,
            format!(
                "'{}' may not {}; an owner has to give it a role that allows this.",
                self.name,
                action.words()
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(roles: &[Role]) -> Caller {
        Caller {
            principal: PrincipalId(uuid::Uuid::nil()),
            name: "ann".to_owned(),
            roles: roles.to_vec(),
            grants: Vec::new(),
        }
    }

    #[test]
    fn nobody_without_a_role_may_do_anything() {
        for &action in Action::ALL {
            let refusal = caller(&[]).may(action).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::AuthorizationFailed);
            assert!(refusal.message.contains("'ann'"), "{}", refusal.message);
        }
    }

    #[test]
    fn readers_only_read() {
        for &action in Action::ALL {
            assert_eq!(caller(&[Role::Reader]).may(action).is_ok(), action == Action::Read);
        }
    }

    #[test]
    fn each_role_allows_at_least_what_the_weaker_one_does() {
        let order = [
            Role::Reader,
            Role::BackupOperator,
            Role::BackupContributor,
            Role::Contributor,
            Role::Owner,
        ];
        for pair in order.windows(2) {
            for &action in Action::ALL {
                assert!(!pair[0].allows(action) || pair[1].allows(action), "{pair:?} {action:?}");
            }
        }
    }

    #[test]
    fn only_owners_say_who_may_do_what() {
        for role in [Role::Contributor, Role::BackupContributor, Role::BackupOperator, Role::Reader]
        {
            assert!(caller(&[role]).may(Action::WriteAccess).is_err(), "{role:?}");
        }
        assert!(caller(&[Role::Owner]).may(Action::WriteAccess).is_ok());
    }

    #[test]
    fn operators_neither_remove_backups_nor_manage_policies() {
        let operator = caller(&[Role::BackupOperator]);
        for action in [
            Action::StopProtection,
            Action::DeleteBackupData,
            Action::WritePolicy,
            Action::DeletePolicy,
            Action::DeleteVault,
        ] {
            assert!(operator.may(action).is_err(), "{action:?}");
        }
    }
}
