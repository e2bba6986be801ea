//! What is where: the directory of a pack and the index segments made of directories (docs/format.md, section 5).

use super::wire::{Malformed, Wire};
use super::{
    FRAME_HEADER_BYTES, FRAME_PARTS_MAX, Id, PACK_BYTES_MAX, PACK_FRAMES_MAX, PackId,
    RECORD_BYTES_MAX, Seal,
};

/// The most packs of one segment.
const SEGMENT_PACKS_MAX: usize = 1 << 20;
/// An entry of a directory with one identity: offset, length, their number, the identity.
const FRAME_ENTRY_BYTES_MIN: usize = 4 + 4 + 1 + size_of::<Id>();
/// Set in a pack's flags when its blocks were decoded and re-hashed by a holder of the read key.
const FLAG_VERIFIED: u8 = 1;
/// Set in a pack's flags when the dedup group that it names is known to have written it.
const FLAG_VOUCHED: u8 = 2;
/// In front of a voucher.
const VOUCHER_MAGIC: &[u8; 4] = b"VCHR";

/// One frame of a pack, as its directory lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Where its header starts in the pack.
    pub(crate) offset: u32,
    /// Its length in bytes, header and tag included.
    pub(crate) bytes: u32,
    /// What is in it, in order.
    pub(crate) ids: Vec<Id>,
}

/// A pack and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackListing {
    pub(crate) pack: PackId,
    pub(crate) kind: Seal,
    pub(crate) group: u32,
    /// The size of the object.
    pub(crate) bytes: u32,
    /// Plain BLAKE3 of the object, so that a scrubber without keys can check it.
    pub(crate) digest: [u8; 32],
    pub(crate) verified: bool,
    /// The collector that published this knows that the group wrote it (docs/format.md, section 9).
    pub(crate) vouched: bool,
    pub(crate) frames: Vec<Frame>,
}

impl PackListing {
    /// What is in the pack, in 32 bytes: two listings with the same say the same of it.
    pub(crate) fn says(&self) -> [u8; 32] {
        let frames = self.frames.iter().map(|frame| frame.ids.len() * size_of::<Id>());
        let mut out = Vec::with_capacity(64 + frames.map(|ids| ids + 9).sum::<usize>());
        out.extend_from_slice(&self.pack.0);
        out.push(self.kind.code());
        out.extend_from_slice(&self.group.to_le_bytes());
        out.extend_from_slice(&self.bytes.to_le_bytes());
        write_directory(&self.frames, &mut out);
        *blake3::hash(&out).as_bytes()
    }

    fn flags(&self) -> u8 {
        let verified = if self.verified { FLAG_VERIFIED } else { 0 };
        verified | if self.vouched { FLAG_VOUCHED } else { 0 }
    }
}

/// Who says that a segment is right: in vaults with dedup groups, after the packs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Voucher {
    /// The group whose key signed; zero: the delete key.
    pub(crate) group: u32,
    pub(crate) signature: [u8; 64],
    /// Plain BLAKE3 of what is before it.
    pub(crate) body: [u8; 32],
}

impl Voucher {
    /// What stands at the end of a segment.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(VOUCHER_MAGIC);
        out.extend_from_slice(&self.group.to_le_bytes());
        out.extend_from_slice(&self.signature);
    }
}

/// One index segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The point whose writer published it, or the run of the collector.
    pub(crate) origin: [u8; 16],
    pub(crate) packs: Vec<PackListing>,
    /// Who vouches for it; nobody in a vault without dedup groups.
    pub(crate) voucher: Option<Voucher>,
}

/// Writes the plain form of a pack's directory.
pub(crate) fn write_directory(frames: &[Frame], out: &mut Vec<u8>) {
    let count = u32::try_from(frames.len()).expect("a writer keeps the limit of frames");
    out.extend_from_slice(&count.to_le_bytes());
    for frame in frames {
        out.extend_from_slice(&frame.offset.to_le_bytes());
        out.extend_from_slice(&frame.bytes.to_le_bytes());
        out.push(
            u8::try_from(frame.ids.len()).expect("a writer keeps the limit of blocks in a frame"),
        );
        for id in &frame.ids {
            out.extend_from_slice(&id.0);
        }
    }
}

/// Parses the plain form of a pack's directory.
pub(crate) fn parse_directory(bytes: &[u8]) -> Result<Vec<Frame>, Malformed> {
    let mut wire = Wire::new(bytes);
    let frames = parse_frames(&mut wire)?;
    wire.end()?;
    Ok(frames)
}

