//! Every limit of the format in one place. A reader refuses what is beyond; a writer never makes it.
//!
//! The simulator compiles this crate with tiny blocks and packs (`cfg(coffre_sim)`, see `crates/testkit/simvault`).

/// The block: unit of change, deduplication and random access; 64 KiB at absolute offsets. Equals the granularity of
/// QEMU's dirty bitmaps; measured best for what a daily backup adds (docs/adr, block size).
pub const BLOCK_BYTES: usize = if cfg!(coffre_sim) { 128 } else { 64 * 1024 };
/// `BLOCK_BYTES` as a `u64`.
pub(crate) const BLOCK: u64 = BLOCK_BYTES as u64;
/// Children of a node of a block map, leaf or inner. A leaf so covers 16 MiB of disk.
pub(crate) const NODE_FANOUT: usize = if cfg!(coffre_sim) { 8 } else { 256 };
/// Bytes of disk under one leaf.
pub(crate) const LEAF_BYTES: u64 = BLOCK * NODE_FANOUT as u64;
/// Levels of nodes: 4 levels of 256 cover 256 TiB.
pub(crate) const NODE_LEVELS_MAX: u8 = 4;
/// The largest disk, 256 TiB.
pub const DISK_BYTES_MAX: u64 = BLOCK << 32;
/// The most blocks in one frame.
pub(crate) const FRAME_PARTS_MAX: usize = 16;
/// Blocks that this version puts into a frame: 256 KiB wins back what small blocks lose in compression.
pub(crate) const FRAME_PARTS_WRITTEN: usize = if cfg!(coffre_sim) { 2 } else { 4 };
/// The largest pack that is read, 64 MiB.
pub(crate) const PACK_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most sealed keys in a pack: one for each pack that frames were rescued from.
pub(crate) const PACK_KEYS_MAX: usize = 4096;
/// The most frames in a pack.
pub(crate) const PACK_FRAMES_MAX: usize = 1 << 20;
/// The largest record and index segment, 64 MiB.
pub(crate) const RECORD_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The longest name of a point and key of a disk, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 256;
/// The most disks of a point.
pub(crate) const DISKS_MAX: usize = 256;
/// The largest metadata of a point, as JSON.
pub(crate) const METADATA_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The largest root and key slot object.
pub(crate) const PLAIN_FILE_BYTES_MAX: u64 = 64 * 1024;
/// The most key slots that are tried.
pub(crate) const SLOTS_MAX: usize = 256;
/// Version of everything in this format.
pub(crate) const VERSION: u16 = 1;
