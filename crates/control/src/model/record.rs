//! Things that clients keep beside the resources of backup: deployments, locks, role assignments,
//! tags of machines. No use-case of backup decides by their content.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RecordKind {
    /// What was deployed from a template, and how it went.
    Deployment,
    /// Tags of a resource that has no place for them itself.
    Tags,
    /// A lock on a resource, a group or a subscription.
    Lock,
    /// Who has which role where.
    RoleAssignment,
    /// A role that somebody made.
    RoleDefinition,
    /// A guard: who approves what takes protection away.
    ResourceGuard,
    /// What the holders of a guard were asked for.
    Approval,
    /// A copy of a recovery point beside the disks of its machine, until it is deleted there.
    LocalCopy,
    /// A vault that was deleted, until its time is over.
    DeletedVault,
    /// A resource that templates and restores name and that has no use-case: a network, a disk.
    Resource,
}

impl RecordKind {
    /// The name under which it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::Tags => "tags",
            Self::Lock => "lock",
            Self::RoleAssignment => "role-assignment",
            Self::RoleDefinition => "role-definition",
            Self::ResourceGuard => "resource-guard",
            Self::Approval => "approval",
            Self::LocalCopy => "local-copy",
            Self::DeletedVault => "deleted-vault",
            Self::Resource => "resource",
        }
    }
}

/// One record. Kind, scope and name say which one it is; neither scope nor name know case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What it is.
    pub kind: RecordKind,
    /// Id of what it belongs to: a resource, a group, a subscription. No slash at the end.
    pub scope: String,
    /// Its name there.
    pub name: String,
    /// Its content.
    pub content: Value,
    /// Version of the stored row; 0 = never stored.
    pub etag: u64,
}
