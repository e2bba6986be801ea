//! Moving what is needed out of packs that will be deleted.
//!
//! Frames are copied as they are sealed, with the sealed key of their pack: the collector needs no right to read data.
//! What was read is compared with the digest that the index holds of the whole pack, and every frame with the
//! identities that its directory names, before a copy counts.

use std::collections::BTreeMap;

use super::mark::Marks;
use super::mutant::{Mutant, mistake};
use super::view::{View, ViewPack};
use crate::VaultError;
use crate::crypto::random;
use crate::format::{
    FRAME_HEADER_BYTES, Frame, FrameHeader, KeyEntry, Malformed, PACK_FRAMES_MAX, PACK_KEYS_MAX,
    PackHeader, PackId, PackListing, Seal, TRAILER_BYTES, frame_meaning, parse_directory,
    parse_trailer, write_directory, write_trailer,
};
use crate::inner::{Inner, damaged};
use crate::write::{FinishedPack, open_directory, seal_directory};

/// When a pack of copies is closed.
const PACK_BYTES_TARGET: usize = if cfg!(coffre_sim) { 1400 } else { 16 * 1024 * 1024 };

/// The frames to copy, by pack: numbers of frames of the view.
pub(super) fn needed(view: &View, marks: &Marks) -> BTreeMap<u32, Vec<u32>> {
    let lenient = mistake(Mutant::CondemnedCountsAsHome);
    let is_home = |pack: &ViewPack| pack.stays() || lenient && pack.present && !pack.gone;
    let mut frames: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    if mistake(Mutant::NoRescue) {
        return frames;
    }
    for (rank, copies) in view.ranks() {
        if !marks.has(rank) || copies.iter().any(|position| is_home(view.pack_at(*position))) {
            continue;
        }
        let readable = |position: &&u32| view.pack_at(**position).present;
        // One frame of several parts may be asked for several times; a frame that is copied for one block serves all.
        let chosen = copies.iter().filter(readable).map(|position| view.frame_at(*position)).min();
        if let Some(frame) = chosen {
            frames.entry(view.frames[frame as usize].pack).or_default().push(frame);
        }
    }
    for numbers in frames.values_mut() {
        numbers.sort_unstable();
        numbers.dedup();
    }
    frames
}

/// A pack of copies in the making.
struct Copies {
    kind: Seal,
    group: u32,
    verified: bool,
    /// Keys of the packs that frames come from; their order is that of the key numbers.
    keys: Vec<KeyEntry>,
    /// Frames with the number of their key and the bytes as they were.
    frames: Vec<(Vec<crate::format::Id>, u16, Vec<u8>)>,
    bytes: usize,
}

/// Copies frames into new packs.
pub(super) struct Rescuer<'a> {
    inner: &'a Inner,
    /// By kind, group and whether a holder of the read key checked them.
    open: BTreeMap<(u8, u32, bool), Copies>,
    /// Finished packs, stored but not published.
    pub(super) listings: Vec<PackListing>,
    /// Bytes of frames copied.
    pub(super) bytes: u64,
}

impl<'a> Rescuer<'a> {
    pub(super) fn new(inner: &'a Inner) -> Self {
        Self { inner, open: BTreeMap::new(), listings: Vec::new(), bytes: 0 }
    }

    /// Copies frames of one pack.
    pub(super) fn take(
        &mut self,
        view: &View,
        pack: &ViewPack,
        wanted: &[u32],
    ) -> Result<(), VaultError> {
        let object = pack.id.object();
        let bytes = self.inner.bucket.get(&object)?;
        let (header, directory) =
            self.check(pack, &bytes).map_err(|error| damaged(&object, 0, error))?;
        for number in wanted {
            let place = view.frames[*number as usize];
            let listed = directory
                .iter()
                .find(|frame| frame.offset == place.offset && frame.bytes == place.bytes);
            let wrong =
                |what| damaged(&object, u64::from(place.offset), Malformed { offset: 0, what });
            let frame = listed
                .ok_or_else(|| wrong("the directory does not list a frame that the index lists"))?;
            let start = frame.offset as usize;
            let sealed = bytes.get(start..start + frame.bytes as usize);
            let sealed = sealed.ok_or_else(|| wrong("a frame outside of its pack"))?;
            let parsed = FrameHeader::parse(sealed, pack.kind)
                .map_err(|error| damaged(&object, 0, error))?;
            if frame_meaning(&frame.ids) != parsed.meaning {
                return Err(wrong("a frame of other blocks than its directory says"));
            }
            let key = header.keys.get(usize::from(parsed.key));
            let key =
                key.ok_or_else(|| wrong("a frame under a key that the pack does not have"))?;
            self.add(pack, frame, key, sealed)?;
        }
        Ok(())
    }

    /// Checks a whole pack against the index and reads its front and directory.
    fn check(&self, pack: &ViewPack, bytes: &[u8]) -> Result<(PackHeader, Vec<Frame>), Malformed> {
        let wrong = |what| Malformed { offset: 0, what };
        if *blake3::hash(bytes).as_bytes() != pack.digest {
            return Err(wrong("the pack is not the one that the index describes"));
        }
        let header = PackHeader::parse(bytes)?;
        if header.pack != pack.id || header.kind != pack.kind || header.group != pack.group {
            return Err(wrong("a pack of another name or kind"));
        }
        let trailer_at =
            bytes.len().checked_sub(TRAILER_BYTES).ok_or(wrong("it ends too early"))?;
        let (offset, length) = parse_trailer(&bytes[trailer_at..], bytes.len() as u64)?;
        let offset =
            usize::try_from(offset).map_err(|_| wrong("a directory outside of the pack"))?;
        let sealed =
            bytes.get(offset..offset + length).ok_or(wrong("a directory outside of the pack"))?;
        let plain = open_directory(&self.inner.keyring, &header, sealed)?;
        Ok((header, parse_directory(&plain)?))
    }

