//! The words and tones of states: one exhaustive match for each, so that a new state cannot be
//! shown without a word.

use coffre_control::model::{
    AgentState, BackupHealth, BackupOutcome, Consistency, Critical, DiskFormat, ExtensionState,
    Immutability, ItemState, Job, JobKind, JobStatus, Month, OsType, PointTier, PowerState,
    ProtectedItem, RecoveryPoint, Redundancy, RestoreTarget, SoftDeleteState, Step, StepStatus,
    WeekOfMonth, Weekday,
};
use coffre_control::{Action, Role};

use crate::component::Tone;
use crate::view::View;

/// Key and tone of what a list shows as the state of an item.
pub(crate) fn item(item: &ProtectedItem) -> (Tone, &'static str) {
    match item.state {
        ItemState::IrPending => (Tone::Warn, "item-initial-pending"),
        ItemState::Protected => match item.last_backup.as_ref().map(|last| last.outcome) {
            Some(BackupOutcome::Failed) => (Tone::Bad, "item-last-failed"),
            _ => (Tone::Good, "item-protected"),
        },
        ItemState::Stopped | ItemState::Suspended => (Tone::Idle, "item-stopped"),
        ItemState::SoftDeleted { .. } => (Tone::Bad, "item-deleted"),
    }
}

/// Key and tone of the last backup of an item; none before the first has ended.
pub(crate) fn last_backup(item: &ProtectedItem) -> Option<(Tone, &'static str)> {
    if item.state == ItemState::IrPending {
        return Some((Tone::Warn, "item-initial-pending"));
    }
    item.last_backup.as_ref().map(|last| match last.outcome {
        BackupOutcome::Completed => (Tone::Good, "job-completed"),
        BackupOutcome::CompletedWithWarnings => (Tone::Warn, "job-completed-with-warnings"),
        BackupOutcome::Failed => (Tone::Bad, "job-failed"),
        BackupOutcome::Cancelled => (Tone::Idle, "job-cancelled"),
    })
}

/// Key and tone of the forecast for the next backup.
pub(crate) fn health(health: &BackupHealth) -> (Tone, &'static str) {
    match health {
        BackupHealth::Passed => (Tone::Good, "health-passed"),
        BackupHealth::ActionRequired(_) => (Tone::Bad, "health-action-required"),
        BackupHealth::ActionSuggested(_) => (Tone::Warn, "health-action-suggested"),
    }
}

/// Key of a role's name.
pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::Owner => "role-owner",
        Role::Contributor => "role-contributor",
        Role::BackupContributor => "role-backup-contributor",
        Role::BackupMuaAdmin => "role-backup-mua-admin",
        Role::BackupOperator => "role-backup-operator",
        Role::Reader => "role-reader",
    }
}

/// Key and tone of where a job is: one that nobody has begun yet is not in progress.
pub(crate) fn job_now(job: &Job) -> (Tone, &'static str) {
    match job.status() {
        JobStatus::InProgress if job.started.is_none() => (Tone::Info, "job-queued"),
        status => self::job(status),
    }
}

/// Key and tone of a job's status.
pub(crate) fn job(status: JobStatus) -> (Tone, &'static str) {
    match status {
        JobStatus::InProgress => (Tone::Info, "job-in-progress"),
        JobStatus::Cancelling => (Tone::Info, "job-cancelling"),
        JobStatus::Completed => (Tone::Good, "job-completed"),
        JobStatus::CompletedWithWarnings => (Tone::Warn, "job-completed-with-warnings"),
        JobStatus::Failed => (Tone::Bad, "job-failed"),
        JobStatus::Cancelled => (Tone::Idle, "job-cancelled"),
    }
}

/// Key of what a job does.
pub(crate) fn operation(kind: &JobKind) -> &'static str {
    match kind {
        JobKind::ConfigureBackup { .. } => "operation-configure-backup",
        JobKind::Backup { scheduled: true, .. } => "operation-backup-scheduled",
        JobKind::Backup { .. } => "operation-backup",
        JobKind::Restore { target, .. } => match target {
            RestoreTarget::Disks { .. } => "operation-restore-disks",
            RestoreTarget::InPlace { .. } => "operation-restore-in-place",
            RestoreTarget::NewVm { .. } => "operation-restore-new-vm",
        },
        JobKind::DisableBackup => "operation-disable-backup",
        JobKind::DeleteBackupData { .. } => "operation-delete-backup-data",
        JobKind::Undelete => "operation-undelete",
        JobKind::StartVm => "job-start-vm",
        JobKind::StopVm { .. } => "job-stop-vm",
        JobKind::RefreshContainers => "operation-refresh",
    }
}

