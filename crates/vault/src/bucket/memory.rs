//! A store in memory, for tests and simulations.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Bucket, BucketError, Created, Object, check_key, check_prefix};

/// Keeps objects in memory; gone when dropped.
#[derive(Debug, Default)]
pub struct MemoryBucket {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl MemoryBucket {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        // A panic elsewhere cannot leave the map half changed: each verb does one map operation.
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket for MemoryBucket {
    fn create(&self, key: &str, data: &[u8]) -> Result<Created, BucketError> {
        check_key(key)?;
        let mut objects = self.objects();
        if objects.contains_key(key) {
            return Ok(Created::Exists);
        }
        objects.insert(key.to_owned(), data.to_vec());
        Ok(Created::New)
    }

    fn get(&self, key: &str) -> Result<Vec<u8>, BucketError> {
        check_key(key)?;
        self.objects()
            .get(key)
            .cloned()
            .ok_or_else(|| BucketError::NotFound { key: key.to_owned() })
    }

    fn get_range(&self, key: &str, offset: u64, length: usize) -> Result<Vec<u8>, BucketError> {
        check_key(key)?;
        let objects = self.objects();
        let data = objects.get(key).ok_or_else(|| BucketError::NotFound { key: key.to_owned() })?;
        let outside =
            || BucketError::OutOfRange { key: key.to_owned(), offset, length: length as u64 };
        let start = usize::try_from(offset).map_err(|_| outside())?;
        let end = start.checked_add(length).ok_or_else(outside)?;
        Ok(data.get(start..end).ok_or_else(outside)?.to_vec())
    }

    fn size(&self, key: &str) -> Result<Option<u64>, BucketError> {
        check_key(key)?;
        Ok(self.objects().get(key).map(|data| data.len() as u64))
    }

    fn list(&self, prefix: &str) -> Result<Vec<Object>, BucketError> {
        check_prefix(prefix)?;
        let objects = self.objects();
        let found =
            objects.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        Ok(found
            .map(|(key, data)| Object {
                key: key.clone(),
                size: data.len() as u64,
                modified_unix_ms: None,
            })
            .collect())
    }

    fn delete(&self, key: &str) -> Result<(), BucketError> {
        check_key(key)?;
        self.objects().remove(key);
        Ok(())
    }
}
