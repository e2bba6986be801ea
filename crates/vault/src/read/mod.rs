//! The read path: frames out of packs, nodes out of maps, disks out of points.

mod check_pack;
mod check_records;
mod decode;
mod diff;
mod disk;
mod fetch;
mod findings;
mod frames;
mod kept;
mod reach;
mod restore;
mod verify;
mod verify_point;
mod walk;

pub(crate) use decode::{Decoder, PackOpener};
pub use disk::DiskReader;
pub(crate) use fetch::{Caches, rebuild_index};
pub use restore::RestoreStats;
pub(crate) use restore::restore_disk;
pub(crate) use verify::verify;
pub use verify::{Damage, VerifyReport, VerifyScope};
pub(crate) use walk::{BaseTree, LeafWalk};
