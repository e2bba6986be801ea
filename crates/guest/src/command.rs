//! What a command asks for, in either shape of its settings.
//!
//! The article's shape says little: no `objectStr` in public, so no metadata and no list of disks. Whatever is missing
//! has a default, so that a run always ends with a report.

use std::time::SystemTime;

use base64::Engine;
use serde_json::Value;

use crate::net::Sas;
use crate::secret::Secret;
use crate::settings::{BASE64, Settings};
use crate::ticks;

/// More disks than a machine can have.
const DISKS_MAX: usize = 1024;

/// Flags that the service may set, by their names on the wire.
const FLAGS: [&str; 4] = [
    "isSnapshotTtlEnabled",
    "useMccfToFetchDsasForAllDisks",
    "useMccfForLad",
    "EnableVMSnapshotExtensionPolling",
];

/// Why a command cannot be understood. The texts name fields and never quote them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// A field that must be base64 of a JSON object is not.
    #[error("{0} is not base64 of a JSON object")]
    ObjectStr(&'static str),
    /// The list of disks is missing.
    #[error("the protected objectStr names no blobSASUri")]
    NoBlobs,
    /// An address of a disk is unusable.
    #[error("address {0} in blobSASUri cannot be used")]
    Blob(usize),
    /// More disks than a machine can have.
    #[error("too many disks")]
    TooMany,
}

/// Where snapshots are taken, and what is tried when that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From inside, with addresses of the disks.
    OnlyGuest,
    /// From inside; when no disk at all succeeded, by the host.
    FirstGuestThenHost,
    /// By the host when it answers before the freeze, else from inside.
    FirstHostThenGuest,
    /// By the host.
    OnlyHost,
    /// By the hypervisor: it is told when all is frozen and says when it is done. Needs no network.
    Channel,
}

impl Way {
    /// The way of a name; unknown names mean the default.
    #[must_use]
    pub fn of(name: &str) -> Way {
        match name {
            "onlyGuest" => Way::OnlyGuest,
            "firstGuestThenHost" => Way::FirstGuestThenHost,
            "onlyHost" => Way::OnlyHost,
            "channel" => Way::Channel,
            _ => Way::FirstHostThenGuest,
        }
    }
}

/// Which disks the command is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Disks {
    /// LUNs in the order given; the disk of the operating system is -1 and stands last.
    pub luns: Vec<i64>,
    /// Whether some disks of the machine are left out.
    pub excludes_some: bool,
    /// Whether a disk is of a kind that only the host can snapshot.
    pub needs_host: bool,
    /// Whether the guest-state blob's metadata is wanted.
    pub vmmd: bool,
    /// Whether the machine encrypts its disks itself.
    pub is_ade: bool,
    /// How long the host keeps snapshots at hand.
    pub instant_access_minutes: Option<i64>,
}

/// One command.
pub struct Command {
    /// `commandToExecute`.
    pub verb: Option<String>,
    /// `taskId` as it came, to be echoed.
    pub task_id: Value,
    /// `commandStartTimeUTCTicks` as it came, to be echoed.
    pub start_ticks: Value,
    /// When the service began, if it said so readably.
    pub started: Option<SystemTime>,
    /// Whether the machine is of the classic kind, whose reports carry the real status at the top.
    pub is_classic: bool,
    /// What identifies the backup towards the host.
    pub backup_task_id: String,
    /// Keys and values that go with each snapshot, in order.
    pub metadata: Vec<(String, String)>,
    /// Opaque, for the host.
    pub snapshot_token: Secret,
    /// The disks.
    pub disks: Disks,
    /// Flags for the host, in the order of the wire.
    pub flags: Vec<(String, Value)>,
    /// The way, before the administrator of the machine had his say.
    pub way: Way,
    /// Whether a crash-consistent point will do when the freeze fails.
    pub crash_consistent_will_do: bool,
    /// Whether only the disk of the operating system is billed.
    pub only_os_disk: Option<bool>,
    /// Addresses of the disks; nothing when the command has none.
    pub blobs: Option<Vec<Sas>>,
    /// Where the log goes.
    pub logs_blob: Option<Sas>,
    /// Where the status goes.
    pub status_blob: Option<Sas>,
    /// What is wrong with the command. The rest holds as far as it could be read, so that a report can be sent.
    pub wrong: Option<CommandError>,
}

