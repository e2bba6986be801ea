//! Reading many blocks at once: which frames they are in, few big reads, each frame decoded once.

use std::collections::BTreeMap;

use super::Decoder;
use crate::VaultError;
use crate::bucket::BucketError;
use crate::direct::AlignedBuffer;
use crate::format::{BLOCK_BYTES, Id, PackId, Seal};
use crate::index::Location;
use crate::inner::{Inner, damaged};

/// Frames this close together are read in one go; cheaper than a second request.
const GAP_BYTES: u64 = 64 * 1024;
/// The longest single read.
const READ_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A block that is wanted, and where in the output it goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) id: Id,
    /// In blocks from the start of the output.
    pub(crate) slot: usize,
}

/// Frames of one pack, in order of offset: length, and what is wanted of them.
type Frames = BTreeMap<u32, (u32, Vec<(u8, Wanted)>)>;

/// Reads blocks for one thread.
pub(crate) struct BlockFetcher {
    /// What was read last.
    stored: AlignedBuffer,
    frames: FrameReader,
    /// Bytes read from the store so far.
    pub(crate) read_bytes: u64,
}

impl BlockFetcher {
    pub(crate) fn new() -> Result<Self, VaultError> {
        let frames = FrameReader { decoder: Decoder::new()?, raw: Vec::new() };
        Ok(Self { stored: AlignedBuffer::new(0), frames, read_bytes: 0 })
    }

