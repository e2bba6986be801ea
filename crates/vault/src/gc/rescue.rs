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
use crate::direct::AlignedBuffer;
use crate::format::{
    FRAME_HEADER_BYTES, Frame, FrameHeader, KeyEntry, Malformed, PACK_FRAMES_MAX, PACK_KEYS_MAX,
    PackHeader, PackId, PackListing, Seal, TRAILER_BYTES, frame_meaning, parse_directory,
    parse_trailer, trailer, write_directory,
};
use crate::inner::{Inner, damaged};
use crate::parallel::in_parallel;
use crate::trust::Trust;
use crate::write::{
    END_BYTES, FinishedPack, PackBuffer, listed_bytes, open_directory, seal_directory,
};

/// When a pack of copies is closed.
const PACK_BYTES_TARGET: usize = if cfg!(coffre_sim) { 1400 } else { 12 * 1024 * 1024 };
/// So many copy at a time, each with a pack that it reads and one that it fills: the memory of a collection is bounded.
const COPIERS_MAX: usize = 2;

/// The frames to copy, by pack: numbers of frames of the view.
pub(super) fn needed(view: &View, marks: &Marks) -> BTreeMap<u32, Vec<u32>> {
    let lenient = mistake(Mutant::CondemnedCountsAsHome);
    let is_home = |pack: &ViewPack| pack.stays() || lenient && pack.present && !pack.gone;
    let mut frames: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    if mistake(Mutant::NoRescue) {
        return frames;
    }
    for (rank, copies) in view.ranks() {
        if !marks.has(rank) {
            continue;
        }
        view.sets(copies, |set| {
            if set.iter().any(|position| is_home(view.pack_at(*position))) {
                return;
            }
            let readable = |position: &&u32| view.pack_at(**position).present;
            // One frame of several parts may be asked for several times; a frame copied for one block serves all.
            let chosen = set.iter().filter(readable).map(|position| view.frame_at(*position)).min();
            if let Some(frame) = chosen {
                frames.entry(view.frames[frame as usize].pack).or_default().push(frame);
            }
        });
    }
    for numbers in frames.values_mut() {
        numbers.sort_unstable();
        numbers.dedup();
    }
    frames
}

/// What was copied.
#[derive(Debug, Default)]
pub(super) struct Rescued {
    /// Packs that are stored, and that no segment names yet.
    pub(super) listings: Vec<PackListing>,
    /// Bytes of frames copied.
    pub(super) bytes: u64,
}

/// Copies the frames to new packs.
pub(super) fn rescue(
    inner: &Inner,
    view: &View,
    wanted: BTreeMap<u32, Vec<u32>>,
) -> Result<Rescued, VaultError> {
    // What was stored together is likely to die together: the copies keep the order of age.
    let mut wanted: Vec<_> = wanted.into_iter().collect();
    wanted.sort_by_cached_key(|(pack, _)| {
        let id = view.packs[*pack as usize].id;
        (view.objects.get(&id).and_then(|(_, modified)| *modified), id)
    });
    let bytes = |frames: &[u32]| {
        frames.iter().map(|frame| view.frames[*frame as usize].bytes as usize).sum::<usize>()
    };
    let total: usize = wanted.iter().map(|(_, frames)| bytes(frames)).sum();
    let copiers = if total < PACK_BYTES_TARGET { 1 } else { inner.threads.min(COPIERS_MAX) };
    let share = total / copiers + 1;
    let mut shares: Vec<Vec<(u32, Vec<u32>)>> = Vec::new();
    let mut filled = usize::MAX;
    for (pack, frames) in wanted {
        if filled >= share {
            shares.push(Vec::new());
            filled = 0;
        }
        filled += bytes(&frames);
        shares.last_mut().expect("pushed before").push((pack, frames));
    }
    let copied = in_parallel(shares.len(), &shares, |share| {
        let mut rescuer = Rescuer::new(inner);
        let mut room = AlignedBuffer::new(0);
        for (pack, frames) in share {
            let from = &view.packs[*pack as usize];
            match rescuer.take(view, from, frames, &mut room) {
                // Nobody vouches for it, and it is not what it says: a lie, of which nothing can be moved. The blocks
                // that it claims are kept where they are.
                Err(error) if error.is_damage() && view.distrust && from.trust == Trust::Nobody => {
                }
                other => other?,
            }
        }
        rescuer.finish()?;
        Ok(Rescued { listings: rescuer.listings, bytes: rescuer.bytes })
    })?;
    Ok(copied.into_iter().fold(Rescued::default(), |mut all, one| {
        all.listings.extend(one.listings);
        all.bytes += one.bytes;
        all
    }))
}

/// A pack of copies in the making.
struct Copies {
    kind: Seal,
    group: u32,
    verified: bool,
    trust: Trust,
    /// Keys of the packs that frames come from; their order is that of the key numbers.
    keys: Vec<KeyEntry>,
    /// Frames by their place in `bytes`.
    frames: Vec<Frame>,
    /// Frames as they were, but for the number of their key, one after the other.
    bytes: PackBuffer,
    /// What the directory and the trailer will take.
    listing_bytes: usize,
}

