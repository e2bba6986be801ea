//! Walking a block map without loading it whole.

use std::sync::Arc;

use crate::VaultError;
use crate::format::{Id, NODE_FANOUT, Node, blocks_under, root_level};
use crate::inner::Inner;

/// The block map of a disk of a committed point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BaseTree {
    pub(crate) root: Option<Id>,
    /// Level of the root node.
    pub(crate) level: u8,
    pub(crate) size_bytes: u64,
}

impl BaseTree {
    pub(crate) fn new(root: Option<[u8; 32]>, size_bytes: u64) -> Self {
        Self { root: root.map(Id), level: root_level(size_bytes), size_bytes }
    }

    /// The id of the node at a level and place; `level` is not above the root.
    pub(crate) fn id_at(
        &self,
        inner: &Inner,
        level: u8,
        place: u64,
    ) -> Result<Option<Id>, VaultError> {
        debug_assert!(level <= self.level);
        let (mut id, mut at) = (self.root, self.level);
        if place >= blocks_under(self.level) / blocks_under(level) {
            return Ok(None);
        }
        while let Some(found) = id.filter(|_| at > level) {
            let node = inner.node(&found, at)?;
            at -= 1;
            id = node.child(slot_of(place, at - level));
        }
        Ok(id)
    }

    /// The node at a level and place; an empty one where all is zeros.
    pub(crate) fn node_at(&self, inner: &Inner, level: u8, place: u64) -> Result<Node, VaultError> {
        match self.id_at(inner, level, place)? {
            Some(id) => Ok((*inner.node(&id, level)?).clone()),
            None => Ok(Node::empty(level)),
        }
    }

    /// The leaf at a place, `None` where all is zeros.
    pub(crate) fn leaf(&self, inner: &Inner, place: u64) -> Result<Option<Arc<Node>>, VaultError> {
        match self.id_at(inner, 0, place)? {
            Some(id) => Ok(Some(inner.node(&id, 0)?)),
            None => Ok(None),
        }
    }
}

/// The slot of `place` (counted in nodes some levels below) in its ancestor's child that is `below` levels above it.
fn slot_of(place: u64, below: u8) -> usize {
    let slot =
        (place >> (NODE_FANOUT.trailing_zeros() * u32::from(below))) & (NODE_FANOUT as u64 - 1);
    usize::try_from(slot).expect("a slot is below the fan-out")
}

/// Goes over the leaves of a map that hold data, in order of place.
#[derive(Debug)]
pub(crate) struct LeafWalk {
    /// Leaves before this place are left out, with all that leads only to them.
    first: u64,
    /// Nodes still to open, the next one last: id, level, place at that level.
    stack: Vec<(Id, u8, u64)>,
}

impl LeafWalk {
    pub(crate) fn new(tree: &BaseTree) -> Self {
        Self::starting_at(tree, 0)
    }

    /// From the first leaf at or after a place.
    pub(crate) fn starting_at(tree: &BaseTree, first: u64) -> Self {
        Self { first, stack: tree.root.map(|root| (root, tree.level, 0)).into_iter().collect() }
    }

    /// The next leaf: its id and place. `seen` is told of each inner node and may say that its children need no visit.
    pub(crate) fn next(
        &mut self,
        inner: &Inner,
        mut enter: impl FnMut(&Id, u8) -> bool,
    ) -> Result<Option<(Id, u64)>, VaultError> {
        while let Some((id, level, place)) = self.stack.pop() {
            let leaves = blocks_under(level) / NODE_FANOUT as u64;
            if place.saturating_add(1).saturating_mul(leaves) <= self.first {
                continue;
            }
            if level == 0 {
                return Ok(Some((id, place)));
            }
            if !enter(&id, level) {
                continue;
            }
            let node = inner.node(&id, level)?;
            let children: Vec<_> = node.children().collect();
            for (slot, child) in children.into_iter().rev() {
                self.stack.push((child, level - 1, place * NODE_FANOUT as u64 + slot as u64));
            }
        }
        Ok(None)
    }
}
