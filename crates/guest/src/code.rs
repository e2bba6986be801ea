//! Result codes: what a run can end with, what it says of the machine's health, and the names people meet.

use Health::{Green, Red, Yellow};

/// What a result says about the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// All is well.
    Green,
    /// Somebody in the machine should look.
    Yellow,
    /// Backups of this machine fail.
    Red,
}

impl Health {
    /// The number in a report: 0, 128 or 256.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Green => 0,
            Yellow => 128,
            Red => 256,
        }
    }
}

/// A result code. Its number travels in reports, as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl Code {
    /// Application-consistent.
    pub const APP_CONSISTENT: Code = Code(0);
    /// Snapshots were taken; file-system or crash-consistent.
    pub const SUCCESS: Code = Code(1);
    /// Generic failure.
    pub const ERROR: Code = Code(2);
    /// The run goes on: the only code that is not final.
    pub const RUNNING: Code = Code(4);
    /// A bad command or field.
    pub const PARAMETER: Code = Code(11);
    /// A file that the run needs is missing.
    pub const FILE_MISSING: Code = Code(12);
    /// The protected settings cannot be read on this machine.
    pub const NO_CERTIFICATE: Code = Code(16);
    /// No snapshot succeeded.
    pub const NO_SNAPSHOT: Code = Code(76);
    /// A disk carries too many snapshots already.
    pub const SNAPSHOT_LIMIT: Code = Code(85);
    /// The freeze failed.
    pub const FREEZE_FAILED: Code = Code(121);
    /// The storage asks for fewer snapshots in so short a time.
    pub const SNAPSHOT_RATE: Code = Code(173);
    /// The command came more than 140 minutes after its start.
    pub const TOO_LATE: Code = Code(402);
    /// The snapshot service of the host is down.
    pub const HOST_DOWN: Code = Code(556);
    /// Some snapshots succeeded and some did not. Travels as health only; the code of the run is 76.
    pub const SOME_SNAPSHOTS_FAILED: Code = Code(761);

    /// Whether a run that ended with this code has a usable point.
    #[must_use]
    pub fn is_success(self) -> bool {
        self.0 <= 1
    }

    /// What the code says of the machine. Unknown codes are red.
    #[must_use]
    pub fn health(self) -> Health {
        self.row().map_or(Red, |row| row.2)
    }

    /// The name in telemetry and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().map_or("error", |row| row.1)
    }

    fn row(self) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.0 == self.0)
    }
}

/// Number, name, health, and what to tell people (in words of the documentation).
pub type Row = (u16, &'static str, Health, &'static str);

