//! The hypervisors' words in the words of the control plane.

use coffre_control::id::VmId;
use coffre_control::model::{
    AgentState, Consistency, DiskFormat, ExtensionState, FreezeFacts, GuestTimes, LocalFacts,
    OsType, PowerState, VmDisk,
};
use coffre_control::usecase::DiscoveredVm;
use jiff::Timestamp;

/// How whole a point is.
pub(crate) fn consistency(consistency: coffre_fabric::Consistency) -> Consistency {
    match consistency {
        coffre_fabric::Consistency::Application => Consistency::Application,
        coffre_fabric::Consistency::FileSystem => Consistency::FileSystem,
        coffre_fabric::Consistency::Crash => Consistency::Crash,
    }
}

/// Who froze a guest and when; `None` = the times are no times.
pub(crate) fn freeze(record: &coffre_fabric::FreezeRecord) -> Option<FreezeFacts> {
    let by_host = |unix_ms| Timestamp::from_millisecond(unix_ms).ok();
    let by_guest = |unix_ns: u64| Timestamp::from_nanosecond(i128::from(unix_ns)).ok();
    let guest = record.guest.and_then(|guest| {
        Some(GuestTimes {
            started: by_guest(guest.started_unix_ns)?,
            frozen: by_guest(guest.frozen_unix_ns)?,
            thawed: guest.thawed_unix_ns.and_then(by_guest),
        })
    });
    Some(FreezeFacts {
        by: match &record.by {
            coffre_fabric::FrozenBy::Extension { version } => format!("VMSnapshotLinux {version}"),
            coffre_fabric::FrozenBy::Agent => "QEMU guest agent".to_owned(),
        },
        asked: by_host(record.asked_unix_ms)?,
        frozen: by_host(record.frozen_unix_ms)?,
        taken: by_host(record.taken_unix_ms)?,
        thawed: record.thawed_unix_ms.and_then(by_host),
        guest,
    })
}

/// What became of a copy beside the disks.
pub(crate) fn local(copy: coffre_fabric::LocalCopy) -> LocalFacts {
    match copy {
        coffre_fabric::LocalCopy::Kept => LocalFacts { kept: true, reason: None },
        coffre_fabric::LocalCopy::Not { reason, .. } => {
            LocalFacts { kept: false, reason: Some(reason) }
        }
    }
}

fn extension(state: coffre_fabric::extension::ExtensionState) -> ExtensionState {
    use coffre_fabric::extension::ExtensionState as Found;
    match state {
        Found::NotOffered => ExtensionState::NotOffered,
        Found::Absent => ExtensionState::Absent,
        Found::Installed { version } => ExtensionState::Installed { version },
        Found::Failed { version, reason } => ExtensionState::Failed { version, reason },
    }
}

/// A machine that was found.
pub(crate) fn machine(info: coffre_fabric::MachineInfo) -> DiscoveredVm {
    DiscoveredVm {
        id: VmId(info.id),
        name: info.name,
        os_type: match info.os_type {
            coffre_fabric::OsType::Linux => OsType::Linux,
            coffre_fabric::OsType::Windows => OsType::Windows,
        },
        power: match info.power {
            coffre_fabric::PowerState::Running => PowerState::Running,
            coffre_fabric::PowerState::Paused => PowerState::Paused,
            coffre_fabric::PowerState::Stopped => PowerState::Stopped,
            coffre_fabric::PowerState::Unknown => PowerState::Unknown,
        },
        agent: match info.agent {
            coffre_fabric::AgentState::Ready { version } => AgentState::Ready { version },
            coffre_fabric::AgentState::Silent => AgentState::Silent,
            coffre_fabric::AgentState::NotConfigured => AgentState::NotConfigured,
        },
        extension: extension(info.extension),
        cpus: info.cpus,
        memory_bytes: info.memory_bytes,
        managed: info.managed,
        disks: info.disks.into_iter().map(disk).collect(),
    }
}

fn disk(disk: coffre_fabric::DiskInfo) -> VmDisk {
    VmDisk {
        key: disk.key,
        lun: disk.lun,
        name: disk.name,
        size_bytes: disk.size_bytes,
        format: match disk.format {
            coffre_fabric::ImageFormat::Raw => DiskFormat::Raw,
            coffre_fabric::ImageFormat::Qcow2 => DiskFormat::Qcow2,
        },
    }
}
