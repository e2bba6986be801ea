//! Building a block map while its leaves come in from many workers, and never holding more than a few nodes.
//!
//! Leaves are begun in order and finished in any order. Once every leaf of a parent is finished, the parent is built
//! (from the base's node, if there is a base, with the changed children replaced) and handed up. A parent of which no
//! child changed is never looked at.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::packer::{FinishedPack, Packer, put_pack};
use crate::VaultError;
use crate::format::{Id, NODE_FANOUT, Node, PackId, PackListing, Seal, root_level};
use crate::index::IdSet;
use crate::inner::Inner;
use crate::read::BaseTree;

const FANOUT: u64 = NODE_FANOUT as u64;

/// Writes nodes into packs of nodes.
pub(crate) struct NodeWriter {
    packer: Packer,
    fresh: IdSet,
    pub(crate) listings: Vec<PackListing>,
    /// Packs of others that hold nodes that were found there already.
    pub(crate) relied: HashSet<PackId>,
    pub(crate) stored_bytes: u64,
}

impl NodeWriter {
    pub(crate) fn new() -> Result<Self, VaultError> {
        Ok(Self {
            packer: Packer::new(Seal::Node)?,
            fresh: IdSet::default(),
            listings: Vec::new(),
            relied: HashSet::new(),
            stored_bytes: 0,
        })
    }

    /// Stores a node, `None` for an empty one.
    pub(crate) fn write(&mut self, inner: &Inner, node: Node) -> Result<Option<Id>, VaultError> {
        if node.is_empty() {
            return Ok(None);
        }
        let bytes = node.to_bytes();
        let id = Id::of(&inner.node_key, &bytes);
        if self.fresh.contains(&id) {
            return Ok(Some(id));
        }
        let home = {
            let index = inner.index();
            index.home(&id)?.map(|place| index.pack(place.pack).id)
        };
        if let Some(pack) = home {
            self.relied.insert(pack);
            return Ok(Some(id));
        }
        let finished = self.packer.make_room(inner, 1, bytes.len())?;
        self.store(inner, finished)?;
        self.packer.add(inner, &[id], &bytes)?;
        self.fresh.insert(id);
        inner.remember_node(id, node);
        Ok(Some(id))
    }

    /// Stores what is left.
    pub(crate) fn finish(&mut self, inner: &Inner) -> Result<(), VaultError> {
        let finished = self.packer.finish(inner)?;
        self.store(inner, finished)
    }

    fn store(&mut self, inner: &Inner, finished: Option<FinishedPack>) -> Result<(), VaultError> {
        if let Some(pack) = finished {
            put_pack(inner, &pack)?;
            self.stored_bytes += pack.bytes.len() as u64;
            self.listings.push(pack.listing);
            self.packer.recycle(pack.bytes);
        }
        Ok(())
    }
}

/// The map of one disk in the making.
pub(crate) struct TreeBuilder {
    root_level: u8,
    base: Option<BaseTree>,
    /// Finished nodes whose parent is not built yet, by level.
    waiting: Vec<BTreeMap<u64, Option<Id>>>,
    /// Leaves that were begun and are not finished.
    begun: BTreeSet<u64>,
    /// The next leaf that may be begun.
    next: u64,
}

impl TreeBuilder {
    pub(crate) fn new(size_bytes: u64, base: Option<BaseTree>) -> Self {
        let root_level = root_level(size_bytes);
        let mut waiting = vec![BTreeMap::new(); usize::from(root_level) + 1];
        // A base that has fewer levels hangs under new ones.
        if let Some(base) = base.filter(|base| base.level < root_level) {
            waiting[usize::from(base.level)].insert(0, base.root);
        }
        Self { root_level, base, waiting, begun: BTreeSet::new(), next: 0 }
    }

    /// Notes that a leaf is being worked on. Leaves are begun in rising order.
    pub(crate) fn begin(&mut self, leaf: u64) {
        self.begun.insert(leaf);
        self.next = leaf + 1;
    }

    /// Takes a finished leaf.
    pub(crate) fn finish(
        &mut self,
        inner: &Inner,
        nodes: &mut NodeWriter,
        leaf: u64,
        id: Option<Id>,
    ) -> Result<(), VaultError> {
        self.waiting[0].insert(leaf, id);
        self.begun.remove(&leaf);
        let settled = self.begun.first().copied().unwrap_or(self.next);
        self.settle(inner, nodes, settled)
    }

    /// Builds all that is left; gives the root, `None` for a disk of zeros.
    pub(crate) fn close(
        mut self,
        inner: &Inner,
        nodes: &mut NodeWriter,
    ) -> Result<Option<Id>, VaultError> {
        self.settle(inner, nodes, u64::MAX)?;
        match self.waiting[usize::from(self.root_level)].get(&0) {
            Some(root) => Ok(*root),
            None => Ok(self.base.and_then(|base| base.root)),
        }
    }

    /// Builds every parent all of whose leaves lie before `settled`.
    fn settle(
        &mut self,
        inner: &Inner,
        nodes: &mut NodeWriter,
        settled: u64,
    ) -> Result<(), VaultError> {
        let mut settled = settled;
        for level in 0..self.root_level {
            let parent_of = |place: u64| place / FANOUT;
            settled = if settled == u64::MAX { settled } else { settled / FANOUT };
            while let Some(parent) =
                self.waiting[usize::from(level)].keys().next().copied().map(parent_of)
            {
                if parent >= settled {
                    break;
                }
                let later = self.waiting[usize::from(level)].split_off(&((parent + 1) * FANOUT));
                let children = std::mem::replace(&mut self.waiting[usize::from(level)], later);
                let mut node = self.base_node(inner, level + 1, parent)?;
                for (place, id) in children {
                    let slot = usize::try_from(place % FANOUT).expect("a slot is below 256");
                    node.set(slot, id);
                }
                let id = nodes.write(inner, node)?;
                self.waiting[usize::from(level) + 1].insert(parent, id);
            }
        }
        Ok(())
    }

    fn base_node(&self, inner: &Inner, level: u8, place: u64) -> Result<Node, VaultError> {
        match &self.base {
            Some(base) if level <= base.level => base.node_at(inner, level, place),
            _ => Ok(Node::empty(level)),
        }
    }
}
