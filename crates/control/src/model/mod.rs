//! The nouns: plain data, one noun per file.
//!
//! Every stored noun derives serde because the store keeps it as a document beside its key
//! columns. `etag` is 0 for a value that was never stored and grows by one with every write.

pub mod agenda;
pub mod audit;
pub mod deleted_vault;
pub mod deployment;
pub mod freeze;
pub mod group;
pub mod guard;
pub mod item;
pub mod job;
pub mod operation;
pub mod point;
pub mod policy;
pub mod principal;
pub mod record;
pub mod region;
pub mod setting;
pub mod step;
pub mod storage_account;
pub mod subscription;
pub mod vault;
pub mod vm;

pub use agenda::{Agenda, Task};
pub use audit::{AuditChain, AuditRecord};
pub use deleted_vault::DeletedVault;
pub use deployment::{Deployment, DeploymentStep};
pub use freeze::FreezeWindows;
pub use group::ResourceGroup;
pub use guard::{Approval, ApprovalState, Ask, Critical, GuardRef, Person, ResourceGuard};
pub use item::{
    BackupHealth, BackupOutcome, DiskSelection, ExpiryBook, HealthDetail, ItemState, LastBackup,
    LastPoint, ProtectedItem,
};
pub use job::{
    Job, JobError, JobKind, JobState, JobStatus, JobWarning, Lease, Progress, RestoreTarget,
    Unwound,
};
pub use operation::{Operation, OperationEnd, OperationState};
pub use point::{
    Consistency, Deletion, LocalTier, PointDisk, PointStats, PointTier, RecoveryPoint, VmSnapshot,
};
pub use policy::{
    DailyRetention, DayOfMonth, DaylightSaving, DaysFormat, Month, MonthlyRetention, Policy,
    PolicyKind, Retention, Schedule, SnapshotConsistency, Tiering, WeekOfMonth, Weekday,
    WeeklyRetention, YearlyRetention,
};
pub use principal::{Principal, PrincipalKind};
pub use record::{Record, RecordKind};
pub use region::Region;
pub use setting::Setting;
pub use step::{
    Facts, FreezeFacts, GuestTimes, LocalFacts, PreparedFacts, RestoreFacts, RestoredFile,
    SnapshotDiskFacts, SnapshotFacts, Step, StepRecord, StepStatus, TransferFacts,
};
pub use storage_account::StorageAccount;
pub use subscription::Subscription;
pub use vault::{
    Identity, Immutability, MonitoringSettings, Redundancy, SoftDelete, SoftDeleteState, Vault,
};
pub use vm::{AgentState, DiskFormat, ExtensionState, OsType, PowerState, Vm, VmDisk};