impl Copies {
    /// The most that the pack has if it is closed after one more frame of so many bytes and parts, under a new key.
    fn bytes_with(&self, bytes: usize, parts: usize) -> usize {
        let front = PackHeader::length_of(self.keys.len() + 1);
        front + self.bytes.len() + bytes + self.listing_bytes + listed_bytes(parts)
    }
}

/// Copies frames into new packs.
struct Rescuer<'a> {
    inner: &'a Inner,
    /// By kind, group, whether a holder of the read key checked them, and who vouches for them.
    open: BTreeMap<(u8, u32, bool, Trust), Copies>,
    /// Finished packs, stored but not published.
    listings: Vec<PackListing>,
    /// Bytes of frames copied.
    bytes: u64,
    /// A buffer to use again.
    spare: Option<PackBuffer>,
}

impl<'a> Rescuer<'a> {
    fn new(inner: &'a Inner) -> Self {
        Self { inner, open: BTreeMap::new(), listings: Vec::new(), bytes: 0, spare: None }
    }

    /// Copies frames of one pack, which is read into `room`.
    fn take(
        &mut self,
        view: &View,
        pack: &ViewPack,
        wanted: &[u32],
        room: &mut AlignedBuffer,
    ) -> Result<(), VaultError> {
        let object = pack.id.object();
        let bytes = self.inner.bucket.get_into(&object, room)?;
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
            self.add(pack, frame, key, (&parsed, sealed))?;
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
        (parsed, sealed): (&FrameHeader, &[u8]),
    ) -> Result<(), VaultError> {
        let slot = (pack.kind.code(), pack.group, pack.verified, pack.trust);
        let full = self.open.get(&slot).is_some_and(|copies| {
            copies.bytes_with(sealed.len(), frame.ids.len()) > PACK_BYTES_TARGET
                || copies.frames.len() >= PACK_FRAMES_MAX
                || copies.keys.len() >= PACK_KEYS_MAX && !copies.keys.contains(key)
        });
        if full && let Some(copies) = self.open.remove(&slot) {
            self.store(copies)?;
        }
        let spare = &mut self.spare;
        let copies = self.open.entry(slot).or_insert_with(|| Copies {
            kind: pack.kind,
            group: pack.group,
            verified: pack.verified,
            trust: pack.trust,
            keys: Vec::new(),
            frames: Vec::new(),
            bytes: spare.take().unwrap_or_else(|| PackBuffer::with_capacity(PACK_BYTES_TARGET)),
            listing_bytes: END_BYTES,
        });
        let number = copies.keys.iter().position(|known| known == key).unwrap_or_else(|| {
            copies.keys.push(key.clone());
            copies.keys.len() - 1
        });
        let number = u16::try_from(number).expect("fewer keys than the limit of a pack");
        let moved = FrameHeader { key: number, ..*parsed };
        let offset = u32::try_from(copies.bytes.len()).expect("a pack is below its target");
        copies.bytes.extend_from_slice(&moved.to_bytes());
        copies.bytes.extend_from_slice(&sealed[FRAME_HEADER_BYTES..]);
        copies.frames.push(Frame { offset, ..frame.clone() });
        copies.listing_bytes += listed_bytes(frame.ids.len());
        self.bytes += sealed.len() as u64;
        Ok(())
    }

    /// Stores what is open.
    fn finish(&mut self) -> Result<(), VaultError> {
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
        let start = u32::try_from(header.length()).expect("a header is small");
        let mut frames = copies.frames;
        frames.iter_mut().for_each(|frame| frame.offset += start);
        let mut bytes = copies.bytes;
        let mut front = Vec::new();
        header.write(&mut front);
        bytes.put_first(&front);
        let directory_offset = bytes.len();
        let mut plain = Vec::new();
        write_directory(&frames, &mut plain);
        let directory = seal_directory(&inner.keyring, &header, &plain)?;
        bytes.extend_from_slice(&directory);
        bytes.extend_from_slice(&trailer(directory_offset, directory.len()));
        let listing = PackListing {
            pack,
            kind: copies.kind,
            group: copies.group,
            bytes: u32::try_from(bytes.len()).expect("a pack is below its target"),
            digest: *blake3::hash(&bytes).as_bytes(),
            verified: copies.verified,
            vouched: false,
            frames,
        };
        let listing = judged(inner, listing, copies.trust);
        check_copy(inner, &header, &listing, &bytes).map_err(|_| VaultError::VerifyBeforeAck)?;
        let mut pack = FinishedPack { listing, bytes };
        crate::write::put_pack(inner, &pack)?;
        self.listings.push(pack.listing);
        pack.bytes.clear();
        self.spare = Some(pack.bytes);
        Ok(())
    }
}

/// A listing with what we know of its origin, where that matters: the segment that names it is signed by us.
pub(super) fn judged(inner: &Inner, listing: PackListing, trust: Trust) -> PackListing {
    if !inner.trusts().on() {
        return listing;
    }
    let (verified, vouched) = (trust == Trust::Everybody, trust != Trust::Nobody);
    PackListing { verified, vouched, ..listing }
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
