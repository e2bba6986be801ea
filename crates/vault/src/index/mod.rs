//! What is where: the index, filled from the index segments; large ones are kept in files beside the process.
//!
//! The index is disposable; it is rebuilt from the segments, and the segments from the packs. Each pack is in one of
//! three states: usable, condemned (a collector will delete it; readable still, but nothing new may count on it) or
//! dead (deleted). An identity may be in several packs; the first that is usable counts.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

mod table;

use std::io;

use table::PlaceTable;

use crate::VaultError;
use crate::format::{Frame, Id, PackId, PackListing};
use crate::trust::Trust;

/// Identities are keyed hashes, uniform already: eight bytes of one are its hash.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}

pub(crate) type IdMap<V> = HashMap<Id, V, BuildHasherDefault<IdHasher>>;
pub(crate) type IdSet = HashSet<Id, BuildHasherDefault<IdHasher>>;

/// Where a block or node is: a frame of a pack, and its place in the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Location {
    /// Number of the pack in this index.
    pub(crate) pack: u32,
    /// Offset of the frame in the pack.
    pub(crate) offset: u32,
    /// Length of the frame in bytes.
    pub(crate) bytes: u32,
    /// Which part of the frame.
    pub(crate) part: u8,
}

/// What the index knows of a pack.
#[derive(Debug, Clone)]
pub(crate) struct PackFacts {
    pub(crate) id: PackId,
    pub(crate) bytes: u32,
    /// A segment names it; otherwise it was found by looking at the packs themselves.
    pub(crate) indexed: bool,
    pub(crate) condemned: bool,
    pub(crate) dead: bool,
    /// Its object is missing, has another size or was found damaged: what it holds is stored again.
    pub(crate) lost: bool,
    /// Who is known to have written it.
    pub(crate) trust: Trust,
    /// Whether new points of this writer may count on it, as far as trust goes.
    pub(crate) counts: bool,
    /// What its listing says, see [`PackListing::says`].
    pub(crate) says: [u8; 32],
}

/// The index of a vault.
#[derive(Debug, Default)]
pub(crate) struct Index {
    packs: Vec<PackFacts>,
    numbers: HashMap<PackId, u32>,
    /// Further listings of packs that say something else than the first: at most one of them is right.
    contradictions: HashMap<PackId, Vec<u32>>,
    places: PlaceTable,
    /// What collectors will delete, known packs and others.
    condemned: HashSet<PackId>,
    /// The packs on the store were compared with the index.
    pub(crate) compared: bool,
    /// A done marker cannot be read: packs may be gone without our knowing.
    pub(crate) unsure: bool,
    /// Segments that were taken in, by object key.
    pub(crate) segments: HashSet<String>,
    /// Segments and done markers that cannot be read, and why.
    pub(crate) damaged: HashMap<String, String>,
    /// Finished collector runs that were taken in, by object key.
    pub(crate) done: BTreeSet<String>,
}

impl Index {
    /// Takes in a pack and all that is in it, with who wrote it and whether new points may count on that. A listing that
    /// is known already is left as it is, but for more trust.
    ///
    /// # Errors
    /// If the file of a large index cannot be written.
    pub(crate) fn add(
        &mut self,
        listing: &PackListing,
        indexed: bool,
        (trust, counts): (Trust, bool),
    ) -> Result<(), VaultError> {
        let says = listing.says();
        for number in self.all_of(&listing.pack) {
            let facts = &mut self.packs[number as usize];
            if facts.says == says || facts.dead {
                facts.indexed |= indexed;
                if indexed {
                    // What is known of it now: more than before, unless trust has only begun to matter.
                    facts.counts = counts || facts.counts && trust < facts.trust;
                    facts.trust = facts.trust.max(trust);
                }
                return Ok(());
            }
        }
        let limit = u64::from(u32::MAX);
        let number = u32::try_from(self.packs.len()).map_err(|_| VaultError::Limit {
            what: "the number of packs",
            found: limit + 1,
            limit,
        })?;
        match self.numbers.entry(listing.pack) {
            Entry::Vacant(free) => {
                free.insert(number);
            }
            Entry::Occupied(_) => {
                self.contradictions.entry(listing.pack).or_default().push(number);
            }
        }
        self.packs.push(PackFacts {
            id: listing.pack,
            bytes: listing.bytes,
            indexed,
            condemned: self.condemned.contains(&listing.pack),
            dead: false,
            lost: false,
            trust,
            counts,
            says,
        });
        for frame in &listing.frames {
            for (part, id) in (0u8..).zip(&frame.ids) {
                let place =
                    Location { pack: number, offset: frame.offset, bytes: frame.bytes, part };
                self.places.insert(*id, place).map_err(unusable)?;
            }
        }
        Ok(())
    }

