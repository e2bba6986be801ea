//! Getting frames and nodes from the store, with small caches in front.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use super::{Decoder, PackOpener};
use crate::VaultError;
use crate::bounded::Bounded;
use crate::bucket::BucketError;
use crate::direct::AlignedBuffer;
use crate::format::{
    Frame, Id, Node, PACK_HEADER_BYTES_MAX, PackHeader, PackId, PackListing, TRAILER_BYTES,
    parse_directory, parse_trailer,
};
use crate::index::Location;
use crate::inner::{Inner, damaged, lock};
use crate::trust::Trust;

/// Packs whose keys are kept open; about a kilobyte each.
const OPENERS_MAX: usize = 4096;
/// Nodes that are kept; at most 10 KiB each.
const NODES_MAX: usize = 1024;
/// Bytes of a pack header with one key: what is read first.
const HEADER_PROBE_BYTES: usize = 52 + 88;

/// What an open vault remembers of what it read.
#[derive(Debug)]
pub(crate) struct Caches {
    openers: Mutex<Bounded<PackId, Arc<PackOpener>>>,
    nodes: Mutex<Bounded<Id, Arc<Node>>>,
    adopted: Mutex<bool>,
}

impl Default for Caches {
    fn default() -> Self {
        Self {
            openers: Mutex::new(Bounded::new(OPENERS_MAX)),
            nodes: Mutex::new(Bounded::new(NODES_MAX)),
            adopted: Mutex::new(false),
        }
    }
}

impl Inner {
    /// The keys of a pack.
    pub(crate) fn opener(&self, pack: PackId) -> Result<Arc<PackOpener>, VaultError> {
        if let Some(opener) = lock(&self.caches.openers).get(&pack) {
            return Ok(opener);
        }
        let object = pack.object();
        let header = self.get_pack_header(pack)?;
        let opener =
            PackOpener::new(&self.keyring, &header)?.map_err(|error| damaged(&object, 0, error))?;
        let opener = Arc::new(opener);
        lock(&self.caches.openers).insert(pack, Arc::clone(&opener));
        Ok(opener)
    }

