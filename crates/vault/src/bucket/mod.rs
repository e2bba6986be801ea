//! The store behind a vault: six verbs on immutable objects.
//!
//! Nothing more is asked of a store than create-if-absent, read, list and delete. There is no rename, no lock and no
//! overwrite. A failed `create` may have been applied; every caller is written for that.

use std::borrow::Cow;
use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use crate::AlignedBuffer;

mod faulty;
mod folder;
mod held;
mod memory;
mod name;
mod probe;

pub use faulty::{Call, Fault, FaultyBucket, Verb};
pub use folder::FolderBucket;
pub use memory::MemoryBucket;
pub use name::{KEY_BYTES_MAX, check_key, check_prefix};
pub use probe::{ProbeError, probe, probe_locks};

/// What `create` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The object is there now, with the given bytes, durably.
    New,
    /// There was an object of this key; it is untouched.
    Exists,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// When the store says it was written, in milliseconds since 1970 (UTC); `None` if it does not say. Never used for
    /// safety, only to decide whom to suspect of being abandoned.
    pub modified_unix_ms: Option<i64>,
}

/// A failure of a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BucketError {
    /// There is no object of this key.
    #[error("there is no object {key}")]
    NotFound {
        /// The key.
        key: String,
    },
    /// The key or prefix breaks the rules of [`check_key`].
    #[error("'{key}' is not a valid object key")]
    InvalidKey {
        /// The key.
        key: String,
    },
    /// The range ends after the object.
    #[error("bytes {offset}+{length} are outside of object {key}")]
    OutOfRange {
        /// The key.
        key: String,
        /// First byte asked for.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// The store is full, or a quota is used up.
    #[error("no room for object {key}")]
    Full {
        /// The key.
        key: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The store failed; whether a write was applied is not known.
    #[error("{verb} object {key}")]
    Io {
        /// What was attempted: create, read, list, delete.
        verb: &'static str,
        /// The key or prefix.
        key: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The store cannot keep an object from being deleted.
    #[error("the store has no locks for object {key}")]
    NoLocks {
        /// The key.
        key: String,
    },
    /// The address of the store is not understood.
    #[error("the store address '{url}' is not understood: {reason}")]
    BadUrl {
        /// The address, without credentials.
        url: String,
        /// Why.
        reason: String,
    },
}

/// A store of immutable objects. Keys obey [`check_key`].
pub trait Bucket: Send + Sync + Debug {
    /// Writes an object if its key is free: whole, durable and visible at once, or not at all.
    ///
    /// # Errors
    /// Any [`BucketError`]; after [`BucketError::Io`] the object may or may not be there, whole.
    fn create(&self, key: &str, data: &[u8]) -> Result<Created, BucketError>;

    /// Reads a whole object.
    ///
    /// # Errors
    /// [`BucketError::NotFound`] if it is not there.
    fn get(&self, key: &str) -> Result<Vec<u8>, BucketError>;

    /// Reads a whole object into `room`, which is used again and again, or into memory of its own. `room` may hold
    /// anything before and after.
    ///
    /// # Errors
    /// As [`Bucket::get`].
    fn get_into<'r>(
        &self,
        key: &str,
        room: &'r mut AlignedBuffer,
    ) -> Result<Cow<'r, [u8]>, BucketError> {
        let _ = room;
        self.get(key).map(Cow::Owned)
    }

    /// As [`Bucket::get_into`], but as the store holds it now, past any cache between: what a verification must see.
    ///
    /// # Errors
    /// As [`Bucket::get`].
    fn get_stored<'r>(
        &self,
        key: &str,
        room: &'r mut AlignedBuffer,
    ) -> Result<Cow<'r, [u8]>, BucketError> {
        self.get_into(key, room)
    }

    /// Reads `length` bytes from `offset`.
    ///
    /// # Errors
    /// [`BucketError::NotFound`]; [`BucketError::OutOfRange`] if the object is shorter.
    fn get_range(&self, key: &str, offset: u64, length: usize) -> Result<Vec<u8>, BucketError>;

    /// Reads `length` bytes from `offset` into `room`, or into memory of its own, as [`Bucket::get_into`] does.
    ///
    /// # Errors
    /// As [`Bucket::get_range`].
    fn get_range_into<'r>(
        &self,
        key: &str,
        offset: u64,
        length: usize,
        room: &'r mut AlignedBuffer,
    ) -> Result<Cow<'r, [u8]>, BucketError> {
        let _ = room;
        self.get_range(key, offset, length).map(Cow::Owned)
    }

    /// The size of an object in bytes, `None` if it is not there.
    ///
    /// # Errors
    /// If the store cannot tell.
    fn size(&self, key: &str) -> Result<Option<u64>, BucketError>;

    /// All objects whose key starts with `prefix` (empty: all), in order of key. A listing that could not be completed
    /// is an error, never a shorter list.
    ///
    /// # Errors
    /// If the store cannot list.
    fn list(&self, prefix: &str) -> Result<Vec<Object>, BucketError>;

    /// Removes an object; one that is not there is no error.
    ///
    /// # Errors
    /// If the store refuses or cannot tell.
    fn delete(&self, key: &str) -> Result<(), BucketError>;

    /// Keeps an object from being deleted for good before a time, in milliseconds since 1970 (UTC), whoever asks. A lock
    /// that lasts longer already stays as it is; none is ever shortened.
    ///
    /// # Errors
    /// [`BucketError::NoLocks`] from a store that has none, [`BucketError::NotFound`].
    fn lock(&self, key: &str, until_unix_ms: i64) -> Result<(), BucketError> {
        let _ = until_unix_ms;
        Err(BucketError::NoLocks { key: key.to_owned() })
    }

    /// Writes an object as [`Bucket::create`] does, locked from its first moment where the store can do that. One that
    /// was there already is locked as well.
    ///
    /// # Errors
    /// As [`Bucket::create`] and [`Bucket::lock`].
    fn create_locked(
        &self,
        key: &str,
        data: &[u8],
        until_unix_ms: i64,
    ) -> Result<Created, BucketError> {
        let created = self.create(key, data)?;
        self.lock(key, until_unix_ms)?;
        Ok(created)
    }

    /// Until when an object is locked, `None` if it is not or never was.
    ///
    /// # Errors
    /// If the store cannot tell.
    fn locked_until(&self, key: &str) -> Result<Option<i64>, BucketError> {
        let _ = key;
        Ok(None)
    }

    /// Removes all versions of an object that the store keeps. [`Bucket::delete`] may leave some behind a mark.
    ///
    /// # Errors
    /// If the store refuses, as it must while the object is locked.
    fn destroy(&self, key: &str) -> Result<(), BucketError> {
        self.delete(key)
    }

    /// Weakens the lock of an object with all rights that these credentials have: only the probe does this, which must
    /// see it fail.
    ///
    /// # Errors
    /// If the store refuses, as it must.
    fn weaken(&self, key: &str, until_unix_ms: i64) -> Result<(), BucketError> {
        self.lock(key, until_unix_ms)
    }
}

