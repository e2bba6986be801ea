//! What a machine is, and what can be asked of one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::extension::{ExtensionState, GuestLog};
use crate::local::LocalCopies;
use crate::{
    FabricError, Release, Result, Snapshot, SnapshotReader, SnapshotReport, SnapshotRequest,
};

/// A place where machines live. One value serves all threads.
pub trait Fabric: Send + Sync {
    /// All machines that are known now, sorted by name.
    ///
    /// A machine that cannot be asked is still listed, with what is known and
    /// [`PowerState::Unknown`].
    fn machines(&self) -> Result<Vec<MachineInfo>>;

    /// The machine with this id, or [`FabricError::UnknownMachine`].
    fn machine(&self, id: Uuid) -> Result<Arc<dyn Machine>>;
}

/// One machine. Calls that change it wait for each other; [`Machine::info`] never waits for them.
pub trait Machine: Send + Sync {
    /// What is known about the machine now.
    fn info(&self) -> Result<MachineInfo>;

    /// Starts the machine. A machine that runs already is a success.
    ///
    /// An export of its disks that reads them as a stopped machine is ended first: the person who
    /// starts the machine wins, the backup is repeated.
    fn start(&self) -> Result<()>;

    /// Stops the machine. A machine that is off already is a success.
    fn stop(&self, how: Stop) -> Result<()>;

    /// Takes one point in time over all disks and opens it for reading.
    ///
    /// Freezes the file systems if that is wished and possible, and thaws them on every path.
    /// What an earlier try for the same point left behind is cleaned (as abandoned) first. Another
    /// point that still lives is refused with [`FabricError::SnapshotExists`].
    fn take_snapshot(&self, request: &SnapshotRequest) -> Result<SnapshotReport>;

    /// The snapshot of this point if it lives, also after a restart of the service.
    fn snapshot(&self, point: Uuid) -> Result<Option<Box<dyn Snapshot>>>;

    /// Ends the snapshot of this point and removes all it left. Idempotent; a point that is not
    /// known is a success. Works with the machine running or stopped.
    fn release(&self, point: Uuid, how: Release) -> Result<()>;

    /// Points that still have something in the machine, in a scratch folder or in our notes.
    fn leftovers(&self) -> Result<Vec<Uuid>>;

    /// Thaws the file systems of the guest and waits until the agent says so. A guest that is not
    /// frozen, or has no agent, is a success.
    fn thaw(&self) -> Result<()>;

    /// Puts the extension that this host offers into the guest, or the newer one in place of an older one. Says what
    /// is there afterwards; a guest that cannot have it is no error.
    ///
    /// Never touches a guest of which a point is being taken or read: what is there then is said.
    fn prepare_extension(&self) -> Result<ExtensionState> {
        Ok(ExtensionState::NotOffered)
    }

    /// The ends of the logs of the extension and of the agent of Azure in the guest, this many bytes of each at most.
    /// Empty when the guest has neither. An error when it cannot be asked: it is off, or no agent answers.
    fn guest_logs(&self, bytes_max: usize) -> Result<Vec<GuestLog>> {
        let _ = bytes_max;
        Ok(Vec::new())
    }

    /// Lets the machine run on if it was paused because the scratch space of one of our snapshots
    /// ended. Returns whether it was.
    fn resume_if_paused_by_us(&self) -> Result<bool>;

    /// Puts new images in the place of disks: (disk key, path of the new image).
    ///
    /// The machine must be off, and each new image must lie in the file system of the image that
    /// it replaces and have the disk's format. Each disk is replaced by a rename; the old image is
    /// kept beside it until [`Machine::confirm_replaced_disks`]. A disk that an earlier call of
    /// the same list replaced already is left as it is, so that a crash in between is healed by
    /// calling it again.
    fn replace_disks(&self, images: &[(String, PathBuf)]) -> Result<()>;

    /// Removes the old images that [`Machine::replace_disks`] kept. Idempotent.
    fn confirm_replaced_disks(&self) -> Result<()>;

    /// Puts the old images that [`Machine::replace_disks`] kept back into place and drops the new
    /// ones. The machine must be off. Idempotent.
    fn revert_replaced_disks(&self) -> Result<()>;

    /// Which points have a copy in the images, and what roll-backs have kept.
    fn local_copies(&self) -> Result<LocalCopies>;

    /// Deletes the copy of a point from the images, whether the machine runs or not. Idempotent. Refused with
    /// [`FabricError::SnapshotExists`] while a point is open.
    fn drop_local_copy(&self, point: Uuid) -> Result<()>;

