//! The index as a collector needs it: small enough for tens of millions of blocks, and read afresh.
//!
//! Identities are kept as their first half: 128 bits of a keyed hash do not meet by chance, and nobody without the key
//! can make them meet. Whole ones are read from the packs and segments that are rewritten.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::epoch::Epoch;
use super::mutant::{Mutant, mistake};
use crate::VaultError;
use crate::format::{Id, PackId, PackListing, Seal, Segment};
use crate::index::Location;
use crate::inner::Inner;
use crate::trust::Trust;

/// Index segments.
pub(super) const SEGMENTS: &str = "index/";
/// How often the index is read again because a segment vanished after it was listed. Each time somebody else's
/// collection has finished a step.
const ATTEMPTS: usize = 64;

/// Identities that share a drawer, on average.
const DRAWER_IDS: usize = 8;

type Short = [u8; 16];

fn short(id: &Id) -> Short {
    *id.0.first_chunk().expect("an identity is longer than its half")
}

/// Which of so many drawers (a power of two) an identity is in; in the order of identities.
fn drawer(id: &Short, drawers: usize) -> usize {
    let front = u64::from_be_bytes(*id.first_chunk().expect("it is longer than eight bytes"));
    let bits = drawers.trailing_zeros();
    if bits == 0 { 0 } else { usize::try_from(front >> (64 - bits)).expect("a few bits") }
}

/// A pack of the index.
#[derive(Debug, Clone)]
pub(super) struct ViewPack {
    pub(super) id: PackId,
    pub(super) kind: Seal,
    pub(super) group: u32,
    /// A segment says that it was decoded and hashed; counts only as far as `trust` goes, where that matters.
    pub(super) verified: bool,
    pub(super) trust: Trust,
    pub(super) bytes: u32,
    pub(super) digest: [u8; 32],
    /// Its frames: first and past the last.
    pub(super) frames: (u32, u32),
    /// The store lists it.
    pub(super) present: bool,
    /// It will be deleted.
    pub(super) condemned: bool,
    /// It was deleted.
    pub(super) gone: bool,
}

impl ViewPack {
    /// It is there and nobody is about to delete it.
    pub(super) fn stays(&self) -> bool {
        self.present && !self.condemned && !self.gone
    }
}

/// A frame of a pack.
#[derive(Debug, Clone, Copy)]
pub(super) struct ViewFrame {
    pub(super) pack: u32,
    pub(super) offset: u32,
    pub(super) bytes: u32,
    first: u32,
    parts: u8,
}

/// All segments at one moment.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) packs: Vec<ViewPack>,
    pub(super) frames: Vec<ViewFrame>,
    /// In order of frame.
    ids: Vec<Short>,
    /// The frame of each of `ids`.
    frame_of: Vec<u32>,
    /// Positions in `ids`, sorted by identity.
    order: Vec<u32>,
    /// Where in `order` the identities begin whose first bits are a number; one more for the end.
    starts: Vec<u32>,
    /// Somebody in this vault is not trusted with everything: copies of different origin do not stand for each other.
    pub(super) distrust: bool,
    /// Segments with the packs that they name.
    pub(super) segments: BTreeMap<String, Vec<PackId>>,
    /// Packs that the store lists, with size and age.
    pub(super) objects: BTreeMap<PackId, (u64, Option<i64>)>,
}

impl View {
    /// Reads the index and then lists the packs.
    pub(super) fn load(inner: &Inner) -> Result<Self, VaultError> {
        inner.refresh_trust()?;
        'again: for _ in 0..ATTEMPTS {
            let distrust = inner.trusts().on();
            let mut view = Self { distrust, ..Self::default() };
            let mut known = BTreeMap::new();
            let listed = list(inner)?;
            view.reserve(listed.values().sum());
            for key in listed.into_keys() {
                let Some(segment) = inner.get_segment(&key)? else { continue 'again };
                let voucher = inner.voucher_of(&key, &segment);
                let trusts = inner.trusts();
                view.add(&mut known, key, segment, |listing| trusts.of(listing, voucher));
            }
            for listed in inner.bucket.list("packs/")? {
                if let Some(pack) = PackId::of_object(&listed.key) {
                    view.objects.insert(pack, (listed.size, listed.modified_unix_ms));
                }
            }
            view.finish();
            return Ok(view);
        }
        let what = "index segments vanish faster than they can be read".to_owned();
        Err(VaultError::Damaged { object: SEGMENTS.to_owned(), offset: 0, what })
    }

    /// Whether the store lists the same segments as when this was read.
    pub(super) fn is_current(&self, inner: &Inner) -> Result<bool, VaultError> {
        Ok(list(inner)?.keys().eq(self.segments.keys()))
    }

