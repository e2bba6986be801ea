//! The vault: where blocks of disks become recovery points and come back.
//!
//! Knows blocks, packs, maps, points, keys and the store that holds them. Never knows virtual machines, policies, jobs
//! or databases. The bytes on the store are described in `docs/format.md`.
//!
//! Invariant: a recovery point that was acknowledged can be read back bit by bit, whatever stopped whenever; and no
//! stored byte is believed before its seal and its identity are checked.

mod source;

mod point;

mod error;

mod vault;

mod keys;

mod trust;

mod locks;

mod write;

mod read;

mod points;

mod gc;

mod inner;

mod bounded;

mod parallel;

mod direct;

mod index;

mod crypto;

pub mod format;

pub mod bucket;

#[cfg(coffre_sim)]
pub use crypto::seed_chance;
pub use crypto::{Capability, PASSPHRASE_MEMORY_BYTES, Passphrase, RecoveryKey, SlotKind, Unlock};
pub use direct::{AlignedBuffer, DirectFile};
pub use error::VaultError;
pub use gc::{CollectOptions, CollectPlan, CollectReport, Unfinished};
#[cfg(coffre_sim)]
pub use gc::{Mutant, inspect};
pub use keys::KeySlot;
pub use point::{DiskInfo, DiskSpec, DiskStats, PointInfo, PointSpec};
pub use read::{Damage, DiskReader, RestoreStats, VerifyReport, VerifyScope};
pub use source::{
    Advance, BlockReader, BlockSink, BlockSource, BlockWriter, Extent, NoProgress, Progress,
    ReadPlan, SourceExtent,
};
pub use vault::{Vault, VaultStats};
pub use write::PointWriter;