    /// Why copies should go although their time is not over: the file system of an image is nearly full, and a guest whose
    /// image cannot grow stands still. `None` = there is room. Cheap: the machine is not asked.
    fn short_of_room(&self) -> Result<Option<String>>;

    /// Why these disks cannot be rolled back to the copy of a point; `None` = they can. The machine must be off.
    fn doubt_roll_back(&self, point: Uuid, disks: &[String]) -> Result<Option<String>>;

    /// Opens what a disk holds now, or held at a point that has a copy. The machine must be off, and is not to be changed
    /// while the reader lives.
    fn open_disk(&self, disk: &str, point: Option<Uuid>) -> Result<Box<dyn SnapshotReader>>;

    /// Makes these disks hold again what they held at the point. The machine must be off.
    ///
    /// What is on them is kept until [`Machine::confirm_roll_back`]. All change maps are forgotten: the next point is read
    /// whole. Again for the same job after a crash it ends the same.
    fn roll_back(&self, point: Uuid, job: Uuid, disks: &[String]) -> Result<()>;

    /// Gives up what [`Machine::roll_back`] kept. Idempotent.
    fn confirm_roll_back(&self, job: Uuid) -> Result<()>;

    /// Puts back what [`Machine::roll_back`] kept. The machine must be off, unless nothing is kept. Idempotent.
    fn revert_roll_back(&self, job: Uuid) -> Result<()>;
}

/// How to stop a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Ask the guest (agent, then ACPI power button) and wait; after the timeout the power is cut.
    Graceful {
        /// How long the guest may take.
        timeout: Duration,
    },
    /// Cut the power. Change maps are still stored.
    Now,
}

/// What is known about a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MachineInfo {
    /// Stable for the life of the machine, over restarts and moves.
    pub id: Uuid,
    /// Name for people; unique on one host, may change.
    pub name: String,
    /// The family of the guest's operating system.
    pub os_type: OsType,
    /// Whether it runs.
    pub power: PowerState,
    /// Whether the guest agent answers.
    pub agent: AgentState,
    /// What is known about the extension in the guest.
    #[serde(default)]
    pub extension: ExtensionState,
    /// Number of virtual processors; 0 = not known.
    pub cpus: u32,
    /// Memory in bytes; 0 = not known.
    pub memory_bytes: u64,
    /// Coffre starts and stops this machine.
    pub managed: bool,
    /// The disks that a backup covers: the disk of the operating system first.
    pub disks: Vec<DiskInfo>,
    /// All that is needed to start the machine again. Holds no secrets.
    pub config: serde_json::Value,
}

impl MachineInfo {
    /// The disk with this key.
    pub fn disk(&self, key: &str) -> Result<&DiskInfo> {
        self.disks.iter().find(|disk| disk.key == key).ok_or_else(|| FabricError::UnknownDisk {
            machine: self.name.clone(),
            disk: key.to_owned(),
        })
    }
}

/// The family of a guest's operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OsType {
    /// Linux, or not known.
    #[default]
    Linux,
    /// Windows.
    Windows,
}

/// Whether a machine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PowerState {
    /// The guest executes.
    Running,
    /// The machine exists, the guest does not execute.
    Paused,
    /// Off.
    Stopped,
    /// It could not be asked.
    Unknown,
}

/// Whether the agent inside the guest answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum AgentState {
    /// It answers.
    Ready {
        /// Version of the agent.
        version: String,
    },
    /// There is a channel, and nobody answers.
    Silent,
    /// The machine has no channel for an agent, or is off.
    NotConfigured,
}

/// One disk of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskInfo {
    /// Stable within the machine: the id of the device, or the name in the configuration.
    pub key: String,
    /// Logical unit number of a data disk; `None` = the disk of the operating system.
    pub lun: Option<u32>,
    /// Name for people.
    pub name: String,
    /// Size that the guest sees, in bytes. 0 = the image could not be read.
    pub size_bytes: u64,
    /// Format of the image.
    pub format: ImageFormat,
    /// The image.
    pub path: PathBuf,
}

/// Format of a disk image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageFormat {
    /// The bytes as the guest sees them. Keeps no change map over a restart of the machine.
    /// An attached machine's disk in a format that is not named here is shown as raw, too.
    Raw,
    /// QEMU's format, version 3. Keeps change maps.
    Qcow2,
}

impl ImageFormat {
    /// The name by which QEMU's tools know the format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }
}
