//! The vault as a whole: create, open, and the verbs on it.

use std::sync::Arc;

use uuid::Uuid;

#[cfg(not(coffre_sim))]
use crate::bucket::{self, ProbeError};
use crate::bucket::{Bucket, BucketError, Created};
use crate::crypto::{
    Capability, Keyring, Passphrase, RecoveryKey, SlotFile, Unlock, random, slot_key,
};
use crate::format::{PLAIN_FILE_BYTES_MAX, ROOT_KEY, RootFile, SLOTS_MAX};
use crate::inner::{Inner, create_new, parse_json};
#[cfg(not(coffre_sim))]
use crate::locks::now_unix_ms;
use crate::points::point_of;
use crate::read::{DiskReader, RestoreStats, VerifyReport, VerifyScope};
use crate::write::PointWriter;
use crate::{BlockSink, PointInfo, PointSpec, Progress, VaultError};

/// Ten years: a longer lock is more likely a slip of the hand, and nothing undoes it.
const LOCK_DAYS_MAX: u32 = 3653;

/// What is on the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VaultStats {
    /// Recovery points that are not deleted.
    pub points: u64,
    /// Objects of every kind.
    pub objects: u64,
    /// Their bytes.
    pub stored_bytes: u64,
    /// Packs.
    pub packs: u64,
    /// Their bytes.
    pub pack_bytes: u64,
}

/// An open vault. Cheap to clone; all clones share keys, index and caches.
#[derive(Debug, Clone)]
pub struct Vault {
    pub(crate) inner: Arc<Inner>,
}

impl Vault {
    /// Makes a vault in a store that holds none and returns its recovery key, which is shown to nobody again.
    ///
    /// # Errors
    /// [`VaultError::AlreadyAVault`] if there is one; [`VaultError::Invalid`] for an empty passphrase;
    /// [`VaultError::UnfitStore`] if the store does not keep what a vault builds on.
    pub fn create(
        bucket: Arc<dyn Bucket>,
        passphrase: &Passphrase,
    ) -> Result<(Self, RecoveryKey), VaultError> {
        Self::make(bucket, passphrase, None)
    }

    /// The same for a vault whose points nobody can delete for so many days after they were made, whatever keys and
    /// credentials they hold: what a point needs is locked on the store before it is committed (docs/format.md, section 10).
    /// The number of days never changes.
    ///
    /// # Errors
    /// As [`Vault::create`]; [`VaultError::UnfitStore`] also if the store does not really keep what is locked.
    pub fn create_locked(
        bucket: Arc<dyn Bucket>,
        passphrase: &Passphrase,
        days: u32,
    ) -> Result<(Self, RecoveryKey), VaultError> {
        if !(1..=LOCK_DAYS_MAX).contains(&days) {
            let (found, limit) = (u64::from(days), u64::from(LOCK_DAYS_MAX));
            return Err(VaultError::Limit { what: "the number of days of a lock", found, limit });
        }
        let (vault, key) = Self::make(bucket, passphrase, Some(days))?;
        if let Some(until) = vault.inner.lock_until() {
            vault.inner.lock_basics(until)?;
        }
        Ok((vault, key))
    }

    fn make(
        bucket: Arc<dyn Bucket>,
        passphrase: &Passphrase,
        lock_days: Option<u32>,
    ) -> Result<(Self, RecoveryKey), VaultError> {
        if passphrase.is_empty() {
            return Err(VaultError::Invalid("an empty passphrase protects nothing".to_owned()));
        }
        if bucket.size(ROOT_KEY)?.is_some() {
            return Err(VaultError::AlreadyAVault);
        }
        // The simulator's stores take one call at a time, and are known to be fit.
        #[cfg(not(coffre_sim))]
        Self::probe(&*bucket, lock_days.is_some())?;
        let keyring = Keyring::generate()?;
        let root = RootFile::new(Uuid::from_bytes(random()?), keyring.delete_public()?);
        let root = lock_days.map_or(root.clone(), |days| root.locked(days));
        let root_bytes = root.to_bytes();
        let digest = *blake3::hash(&root_bytes).as_bytes();
        let recovery = RecoveryKey::generate()?;
        // The root comes last: it is what makes this a vault, and then its keys must be there.
        let unlocks =
            [Unlock::Passphrase(passphrase.clone()), Unlock::RecoveryKey(recovery.clone())];
        for unlock in unlocks {
            let slot = SlotFile::wrap(&keyring, root.vault, &digest, &unlock)?;
            create_new(&*bucket, &slot_key(slot.slot), &slot.to_bytes())?;
        }
        let created = bucket.create(ROOT_KEY, &root_bytes);
        if !matches!(created, Ok(Created::New)) {
            // An attempt whose answer was lost may have been applied; the id in the root is random, so ours is ours.
            match (bucket.get(ROOT_KEY), created) {
                (Ok(found), _) if found == root_bytes => {}
                (_, Err(error)) => return Err(error.into()),
                (Ok(_), Ok(_)) => return Err(VaultError::AlreadyAVault),
                (Err(error), Ok(_)) => return Err(error.into()),
            }
        }
        Ok((Self { inner: Arc::new(Inner::new(bucket, keyring, root, digest)) }, recovery))
    }