    /// Fills the wanted slots of `out`; every block is compared with its identity. The inner error is about one block.
    pub(crate) fn fetch(
        &mut self,
        inner: &Inner,
        wanted: &[Wanted],
        out: &mut [u8],
    ) -> Result<Result<(), BlockFailure>, VaultError> {
        let mut packs: BTreeMap<PackId, Frames> = BTreeMap::new();
        for want in wanted {
            let Some((pack, place)) = inner.find(&want.id)? else {
                return Ok(Err(BlockFailure { slot: want.slot, id: want.id, error: None }));
            };
            let frames = packs.entry(pack).or_default();
            let frame = frames.entry(place.offset).or_insert_with(|| (place.bytes, Vec::new()));
            frame.1.push((place.part, *want));
        }
        for (pack, frames) in &packs {
            match self.fetch_of_pack(inner, *pack, frames, out) {
                Ok(()) => continue,
                Err(VaultError::Bucket(BucketError::NotFound { .. })) => {}
                Err(error) if error.is_damage() => {}
                Err(error) => return Err(error),
            }
            // The collector may have moved these blocks while we read, or something is damaged: each for itself.
            for (_, want) in frames.values().flat_map(|frame| &frame.1) {
                match self.fetch_any(inner, want, out) {
                    Ok(()) => {}
                    Err(error) if error.is_damage() => {
                        let error = Some(error);
                        return Ok(Err(BlockFailure { slot: want.slot, id: want.id, error }));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(Ok(()))
    }

    /// Fetches one block from whichever copy is good.
    fn fetch_any(
        &mut self,
        inner: &Inner,
        want: &Wanted,
        out: &mut [u8],
    ) -> Result<(), VaultError> {
        inner.with_any_copy(&want.id, |pack, place: Location| {
            let frame =
                inner.get_pack_range(pack, u64::from(place.offset), place.bytes as usize)?;
            self.read_bytes += frame.len() as u64;
            self.frames.take(inner, pack, place.offset, &frame, &[(place.part, *want)], out)
        })
    }

    fn fetch_of_pack(
        &mut self,
        inner: &Inner,
        pack: PackId,
        frames: &Frames,
        out: &mut [u8],
    ) -> Result<(), VaultError> {
        let mut rest = frames.iter().peekable();
        while let Some((offset, (bytes, _))) = rest.peek() {
            let start = u64::from(**offset);
            let mut end = start + u64::from(*bytes);
            let mut group = Vec::new();
            while let Some((offset, (bytes, wants))) = rest.peek() {
                let (frame_start, frame_end) =
                    (u64::from(**offset), u64::from(**offset) + u64::from(*bytes));
                if frame_start > end + GAP_BYTES
                    || (frame_end - start > READ_BYTES_MAX && !group.is_empty())
                {
                    break;
                }
                end = end.max(frame_end);
                group.push((frame_start, frame_end, wants));
                rest.next();
            }
            let length = usize::try_from(end - start).unwrap_or(usize::MAX);
            let read = inner.get_pack_range_into(pack, start, length, &mut self.stored)?;
            self.read_bytes += read.len() as u64;
            for (frame_start, frame_end, wants) in group {
                let within = |at: u64| usize::try_from(at - start).unwrap_or(usize::MAX);
                let frame = &read[within(frame_start)..within(frame_end)];
                let offset = u32::try_from(frame_start).unwrap_or(u32::MAX);
                self.frames.take(inner, pack, offset, frame, wants, out)?;
            }
        }
        Ok(())
    }
}

/// Takes blocks out of frames.
struct FrameReader {
    decoder: Decoder,
    raw: Vec<u8>,
}

impl FrameReader {
    /// Decodes one frame and copies what is wanted of it.
    fn take(
        &mut self,
        inner: &Inner,
        pack: PackId,
        offset: u32,
        frame: &[u8],
        wants: &[(u8, Wanted)],
        out: &mut [u8],
    ) -> Result<(), VaultError> {
        let object = pack.object();
        let wrong = |error| damaged(&object, u64::from(offset), error);
        let opener = inner.opener(pack)?;
        let other = |what: &str| VaultError::Damaged {
            object: object.clone(),
            offset: u64::from(offset),
            what: what.to_owned(),
        };
        if opener.kind() != Seal::Data {
            return Err(other("a block that is in a pack of nodes"));
        }
        let raw_bytes = Decoder::raw_bytes(&opener, frame).map_err(wrong)?;
        let blocks = raw_bytes / BLOCK_BYTES;
        // Mostly a whole frame is wanted in its order: then it is decoded where it belongs.
        let first = wants.first().map_or(0, |(_, want)| want.slot);
        let in_place = wants.len() == blocks
            && wants
                .iter()
                .enumerate()
                .all(|(at, (part, want))| usize::from(*part) == at && want.slot == first + at);
        if in_place {
            let target = &mut out[first * BLOCK_BYTES..(first + blocks) * BLOCK_BYTES];
            self.decoder.decode(&opener, frame, None, target).map_err(wrong)?;
        } else {
            self.raw.resize(raw_bytes, 0);
            self.decoder.decode(&opener, frame, None, &mut self.raw).map_err(wrong)?;
            for (part, want) in wants {
                let start = usize::from(*part) * BLOCK_BYTES;
                let block = self
                    .raw
                    .get(start..start + BLOCK_BYTES)
                    .ok_or_else(|| other("a frame of fewer blocks"))?;
                out[want.slot * BLOCK_BYTES..(want.slot + 1) * BLOCK_BYTES].copy_from_slice(block);
            }
        }
        for (_, want) in wants {
            let block = &out[want.slot * BLOCK_BYTES..(want.slot + 1) * BLOCK_BYTES];
            if Id::of(&inner.block_key, block) != want.id {
                return Err(other("a block that is not the one the map names"));
            }
        }
        Ok(())
    }
}

/// A block that cannot be had.
#[derive(Debug)]
pub(crate) struct BlockFailure {
    pub(crate) slot: usize,
    pub(crate) id: Id,
    /// `None`: it is in no pack.
    pub(crate) error: Option<VaultError>,
}

impl BlockFailure {
    /// As an error about a disk; `at` is the byte at which the output starts on it.
    pub(crate) fn on_disk(self, disk: &str, at: u64) -> VaultError {
        let offset = at + self.slot as u64 * BLOCK_BYTES as u64;
        self.on_disk_at(disk, offset)
    }

    /// As an error about a disk; `offset` is the first byte of the block on it.
    pub(crate) fn on_disk_at(self, disk: &str, offset: u64) -> VaultError {
        let block = crate::format::hex::encode(&self.id.0);
        self.error.unwrap_or(VaultError::MissingBlock { block, disk: disk.to_owned(), offset })
    }
}
