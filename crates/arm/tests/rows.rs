//! The rows of Azure's rules about the life of items and of its table of errors, each with the test
//! that goes through the API, or with the reason why it does not apply here.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use std::fs;
use std::path::Path;

use coffre_control::ErrorCode;

/// What shows that a row holds.
enum Shown {
    /// Tests: file and function.
    By(&'static [(&'static str, &'static str)]),
    /// It does not apply; why.
    NotHere(&'static str),
}

use Shown::{By, NotHere};

const FAILED: Shown =
    By(&[("life", "every_code_of_a_failed_backup_is_shown_and_the_job_can_be_done_again")]);
const WINDOWS: Shown = NotHere("only of Windows guests, which nothing here drives");
const SUBSCRIPTIONS: Shown = NotHere("there is no restore into another subscription");

/// Life of items and security.
const LIFE: &[(&str, Shown)] = &[
    ("B-070", By(&[("life", "protection_stops_resumes_and_ends")])),
    (
        "B-071",
        By(&[
            ("life", "deleted_data_can_be_brought_back"),
            ("life", "a_vault_of_deleted_items_can_be_cleared"),
        ]),
    ),
    ("B-072", By(&[("life", "an_immutable_vault_refuses_whatever_ends_points_early")])),
    (
        "B-073",
        By(&[
            ("approval", "stop_with_delete_takes_two_people"),
            ("approval", "an_approval_is_exact_single_and_short"),
            ("approval", "the_way_around_is_closed_too"),
            ("approval", "a_guard_leaves_out_what_its_holder_says"),
        ]),
    ),
    ("B-074", By(&[("resources", "a_new_vault_has_all_members_that_the_commands_read")])),
    ("B-075", NotHere("the service listens where its owner lets it; no private endpoints")),
    (
        "B-076",
        By(&[
            ("authorisation", "every_role_reaches_exactly_the_routes_that_it_allows"),
            ("authorisation", "an_owner_of_one_vault_is_nobody_elsewhere"),
        ]),
    ),
    ("B-077", NotHere("there is no detector of threats to ask")),
];

/// Codes.
const CODES: &[(&str, Shown)] = &[
    ("UserErrorGuestAgentStatusUnavailable", FAILED),
    ("GuestAgentSnapshotTaskStatusError", FAILED),
    ("ExtensionSnapshotFailedNoNetwork", NotHere("the channel to a guest is no network")),
    ("ExtensionOperationFailedForManagedDisks", FAILED),
    ("UserErrorFsFreezeFailed", FAILED),
    ("UserErrorUnableToOpenMount", NotHere("a mount that does not open fails the freeze")),
    ("ExtensionFailedVssWriterInBadState", WINDOWS),
    ("ExtensionSnapshotFailedCOM", WINDOWS),
    ("ExtensionInstallationFailedCOM", WINDOWS),
    ("ExtensionInstallationFailedMDTC", WINDOWS),
    ("ExtensionSnapshotBitlockerError", WINDOWS),
    ("ExtensionConfigParsingFailure", NotHere("a point without the extension says why instead")),
    ("ExtensionStuckInDeletionState", NotHere("the extension is put there again by itself")),
    ("ExtensionFailedSnapshotLimitReachedError", FAILED),
    ("ExtensionFailedTimeoutVMNetworkUnresponsive", FAILED),
    ("ExtensionVCRedistInstallationFailure", WINDOWS),
    ("ExtensionSnapshotFailedNoSecureNetwork", WINDOWS),
    ("VMRestorePointInternalError", NotHere("nobody blocks the extension here")),
    ("UserErrorVmNotInDesirableState", FAILED),
    ("UserErrorVmProvisioningStateFailed", NotHere("machines have no provisioning state")),
    ("UserErrorVmNotFoundV2", FAILED),
    ("AzureVmOffline", NotHere("a machine that is off is backed up all the same")),
    ("UserErrorBCMPremiumStorageQuotaError", FAILED),
    ("UserErrorBackupOperationInProgress", FAILED),
    ("CopyingVHDsFromBackUpVaultTakingLongTime", FAILED),
    ("UserErrorRequestDisallowedByPolicy", NotHere("there are no policies of an organisation")),
    ("UserErrorRpCollectionLimitReached", NotHere("there are no restore point collections")),
    ("UserErrorKeyVaultPermissionsNotConfigured", NotHere("there is no key vault")),
    ("UserErrorUnsupportedDiskSize", FAILED),
    ("UserErrorEncryptedVmNotSupportedWithDiskEx", NotHere("the host encrypts no disks")),
    ("UserErrorSkuNotAvailable", NotHere("machines have no sizes of a catalogue")),
    ("UserErrorMarketPlaceVMNotSupported", NotHere("there is no market place")),
    (
        "UserErrorInstantRpNotFound",
        By(&[("tiers", "a_restore_without_its_snapshot_names_its_tier_and_why")]),
    ),
    (
        "UserErrorDeleteBackupItemOnImmutableItem",
        By(&[("life", "an_immutable_vault_refuses_whatever_ends_points_early")]),
    ),
    ("UserErrorCrossSubscriptionRestoreNotSuppportedForOLR", SUBSCRIPTIONS),
    ("UserErrorMigrationFromTrustedLaunchVMToNonTrustedVMNotAllowed", NotHere("no trusted launch")),
    (
        "BMSUserErrorInvalidPolicyInput",
        By(&[("life", "invalid_policies_name_the_field_the_rule_and_an_example")]),
    ),
];

fn source(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(format!("{file}.rs"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text of a test, from its name to the end of its function; none when there is none.
fn test(file: &str, name: &str) -> Option<String> {
    let source = source(file);
    let at = source.find(&format!("#[tokio::test]\nasync fn {name}("))?;
    let text = &source[at..];
    Some(text[..text.find("\n}\n")?].to_owned())
}

#[test]
fn every_row_has_a_test_or_a_reason() {
    for (row, shown) in LIFE.iter().chain(CODES) {
        match shown {
            By(tests) => {
                assert!(!tests.is_empty(), "{row} has no test");
                for (file, name) in *tests {
                    assert!(test(file, name).is_some(), "{row}: {file}.rs has no test {name}");
                }
            }
            NotHere(why) => assert!(!why.is_empty(), "{row}: why does it not apply?"),
        }
    }
    let rows: Vec<&str> = LIFE.iter().map(|(row, _)| *row).collect();
    let all: Vec<String> = (70..=77).map(|number| format!("B-{number:03}")).collect();
    assert_eq!(rows, all);
}

/// A code that this service can give has a test in which it stands; one that does not apply is none
/// of its codes.
#[test]
fn every_code_stands_in_its_test() {
    for (code, shown) in CODES {
        let ours = ErrorCode::from_azure(code).is_some();
        match shown {
            By(tests) => {
                assert!(ours, "{code} is no code of the service");
                let stands = |(file, name): &(&str, &str)| {
                    let text = test(file, name).unwrap();
                    text.contains(&format!("ErrorCode::{code}"))
                        || text.contains(&format!("\"{code}\""))
                };
                assert!(tests.iter().any(stands), "{code} does not stand in its test");
            }
            NotHere(_) => assert!(!ours, "{code} is a code of the service and has no test"),
        }
    }
}
