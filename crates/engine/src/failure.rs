//! Why a step failed, what a person is told, and whether trying again makes sense.
//!
//! The class is decided once, here, where the error of the other rooms is seen. Who drives the
//! steps only obeys it.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use coffre_fabric::FabricError;
use coffre_vault::VaultError;

/// Waiting time before a step is tried again after something that may pass by itself.
const PAUSE_SHORT: Duration = Duration::from_secs(5);
/// Waiting time when somebody else uses what we need.
const PAUSE_LONG: Duration = Duration::from_secs(30);

/// A step failed.
#[derive(Debug)]
pub struct Failure {
    /// What kind of failure it is.
    pub class: Class,
    /// The whole chain of causes, in words for people, without secrets.
    pub message: String,
    /// Whether trying again makes sense.
    pub retry: Retry,
}

/// Whether trying again makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It will fail the same way until a person does something.
    Never,
    /// The same step, after this time.
    After(Duration),
    /// The job from its first step, after this time: what the first step made is gone.
    FromTheStart(Duration),
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Somebody asked to stop, or the service is stopping.
    Cancelled,
    /// The machine is not known any more.
    MachineGone,
    /// The image of a disk is missing, or the machine has no such disk.
    DiskMissing,
    /// The machine must be off for this.
    MachineMustBeOff,
    /// The machine cannot be asked to do this now: it is off, busy or does not answer.
    MachineUnavailable,
    /// Another snapshot of the machine is in the way.
    SnapshotInTheWay,
    /// The snapshot is gone or was not whole all the time.
    SnapshotLost,
    /// No room for what the guest overwrites during the backup.
    ScratchFull,
    /// No room in the store of the vault.
    StoreFull,
    /// The store of the vault does not answer, or refuses.
    StoreUnavailable,
    /// The keys at hand do not open the vault.
    StoreLocked,
    /// The recovery point is not in the vault.
    PointMissing,
    /// What lies in the vault is damaged.
    PointDamaged,
    /// No room where the restored disks go.
    TargetFull,
    /// The place where the restored disks go cannot be written or is in use.
    TargetUnusable,
    /// What was restored is not what the recovery point holds.
    RestoredDataDiffers,
    /// The configuration of the service or of a machine is wrong.
    Configuration,
    /// Something else.
    Internal,
}

impl Class {
    /// All classes, for tables and tests.
    pub const ALL: [Class; 18] = [
        Class::Cancelled,
        Class::MachineGone,
        Class::DiskMissing,
        Class::MachineMustBeOff,
        Class::MachineUnavailable,
        Class::SnapshotInTheWay,
        Class::SnapshotLost,
        Class::ScratchFull,
        Class::StoreFull,
        Class::StoreUnavailable,
        Class::StoreLocked,
        Class::PointMissing,
        Class::PointDamaged,
        Class::TargetFull,
        Class::TargetUnusable,
        Class::RestoredDataDiffers,
        Class::Configuration,
        Class::Internal,
    ];
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {}

impl Failure {
    /// A failure with its own words.
    pub fn new(class: Class, retry: Retry, message: impl Into<String>) -> Failure {
        Failure { class, message: message.into(), retry }
    }

    /// Somebody asked to stop.
    pub fn cancelled() -> Failure {
        Failure::new(Class::Cancelled, Retry::Never, "the job was cancelled")
    }

    /// The failure that an error of the hypervisor side means. `doing` says what was tried:
    /// "take the snapshot".
    pub fn fabric(doing: &str, error: &FabricError) -> Failure {
        let (class, retry) = fabric_class(error);
        Failure::new(class, retry, chain(doing, error))
    }

    /// The failure that an error of the vault means.
    ///
    /// Errors of reading a snapshot and of writing a target come back through the vault; the
    /// error of the other side inside decides then.
    pub fn vault(doing: &str, error: &VaultError) -> Failure {
        let message = chain(doing, error);
        if let Some(inner) = find::<FabricError>(error) {
            let (class, retry) = fabric_class(inner);
            return Failure::new(class, retry, message);
        }
        let (class, retry) = vault_class(error);
        Failure::new(class, retry, message)
    }