    /// Makes room for segments of so many bytes in all: growing step by step would need twice the memory.
    fn reserve(&mut self, segment_bytes: u64) {
        let most = usize::try_from(segment_bytes).unwrap_or(0) / size_of::<Id>();
        self.ids.reserve_exact(most);
        self.frame_of.reserve_exact(most);
    }

    fn add(
        &mut self,
        known: &mut BTreeMap<(PackId, [u8; 32]), u32>,
        key: String,
        segment: Segment,
        trust: impl Fn(&PackListing) -> Trust,
    ) {
        self.segments.insert(key, segment.packs.iter().map(|listing| listing.pack).collect());
        for listing in segment.packs {
            let number = count(self.packs.len());
            let trust = trust(&listing);
            // Listings of one pack that contradict each other are two packs here; at most one of them is right.
            let says = if self.distrust { listing.says() } else { [0; 32] };
            match known.entry((listing.pack, says)) {
                Entry::Occupied(before) => {
                    let before = &mut self.packs[*before.get() as usize].trust;
                    *before = (*before).max(trust);
                    continue;
                }
                Entry::Vacant(free) => {
                    free.insert(number);
                }
            }
            let first_frame = count(self.frames.len());
            for frame in &listing.frames {
                let frame_number = count(self.frames.len());
                self.frames.push(ViewFrame {
                    pack: number,
                    offset: frame.offset,
                    bytes: frame.bytes,
                    first: count(self.ids.len()),
                    parts: u8::try_from(frame.ids.len())
                        .expect("the parser keeps the limit of parts"),
                });
                self.ids.extend(frame.ids.iter().map(short));
                self.frame_of.extend(frame.ids.iter().map(|_| frame_number));
            }
            self.packs.push(ViewPack {
                id: listing.pack,
                kind: listing.kind,
                group: listing.group,
                verified: listing.verified,
                trust,
                bytes: listing.bytes,
                digest: listing.digest,
                frames: (first_frame, count(self.frames.len())),
                present: false,
                condemned: false,
                gone: false,
            });
        }
    }

    fn finish(&mut self) {
        for pack in &mut self.packs {
            pack.present = self.objects.contains_key(&pack.id);
        }
        self.sort();
    }

    /// Sorts by identity. Those are uniform, so their first bits put each where it belongs but for a few neighbours.
    fn sort(&mut self) {
        let ids = &self.ids;
        let drawers = (ids.len() / DRAWER_IDS).next_power_of_two().clamp(1, 1 << 26);
        let mut starts = vec![0u32; drawers + 1];
        for id in ids {
            starts[drawer(id, drawers) + 1] += 1;
        }
        for at in 0..drawers {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut order = vec![0u32; ids.len()];
        for (position, id) in ids.iter().enumerate() {
            let place = &mut next[drawer(id, drawers)];
            order[*place as usize] = count(position);
            *place += 1;
        }
        for pair in starts.windows(2) {
            order[pair[0] as usize..pair[1] as usize]
                .sort_unstable_by_key(|position| (ids[*position as usize], *position));
        }
        (self.order, self.starts) = (order, starts);
    }

    /// The rank of an identity (that of its first copy) and its copies as positions.
    pub(super) fn copies(&self, id: &Id) -> Option<(usize, &[u32])> {
        let wanted = short(id);
        let drawers = self.starts.len() - 1;
        let drawer = drawer(&wanted, drawers);
        let (from, to) = (self.starts[drawer] as usize, self.starts[drawer + 1] as usize);
        let alike = &self.order[from..to];
        let start = alike.partition_point(|position| self.ids[*position as usize] < wanted);
        let same = alike[start..]
            .iter()
            .take_while(|position| self.ids[**position as usize] == wanted)
            .count();
        (same > 0).then(|| (from + start, &alike[start..start + same]))
    }

    /// The identities in order of rank, each with its copies.
    pub(super) fn ranks(&self) -> impl Iterator<Item = (usize, &[u32])> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let first = *self.order.get(at)?;
            let id = self.ids[first as usize];
            let same = self.order[at..]
                .iter()
                .take_while(|position| self.ids[**position as usize] == id)
                .count();
            let found = (at, &self.order[at..at + same]);
            at += same;
            Some(found)
        })
    }

    /// How many ranks there may be.
    pub(super) fn rank_limit(&self) -> usize {
        self.order.len()
    }

    /// The copies of one identity in sets of which one copy each must stay: all of them where everybody is trusted. Where
    /// not, one that everybody may count on stands for all; without, each group has its own, and what nobody vouches for
    /// stands for nothing but itself.
    pub(super) fn sets(&self, copies: &[u32], mut visit: impl FnMut(&[u32])) {
        if !self.distrust || mistake(Mutant::AnyCopyIsAHome) {
            return visit(copies);
        }
        let sound = |position: &&u32| {
            let pack = self.pack_at(**position);
            pack.trust == Trust::Everybody && pack.present
        };
        let sound: Vec<u32> = copies.iter().filter(sound).copied().collect();
        if !sound.is_empty() {
            return visit(&sound);
        }
        let mut sets: BTreeMap<(Trust, u32), Vec<u32>> = BTreeMap::new();
        for position in copies {
            let trust = self.pack_at(*position).trust;
            let alone = if trust == Trust::Nobody { *position } else { 0 };
            sets.entry((trust, alone)).or_default().push(*position);
        }
        sets.values().for_each(|set| visit(set));
    }

    /// The number of the frame that a position is in.
    pub(super) fn frame_at(&self, position: u32) -> u32 {
        self.frame_of[position as usize]
    }

    /// The pack that a position is in.
    pub(super) fn pack_at(&self, position: u32) -> &ViewPack {
        &self.packs[self.frames[self.frame_at(position) as usize].pack as usize]
    }

    /// Where a position can be read.
    pub(super) fn location(&self, position: u32) -> (PackId, Location) {
        let frame = self.frames[self.frame_at(position) as usize];
        let part = u8::try_from(position - frame.first).expect("a frame has at most 16 parts");
        debug_assert!(part < frame.parts, "a position lies in its frame");
        let place = Location { pack: frame.pack, offset: frame.offset, bytes: frame.bytes, part };
        (self.packs[frame.pack as usize].id, place)
    }

    /// The frames of a pack, by number.
    pub(super) fn frames_of(&self, pack: &ViewPack) -> std::ops::Range<u32> {
        pack.frames.0..pack.frames.1
    }

    /// Notes what collectors condemned and deleted.
    pub(super) fn judge(&mut self, epoch: &Epoch) {
        let (condemned, gone) = (epoch.condemned_packs(), epoch.gone_packs());
        for pack in &mut self.packs {
            pack.condemned = condemned.contains(&pack.id);
            pack.gone = gone.contains(&pack.id);
        }
    }
}