    /// Makes room for what these packs hold, before they are added.
    pub(crate) fn expect(&mut self, packs: &[PackListing]) {
        let frames = packs.iter().flat_map(|pack| &pack.frames);
        self.places.reserve(frames.map(|frame| frame.ids.len()).sum());
    }

    /// Whether a segment needs no reading any more.
    pub(crate) fn knows_segment(&self, key: &str) -> bool {
        self.segments.contains(key) || self.damaged.contains_key(key)
    }

    /// Where something can be read; prefers packs that stay.
    pub(crate) fn find(&self, id: &Id) -> Result<Option<Location>, VaultError> {
        let places = self.places_of(id)?;
        let stays = places.iter().find(|place| self.stays(place));
        Ok(stays.or_else(|| places.first()).copied())
    }

    /// Where something is that new points may count on: in a pack that a segment names, nobody condemned and, as far as
    /// we know, is whole.
    pub(crate) fn home(&self, id: &Id) -> Result<Option<Location>, VaultError> {
        Ok(self.places_of(id)?.into_iter().find(|place| self.stays(place)))
    }

    fn stays(&self, place: &Location) -> bool {
        let pack = self.pack(place.pack);
        pack.indexed && !pack.condemned && !pack.lost && pack.counts
    }

    /// All places of an identity in packs that are not deleted.
    pub(crate) fn places_of(&self, id: &Id) -> Result<Vec<Location>, VaultError> {
        let mut places = self.places.get(id).map_err(unusable)?;
        places.retain(|place| !self.pack(place.pack).dead);
        Ok(places)
    }

    /// The frames of a pack as far as the index knows them. Looks at everything; only for packs that lost their
    /// directory.
    pub(crate) fn frames_of(&self, number: u32) -> Result<Vec<Frame>, VaultError> {
        let mut frames: BTreeMap<(u32, u32), BTreeMap<u8, Id>> = BTreeMap::new();
        let visited = self.places.visit(|id, place| {
            if place.pack == number {
                frames.entry((place.offset, place.bytes)).or_default().insert(place.part, id);
            }
        });
        visited.map_err(unusable)?;
        let frames = frames.into_iter();
        Ok(frames
            .map(|((offset, bytes), ids)| Frame { offset, bytes, ids: ids.into_values().collect() })
            .collect())
    }

    /// Some of the identities, and all packs that are not deleted, in an order that does not depend on the process.
    #[cfg(coffre_sim)]
    pub(crate) fn some_names(
        &self,
        way: u64,
        most: usize,
    ) -> Result<(Vec<Id>, Vec<PackId>), VaultError> {
        let mut names = BTreeSet::new();
        let visited = self.places.visit(|id, _| {
            names.insert(id);
        });
        visited.map_err(unusable)?;
        let start = way as usize % names.len().max(1);
        let names = names.into_iter().skip(start).take(most).collect();
        let packs: BTreeSet<PackId> =
            self.packs.iter().filter(|pack| !pack.dead).map(|pack| pack.id).collect();
        Ok((names, packs.into_iter().collect()))
    }

    pub(crate) fn pack(&self, number: u32) -> &PackFacts {
        &self.packs[number as usize]
    }

    pub(crate) fn packs(&self) -> &[PackFacts] {
        &self.packs
    }

    pub(crate) fn number_of(&self, pack: &PackId) -> Option<u32> {
        self.numbers.get(pack).copied()
    }

    /// Marks exactly these packs condemned, also if they become known later.
    pub(crate) fn set_condemned(&mut self, condemned: HashSet<PackId>) {
        for pack in &mut self.packs {
            pack.condemned = condemned.contains(&pack.id);
        }
        self.condemned = condemned;
    }

    /// Marks a pack as one that nothing new may count on.
    pub(crate) fn set_lost(&mut self, pack: &PackId) {
        for number in self.all_of(pack) {
            self.packs[number as usize].lost = true;
        }
    }

    /// The numbers of all listings of a pack.
    fn all_of(&self, pack: &PackId) -> Vec<u32> {
        let more = self.contradictions.get(pack).into_iter().flatten();
        self.numbers.get(pack).into_iter().chain(more).copied().collect()
    }

    /// Marks these packs deleted, for ever.
    pub(crate) fn add_dead(&mut self, dead: &[PackId]) {
        for pack in dead {
            let known = self.all_of(pack);
            if !known.is_empty() {
                known.into_iter().for_each(|number| self.packs[number as usize].dead = true);
            } else if let Ok(number) = u32::try_from(self.packs.len()) {
                // A segment that still names it may be read later; the pack must stay dead then.
                self.numbers.insert(*pack, number);
                self.packs.push(PackFacts {
                    id: *pack,
                    bytes: 0,
                    indexed: false,
                    condemned: false,
                    dead: true,
                    lost: false,
                    trust: Trust::Nobody,
                    counts: false,
                    says: [0; 32],
                });
            }
        }
    }
}

fn unusable(source: io::Error) -> VaultError {
    VaultError::IndexFile { source }
}