    #[cfg(not(coffre_sim))]
    fn probe(bucket: &dyn Bucket, locks: bool) -> Result<(), VaultError> {
        let probed = bucket::probe(bucket, Uuid::from_bytes(random()?)).and_then(|_| {
            let run = Uuid::new_v4();
            if !locks { Ok(Vec::new()) } else { bucket::probe_locks(bucket, run, now_unix_ms()) }
        });
        probed.map(|_| ()).map_err(|error| match error {
            ProbeError::Bucket(error) => VaultError::Bucket(error),
            ProbeError::Unfit { rule } => VaultError::UnfitStore { rule },
        })
    }

    /// Opens a vault.
    ///
    /// # Errors
    /// [`VaultError::NotAVault`], [`VaultError::WrongKey`], [`VaultError::Unsupported`].
    pub fn open(bucket: Arc<dyn Bucket>, unlock: &Unlock) -> Result<Self, VaultError> {
        let root_bytes = match get_small(&*bucket, ROOT_KEY) {
            Err(VaultError::Bucket(BucketError::NotFound { .. })) => {
                return Err(VaultError::NotAVault);
            }
            other => other?,
        };
        let root: RootFile = parse_json(ROOT_KEY, &root_bytes)?;
        if let Some(what) = root.unknown_to_readers() {
            return Err(VaultError::Unsupported { what });
        }
        let digest = *blake3::hash(&root_bytes).as_bytes();
        let mut failed = None;
        for object in bucket.list("keys/")?.into_iter().take(SLOTS_MAX) {
            // One damaged slot must not hide another that opens.
            let opened = get_small(&*bucket, &object.key)
                .and_then(|bytes| parse_json::<SlotFile>(&object.key, &bytes))
                .and_then(|slot| {
                    if slot.vault == root.vault { slot.unwrap(&digest, unlock) } else { Ok(None) }
                });
            match opened {
                Ok(Some(keyring)) => {
                    let mut inner = Inner::new(bucket, keyring, root, digest);
                    inner.opened_by = point_of(&object.key, "keys/");
                    return Ok(Self { inner: Arc::new(inner) });
                }
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or(VaultError::WrongKey))
    }

    /// The same vault with another number of worker threads (by default one for each core, at most 32).
    ///
    /// # Errors
    /// [`VaultError::Invalid`] if the vault has other handles already.
    pub fn with_threads(self, threads: usize) -> Result<Self, VaultError> {
        let mut inner = Arc::try_unwrap(self.inner)
            .map_err(|_| VaultError::Invalid("the vault is in use already".to_owned()))?;
        inner.threads = threads.clamp(1, 32);
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The identity of the vault, random at its creation.
    pub fn id(&self) -> Uuid {
        self.inner.root.vault
    }

    /// Days that points are locked on the store, `None` if they are not.
    pub fn lock_days(&self) -> Option<u32> {
        self.inner.root.lock_days
    }

    /// The store behind it.
    pub fn bucket(&self) -> &Arc<dyn Bucket> {
        &self.inner.bucket
    }

    /// What the keys at hand allow.
    pub fn capabilities(&self) -> &[Capability] {
        self.inner.keyring.capabilities()
    }

    /// Begins a recovery point. Nothing is visible before [`PointWriter::commit`].
    ///
    /// # Errors
    /// [`VaultError::AlreadyCommitted`], [`VaultError::Aborted`] if the id was used; a damaged list of the collector.
    pub fn begin_point(&self, spec: PointSpec) -> Result<PointWriter, VaultError> {
        PointWriter::begin(Arc::clone(&self.inner), spec)
    }

    /// All recovery points that are not deleted, oldest first. One whose record is damaged is left out, so that it does
    /// not hide the others; [`Vault::verify`] names it.
    ///
    /// # Errors
    /// If the store fails.
    pub fn points(&self) -> Result<Vec<PointInfo>, VaultError> {
        let points = self.inner.live_points()?;
        points
            .iter()
            .map(|committed| Ok(self.inner.info(&committed.0, self.inner.metadata(&committed.0)?)))
            .collect()
    }

    /// One recovery point, `None` if it does not exist or is deleted.
    ///
    /// # Errors
    /// If the store fails or the record is damaged.
    pub fn point(&self, id: Uuid) -> Result<Option<PointInfo>, VaultError> {
        let record = self.inner.live_point(id)?;
        record.map(|record| Ok(self.inner.info(&record, self.inner.metadata(&record)?))).transpose()
    }

    /// Opens a disk of a point for random reads.
    ///
    /// # Errors
    /// [`VaultError::UnknownPoint`], [`VaultError::UnknownDisk`], [`VaultError::MissingKey`].
    pub fn disk(&self, point: Uuid, key: &str) -> Result<DiskReader, VaultError> {
        DiskReader::open(Arc::clone(&self.inner), point, key)
    }

    /// Writes a disk of a point to `sink`, in parallel, every block verified; zeros are not written.
    ///
    /// # Errors
    /// Damage (nothing wrong is written before it is found), [`VaultError::Sink`], [`VaultError::Cancelled`].
    pub fn restore_disk(
        &self,
        point: Uuid,
        key: &str,
        sink: &dyn BlockSink,
        progress: &dyn Progress,
    ) -> Result<RestoreStats, VaultError> {
        crate::read::restore_disk(&self.inner, point, key, sink, progress)
    }

    /// Reads and checks what is stored. Damage is in the report, not an error.
    ///
    /// # Errors
    /// If the store cannot be reached, or cancelled.
    pub fn verify(
        &self,
        scope: VerifyScope,
        progress: &dyn Progress,
    ) -> Result<VerifyReport, VaultError> {
        crate::read::verify(&self.inner, scope, progress)
    }

    /// Counts what is on the store.
    ///
    /// # Errors
    /// If the store fails.
    pub fn stats(&self) -> Result<VaultStats, VaultError> {
        let mut stats =
            VaultStats { points: self.inner.live_points()?.len() as u64, ..VaultStats::default() };
        for object in self.inner.bucket.list("")? {
            stats.objects += 1;
            stats.stored_bytes += object.size;
            if object.key.starts_with("packs/") {
                stats.packs += 1;
                stats.pack_bytes += object.size;
            }
        }
        Ok(stats)
    }

    /// Publishes an index segment for packs that no segment names, so that a lost index is whole again. What nothing
    /// needs of them is collected later. Gives the number of packs.
    ///
    /// # Errors
    /// [`VaultError::MissingKey`] without the put capability; if the store fails. Damaged packs are left out.
    pub fn rebuild_index(&self) -> Result<u64, VaultError> {
        self.inner.keyring.require(Capability::Put, "publish an index")?;
        crate::read::rebuild_index(&self.inner)
    }

    /// Marks a point deleted. Its space is freed by the collector. A deleted point stays deleted.
    ///
    /// # Errors
    /// [`VaultError::UnknownPoint`] if it was never committed; deleting twice is no error.
    pub fn delete_point(&self, id: Uuid) -> Result<(), VaultError> {
        self.inner.delete_point(id)
    }
}

/// Reads an object that is small by its nature.
pub(crate) fn get_small(bucket: &dyn Bucket, key: &str) -> Result<Vec<u8>, VaultError> {
    if bucket.size(key)?.is_some_and(|size| size > PLAIN_FILE_BYTES_MAX) {
        let what = "it is too long for what it is".to_owned();
        return Err(VaultError::Damaged { object: key.to_owned(), offset: 0, what });
    }
    Ok(bucket.get(key)?)
}
