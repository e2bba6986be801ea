//! Virtual machine: what discovery saw on a hypervisor.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{SubscriptionId, VmId};

/// A virtual machine. The row outlives the machine: `missing_since` says when it was last looked
/// for in vain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vm {
    /// Identity (`vmId`); stable over renames and restarts.
    pub id: VmId,
    /// The subscription it belongs to.
    pub subscription: SubscriptionId,
    /// Its resource group.
    pub group: String,
    /// Name; unique in the group, whatever the case.
    pub name: String,
    /// Region of its hypervisor.
    pub region: String,
    /// What runs in it.
    pub os_type: OsType,
    /// Power state when last seen.
    pub power: PowerState,
    /// Guest agent when last seen.
    pub agent: AgentState,
    /// Our extension in the guest when last seen.
    #[serde(default)]
    pub extension: ExtensionState,
    /// Virtual processors; 0 = not known.
    pub cpus: u32,
    /// Memory in bytes; 0 = not known.
    pub memory_bytes: u64,
    /// Whether Coffre starts and stops it.
    pub managed: bool,
    /// Its disks, the OS disk first.
    pub disks: Vec<VmDisk>,
    /// The hypervisor that has it, by its configured name.
    pub hypervisor: String,
    /// When it was first seen.
    pub created: Timestamp,
    /// When it was last seen.
    pub seen: Timestamp,
    /// Since when the hypervisor answers but no longer has it.
    pub missing_since: Option<Timestamp>,
    /// Since when the hypervisor does not answer.
    pub unreachable_since: Option<Timestamp>,
    /// Version of the stored row; 0 = never stored.
    pub etag: u64,
}

/// A disk of a VM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmDisk {
    /// Stable key on the hypervisor.
    pub key: String,
    /// Logical unit number; none for the OS disk.
    pub lun: Option<u32>,
    /// Name for people.
    pub name: String,
    /// Size that the guest sees, in bytes.
    pub size_bytes: u64,
    /// Format of the image.
    pub format: DiskFormat,
}

/// What runs in a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OsType {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
}

impl OsType {
    /// The word Azure uses, the same as the name here.
    pub fn azure(self) -> &'static str {
        match self {
            Self::Linux => "Linux",
            Self::Windows => "Windows",
        }
    }
}

/// Power state of a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PowerState {
    /// It runs.
    Running,
    /// It is paused.
    Paused,
    /// It is off.
    Stopped,
    /// The hypervisor did not say.
    Unknown,
}

/// Guest agent of a VM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentState {
    /// It answers.
    Ready {
        /// The version it reported.
        version: String,
    },
    /// There is a channel, but nobody answers.
    Silent,
    /// The VM has no channel for it.
    NotConfigured,
}

/// Our extension in a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExtensionState {
    /// There is none for this guest.
    #[default]
    NotOffered,
    /// It is not in the guest yet; the next backup puts it there.
    Absent,
    /// It is there.
    Installed {
        /// Its version.
        version: String,
    },
    /// The last try to put it there or to use it failed.
    Failed {
        /// Version that was found; none when there is none.
        version: Option<String>,
        /// Why, in words.
        reason: String,
    },
}

/// Format of a disk image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskFormat {
    /// Plain bytes.
    Raw,
    /// QEMU's copy-on-write format.
    Qcow2,
}
