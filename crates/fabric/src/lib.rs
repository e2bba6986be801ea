//! Where VMs live: QEMU over QMP, NBD and the guest agent.
//!
//! The room's one job: say which machines there are, take a point in time of one of them, serve the
//! bytes of that point and the map of what changed since an earlier one, and clean up after itself.
//! It never knows vaults, policies or jobs. The invariant it keeps: a guest is never left frozen or
//! paused by us, and no change of a disk is ever missing from the map of what changed.
//!
//! Everything is synchronous: plain threads, blocking sockets with time limits.

mod error;
mod extent;
mod local;
mod machine;
mod process;
mod snapshot;
mod tool;

pub mod agent;
pub mod extension;
pub mod image;
pub mod nbd;
pub mod qemu;
pub mod qmp;

pub use error::{FabricError, Result};
pub use extent::{ByteRange, Extent};
pub use local::{LocalCopies, LocalCopy, LocalWish};
pub use machine::{
    AgentState, DiskInfo, Fabric, ImageFormat, Machine, MachineInfo, OsType, PowerState, Stop,
};
pub use snapshot::{
    Changed, Consistency, FreezeRecord, FreezeWish, FrozenBy, GuestTimes, Release, Snapshot,
    SnapshotDisk, SnapshotReader, SnapshotReport, SnapshotRequest,
};