fn parse_frames(wire: &mut Wire<'_>) -> Result<Vec<Frame>, Malformed> {
    let count = wire.bounded_u32(PACK_FRAMES_MAX, "too many frames")?;
    // No more room than the bytes at hand can fill, whatever the count says.
    let mut frames = Vec::with_capacity(count.min(wire.left() / FRAME_ENTRY_BYTES_MIN));
    for _ in 0..count {
        let offset = wire.u32()?;
        let bytes = wire.u32()?;
        let parts = usize::from(wire.u8()?);
        let inside =
            (offset as usize).checked_add(bytes as usize).is_some_and(|end| end <= PACK_BYTES_MAX);
        if !inside || (bytes as usize) < FRAME_HEADER_BYTES || parts == 0 || parts > FRAME_PARTS_MAX
        {
            return Err(wire.malformed("an impossible frame"));
        }
        let (ids, _) = wire.bytes(parts * size_of::<Id>())?.as_chunks();
        frames.push(Frame { offset, bytes, ids: ids.iter().copied().map(Id).collect() });
    }
    Ok(frames)
}

impl Segment {
    /// The plain form of a segment of these packs.
    pub(crate) fn write(origin: [u8; 16], packs: &[PackListing]) -> Vec<u8> {
        let mut out = origin.to_vec();
        let count = u32::try_from(packs.len()).expect("a writer keeps the limit of packs");
        out.extend_from_slice(&count.to_le_bytes());
        for pack in packs {
            out.extend_from_slice(&pack.pack.0);
            out.extend_from_slice(&[pack.kind.code(), pack.flags(), 0, 0]);
            out.extend_from_slice(&pack.group.to_le_bytes());
            out.extend_from_slice(&pack.bytes.to_le_bytes());
            out.extend_from_slice(&pack.digest);
            write_directory(&pack.frames, &mut out);
        }
        out
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut wire = Wire::new(bytes);
        if bytes.len() as u64 > RECORD_BYTES_MAX {
            return Err(wire.malformed("a segment that is too long"));
        }
        let origin = wire.array()?;
        let count = wire.bounded_u32(SEGMENT_PACKS_MAX, "too many packs")?;
        let mut packs = Vec::new();
        for _ in 0..count {
            let pack = PackId(wire.array()?);
            let kind = Seal::of_code(wire.u8()?)
                .ok_or_else(|| wire.malformed("a pack of an unknown kind"))?;
            let flags = wire.u8()?;
            if flags & !(FLAG_VERIFIED | FLAG_VOUCHED) != 0 {
                return Err(wire.malformed("a pack with unknown flags"));
            }
            wire.expect(&[0, 0], "a pack with unknown flags")?;
            let group = wire.u32()?;
            let bytes = wire.u32()?;
            let digest = wire.array()?;
            let frames = parse_frames(&mut wire)?;
            packs.push(PackListing {
                pack,
                kind,
                group,
                bytes,
                digest,
                verified: flags & FLAG_VERIFIED != 0,
                vouched: flags & FLAG_VOUCHED != 0,
                frames,
            });
        }
        let body = wire.position();
        let voucher = if body < bytes.len() {
            wire.expect(VOUCHER_MAGIC, "bytes that belong to nothing")?;
            let (group, signature) = (wire.u32()?, wire.array()?);
            Some(Voucher { group, signature, body: *blake3::hash(&bytes[..body]).as_bytes() })
        } else {
            None
        };
        wire.end()?;
        Ok(Self { origin, packs, voucher })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn listing() -> impl Strategy<Value = PackListing> {
        let frame = (0u32..1000, 40u32..1000, proptest::collection::vec(any::<[u8; 32]>(), 1..4));
        let frames = proptest::collection::vec(frame, 0..5);
        (any::<([u8; 16], u32, u32, [u8; 32], [bool; 3])>(), frames).prop_map(|(fixed, frames)| {
            let (pack, group, bytes, digest, [verified, vouched, data]) = fixed;
            let frames = frames.into_iter().map(|(offset, bytes, ids)| {
                let ids = ids.into_iter().map(Id).collect();
                Frame { offset, bytes, ids }
            });
            let kind = if data { Seal::Data } else { Seal::Node };
            PackListing {
                pack: PackId(pack),
                kind,
                group,
                bytes,
                digest,
                verified,
                vouched,
                frames: frames.collect(),
            }
        })
    }

    proptest! {
        #[test]
        fn a_segment_reads_back_and_no_part_of_it_does(
            origin: [u8; 16], packs in proptest::collection::vec(listing(), 0..3), group: Option<u32>,
        ) {
            let mut bytes = Segment::write(origin, &packs);
            let whole = bytes.len();
            let body = *blake3::hash(&bytes).as_bytes();
            let voucher = group.map(|group| Voucher { group, signature: [7; 64], body });
            if let Some(voucher) = &voucher {
                voucher.write(&mut bytes);
            }
            let segment = Segment { origin, packs, voucher };
            prop_assert_eq!(Segment::parse(&bytes).unwrap(), segment);
            for cut in (0..bytes.len()).filter(|cut| *cut != whole) {
                prop_assert!(Segment::parse(&bytes[..cut]).is_err());
            }
        }

        #[test]
        fn foreign_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Segment::parse(&bytes);
            let _ = parse_directory(&bytes);
        }
    }
}
