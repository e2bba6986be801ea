//! Packs (docs/format.md, section 4): header with sealed keys, frames, sealed directory, trailer.

use super::wire::{Malformed, Wire};
use super::{
    BLOCK_BYTES, FRAME_PARTS_MAX, Id, NODE_BYTES_MAX, PACK_BYTES_MAX, PACK_KEYS_MAX, PackId,
    VERSION,
};
use crate::crypto::{HPKE_ENC_BYTES, TAG_BYTES};

const PACK_MAGIC: &[u8; 8] = b"COFFPACK";
const TRAILER_MAGIC: &[u8; 8] = b"COFFPEND";
const FRAME_MAGIC: &[u8; 4] = b"CFRM";
const FIXED_HEADER_BYTES: usize = 52;
const KEY_ENTRY_BYTES: usize = 88;
/// Bytes of the sealed key within an entry: 32 of key and a tag.
const WRAPPED_BYTES: usize = 32 + TAG_BYTES;
/// The longest header.
pub(crate) const PACK_HEADER_BYTES_MAX: usize =
    FIXED_HEADER_BYTES + PACK_KEYS_MAX * KEY_ENTRY_BYTES;
/// Bytes before the sealed part of a frame.
pub(crate) const FRAME_HEADER_BYTES: usize = 40;
/// Bytes after the directory.
pub(crate) const TRAILER_BYTES: usize = 16;

/// What a pack holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Seal {
    /// Blocks of disks, sealed so that only the read key opens them.
    Data,
    /// Nodes of block maps, sealed so that every holder of a keyring opens them.
    Node,
}

impl Seal {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Data => 1,
            Self::Node => 2,
        }
    }

    pub(crate) fn of_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Data),
            2 => Some(Self::Node),
            _ => None,
        }
    }
}

/// How one key of a pack is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyEntry {
    /// A random key, sealed by HPKE to the public key of a generation.
    Sealed { generation: u32, enc: [u8; HPKE_ENC_BYTES], wrapped: [u8; WRAPPED_BYTES] },
    /// Derived from the keyring by this salt.
    Derived { salt: [u8; 32] },
}

/// The front of a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackHeader {
    pub(crate) kind: Seal,
    /// Deduplication group; frames are found by writers of the same group only. Zero is the one group of today.
    pub(crate) group: u32,
    pub(crate) vault: [u8; 16],
    pub(crate) pack: PackId,
    pub(crate) keys: Vec<KeyEntry>,
}

impl PackHeader {
    /// Its length in bytes; the first frame starts there.
    pub(crate) fn length(&self) -> usize {
        Self::length_of(self.keys.len())
    }

    /// The length of one with so many keys.
    pub(crate) fn length_of(keys: usize) -> usize {
        FIXED_HEADER_BYTES + keys * KEY_ENTRY_BYTES
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(PACK_MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[self.kind.code(), 0]);
        out.extend_from_slice(&self.group.to_le_bytes());
        out.extend_from_slice(&self.vault);
        out.extend_from_slice(&self.pack.0);
        let keys = u32::try_from(self.keys.len()).expect("a writer keeps the limit of keys");
        out.extend_from_slice(&keys.to_le_bytes());
        for key in &self.keys {
            let (scheme, generation, public, wrapped) = match key {
                KeyEntry::Sealed { generation, enc, wrapped } => (1u32, *generation, enc, *wrapped),
                KeyEntry::Derived { salt } => (2u32, 0, salt, [0; WRAPPED_BYTES]),
            };
            out.extend_from_slice(&scheme.to_le_bytes());
            out.extend_from_slice(&generation.to_le_bytes());
            out.extend_from_slice(public);
            out.extend_from_slice(&wrapped);
        }
    }

    /// Parses the front of `bytes`; what follows is ignored.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut wire = Wire::new(bytes);
        wire.expect(PACK_MAGIC, "not a pack")?;
        wire.expect(&VERSION.to_le_bytes(), "a pack of another version")?;
        let kind =
            Seal::of_code(wire.u8()?).ok_or_else(|| wire.malformed("a pack of an unknown kind"))?;
        wire.expect(&[0], "a pack with unknown flags")?;
        let group = wire.u32()?;
        let vault = wire.array()?;
        let pack = PackId(wire.array()?);
        let count = wire.bounded_u32(PACK_KEYS_MAX, "too many keys")?;
        let mut keys = Vec::new();
        for _ in 0..count {
            keys.push(parse_key(&mut wire)?);
        }
        Ok(Self { kind, group, vault, pack, keys })
    }
}

fn parse_key(wire: &mut Wire<'_>) -> Result<KeyEntry, Malformed> {
    let scheme = wire.u32()?;
    let generation = wire.u32()?;
    let public = wire.array()?;
    let wrapped = wire.array()?;
    match scheme {
        1 => Ok(KeyEntry::Sealed { generation, enc: public, wrapped }),
        2 if generation == 0 && wrapped == [0; WRAPPED_BYTES] => {
            Ok(KeyEntry::Derived { salt: public })
        }
        _ => Err(wire.malformed("a key of an unknown kind")),
    }
}

