//! The vault: where blocks of disks become recovery points and come back.
//!
//! Knows blocks, packs, maps, points, keys and the store that holds them. Never knows virtual machines, policies, jobs
//! or databases. The bytes on the store are described in `docs/format.md`.
//!
//! Invariant: a recovery point that was acknowledged can be read back bit by bit, whatever stopped whenever; and no
//! stored byte is believed before its seal and its identity are checked.

pub mod bucket;
mod crypto;
mod error;
mod point;
mod source;
mod vault;

pub use crypto::{Passphrase, RecoveryKey, Unlock};
pub use error::VaultError;
pub use point::{DiskInfo, DiskSpec, DiskStats, PointInfo, PointSpec};
pub use source::{
    Advance, BlockReader, BlockSink, BlockSource, BlockWriter, Extent, NoProgress, Progress,
    ReadPlan, SourceExtent,
};
pub use vault::{Damage, DiskReader, PointWriter, RestoreStats, Vault, VerifyReport, VerifyScope};