/// Key of a step.
pub(crate) fn step(step: Step) -> &'static str {
    match step {
        Step::TakeSnapshot => "step-take-snapshot",
        Step::TransferToVault => "step-transfer-to-vault",
        Step::ValidatePoint | Step::ValidateRestore => "step-validate",
        Step::ReleaseSnapshot => "step-release-snapshot",
        Step::PrepareRestore => "step-prepare-restore",
        Step::TransferFromVault => "step-transfer-from-vault",
        Step::PublishRestore => "step-publish-restore",
        Step::DeletePoints => "step-delete-points",
        Step::StartMachine => "operation-start-vm",
        Step::StopMachine => "operation-stop-vm",
        Step::DiscoverMachines => "operation-refresh",
    }
}

/// Key and tone of what became of a step.
pub(crate) fn step_status(status: StepStatus) -> (Tone, &'static str) {
    match status {
        StepStatus::NotStarted => (Tone::Idle, "step-not-started"),
        StepStatus::InProgress => (Tone::Info, "job-in-progress"),
        StepStatus::Completed => (Tone::Good, "job-completed"),
        StepStatus::CompletedWithWarnings => (Tone::Warn, "job-completed-with-warnings"),
        StepStatus::Failed => (Tone::Bad, "job-failed"),
        StepStatus::Undone => (Tone::Idle, "step-undone"),
    }
}

/// Key and tone of a power state.
pub(crate) fn power(power: PowerState) -> (Tone, &'static str) {
    match power {
        PowerState::Running => (Tone::Good, "power-running"),
        PowerState::Paused => (Tone::Warn, "power-paused"),
        PowerState::Stopped => (Tone::Idle, "power-stopped"),
        PowerState::Unknown => (Tone::Warn, "power-unknown"),
    }
}

/// Key and tone of our extension in a guest.
pub(crate) fn extension(extension: &ExtensionState) -> (Tone, &'static str) {
    match extension {
        ExtensionState::NotOffered => (Tone::Idle, "extension-not-offered"),
        ExtensionState::Absent => (Tone::Idle, "extension-absent"),
        ExtensionState::Installed { .. } => (Tone::Good, "extension-installed"),
        ExtensionState::Failed { .. } => (Tone::Warn, "extension-failed"),
    }
}

/// Key and tone of the guest agent's state.
pub(crate) fn agent(agent: &AgentState) -> (Tone, &'static str) {
    match agent {
        AgentState::Ready { .. } => (Tone::Good, "agent-ready"),
        AgentState::Silent => (Tone::Warn, "agent-silent"),
        AgentState::NotConfigured => (Tone::Idle, "agent-not-configured"),
    }
}

/// Key and tone of how consistent a point is.
pub(crate) fn consistency(consistency: Consistency) -> (Tone, &'static str) {
    match consistency {
        Consistency::Application => (Tone::Good, "consistency-application"),
        Consistency::FileSystem => (Tone::Good, "consistency-file-system"),
        Consistency::Crash => (Tone::Warn, "consistency-crash"),
    }
}

/// Key of an operation that a resource guard stands before.
pub(crate) fn critical(critical: Critical) -> &'static str {
    match critical {
        Critical::DisableSoftDelete => "critical-soft-delete",
        Critical::RemoveGuard => "critical-guard",
        Critical::ReducePolicy => "critical-policy",
        Critical::ReduceProtection => "critical-protection",
        Critical::DeleteData => "critical-data",
        Critical::DisableImmutability => "critical-immutability",
        Critical::ConfirmClock => "critical-clock",
    }
}

/// Key of where a point is kept.
pub(crate) fn tier(tier: PointTier) -> &'static str {
    match tier {
        PointTier::Instant => "tier-instant",
        PointTier::Vault => "tier-vault",
        PointTier::Archive => "tier-archive",
    }
}