/// How the content of a frame is coded before it is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    /// As it is.
    Raw,
    /// One zstd frame.
    Zstd,
}

/// The open part of a frame; all of it but `key` is bound to the seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) codec: Codec,
    /// Blocks in it, 1 to 16; a node frame has one part.
    pub(crate) parts: u8,
    /// Which key of the pack seals it.
    pub(crate) key: u16,
    /// The nonce counter under that key.
    pub(crate) counter: u64,
    /// Bytes of the decoded content.
    pub(crate) raw_bytes: u32,
    /// Bytes after this header, the tag included.
    pub(crate) sealed_bytes: u32,
    /// The first 16 bytes of the hash of the identities in it: which blocks this frame is.
    pub(crate) meaning: [u8; 16],
}

/// What a frame's `meaning` must be for these identities.
pub(crate) fn frame_meaning(ids: &[Id]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key("coffre v1 frame meaning");
    for id in ids {
        hasher.update(&id.0);
    }
    hasher.finalize().as_bytes()[..16].try_into().expect("a hash is longer than 16 bytes")
}

impl FrameHeader {
    pub(crate) fn to_bytes(self) -> [u8; FRAME_HEADER_BYTES] {
        let mut out = [0; FRAME_HEADER_BYTES];
        out[..4].copy_from_slice(FRAME_MAGIC);
        out[4] = match self.codec {
            Codec::Raw => 0,
            Codec::Zstd => 1,
        };
        out[5] = self.parts;
        out[6..8].copy_from_slice(&self.key.to_le_bytes());
        out[8..16].copy_from_slice(&self.counter.to_le_bytes());
        out[16..20].copy_from_slice(&self.raw_bytes.to_le_bytes());
        out[20..24].copy_from_slice(&self.sealed_bytes.to_le_bytes());
        out[24..].copy_from_slice(&self.meaning);
        out
    }

    pub(crate) fn parse(bytes: &[u8], kind: Seal) -> Result<Self, Malformed> {
        let mut wire = Wire::new(bytes);
        wire.expect(FRAME_MAGIC, "not a frame")?;
        let codec = match wire.u8()? {
            0 => Codec::Raw,
            1 => Codec::Zstd,
            _ => return Err(wire.malformed("a frame of an unknown codec")),
        };
        let parts = wire.u8()?;
        if parts == 0 || usize::from(parts) > FRAME_PARTS_MAX || kind == Seal::Node && parts != 1 {
            return Err(wire.malformed("a frame of an impossible number of blocks"));
        }
        let key = wire.u16()?;
        let counter = wire.u64()?;
        let raw_bytes = wire.u32()?;
        let raw_fits = match kind {
            Seal::Data => raw_bytes as usize == usize::from(parts) * BLOCK_BYTES,
            Seal::Node => raw_bytes as usize <= NODE_BYTES_MAX,
        };
        if !raw_fits {
            return Err(wire.malformed("a frame of an impossible size"));
        }
        let sealed_bytes = wire.u32()?;
        let least = TAG_BYTES + if codec == Codec::Raw { raw_bytes as usize } else { 0 };
        let most = TAG_BYTES + raw_bytes as usize;
        if !(least..=most).contains(&(sealed_bytes as usize)) {
            return Err(wire.malformed("a frame of an impossible sealed size"));
        }
        Ok(Self { codec, parts, key, counter, raw_bytes, sealed_bytes, meaning: wire.array()? })
    }

    /// What the seal of the frame binds besides its content: version, vault, type, group and meaning. Neither the pack
    /// nor the place of the key in it, so that a frame can be moved to another pack without its key.
    pub(crate) fn associated(&self, vault: &[u8; 16], kind: Seal, group: u32) -> [u8; 64] {
        let mut out = [0; 64];
        out[..16].copy_from_slice(b"coffre v1 frame ");
        out[16..32].copy_from_slice(vault);
        out[32..36].copy_from_slice(&group.to_le_bytes());
        out[36] = kind.code();
        out[37] = match self.codec {
            Codec::Raw => 0,
            Codec::Zstd => 1,
        };
        out[38] = self.parts;
        out[40..44].copy_from_slice(&self.raw_bytes.to_le_bytes());
        out[44..48].copy_from_slice(&self.sealed_bytes.to_le_bytes());
        out[48..].copy_from_slice(&self.meaning);
        out
    }
}

/// What HPKE binds a pack key to.
pub(crate) fn pack_key_info(vault: &[u8; 16], generation: u32) -> Vec<u8> {
    let mut info = b"coffre v1 pack key".to_vec();
    info.extend_from_slice(vault);
    info.extend_from_slice(&generation.to_le_bytes());
    info
}