    /// Reads a part of a pack; one that is too short for it is damaged.
    pub(crate) fn get_pack_range(
        &self,
        pack: PackId,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, VaultError> {
        self.bucket.get_range(&pack.object(), offset, length).map_err(too_short)
    }

    /// The same into memory that is used again.
    pub(crate) fn get_pack_range_into<'r>(
        &self,
        pack: PackId,
        offset: u64,
        length: usize,
        room: &'r mut AlignedBuffer,
    ) -> Result<Cow<'r, [u8]>, VaultError> {
        self.bucket.get_range_into(&pack.object(), offset, length, room).map_err(too_short)
    }

    /// Reads and checks the front of a pack.
    pub(crate) fn get_pack_header(&self, pack: PackId) -> Result<PackHeader, VaultError> {
        let object = pack.object();
        let front = self.get_pack_range(pack, 0, HEADER_PROBE_BYTES)?;
        let header = match PackHeader::parse(&front) {
            Ok(header) => header,
            Err(error) if error.offset >= HEADER_PROBE_BYTES => {
                let size = self.bucket.size(&object)?.unwrap_or(0);
                let length = usize::try_from(size).unwrap_or(usize::MAX).min(PACK_HEADER_BYTES_MAX);
                let front = self.get_pack_range(pack, 0, length)?;
                PackHeader::parse(&front).map_err(|error| damaged(&object, 0, error))?
            }
            Err(error) => return Err(damaged(&object, 0, error)),
        };
        if header.vault != self.vault || header.pack != pack {
            let what = "a pack of another vault or name".to_owned();
            return Err(VaultError::Damaged { object, offset: 16, what });
        }
        Ok(header)
    }

    /// Reads the listing of a pack from the pack itself.
    pub(crate) fn get_pack_listing(
        &self,
        pack: PackId,
        size: u64,
    ) -> Result<PackListing, VaultError> {
        let object = pack.object();
        let header = self.get_pack_header(pack)?;
        let at = size.saturating_sub(TRAILER_BYTES as u64);
        let trailer = self.get_pack_range(pack, at, TRAILER_BYTES)?;
        let (offset, length) =
            parse_trailer(&trailer, size).map_err(|error| damaged(&object, at, error))?;
        let sealed = self.get_pack_range(pack, offset, length)?;
        let plain = crate::write::open_directory(&self.keyring, &header, &sealed)
            .map_err(|error| damaged(&object, offset, error))?;
        let frames = parse_directory(&plain).map_err(|error| damaged(&object, offset, error))?;
        let bytes = u32::try_from(size).map_err(|_| VaultError::Damaged {
            object,
            offset: 0,
            what: "a pack that is too long".to_owned(),
        })?;
        Ok(listing_of(&header, bytes, frames))
    }

    /// Looks up where something can be read. If the index does not know, it is brought up to date once, and then the
    /// packs that no segment names are looked at: a lost index must not lose a point.
    pub(crate) fn find(&self, id: &Id) -> Result<Option<(PackId, Location)>, VaultError> {
        if let Some(found) = self.find_known(id)? {
            return Ok(Some(found));
        }
        self.refresh_to_read()?;
        if let Some(found) = self.find_known(id)? {
            return Ok(Some(found));
        }
        self.adopt_packs()?;
        self.find_known(id)
    }

    pub(crate) fn find_known(&self, id: &Id) -> Result<Option<(PackId, Location)>, VaultError> {
        let index = self.index();
        Ok(index.find(id)?.map(|place| (index.pack(place.pack).id, place)))
    }

    /// Takes packs into the index that no segment names. Done once for an open vault.
    fn adopt_packs(&self) -> Result<(), VaultError> {
        let mut adopted = lock(&self.caches.adopted);
        if *adopted {
            return Ok(());
        }
        for (pack, size) in self.unindexed_packs()? {
            match self.get_pack_listing(pack, size) {
                Ok(listing) => self.index_mut().add(&listing, false, (Trust::Nobody, false))?,
                // An abandoned or damaged pack that nobody may need; verify reports what is needed.
                Err(error) if error.is_damage() => {}
                Err(VaultError::Bucket(
                    BucketError::NotFound { .. } | BucketError::OutOfRange { .. },
                )) => {}
                Err(error) => return Err(error),
            }
        }
        *adopted = true;
        Ok(())
    }

    /// Packs on the store that no segment names, with their sizes.
    pub(crate) fn unindexed_packs(&self) -> Result<Vec<(PackId, u64)>, VaultError> {
        let objects = self.bucket.list("packs/")?;
        let index = self.index();
        let unknown = objects.into_iter().filter_map(|object| {
            let pack = PackId::of_object(&object.key)?;
            let known = index.number_of(&pack).is_some_and(|number| {
                let facts = index.pack(number);
                facts.indexed || facts.dead
            });
            (!known).then_some((pack, object.size))
        });
        Ok(unknown.collect())
    }

    /// Reads a node of a block map.
    pub(crate) fn node(&self, id: &Id, level: u8) -> Result<Arc<Node>, VaultError> {
        if let Some(node) = lock(&self.caches.nodes).get(id) {
            return Ok(node);
        }
        let node = self.with_any_copy(id, |pack, place| self.read_node(id, level, pack, place))?;
        let node = Arc::new(node);
        lock(&self.caches.nodes).insert(*id, Arc::clone(&node));
        Ok(node)
    }

    /// Remembers a node that was just written.
    pub(crate) fn remember_node(&self, id: Id, node: Node) {
        lock(&self.caches.nodes).insert(id, Arc::new(node));
    }

    pub(crate) fn read_node(
        &self,
        id: &Id,
        level: u8,
        pack: PackId,
        place: Location,
    ) -> Result<Node, VaultError> {
        let object = pack.object();
        let at = u64::from(place.offset);
        let frame = self.get_pack_range(pack, at, place.bytes as usize)?;
        let opener = self.opener(pack)?;
        let wrong = |error| damaged(&object, at, error);
        let mut raw = vec![0; Decoder::raw_bytes(&opener, &frame).map_err(wrong)?];
        Decoder::new()?.decode(&opener, &frame, Some(&[*id]), &mut raw).map_err(wrong)?;
        let node = Node::parse(&raw).map_err(wrong)?;
        if Id::of(&self.node_key, &raw) != *id || node.level != level {
            let what = "a node that is not the one that was asked for".to_owned();
            return Err(VaultError::Damaged { object, offset: at, what });
        }
        Ok(node)
    }

    /// Reads at the place of `id`. If that fails, the collector may have moved it, or the copy is damaged: the index is
    /// brought up to date, and every other copy is tried, again and again while there are copies that were not tried:
    /// collections may overtake a slow reader more than once. The error is that of the first copy.
    pub(crate) fn with_any_copy<T>(
        &self,
        id: &Id,
        mut read: impl FnMut(PackId, Location) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        let missing = || VaultError::Damaged {
            object: "index/".to_owned(),
            offset: 0,
            what: format!("{id:?} is in no pack"),
        };
        let (pack, place) = self.find(id)?.ok_or_else(missing)?;
        let first = match read(pack, place) {
            Err(VaultError::Bucket(BucketError::NotFound { .. })) => gone(pack),
            Err(error) if error.is_damage() => error,
            other => return other,
        };
        // Of one pack there may be a listing that lies, and one that does not: places are told apart, not packs.
        let mut tried = vec![place];
        loop {
            self.refresh_to_read()?;
            let mut places = self.index().places_of(id)?;
            places.retain(|place| !tried.contains(place));
            if places.is_empty() {
                return Err(first);
            }
            for place in places {
                tried.push(place);
                let pack = self.index().pack(place.pack).id;
                match read(pack, place) {
                    Err(VaultError::Bucket(BucketError::NotFound { .. })) => {}
                    Err(error) if error.is_damage() => {}
                    other => return other,
                }
            }
        }
    }
}