    /// The failure that an error of writing restored files means.
    pub(crate) fn target(doing: &str, path: &std::path::Path, error: &io::Error) -> Failure {
        let message = chain(&format!("{doing} {}", path.display()), error);
        let class = if is_full(error) { Class::TargetFull } else { Class::TargetUnusable };
        Failure::new(class, Retry::Never, message)
    }
}

fn fabric_class(error: &FabricError) -> (Class, Retry) {
    match error {
        FabricError::Config(_) => (Class::Configuration, Retry::Never),
        FabricError::UnknownMachine(_) => (Class::MachineGone, Retry::Never),
        FabricError::UnknownDisk { .. } | FabricError::DiskMissing { .. } => {
            (Class::DiskMissing, Retry::Never)
        }
        FabricError::NotStopped(_) => (Class::MachineMustBeOff, Retry::Never),
        FabricError::NotManaged(_) | FabricError::StartFailed { .. } => {
            (Class::MachineUnavailable, Retry::Never)
        }
        FabricError::NotRunning(_) | FabricError::Timeout { .. } => {
            (Class::MachineUnavailable, Retry::After(PAUSE_SHORT))
        }
        FabricError::NbdServerBusy(_) => (Class::MachineUnavailable, Retry::After(PAUSE_LONG)),
        FabricError::SnapshotExists { .. } => (Class::SnapshotInTheWay, Retry::After(PAUSE_SHORT)),
        FabricError::SnapshotLost { .. } => (Class::SnapshotLost, Retry::FromTheStart(PAUSE_SHORT)),
        FabricError::LocalCopyUnusable { .. } => {
            (Class::SnapshotLost, Retry::FromTheStart(PAUSE_SHORT))
        }
        FabricError::ScratchFull { .. } => (Class::ScratchFull, Retry::Never),
        FabricError::Io { source, .. } if is_full(source) => (Class::ScratchFull, Retry::Never),
        FabricError::OldImageKept(_) => (Class::TargetUnusable, Retry::Never),
        FabricError::Qmp { .. }
        | FabricError::Agent { .. }
        | FabricError::AgentSilent(_)
        | FabricError::Nbd { .. }
        | FabricError::Tool { .. }
        | FabricError::Io { .. } => (Class::MachineUnavailable, Retry::After(PAUSE_SHORT)),
    }
}

fn vault_class(error: &VaultError) -> (Class, Retry) {
    match error {
        error if error.is_store_full() => (Class::StoreFull, Retry::Never),
        error if error.is_damage() => (Class::PointDamaged, Retry::Never),
        VaultError::Bucket(_) => (Class::StoreUnavailable, Retry::After(PAUSE_SHORT)),
        VaultError::NotAVault | VaultError::Unsupported { .. } | VaultError::UnfitStore { .. } => {
            (Class::StoreUnavailable, Retry::Never)
        }
        VaultError::WrongKey | VaultError::MissingKey { .. } => (Class::StoreLocked, Retry::Never),
        VaultError::UnknownPoint(_) | VaultError::UnknownDisk { .. } => {
            (Class::PointMissing, Retry::Never)
        }
        VaultError::Cancelled => (Class::Cancelled, Retry::Never),
        VaultError::Overtaken | VaultError::VerifyBeforeAck => {
            (Class::Internal, Retry::After(PAUSE_SHORT))
        }
        VaultError::Source { .. } => (Class::MachineUnavailable, Retry::After(PAUSE_SHORT)),
        VaultError::Sink { source, .. } if is_full(source) => (Class::TargetFull, Retry::Never),
        VaultError::Sink { .. } => (Class::TargetUnusable, Retry::Never),
        _ => (Class::Internal, Retry::Never),
    }
}

/// "take the snapshot: the machine web1 …: connection refused": all causes in one line.
fn chain(doing: &str, error: &dyn Error) -> String {
    let mut text = format!("{doing}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Looks for an error of type `T` in the chain, also inside an [`io::Error`].
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        // The source of a wrapping io::Error is the source of what it wraps: look inside, too.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
