//! The vault as a whole: create, open, and the verbs on it.

use std::sync::Arc;

use uuid::Uuid;

use crate::bucket::Bucket;
use crate::crypto::{Passphrase, RecoveryKey, Unlock};
use crate::{
    BlockSink, BlockSource, DiskSpec, DiskStats, Extent, PointInfo, PointSpec, Progress, ReadPlan,
    VaultError,
};

fn soon<T>() -> Result<T, VaultError> {
    Err(VaultError::Invalid("this verb lands with the next commit".to_owned()))
}

/// An open vault. Cheap to clone; all clones share the keys and the index.
#[derive(Debug, Clone)]
pub struct Vault {
    bucket: Arc<dyn Bucket>,
}

impl Vault {
    /// Makes a vault in an empty store and returns its recovery key, which is shown to nobody again.
    ///
    /// # Errors
    /// [`VaultError::AlreadyAVault`] if there is one.
    pub fn create(
        bucket: Arc<dyn Bucket>,
        _passphrase: &Passphrase,
    ) -> Result<(Self, RecoveryKey), VaultError> {
        let _vault = Self { bucket };
        soon()
    }

    /// Opens a vault.
    ///
    /// # Errors
    /// [`VaultError::NotAVault`], [`VaultError::WrongKey`], [`VaultError::Unsupported`].
    pub fn open(bucket: Arc<dyn Bucket>, _unlock: &Unlock) -> Result<Self, VaultError> {
        let _vault = Self { bucket };
        soon()
    }

    /// The identity of the vault, random at its creation.
    pub fn id(&self) -> Uuid {
        Uuid::nil()
    }

    /// The store behind it.
    pub fn bucket(&self) -> &Arc<dyn Bucket> {
        &self.bucket
    }

    /// Begins a recovery point. Nothing is visible before [`PointWriter::commit`].
    ///
    /// # Errors
    /// [`VaultError::AlreadyCommitted`], [`VaultError::Aborted`] if the id was used.
    pub fn begin_point(&self, _spec: PointSpec) -> Result<PointWriter, VaultError> {
        soon()
    }

    /// All recovery points that are not deleted, oldest first.
    ///
    /// # Errors
    /// If the store fails or a record is damaged.
    pub fn points(&self) -> Result<Vec<PointInfo>, VaultError> {
        soon()
    }

    /// One recovery point, `None` if it does not exist or is deleted.
    ///
    /// # Errors
    /// If the store fails or the record is damaged.
    pub fn point(&self, _id: Uuid) -> Result<Option<PointInfo>, VaultError> {
        soon()
    }

    /// Opens a disk of a point for random reads.
    ///
    /// # Errors
    /// [`VaultError::UnknownPoint`], [`VaultError::UnknownDisk`].
    pub fn disk(&self, _point: Uuid, _key: &str) -> Result<DiskReader, VaultError> {
        soon()
    }

    /// Writes a disk of a point to `sink`, in parallel, every block verified; zeros are not written.
    ///
    /// # Errors
    /// Damage, [`VaultError::Sink`], [`VaultError::Cancelled`].
    pub fn restore_disk(
        &self,
        _point: Uuid,
        _key: &str,
        _sink: &dyn BlockSink,
        _progress: &dyn Progress,
    ) -> Result<RestoreStats, VaultError> {
        soon()
    }

    /// Reads and checks what is stored. Damage is in the report, not an error.
    ///
    /// # Errors
    /// If the store cannot be reached, or cancelled.
    pub fn verify(
        &self,
        _scope: VerifyScope,
        _progress: &dyn Progress,
    ) -> Result<VerifyReport, VaultError> {
        soon()
    }

    /// Marks a point deleted. Its space is freed by the collector. A deleted point stays deleted.
    ///
    /// # Errors
    /// [`VaultError::UnknownPoint`] if it was never committed; deleting twice is no error.
    pub fn delete_point(&self, _id: Uuid) -> Result<(), VaultError> {
        soon()
    }
}

/// Writes one recovery point: disks first, then the commit. Dropped without commit, nothing is visible.
#[derive(Debug)]
pub struct PointWriter {}

impl PointWriter {
    /// Stores one disk. Uses all cores; returns when everything of it is durable.
    ///
    /// # Errors
    /// [`VaultError::Source`], [`VaultError::Bucket`], [`VaultError::BaseUnusable`], [`VaultError::Cancelled`].
    pub fn add_disk(
        &mut self,
        _spec: DiskSpec,
        _source: &dyn BlockSource,
        _plan: ReadPlan<'_>,
        _progress: &dyn Progress,
    ) -> Result<DiskStats, VaultError> {
        soon()
    }

    /// Makes the point visible, with metadata that only holders of the read key can see (at most 4 MiB as JSON).
    ///
    /// # Errors
    /// [`VaultError::AlreadyCommitted`], [`VaultError::Aborted`], [`VaultError::Overtaken`] (transfer again).
    pub fn commit(self, _metadata: serde_json::Value) -> Result<PointInfo, VaultError> {
        soon()
    }
}

/// Reads a disk of a recovery point at random.
#[derive(Debug)]
pub struct DiskReader {}

impl DiskReader {
    /// The size of the disk in bytes.
    pub fn size_bytes(&self) -> u64 {
        0
    }

    /// Fills `buffer` from `offset`; verified.
    ///
    /// # Errors
    /// Damage; [`VaultError::Limit`] past the end of the disk.
    pub fn read_at(&self, _offset: u64, _buffer: &mut [u8]) -> Result<(), VaultError> {
        soon()
    }

    /// The parts of `range` that hold data (not zeros), in order, in whole blocks clipped to the range.
    ///
    /// # Errors
    /// Damage of the map.
    pub fn data_extents(&self, _range: Extent) -> Result<Vec<Extent>, VaultError> {
        soon()
    }
}

/// What a restore did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RestoreStats {
    /// Bytes read from the store.
    pub read_bytes: u64,
    /// Bytes written to the target.
    pub written_bytes: u64,
    /// Blocks that are zeros and were not written.
    pub blocks_zero: u64,
    /// Blocks written.
    pub blocks_data: u64,
}

/// What to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyScope {
    /// Every object of the vault.
    All,
    /// What one point needs.
    Point(Uuid),
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Recovery points checked.
    pub points: u64,
    /// Packs read.
    pub packs: u64,
    /// Blocks decoded and compared with their identity.
    pub blocks: u64,
    /// Bytes read from the store.
    pub bytes: u64,
    /// What does not hold; empty is good.
    pub damage: Vec<Damage>,
}

/// One finding of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The key of the object.
    pub object: String,
    /// The first damaged byte; zero when the whole object is meant.
    pub offset: u64,
    /// The points that cannot be restored in full because of it.
    pub points: Vec<Uuid>,
    /// What does not hold.
    pub what: String,
}