/// The segments with their sizes.
fn list(inner: &Inner) -> Result<BTreeMap<String, u64>, VaultError> {
    Ok(inner.bucket.list(SEGMENTS)?.into_iter().map(|listed| (listed.key, listed.size)).collect())
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("an index of less than four thousand million blocks")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Frame;

    fn name(number: u64) -> Id {
        Id(*blake3::hash(&number.to_le_bytes()).as_bytes())
    }

    /// A segment of 256 packs of 64 frames of 4 blocks.
    fn segment(number: u64) -> Segment {
        let packs = (0..256).map(|pack| {
            let pack_number = number * 256 + pack;
            let frames = (0..64u32).map(|frame| Frame {
                offset: frame * 100_000,
                bytes: 100_000,
                ids: (0..4)
                    .map(|part| name((pack_number * 64 + u64::from(frame)) * 4 + part))
                    .collect(),
            });
            PackListing {
                pack: PackId(
                    *blake3::hash(&pack_number.to_be_bytes()).as_bytes().first_chunk().unwrap(),
                ),
                kind: Seal::Data,
                group: 0,
                bytes: 6_500_000,
                digest: [0; 32],
                verified: true,
                vouched: false,
                frames: frames.collect(),
            }
        });
        Segment { origin: [0; 16], packs: packs.collect(), voucher: None }
    }

    /// Memory decides how large a vault can be collected. `COFFRE_VIEW_BLOCKS=10000000` measures at full size.
    #[test]
    fn a_view_takes_less_than_thirty_two_bytes_for_a_block() {
        let wanted =
            std::env::var("COFFRE_VIEW_BLOCKS").map_or(200_000, |text| text.parse().unwrap());
        let mut view = View::default();
        let mut known = BTreeMap::new();
        let segments = u64::div_ceil(wanted, 65_536);
        // As long as they are on the store: 32 bytes for each block, and a little for frames and packs.
        view.reserve(segments * 65_536 * 35);
        for number in 0..segments {
            view.add(&mut known, format!("index/{number}"), segment(number), |_| Trust::Nobody);
        }
        view.finish();
        let blocks = view.ids.len();
        assert_eq!(blocks as u64, segments * 65_536);
        let bytes = view.ids.len() * size_of::<Short>()
            + (view.frame_of.len() + view.order.len() + view.starts.len()) * size_of::<u32>()
            + view.frames.len() * size_of::<ViewFrame>()
            + view.packs.len() * size_of::<ViewPack>();
        assert!(bytes < 32 * blocks, "{bytes} bytes for {blocks} blocks");
        assert!(view.ids.capacity() < blocks * 5 / 4);
        for number in [0, 1, blocks as u64 / 2, blocks as u64 - 1] {
            let (_, copies) = view.copies(&name(number)).unwrap();
            let (_, place) = view.location(copies[0]);
            assert_eq!((copies.len(), u64::from(place.part)), (1, number % 4));
        }
        assert!(view.copies(&name(u64::MAX)).is_none());
        assert_eq!(view.ranks().count(), blocks);
    }
}