/// What a segment should say of a pack with this front and directory; its digest and who vouches for it are not known.
pub(crate) fn listing_of(header: &PackHeader, bytes: u32, frames: Vec<Frame>) -> PackListing {
    let PackHeader { pack, kind, group, .. } = *header;
    let (digest, verified, vouched) = ([0; 32], false, false);
    PackListing { pack, kind, group, bytes, digest, verified, vouched, frames }
}

/// A pack that ends before what the index says is in it is damaged.
fn too_short(error: BucketError) -> VaultError {
    match error {
        BucketError::OutOfRange { key, offset, .. } => {
            let what = "the pack is too short".to_owned();
            VaultError::Damaged { object: key, offset, what }
        }
        other => other.into(),
    }
}

/// Names the packs in a segment that none names.
pub(crate) fn rebuild_index(inner: &Inner) -> Result<u64, VaultError> {
    inner.refresh()?;
    let mut listings = Vec::new();
    for (pack, size) in inner.unindexed_packs()? {
        let object = pack.object();
        let listed = inner.get_pack_listing(pack, size).and_then(|listing| {
            let digest = *blake3::hash(&inner.bucket.get(&object)?).as_bytes();
            Ok(PackListing { digest, ..listing })
        });
        match listed {
            Ok(listing) => listings.push(listing),
            Err(error) if error.is_damage() => {}
            Err(VaultError::Bucket(BucketError::NotFound { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    if !listings.is_empty() {
        inner.publish_segment([0; 16], &listings)?;
    }
    Ok(listings.len() as u64)
}

/// A pack that the index names and the store does not have.
pub(crate) fn gone(pack: PackId) -> VaultError {
    VaultError::Damaged { object: pack.object(), offset: 0, what: "the pack is missing".to_owned() }
}