/// Every code that this handler can report. `docs/guest-extension.md` shows the same rows.
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    (0, "success_appconsistent", Green, "application-consistent point"),
    (1, "success", Green, "point taken"),
    (2, "error", Green, "try again; the log says more"),
    (4, "ExtensionTempTerminalState", Green, "running"),
    (11, "error_parameter", Yellow, "the command is wrong"),
    (12, "error_12", Green, "install the extension again"),
    (16, "FailedHandlerGuestAgentCertificateNotFound", Yellow, "restart the agent so that it fetches its certificates"),
    (76, "FailedRetryableSnapshotFailedNoNetwork", Red, "allow HTTPS to the storage, or look at the host's service"),
    (85, "FailedSnapshotLimitReached", Red, "delete old snapshots of the disk"),
    (121, "FailedRetryableFsFreezeFailed", Yellow, "look at the named file system"),
    (122, "FailedRetryableFsFreezeTimeout", Yellow, "too many writes were waiting"),
    (123, "FailedRetryableUnableToOpenMount", Yellow, "remove the stale mount, or list it in MountsToSkip"),
    (124, "FailedSafeFreezeBinaryNotFound", Yellow, "install the extension again"),
    (173, "FailedRetryableSnapshotRateExceeded", Yellow, "the storage asks for a pause"),
    (300, "FailedPrepostPreScriptFailed", Yellow, "the script before the point failed"),
    (301, "FailedPrepostPostScriptFailed", Yellow, "the script after the point failed"),
    (302, "FailedPrepostPreScriptNotFound", Yellow, "correct preScriptLocation"),
    (303, "FailedPrepostPostScriptNotFound", Yellow, "correct postScriptLocation"),
    (304, "FailedPrepostPluginhostConfigParsing", Yellow, "correct VMSnapshotPluginHost.conf"),
    (305, "FailedPrepostPluginConfigParsing", Yellow, "correct VMSnapshotScriptPluginConfig.json"),
    (306, "FailedPrepostPreScriptPermissionError", Yellow, "owner root, mode 700"),
    (307, "FailedPrepostPostScriptPermissionError", Yellow, "owner root, mode 700"),
    (308, "FailedPrepostPreScriptTimeout", Yellow, "raise timeoutInSeconds, at most 1800"),
    (309, "FailedPrepostPostScriptTimeout", Yellow, "raise timeoutInSeconds, at most 1800"),
    (310, "FailedPrepostPluginhostPreTimeout", Yellow, "raise timeoutInSeconds, at most 1800"),
    (311, "FailedPrepostPluginhostPostTimeout", Yellow, "raise timeoutInSeconds, at most 1800"),
    (312, "FailedPrepostCheckSumMismatch", Yellow, "install the extension again"),
    (313, "FailedPrepostPluginhostConfigNotFound", Yellow, "install the extension again"),
    (314, "FailedPrepostPluginhostConfigPermissionError", Yellow, "owner root, mode 600"),
    (315, "FailedPrepostPluginhostConfigOwnershipError", Yellow, "owner root"),
    (316, "FailedPrepostPluginConfigNotFound", Yellow, "no scripts are configured; that is the usual case"),
    (317, "FailedPrepostPluginConfigPermissionError", Yellow, "owner root, mode 600"),
    (318, "FailedPrepostPluginConfigOwnershipError", Yellow, "owner root"),
    (402, "FailedGuestAgentInvokedCommandTooLate", Red, "the agent is slow, or a clock is wrong"),
    (500, "FailedWorkloadPreError", Yellow, "the database could not be quiesced"),
    (501, "FailedWorkloadConfParsingError", Yellow, "correct workload.conf"),
    (502, "FailedWorkloadInvalidRole", Yellow, "correct the role in workload.conf"),
    (503, "FailedWorkloadInvalidWorkloadName", Yellow, "correct the name in workload.conf"),
    (504, "FailedWorkloadPostError", Yellow, "make sure that the database takes writes"),
    (505, "FailedWorkloadAuthorizationMissing", Yellow, "give credString or linux_user"),
    (506, "FailedWorkloadConnectionError", Yellow, "the client of the database did not start"),
    (507, "FailedWorkloadIPCDirectoryMissing", Yellow, "give ipc_folder"),
    (508, "FailedWorkloadDatabaseStatusChanged", Yellow, "the database was opened or closed meanwhile"),
    (509, "FailedWorkloadQuiescingError", Yellow, "long queries hold the database"),
    (510, "FailedWorkloadQuiescingTimeout", Yellow, "raise timeout in workload.conf"),
    (511, "FailedWorkloadDatabaseInNoArchiveLog", Yellow, "enable archiving of the log"),
    (512, "FailedWorkloadLogModeChanged", Yellow, "the log mode changed meanwhile"),
    (556, "FailedHostSnapshotRemoteServerError", Red, "the host's snapshot service is down"),
    (761, "FailedRetryableSnapshotFailedRestrictedNetwork", Red, "allow HTTPS to all storage accounts"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_table_once_and_in_order() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(Code::SNAPSHOT_RATE.health().number(), 128);
        assert_eq!(Code::HOST_DOWN.health().number(), 256);
        assert_eq!(Code(9999).health(), Red);
        assert_eq!(Code(300).name(), "FailedPrepostPreScriptFailed");
    }
}