/// Where a point is kept: a snapshot with its end, or why there is none although its time is not over.
pub(crate) fn tiers(view: &View, point: &RecoveryPoint) -> String {
    let local = point.local.as_ref();
    let named = point.tiers.iter().map(|it| match (it, local.and_then(|local| local.until)) {
        (PointTier::Instant, Some(until)) => {
            view.t1("tier-instant-until", "time", view.time(until).text())
        }
        _ => view.t(tier(*it)),
    });
    let early = local.filter(|local| match (local.until, local.gone) {
        (Some(until), Some(gone)) => gone < until,
        (None, _) => true,
        (Some(_), None) => false,
    });
    let why = early.and_then(|local| local.reason.as_deref());
    let none = why.map(|why| view.t1("tier-no-snapshot", "why", view.say(why).as_str()));
    named.chain(none).collect::<Vec<_>>().join(", ")
}

/// Key of the copies that a vault keeps.
pub(crate) fn redundancy(redundancy: Redundancy) -> &'static str {
    match redundancy {
        Redundancy::Geo => "redundancy-geo",
        Redundancy::Local => "redundancy-local",
        Redundancy::Zone => "redundancy-zone",
    }
}

/// Key of what happens to deleted backup data.
pub(crate) fn soft_delete(state: SoftDeleteState) -> &'static str {
    match state {
        SoftDeleteState::Disabled => "soft-delete-disabled",
        SoftDeleteState::Enabled => "soft-delete-enabled",
        SoftDeleteState::AlwaysOn => "soft-delete-always-on",
    }
}

/// Key of whether points can be removed early.
pub(crate) fn immutability(immutability: Immutability) -> &'static str {
    match immutability {
        Immutability::Disabled => "immutability-disabled",
        Immutability::Unlocked => "immutability-unlocked",
        Immutability::Locked => "immutability-locked",
    }
}

/// Name of what runs in a VM; a proper name in every language.
pub(crate) fn os(os: OsType) -> &'static str {
    match os {
        OsType::Linux => "Linux",
        OsType::Windows => "Windows",
    }
}

/// Name of an image format; a proper name in every language.
pub(crate) fn disk_format(format: DiskFormat) -> &'static str {
    match format {
        DiskFormat::Raw => "raw",
        DiskFormat::Qcow2 => "qcow2",
    }
}

/// Key of what somebody did.
pub(crate) fn action(action: Action) -> &'static str {
    match action {
        Action::Read => "action-read",
        Action::WriteGroup => "action-write-group",
        Action::DeleteGroup => "action-delete-group",
        Action::WriteVault => "action-write-vault",
        Action::DeleteVault => "vault-delete",
        Action::WritePolicy => "action-write-policy",
        Action::DeletePolicy => "policy-delete",
        Action::EnableProtection => "enable-backup",
        Action::StopProtection => "item-stop",
        Action::DeleteBackupData => "item-delete",
        Action::Undelete => "item-undelete",
        Action::BackupNow => "backup-now",
        Action::Restore => "restore",
        Action::CancelJob => "job-cancel",
        Action::RefreshContainers => "operation-refresh",
        Action::PowerVm => "action-power",
        Action::WriteStorageAccount => "action-write-account",
        Action::WriteAccess => "action-access",
        Action::WriteGuard => "action-guard",
        Action::Approve => "action-approve",
        Action::Deploy => "action-deploy",
        Action::WriteTags => "action-tags",
        Action::WriteResource => "action-resource",
    }
}

/// Key of a day of the week.
pub(crate) fn weekday(day: Weekday) -> &'static str {
    match day {
        Weekday::Sunday => "day-sunday",
        Weekday::Monday => "day-monday",
        Weekday::Tuesday => "day-tuesday",
        Weekday::Wednesday => "day-wednesday",
        Weekday::Thursday => "day-thursday",
        Weekday::Friday => "day-friday",
        Weekday::Saturday => "day-saturday",
    }
}

/// Key of a week of a month.
pub(crate) fn week(week: WeekOfMonth) -> &'static str {
    match week {
        WeekOfMonth::First => "week-first",
        WeekOfMonth::Second => "week-second",
        WeekOfMonth::Third => "week-third",
        WeekOfMonth::Fourth => "week-fourth",
        WeekOfMonth::Last => "week-last",
    }
}

/// Key of a month.
pub(crate) fn month(month: Month) -> &'static str {
    match month {
        Month::January => "month-january",
        Month::February => "month-february",
        Month::March => "month-march",
        Month::April => "month-april",
        Month::May => "month-may",
        Month::June => "month-june",
        Month::July => "month-july",
        Month::August => "month-august",
        Month::September => "month-september",
        Month::October => "month-october",
        Month::November => "month-november",
        Month::December => "month-december",
    }
}
