//! The bytes on the store, as `docs/format.md` describes them. Pure: bytes in, values out, and back.
//!
//! Every parser takes foreign bytes: it checks each length against a limit before it believes it, never allocates by an
//! unchecked number, and never panics.

pub(crate) mod hex;
mod limits;
mod node;
mod pack;
mod record;
mod records;
mod root;
mod segment;
mod wire;

/// What the fuzzer calls.
#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/entries.rs"]
pub mod fuzz_entries;

pub(crate) use limits::*;
pub use limits::{BLOCK_BYTES, DISK_BYTES_MAX};
pub(crate) use node::{NODE_BYTES_MAX, Node, blocks_under, root_level};
pub(crate) use pack::{
    Codec, FRAME_HEADER_BYTES, FrameHeader, KeyEntry, PACK_HEADER_BYTES_MAX, PackHeader, Seal,
    TRAILER_BYTES, frame_meaning, pack_key_info, parse_trailer, trailer,
};
pub(crate) use record::{RecordKind, open_record, seal_record};
pub(crate) use records::*;
pub(crate) use root::{ROOT_KEY, RootFile};
pub(crate) use segment::{Frame, PackListing, Segment, Voucher, parse_directory, write_directory};
pub(crate) use wire::Malformed;

/// The keyed hash of a block or node: its identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id(pub(crate) [u8; 32]);

impl std::fmt::Debug for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(&self.0[..8]))
    }
}

impl Id {
    /// The identity of `data` under an identity key.
    pub(crate) fn of(key: &[u8; 32], data: &[u8]) -> Self {
        Self(*blake3::keyed_hash(key, data).as_bytes())
    }
}

/// The random name of a pack.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PackId(pub(crate) [u8; 16]);

impl PackId {
    /// The key of the pack's object.
    pub(crate) fn object(&self) -> String {
        let name = hex::encode(&self.0);
        format!("packs/{}/{name}", &name[..2])
    }

    /// The pack of an object key, `None` if it is none.
    pub(crate) fn of_object(key: &str) -> Option<Self> {
        let name = key.strip_prefix("packs/")?.get(3..)?;
        let id = Self(hex::decode(name)?.try_into().ok()?);
        (id.object() == key).then_some(id)
    }
}

impl std::fmt::Debug for PackId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}
