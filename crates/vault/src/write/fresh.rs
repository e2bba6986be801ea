//! Identities that this run stored and no published segment names yet.

use std::collections::HashSet;
use std::sync::Mutex;

use crate::VaultError;
use crate::format::{Id, PackId, PackListing};
use crate::index::IdSet;
use crate::inner::{Inner, lock};

/// Shards, so that workers seldom wait for each other.
const SHARDS: usize = 64;

/// What is known of a block before it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Nobody has it; the caller stores it, everybody else may count on that.
    New,
    /// This run has it.
    OfThisRun,
    /// It is in this pack.
    Stored(PackId),
}

/// The identities, in shards.
#[derive(Debug)]
pub(crate) struct Fresh {
    shards: Vec<Mutex<IdSet>>,
}

impl Fresh {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// Asks for a block and claims it if it is new.
    pub(crate) fn probe(&self, inner: &Inner, id: Id) -> Result<Probe, VaultError> {
        let mut shard = lock(self.shard(&id));
        if shard.contains(&id) {
            return Ok(Probe::OfThisRun);
        }
        // Looked up while the shard is held: what leaves the shard is in the index before it leaves.
        let index = inner.index();
        if let Some(place) = index.home(&id)? {
            return Ok(Probe::Stored(index.pack(place.pack).id));
        }
        shard.insert(id);
        Ok(Probe::New)
    }

    /// Forgets what a published segment names.
    pub(crate) fn remove(&self, listings: &[PackListing]) {
        for id in listings.iter().flat_map(|pack| &pack.frames).flat_map(|frame| &frame.ids) {
            lock(self.shard(id)).remove(id);
        }
    }

    fn shard(&self, id: &Id) -> &Mutex<IdSet> {
        // Not the byte that the hash tables of the shards look at first.
        &self.shards[usize::from(id.0[31]) % SHARDS]
    }
}

/// Packs that a point counts on.
#[derive(Debug, Default)]
pub(crate) struct Reliance {
    /// Stored by this writer.
    pub(crate) own: HashSet<PackId>,
    /// Found there already, block by block.
    pub(crate) found: HashSet<PackId>,
}
