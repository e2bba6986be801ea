//! The write path: from a source to a committed point.
//!
//! Order on the store: packs, index segment, intent, look at what collectors did, decision. Readers go the other way.

mod buffer;
mod disk;
mod fresh;
mod packer;
mod plan;
mod point;
mod squeeze;
mod tree;
mod worker;

pub(crate) use buffer::PackBuffer;
#[cfg(test)]
pub(crate) use packer::Packer;
pub(crate) use packer::{
    END_BYTES, FinishedPack, content_fits, listed_bytes, open_directory, put_pack, seal_directory,
};
#[cfg(any(test, fuzzing))]
pub(crate) use plan::align;
pub use point::PointWriter;
pub(crate) use point::metadata_info;