impl<B: Bucket + ?Sized> Bucket for Arc<B> {
    fn create(&self, key: &str, data: &[u8]) -> Result<Created, BucketError> {
        (**self).create(key, data)
    }

    fn get(&self, key: &str) -> Result<Vec<u8>, BucketError> {
        (**self).get(key)
    }

    fn get_into<'r>(
        &self,
        key: &str,
        room: &'r mut AlignedBuffer,
    ) -> Result<Cow<'r, [u8]>, BucketError> {
        (**self).get_into(key, room)
    }

    fn get_stored<'r>(
        &self,
        key: &str,
        room: &'r mut AlignedBuffer,
    ) -> Result<Cow<'r, [u8]>, BucketError> {
        (**self).get_stored(key, room)
    }

    fn get_range(&self, key: &str, offset: u64, length: usize) -> Result<Vec<u8>, BucketError> {
        (**self).get_range(key, offset, length)
    }

    fn get_range_into<'r>(
        &self,
        key: &str,
        offset: u64,
        length: usize,
        room: &'r mut AlignedBuffer,
    ) -> Result<Cow<'r, [u8]>, BucketError> {
        (**self).get_range_into(key, offset, length, room)
    }

    fn size(&self, key: &str) -> Result<Option<u64>, BucketError> {
        (**self).size(key)
    }

    fn list(&self, prefix: &str) -> Result<Vec<Object>, BucketError> {
        (**self).list(prefix)
    }

    fn delete(&self, key: &str) -> Result<(), BucketError> {
        (**self).delete(key)
    }

    fn lock(&self, key: &str, until_unix_ms: i64) -> Result<(), BucketError> {
        (**self).lock(key, until_unix_ms)
    }

    fn create_locked(
        &self,
        key: &str,
        data: &[u8],
        until_unix_ms: i64,
    ) -> Result<Created, BucketError> {
        (**self).create_locked(key, data, until_unix_ms)
    }

    fn locked_until(&self, key: &str) -> Result<Option<i64>, BucketError> {
        (**self).locked_until(key)
    }

    fn destroy(&self, key: &str) -> Result<(), BucketError> {
        (**self).destroy(key)
    }

    fn weaken(&self, key: &str, until_unix_ms: i64) -> Result<(), BucketError> {
        (**self).weaken(key, until_unix_ms)
    }
}

/// Opens the store at an address: `file:///absolute/folder` or `memory:` (for tests; gone with the process). A folder
/// is created if its parent exists.
///
/// # Errors
/// [`BucketError::BadUrl`], or what the store meets.
pub fn open(url: &str) -> Result<Arc<dyn Bucket>, BucketError> {
    if let Some(path) = url.strip_prefix("file://") {
        if !path.starts_with('/') {
            let reason = "a file address needs an absolute path, as file:///srv/vault".to_owned();
            return Err(BucketError::BadUrl { url: url.to_owned(), reason });
        }
        return Ok(Arc::new(FolderBucket::open(path)?));
    }
    if url == "memory:" {
        return Ok(Arc::new(MemoryBucket::new()));
    }
    let reason = "known are file:///folder and memory:".to_owned();
    Err(BucketError::BadUrl { url: url.split('?').next().unwrap_or_default().to_owned(), reason })
}
