//! The open vault that all handles share: keys, store, index, caches.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::VaultError;
use crate::bucket::{Bucket, BucketError, Created};
use crate::crypto::{Keyring, deletion_is_signed};
use crate::format::{
    Malformed, PackId, PackListRecord, PackListing, RecordKind, RootFile, Segment, collection_text,
    open_record, seal_record,
};
use crate::gc::{Mutant, mistake};
use crate::index::Index;
use crate::locks::Held;
use crate::points::PointCache;
use crate::read::Caches;
use crate::trust::Trusts;

/// How often a listing and the reading of what it listed are tried when objects vanish in between.
const REFRESH_ATTEMPTS: usize = 16;

/// What all handles of an open vault share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) bucket: Arc<dyn Bucket>,
    pub(crate) keyring: Keyring,
    pub(crate) root: RootFile,
    /// The id of the vault.
    pub(crate) vault: [u8; 16],
    pub(crate) root_digest: [u8; 32],
    pub(crate) block_key: [u8; 32],
    pub(crate) node_key: [u8; 32],
    pub(crate) threads: usize,
    /// The key slot that opened it; `None` for who made the vault.
    pub(crate) opened_by: Option<Uuid>,
    pub(crate) caches: Caches,
    pub(crate) points: PointCache,
    index: RwLock<Index>,
    trusts: RwLock<Trusts>,
    pub(crate) held: Held,
    /// Held while the index is brought up to date, so that two threads do not read the same segments.
    refreshing: Mutex<()>,
}

impl Inner {
    pub(crate) fn new(
        bucket: Arc<dyn Bucket>,
        keyring: Keyring,
        root: RootFile,
        root_digest: [u8; 32],
    ) -> Self {
        Self {
            vault: *root.vault.as_bytes(),
            block_key: keyring.block_identity_key(),
            node_key: keyring.node_identity_key(),
            bucket,
            keyring,
            root,
            root_digest,
            threads: crate::parallel::cores(),
            opened_by: None,
            caches: Caches::default(),
            points: PointCache::default(),
            index: RwLock::default(),
            trusts: RwLock::default(),
            held: Held::default(),
            refreshing: Mutex::default(),
        }
    }

    /// The same vault with empty caches and an empty index.
    pub(crate) fn fresh(&self) -> Self {
        let mut fresh = Self::new(
            Arc::clone(&self.bucket),
            self.keyring.clone(),
            self.root.clone(),
            self.root_digest,
        );
        fresh.threads = self.threads;
        fresh
    }

    pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn trusts(&self) -> RwLockReadGuard<'_, Trusts> {
        self.trusts.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn trusts_mut(&self) -> RwLockWriteGuard<'_, Trusts> {
        self.trusts.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads and opens a record.
    pub(crate) fn get_record(
        &self,
        kind: RecordKind,
        key: &str,
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let sealed = self.bucket.get(key)?;
        self.open(kind, key, &sealed)
    }

    /// Opens a record that was read.
    pub(crate) fn open(
        &self,
        kind: RecordKind,
        key: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        open_record(&self.keyring, &self.vault, kind, key, sealed)
            .map_err(|error| damaged(key, 0, error))
    }

