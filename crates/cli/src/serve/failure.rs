//! What a failure of the engine is called at the surface.

use coffre_control::ErrorCode;
use coffre_control::job::{Failure as JobFailure, Retry as JobRetry};
use coffre_control::model::Step;
use coffre_engine::{Class, Failure, Retry};
use jiff::SignedDuration;

/// The failure as the job's row keeps it.
pub(crate) fn to_control(step: Step, failure: Failure) -> JobFailure {
    JobFailure {
        code: code(step, failure.class),
        message: sentence(&failure.message),
        retry: retry(failure.retry),
    }
}

/// A whole sentence, as the surface shows it.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let mut text: String =
        letters.next().map(|first| first.to_uppercase()).into_iter().flatten().collect();
    text.push_str(letters.as_str());
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}

fn retry(retry: Retry) -> JobRetry {
    let after = |pause| SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
    match retry {
        Retry::Never => JobRetry::Never,
        Retry::After(pause) => JobRetry::After(after(pause)),
        Retry::FromTheStart(_) => JobRetry::FromStart,
    }
}

fn code(step: Step, class: Class) -> ErrorCode {
    match class {
        Class::Cancelled => ErrorCode::UserErrorJobCancelled,
        Class::MachineGone => ErrorCode::UserErrorVmNotFoundV2,
        Class::DiskMissing => ErrorCode::UserErrorDiskNotFound,
        Class::MachineMustBeOff => ErrorCode::UserErrorVmNotInDesirableState,
        Class::MachineUnavailable if step == Step::TakeSnapshot => {
            ErrorCode::ExtensionOperationFailedForManagedDisks
        }
        Class::MachineUnavailable => ErrorCode::UserErrorHypervisorUnavailable,
        Class::SnapshotInTheWay => ErrorCode::ExtensionFailedSnapshotLimitReachedError,
        Class::SnapshotLost => ErrorCode::ExtensionOperationFailedForManagedDisks,
        Class::ScratchFull => ErrorCode::UserErrorBCMPremiumStorageQuotaError,
        Class::StoreFull => ErrorCode::VaultStoreFull,
        Class::StoreUnavailable => ErrorCode::VaultStoreUnavailable,
        Class::StoreLocked => ErrorCode::VaultLocked,
        Class::PointMissing => ErrorCode::UserErrorRecoveryPointNotFound,
        Class::PointDamaged => ErrorCode::VaultStoreDamaged,
        Class::TargetFull => ErrorCode::RestoreTargetFull,
        Class::TargetUnusable => ErrorCode::RestoreTargetUnavailable,
        Class::RestoredDataDiffers => ErrorCode::UserErrorRestoredDataDiffers,
        Class::Configuration | Class::Internal => ErrorCode::BackupInternalError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_code_and_messages_are_sentences() {
        for class in Class::ALL {
            let failure = Failure::new(class, Retry::Never, "read the disk: gone");
            let failure = to_control(Step::TransferToVault, failure);
            assert_eq!(failure.message, "Read the disk: gone.");
            let internal = matches!(class, Class::Configuration | Class::Internal);
            assert_eq!(failure.code == ErrorCode::BackupInternalError, internal, "{class:?}");
        }
    }
}
