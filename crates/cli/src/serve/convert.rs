//! The hypervisors' words in the words of the control plane.

use coffre_control::id::VmId;
use coffre_control::model::{AgentState, Consistency, DiskFormat, OsType, PowerState, VmDisk};
use coffre_control::usecase::DiscoveredVm;

/// How whole a point is.
pub(crate) fn consistency(consistency: coffre_fabric::Consistency) -> Consistency {
    match consistency {
        coffre_fabric::Consistency::Application => Consistency::Application,
        coffre_fabric::Consistency::FileSystem => Consistency::FileSystem,
        coffre_fabric::Consistency::Crash => Consistency::Crash,
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