    /// Reads a record of JSON, `None` if it is not there.
    pub(crate) fn get_json<T: DeserializeOwned>(
        &self,
        kind: RecordKind,
        key: &str,
    ) -> Result<Option<T>, VaultError> {
        match self.get_record(kind, key) {
            Ok(plain) => Ok(Some(parse_json(key, &plain)?)),
            Err(VaultError::Bucket(BucketError::NotFound { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Seals and writes a record of JSON.
    pub(crate) fn create_json<T: Serialize>(
        &self,
        kind: RecordKind,
        key: &str,
        value: &T,
    ) -> Result<Created, VaultError> {
        let sealed = self.seal_json(kind, key, value)?;
        Ok(self.bucket.create(key, &sealed)?)
    }

    /// Seals a record of JSON.
    pub(crate) fn seal_json<T: Serialize>(
        &self,
        kind: RecordKind,
        key: &str,
        value: &T,
    ) -> Result<Vec<u8>, VaultError> {
        let plain = serde_json::to_vec(value)
            .map_err(|error| VaultError::Invalid(format!("write {key}: {error}")))?;
        seal_record(&self.keyring, &self.vault, kind, key, &plain)
    }

    /// Publishes an index segment and takes it into the index.
    pub(crate) fn publish_segment(
        &self,
        origin: [u8; 16],
        packs: &[PackListing],
    ) -> Result<u64, VaultError> {
        let key = format!("index/{}", Uuid::from_bytes(crate::crypto::random()?).simple());
        let sealed = seal_record(
            &self.keyring,
            &self.vault,
            RecordKind::Segment,
            &key,
            &self.write_segment(&key, origin, packs)?,
        )?;
        create_new(&*self.bucket, &key, &sealed)?;
        let group = self.keyring.group();
        let own = if self.keyring.holds_delete_key() { Some(0) } else { group };
        let trusts = self.trusts();
        let mut index = self.index_mut();
        for pack in packs {
            let trust = trusts.of(pack, own);
            index.add(pack, true, (trust, trusts.counts(trust, group)))?;
        }
        index.segments.insert(key);
        Ok(sealed.len() as u64)
    }

    /// Reads one segment, `None` if it is gone.
    pub(crate) fn get_segment(&self, key: &str) -> Result<Option<Segment>, VaultError> {
        match self.get_record(RecordKind::Segment, key) {
            Ok(plain) => Ok(Some(Segment::parse(&plain).map_err(|error| damaged(key, 0, error))?)),
            Err(VaultError::Bucket(BucketError::NotFound { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Brings the index up to date with the store: what collectors finished, what they condemned, new segments.
    ///
    /// # Errors
    /// If a list of the collector is damaged: a writer must not guess what is condemned. The segments are read even so.
    pub(crate) fn refresh(&self) -> Result<(), VaultError> {
        let _turn = lock(&self.refreshing);
        self.refresh_trust()?;
        for _ in 0..REFRESH_ATTEMPTS {
            let collections = self.refresh_collections();
            if self.refresh_segments()? {
                return collections;
            }
        }
        let what = "index segments vanish faster than they can be read".to_owned();
        Err(VaultError::Damaged { object: "index/".to_owned(), offset: 0, what })
    }

    /// The same for readers, who lose nothing by not knowing what is condemned.
    pub(crate) fn refresh_to_read(&self) -> Result<(), VaultError> {
        match self.refresh() {
            Err(error) if error.is_damage() => Ok(()),
            other => other,
        }
    }

    /// Reads what is condemned first and what is done second: a list that was removed in between is seen as done.
    pub(crate) fn refresh_collections(&self) -> Result<(), VaultError> {
        if mistake(Mutant::DoneBeforeCondemned) {
            self.refresh_done()?;
        }
        let mut condemned = HashSet::new();
        for object in self.bucket.list("gc/condemned/")? {
            condemned.extend(
                self.get_pack_list(RecordKind::Condemned, &object.key)?.into_iter().flatten(),
            );
        }
        if !mistake(Mutant::DoneBeforeCondemned) {
            self.refresh_done()?;
        }
        self.index_mut().set_condemned(condemned);
        Ok(())
    }

    fn refresh_done(&self) -> Result<(), VaultError> {
        for object in self.bucket.list("gc/done/")? {
            if self.index().done.contains(&object.key) {
                continue;
            }
            let listed = self.get_pack_list(RecordKind::Done, &object.key);
            let mut index = self.index_mut();
            match listed {
                Ok(packs) => index.add_dead(&packs.unwrap_or_default()),
                // Done markers are kept for ever: a bad one must not end all backups. Writers look for themselves then.
                Err(VaultError::Damaged { what, .. }) => {
                    index.unsure = true;
                    index.damaged.insert(object.key.clone(), what);
                }
                Err(error) => return Err(error),
            }
            index.done.insert(object.key);
        }
        Ok(())
    }

    /// Compares the packs on the store with the index, once for an open vault: a pack that is missing or has another size
    /// is no home for anything, so that the next full read stores again what it held. A list that is behind the truth
    /// only makes a block be stored twice.
    pub(crate) fn compare_packs(&self) -> Result<(), VaultError> {
        if self.index().compared {
            return Ok(());
        }
        let sizes: HashMap<String, u64> = self
            .bucket
            .list("packs/")?
            .into_iter()
            .map(|object| (object.key, object.size))
            .collect();
        let mut index = self.index_mut();
        let lost: Vec<PackId> = index
            .packs()
            .iter()
            .filter(|pack| {
                !pack.dead && sizes.get(&pack.id.object()) != Some(&u64::from(pack.bytes))
            })
            .map(|pack| pack.id)
            .collect();
        lost.iter().for_each(|pack| index.set_lost(pack));
        index.compared = true;
        Ok(())
    }

    /// False if a segment vanished after it was listed.
    fn refresh_segments(&self) -> Result<bool, VaultError> {
        for object in self.bucket.list("index/")? {
            if self.index().knows_segment(&object.key) {
                continue;
            }
            let segment = match self.get_segment(&object.key) {
                Ok(Some(segment)) => segment,
                Ok(None) => return Ok(false),
                // What it named is found in the packs themselves, or stored again; verify reports it.
                Err(VaultError::Damaged { what, .. }) => {
                    self.index_mut().damaged.insert(object.key, what);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let voucher = self.voucher_of(&object.key, &segment);
            let (trusts, own) = (self.trusts(), self.keyring.group());
            let mut index = self.index_mut();
            index.expect(&segment.packs);
            for pack in &segment.packs {
                let trust = trusts.of(pack, voucher);
                index.add(pack, true, (trust, trusts.counts(trust, own)))?;
            }
            index.segments.insert(object.key);
        }
        Ok(true)
    }

    /// Reads a list of a collector, `None` if it is gone. A list that the delete key did not sign is damage.
    pub(crate) fn get_pack_list(
        &self,
        kind: RecordKind,
        key: &str,
    ) -> Result<Option<Vec<PackId>>, VaultError> {
        let Some(record) = self.get_json::<PackListRecord>(kind, key)? else { return Ok(None) };
        let text = collection_text(&self.vault, key, &record.packs);
        let (names, rest) = record.packs.as_chunks::<16>();
        if !rest.is_empty()
            || !deletion_is_signed(&self.root.delete_public, &text, &record.signature)
        {
            let what = "a list of the collector that the delete key did not sign".to_owned();
            return Err(VaultError::Damaged { object: key.to_owned(), offset: 0, what });
        }
        Ok(Some(names.iter().map(|name| PackId(*name)).collect()))
    }
}

/// Creates an object of a fresh random name. If the store says that it exists, an attempt before was applied and its
/// answer lost; then its bytes must be ours.
pub(crate) fn create_new(bucket: &dyn Bucket, key: &str, data: &[u8]) -> Result<(), VaultError> {
    match bucket.create(key, data)? {
        Created::New => Ok(()),
        Created::Exists if bucket.get(key)? == data => Ok(()),
        Created::Exists => Err(damaged_name(key)),
    }
}

/// What a fresh random name must never meet.
pub(crate) fn damaged_name(key: &str) -> VaultError {
    let what = "an object of a fresh random name exists with other content".to_owned();
    VaultError::Damaged { object: key.to_owned(), offset: 0, what }
}

/// A parse failure as damage of an object, `base` bytes into it.
pub(crate) fn damaged(object: &str, base: u64, error: Malformed) -> VaultError {
    let offset = base + error.offset as u64;
    VaultError::Damaged { object: object.to_owned(), offset, what: error.what.to_owned() }
}

/// Parses the JSON of a record.
pub(crate) fn parse_json<T: DeserializeOwned>(key: &str, plain: &[u8]) -> Result<T, VaultError> {
    serde_json::from_slice(plain).map_err(|error| VaultError::Damaged {
        object: key.to_owned(),
        offset: 0,
        what: format!("a record of another shape: {error}"),
    })
}

/// Locks; a panic of another thread leaves none of our maps half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