/// Appends the trailer.
pub(crate) fn trailer(directory_offset: usize, directory_bytes: usize) -> [u8; TRAILER_BYTES] {
    let offset = u32::try_from(directory_offset).expect("a writer keeps the limit of a pack");
    let bytes = u32::try_from(directory_bytes).expect("a writer keeps the limit of a pack");
    let mut trailer = [0; TRAILER_BYTES];
    trailer[..4].copy_from_slice(&offset.to_le_bytes());
    trailer[4..8].copy_from_slice(&bytes.to_le_bytes());
    trailer[8..].copy_from_slice(TRAILER_MAGIC);
    trailer
}

/// Parses the trailer of a pack of `pack_bytes`; gives offset and length of the sealed directory.
pub(crate) fn parse_trailer(trailer: &[u8], pack_bytes: u64) -> Result<(u64, usize), Malformed> {
    let mut wire = Wire::new(trailer);
    let offset = wire.bounded_u32(PACK_BYTES_MAX, "a directory outside of the pack")?;
    let bytes = wire.bounded_u32(PACK_BYTES_MAX, "a directory outside of the pack")?;
    wire.expect(TRAILER_MAGIC, "no trailer")?;
    wire.end()?;
    if (offset + bytes + TRAILER_BYTES) as u64 != pack_bytes {
        return Err(wire.malformed("a directory that does not end at the trailer"));
    }
    Ok((offset as u64, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> impl Strategy<Value = PackHeader> {
        let sealed = any::<(u32, [u8; 32], [u8; 16])>().prop_map(|(generation, enc, tag)| {
            let mut wrapped = [7; WRAPPED_BYTES];
            wrapped[..16].copy_from_slice(&tag);
            KeyEntry::Sealed { generation, enc, wrapped }
        });
        let derived = any::<[u8; 32]>().prop_map(|salt| KeyEntry::Derived { salt });
        let keys = proptest::collection::vec(prop_oneof![sealed, derived], 0..5);
        (any::<(bool, u32, [u8; 16], [u8; 16])>(), keys).prop_map(
            |((data, group, vault, pack), keys)| {
                let kind = if data { Seal::Data } else { Seal::Node };
                PackHeader { kind, group, vault, pack: PackId(pack), keys }
            },
        )
    }

    proptest! {
        #[test]
        fn a_header_reads_back_and_no_part_of_it_does(header in header()) {
            let mut bytes = Vec::new();
            header.write(&mut bytes);
            prop_assert_eq!(bytes.len(), header.length());
            prop_assert_eq!(&PackHeader::parse(&bytes).unwrap(), &header);
            for cut in 0..bytes.len() {
                prop_assert!(PackHeader::parse(&bytes[..cut]).is_err());
            }
        }

        /// A changed header is refused or another header; never a panic, never more keys than there is room for.
        #[test]
        fn a_changed_header_does_no_harm(header in header(), at in any::<usize>(), byte: u8) {
            let mut bytes = Vec::new();
            header.write(&mut bytes);
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(parsed) = PackHeader::parse(&bytes) {
                prop_assert!(parsed.keys.len() <= header.keys.len());
            }
        }

        #[test]
        fn a_frame_header_reads_back(parts in 1u8..=16, key: u16, counter: u64, cut in 0u32..1000, meaning: [u8; 16]) {
            let raw_bytes = u32::from(parts) * u32::try_from(BLOCK_BYTES).unwrap();
            let sealed_bytes = raw_bytes - cut + u32::try_from(TAG_BYTES).unwrap();
            let header = FrameHeader { codec: Codec::Zstd, parts, key, counter, raw_bytes, sealed_bytes, meaning };
            prop_assert_eq!(FrameHeader::parse(&header.to_bytes(), Seal::Data).unwrap(), header);
            prop_assert_eq!(FrameHeader::parse(&header.to_bytes(), Seal::Node).is_ok(), false);
            let raw = FrameHeader { codec: Codec::Raw, ..header };
            prop_assert_eq!(FrameHeader::parse(&raw.to_bytes(), Seal::Data).is_ok(), cut == 0);
        }

        #[test]
        fn foreign_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size: u64) {
            let _ = PackHeader::parse(&bytes);
            let _ = FrameHeader::parse(&bytes, Seal::Data);
            let _ = FrameHeader::parse(&bytes, Seal::Node);
            let _ = parse_trailer(&bytes, size);
        }
    }

    #[test]
    fn a_trailer_must_end_where_the_pack_does() {
        let bytes = trailer(100, 50);
        assert_eq!(parse_trailer(&bytes, 166).unwrap(), (100, 50));
        for size in [0, 165, 167, u64::MAX] {
            assert!(parse_trailer(&bytes, size).is_err());
        }
    }
}
