//! Keeping a point's objects locked on the store for as long as its vault promises.
//!
//! What a vault with locks stores is locked when it is written. Before a point is committed, every pack that it needs is
//! locked at least as long as the point itself, those that it shares with others included. Times are rounded up to a grid,
//! so that one extension serves many points. Indexes are not locked: they can be made anew from the packs.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::VaultError;
use crate::bucket::{BucketError, Created};
use crate::format::{DiskRecord, PackId, ROOT_KEY};
use crate::inner::{Inner, create_new, damaged_name, lock};
use crate::parallel::in_parallel;
use crate::points::Decision;
use crate::read::{BaseTree, LeafWalk};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Extensions that are under way at a time.
const LOCKERS: usize = 8;
/// How often the packs of a point are looked up again because a collector moved something.
const ATTEMPTS: usize = 16;

/// What this handle has locked, and until when. A hint that saves calls: locks are never taken back.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<HashMap<String, i64>>);

/// When the lock of something that is stored now may end at the earliest, and when it will, on the grid; both in
/// milliseconds since 1970 (UTC).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Until {
    pub(crate) needed: i64,
    pub(crate) target: i64,
}

fn until(days: u32, now_unix_ms: i64) -> Until {
    let grid = i64::from((days / 4).clamp(1, 30)) * DAY_MS;
    let needed = now_unix_ms.saturating_add(i64::from(days) * DAY_MS);
    let target = needed.saturating_add(grid - 1) / grid * grid;
    Until { needed, target }
}

/// The time of this machine. A lock that a wrong clock makes too long is kept; one that is too short is extended by the
/// next point.
pub(crate) fn now_unix_ms() -> i64 {
    let age = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(age.as_millis()).unwrap_or(i64::MAX)
}

impl Inner {
    /// Until when something is locked that is stored now; `None` in a vault without locks.
    pub(crate) fn lock_until(&self) -> Option<Until> {
        Some(until(self.root.lock_days?, now_unix_ms()))
    }

    /// Writes an object that no lock may be missing from.
    pub(crate) fn create_kept(&self, key: &str, data: &[u8]) -> Result<Created, BucketError> {
        let Some(until) = self.lock_until() else { return self.bucket.create(key, data) };
        let created = self.bucket.create_locked(key, data, until.target)?;
        lock(&self.held.0).insert(key.to_owned(), until.target);
        Ok(created)
    }

    /// Stores a pack under its fresh name.
    pub(crate) fn store_pack(&self, pack: PackId, data: &[u8]) -> Result<(), VaultError> {
        let key = pack.object();
        if self.root.lock_days.is_none() {
            return create_new(&*self.bucket, &key, data);
        }
        match self.create_kept(&key, data)? {
            Created::New => Ok(()),
            Created::Exists if self.bucket.get(&key)? == data => Ok(()),
            Created::Exists => Err(damaged_name(&key)),
        }
    }

    /// Locks what opens the vault: root and key slots.
    pub(crate) fn lock_basics(&self, until: Until) -> Result<(), VaultError> {
        let slots = self.bucket.list("keys/")?.into_iter().map(|object| object.key);
        let keys: Vec<String> = slots.chain([ROOT_KEY.to_owned()]).collect();
        self.lock_all(&keys, until)
    }

    /// Locks every pack that a point needs. `counted` are those that its blocks were stored in or found in one by one;
    /// what its disks share with `bases` beyond that is looked up, unless the bases say that it is locked long enough.
    pub(crate) fn lock_point(
        &self,
        until: Until,
        disks: &[DiskRecord],
        bases: &BTreeSet<Uuid>,
        counted: &BTreeSet<PackId>,
    ) -> Result<(), VaultError> {
        self.lock_basics(until)?;
        let mut known = true;
        for base in bases {
            let locked = match self.decision(*base)? {
                Some(Decision::Committed(committed)) => committed.0.locked_until_unix_ms,
                Some(Decision::Aborted) | None => None,
            };
            known &= locked.is_some_and(|locked| locked >= until.needed);
        }
        for _ in 0..ATTEMPTS {
            let mut packs = counted.clone();
            if !known {
                for disk in disks {
                    self.packs_of_disk(disk, &mut packs)?;
                }
            }
            let keys: Vec<String> = packs.iter().map(PackId::object).collect();
            match self.lock_all(&keys, until) {
                // A collector moved what was in it, under the eyes of our intent: its copies are in the index.
                Err(VaultError::Bucket(BucketError::NotFound { .. })) => {
                    self.refresh_to_read()?;
                    known = false;
                }
                other => return other,
            }
        }
        Err(VaultError::Overtaken)
    }

    /// The packs of all nodes and blocks of a disk.
    fn packs_of_disk(
        &self,
        disk: &DiskRecord,
        packs: &mut BTreeSet<PackId>,
    ) -> Result<(), VaultError> {
        let tree = BaseTree::new(disk.root, disk.size_bytes);
        let mut walk = LeafWalk::new(&tree);
        let mut inner_nodes = Vec::new();
        while let Some((leaf, _)) = walk.next(self, |id, _| {
            inner_nodes.push(*id);
            true
        })? {
            let node = self.node(&leaf, 0)?;
            let ids = node.children().map(|(_, id)| id).chain([leaf]).chain(inner_nodes.drain(..));
            for id in ids {
                let (pack, _) = self.find(&id)?.ok_or_else(|| VaultError::Damaged {
                    object: "index/".to_owned(),
                    offset: 0,
                    what: format!("{id:?} is in no pack"),
                })?;
                packs.insert(pack);
            }
        }
        Ok(())
    }

    fn lock_all(&self, keys: &[String], until: Until) -> Result<(), VaultError> {
        let keys: Vec<&String> = {
            let held = lock(&self.held.0);
            let short = |key: &&String| held.get(*key).is_none_or(|held| *held < until.target);
            keys.iter().filter(short).collect()
        };
        let threads = if self.threads == 1 { 1 } else { LOCKERS };
        in_parallel(threads, &keys, |key| {
            self.bucket.lock(key, until.target)?;
            lock(&self.held.0).insert((*key).clone(), until.target);
            Ok(())
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_lock_is_never_too_short_and_not_much_too_long(days in 1u32..3650, now in 0i64..1 << 45, later in 0i64..DAY_MS * 400) {
            let first = until(days, now);
            prop_assert!(first.target >= first.needed && first.needed - now == i64::from(days) * DAY_MS);
            prop_assert!(first.target - first.needed < 31 * DAY_MS);
            prop_assert!(until(days, now + later).target >= first.target, "later is never shorter");
        }
    }
}