    fn add(
        &mut self,
        pack: &ViewPack,
        frame: &Frame,
        key: &KeyEntry,
        sealed: &[u8],
    ) -> Result<(), VaultError> {
        let slot = (pack.kind.code(), pack.group, pack.verified);
        let full = self.open.get(&slot).is_some_and(|copies| {
            copies.bytes + sealed.len() > PACK_BYTES_TARGET
                || copies.frames.len() >= PACK_FRAMES_MAX
                || copies.keys.len() >= PACK_KEYS_MAX && !copies.keys.contains(key)
        });
        if full && let Some(copies) = self.open.remove(&slot) {
            self.store(copies)?;
        }
        let copies = self.open.entry(slot).or_insert_with(|| Copies {
            kind: pack.kind,
            group: pack.group,
            verified: pack.verified,
            keys: Vec::new(),
            frames: Vec::new(),
            bytes: 0,
        });
        let number = copies.keys.iter().position(|known| known == key).unwrap_or_else(|| {
            copies.keys.push(key.clone());
            copies.keys.len() - 1
        });
        let number = u16::try_from(number).expect("fewer keys than the limit of a pack");
        copies.bytes += sealed.len();
        copies.frames.push((frame.ids.clone(), number, sealed.to_vec()));
        self.bytes += sealed.len() as u64;
        Ok(())
    }

    /// Stores what is open.
    pub(super) fn finish(&mut self) -> Result<(), VaultError> {
        for (_, copies) in std::mem::take(&mut self.open) {
            self.store(copies)?;
        }
        Ok(())
    }

    fn store(&mut self, copies: Copies) -> Result<(), VaultError> {
        let inner = self.inner;
        let pack = PackId(random()?);
        let header = PackHeader {
            kind: copies.kind,
            group: copies.group,
            vault: inner.vault,
            pack,
            keys: copies.keys,
        };
        let mut bytes = Vec::new();
        header.write(&mut bytes);
        let mut frames = Vec::new();
        for (ids, key, sealed) in &copies.frames {
            let mut parsed =
                FrameHeader::parse(sealed, copies.kind).map_err(|_| VaultError::VerifyBeforeAck)?;
            parsed.key = *key;
            let offset = u32::try_from(bytes.len()).expect("a pack is below its target");
            bytes.extend_from_slice(&parsed.to_bytes());
            bytes.extend_from_slice(&sealed[FRAME_HEADER_BYTES..]);
            let length = u32::try_from(sealed.len()).expect("a frame is at most 1 MiB");
            frames.push(Frame { offset, bytes: length, ids: ids.clone() });
        }
        let directory_offset = bytes.len();
        let mut plain = Vec::new();
        write_directory(&frames, &mut plain);
        seal_directory(&inner.keyring, &header, &plain, &mut bytes)?;
        let directory_bytes = bytes.len() - directory_offset;
        write_trailer(&mut bytes, directory_offset, directory_bytes);
        let listing = PackListing {
            pack,
            kind: copies.kind,
            group: copies.group,
            bytes: u32::try_from(bytes.len()).expect("a pack is below its target"),
            digest: *blake3::hash(&bytes).as_bytes(),
            verified: copies.verified,
            frames,
        };
        check_copy(inner, &header, &listing, &bytes).map_err(|_| VaultError::VerifyBeforeAck)?;
        crate::write::put_pack(inner, &FinishedPack { listing: listing.clone(), bytes })?;
        self.listings.push(listing);
        Ok(())
    }
}

/// Reads a finished pack of copies back from its bytes before it may be stored. Frames of maps are opened and hashed;
/// those of data, whose key the collector need not have, are compared by what their seal is bound to.
fn check_copy(
    inner: &Inner,
    header: &PackHeader,
    listing: &PackListing,
    bytes: &[u8],
) -> Result<(), Malformed> {
    let wrong = |what| Malformed { offset: 0, what };
    if PackHeader::parse(bytes)? != *header {
        return Err(wrong("header"));
    }
    let trailer_at = bytes.len().checked_sub(TRAILER_BYTES).ok_or(wrong("trailer"))?;
    let (offset, length) = parse_trailer(&bytes[trailer_at..], bytes.len() as u64)?;
    let offset = usize::try_from(offset).map_err(|_| wrong("directory"))?;
    let sealed = bytes.get(offset..offset + length).ok_or(wrong("directory"))?;
    if parse_directory(&open_directory(&inner.keyring, header, sealed)?)? != listing.frames {
        return Err(wrong("directory"));
    }
    for frame in &listing.frames {
        let start = frame.offset as usize;
        let sealed = bytes.get(start..start + frame.bytes as usize).ok_or(wrong("frame"))?;
        let parsed = FrameHeader::parse(sealed, header.kind)?;
        if parsed.meaning != frame_meaning(&frame.ids)
            || usize::from(parsed.key) >= header.keys.len()
        {
            return Err(wrong("frame"));
        }
    }
    Ok(())
}