impl Command {
    /// Understands settings. Never fails: what is wrong is told in [`Command::wrong`].
    #[must_use]
    pub fn of(settings: &Settings) -> Command {
        let (public, protected) = (&settings.public, &settings.protected);
        let mut wrong = None;
        let object = unpack(public.get("objectStr"), "public objectStr", &mut wrong);
        let sealed = unpack(protected.get("objectStr"), "protected objectStr", &mut wrong);
        let blobs = blobs(protected.get("objectStr"), &sealed, &mut wrong);
        let custom = text_of(first(public, protected, "customSettings"))
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or(Value::Null);
        let mut disks = disks(object.get("includedDisks").unwrap_or(&Value::Null));
        if disks.luns.len() > DISKS_MAX {
            disks.luns.clear();
            wrong.get_or_insert(CommandError::TooMany);
        }
        let task_id = public.get("taskId").cloned().unwrap_or(Value::Null);
        let start_ticks = public.get("commandStartTimeUTCTicks").cloned().unwrap_or(Value::Null);
        let token = text_of(object.get("snapshotTaskToken"))
            .or(text_of(protected.get("snapshotTaskToken")))
            .unwrap_or_default();
        let vm_type = text_of(public.get("vmType")).unwrap_or_default().to_ascii_lowercase();
        let backup_task_id =
            text_of(custom.get("backupTaskId")).map_or_else(|| plain(&task_id), str::to_owned);
        let address = |name: &str| text_of(first(public, protected, name)).and_then(Sas::parse);
        Command {
            verb: text_of(public.get("commandToExecute")).map(str::to_owned),
            started: ticks::parse(&plain(&start_ticks)),
            task_id,
            start_ticks,
            is_classic: !vm_type.is_empty() && vm_type != "microsoft.compute/virtualmachines",
            backup_task_id,
            metadata: pairs(object.get("backupMetadata"))
                .map(|(key, value)| (key.to_owned(), plain(value)))
                .collect(),
            snapshot_token: Secret::new(token.to_owned()),
            flags: flags(object.get("dynamicConfigsFromCRP")),
            way: way(&custom, &disks),
            crash_consistent_will_do: crash_consistent_will_do(&custom, &disks),
            only_os_disk: custom.get("isOnlyOSDiskBackupEnabled").map(is_true),
            disks,
            blobs,
            logs_blob: address("logsBlobUri"),
            status_blob: address("statusBlobUri"),
            wrong,
        }
    }

    /// The task as text; nothing when the command has none.
    #[must_use]
    pub fn task(&self) -> Option<&str> {
        self.task_id.as_str().filter(|task| !task.is_empty())
    }

    /// What no log may show.
    #[must_use]
    pub fn secrets(&self) -> Vec<Secret> {
        let addresses = self.blobs.iter().flatten().chain(&self.logs_blob).chain(&self.status_blob);
        let mut secrets: Vec<Secret> = addresses.map(Sas::secret).collect();
        secrets.push(self.snapshot_token.clone());
        secrets
    }
}

/// From public settings, and from protected ones when it is not there.
fn first<'a>(public: &'a Value, protected: &'a Value, name: &str) -> Option<&'a Value> {
    let given = |value: &&Value| !value.is_null() && value.as_str() != Some("");
    public.get(name).filter(given).or_else(|| protected.get(name).filter(given))
}

fn text_of(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A value as text: strings without their quotes, nothing for null.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_true(value: &Value) -> bool {
    value == &Value::Bool(true)
}

/// base64 of JSON. A missing field reads as an empty object.
fn unpack(value: Option<&Value>, name: &'static str, wrong: &mut Option<CommandError>) -> Value {
    let Some(value) = value.filter(|value| !value.is_null() && value.as_str() != Some("")) else {
        return Value::Null;
    };
    let object = value.as_str().and_then(|packed| {
        let compact: String = packed.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let bytes = BASE64.decode(compact).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let object: Value = serde_json::from_str(text.trim().trim_matches('\'')).ok()?;
        object.is_object().then_some(object)
    });
    if object.is_none() {
        wrong.get_or_insert(CommandError::ObjectStr(name));
    }
    object.unwrap_or(Value::Null)
}

fn blobs(
    given: Option<&Value>,
    sealed: &Value,
    wrong: &mut Option<CommandError>,
) -> Option<Vec<Sas>> {
    if text_of(given).is_none() || !sealed.is_object() {
        return None;
    }
    let Some(list) = sealed.get("blobSASUri").and_then(Value::as_array) else {
        wrong.get_or_insert(CommandError::NoBlobs);
        return None;
    };
    if list.len() > DISKS_MAX {
        wrong.get_or_insert(CommandError::TooMany);
        return None;
    }
    let mut found = Vec::new();
    for (index, value) in list.iter().enumerate() {
        match value.as_str().and_then(Sas::parse) {
            Some(sas) => found.push(sas),
            None => {
                wrong.get_or_insert(CommandError::Blob(index));
            }
        }
    }
    Some(found)
}

/// A list of `{"Key": …, "Value": …}`. What has no textual key is passed over.
fn pairs(list: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    let elements = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    elements.iter().filter_map(|pair| Some((pair.get("Key")?.as_str()?, pair.get("Value")?)))
}

fn flags(list: Option<&Value>) -> Vec<(String, Value)> {
    let given: Vec<_> = pairs(list).collect();
    let value = |name: &str| {
        let named = given.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map_or(Value::Bool(false), |(_, value)| (*value).clone())
    };
    FLAGS.iter().map(|name| ((*name).to_owned(), value(name))).collect()
}

fn luns(value: Option<&Value>) -> Vec<i64> {
    let list = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_i64).collect()
}

fn disks(included: &Value) -> Disks {
    let flag = |name: &str| included.get(name).is_some_and(is_true);
    let mut list = luns(included.get("dataDiskLunList"));
    if flag("isOSDiskIncluded") {
        list.push(-1);
    }
    Disks {
        luns: list,
        excludes_some: flag("isAnyDiskExcluded"),
        needs_host: flag("isAnyWADiskIncluded")
            || flag("isVmgsBlobIncluded")
            || flag("isAnyDirectDriveDiskIncluded"),
        vmmd: flag("isVmmdBlobIncluded"),
        is_ade: flag("isVMADEEnabled"),
        instant_access_minutes: included
            .get("instantAccessDurationMinutes")
            .and_then(Value::as_i64),
    }
}

fn way(custom: &Value, disks: &Disks) -> Way {
    let accelerated = luns(custom.get("waDiskLunList"));
    let named = text_of(custom.get("takeSnapshotFrom")).map_or(Way::FirstHostThenGuest, Way::of);
    let needs_host = disks.needs_host || accelerated.iter().any(|lun| disks.luns.contains(lun));
    if needs_host && named != Way::Channel { Way::OnlyHost } else { named }
}

/// Only a managed machine with one disk, at a second try, and when the service allows it.
fn crash_consistent_will_do(custom: &Value, disks: &Disks) -> bool {
    let managed = custom.get("isManagedVm").is_some_and(is_true)
        || (custom.is_object() && custom.get("takeSnapshotFrom").is_none());
    let allowed = custom.get("canTakeCrashConsistentSnapshot").is_some_and(is_true);
    let tried = custom.get("backupRetryCount").and_then(Value::as_i64).unwrap_or(0) > 0;
    managed && allowed && tried && disks.luns.len() == 1
}
