//! Nodes of the block map of a disk (docs/format.md, section 6).
//!
//! A tree of fixed shape: level 0 (leaf) names blocks, level n names nodes of level n-1, 256 each. An absent child is
//! zeros. A node is named by the keyed hash of its bytes, so equal parts of two maps are one node.

use super::wire::{Malformed, Wire};
use super::{BLOCK, Id, NODE_FANOUT, NODE_LEVELS_MAX};

/// The longest node in bytes: header, bitmap, all children.
pub(crate) const NODE_BYTES_MAX: usize = 4 + NODE_FANOUT / 8 + NODE_FANOUT * 32;

/// A node in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) level: u8,
    children: Box<[Option<Id>; NODE_FANOUT]>,
}

impl Node {
    /// A node with no child: all zeros. It is never stored; its parent has no child in its place.
    pub(crate) fn empty(level: u8) -> Self {
        Self { level, children: Box::new([None; NODE_FANOUT]) }
    }

    pub(crate) fn child(&self, slot: usize) -> Option<Id> {
        self.children[slot]
    }

    pub(crate) fn set(&mut self, slot: usize, child: Option<Id>) {
        self.children[slot] = child;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.children.iter().all(Option::is_none)
    }

    /// The children that are there, with their slots.
    pub(crate) fn children(&self) -> impl Iterator<Item = (usize, Id)> + '_ {
        self.children.iter().enumerate().filter_map(|(slot, child)| child.map(|id| (slot, id)))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![1, self.level, 0, 0];
        let mut bitmap = [0u8; NODE_FANOUT / 8];
        for (slot, _) in self.children() {
            bitmap[slot / 8] |= 1 << (slot % 8);
        }
        bytes.extend_from_slice(&bitmap);
        for (_, id) in self.children() {
            bytes.extend_from_slice(&id.0);
        }
        bytes
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut wire = Wire::new(bytes);
        wire.expect(&[1], "a node of another version")?;
        let level = wire.u8()?;
        if level >= NODE_LEVELS_MAX {
            return Err(wire.malformed("a node of a level that does not exist"));
        }
        wire.expect(&[0, 0], "a node with unknown flags")?;
        let bitmap: [u8; NODE_FANOUT / 8] = wire.array()?;
        let mut node = Self::empty(level);
        for slot in 0..NODE_FANOUT {
            if bitmap[slot / 8] & 1 << (slot % 8) != 0 {
                node.children[slot] = Some(Id(wire.array()?));
            }
        }
        wire.end()?;
        Ok(node)
    }
}

/// Blocks under one node of a level.
pub(crate) fn blocks_under(level: u8) -> u64 {
    (NODE_FANOUT as u64).pow(u32::from(level) + 1)
}

/// The level of the root of a disk: the lowest whose node covers it.
pub(crate) fn root_level(size_bytes: u64) -> u8 {
    let blocks = size_bytes.div_ceil(BLOCK);
    (0..NODE_LEVELS_MAX).find(|level| blocks_under(*level) >= blocks).unwrap_or(NODE_LEVELS_MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_root_level_grows_with_the_disk() {
        let sizes = [
            (0, 0),
            (1, 0),
            (16 << 20, 0),
            ((16 << 20) + 1, 1),
            (4 << 30, 1),
            (1 << 40, 2),
            (64 << 40, 3),
        ];
        for (size, level) in sizes {
            assert_eq!(root_level(size), level, "{size}");
        }
        assert_eq!(root_level(super::super::DISK_BYTES_MAX), 3);
    }

    proptest! {
        #[test]
        fn a_node_reads_back(level in 0u8..4, slots in proptest::collection::btree_map(0usize..256, any::<[u8; 32]>(), 0..256)) {
            let mut node = Node::empty(level);
            for (slot, id) in slots {
                node.set(slot, Some(Id(id)));
            }
            let bytes = node.to_bytes();
            prop_assert!(bytes.len() <= NODE_BYTES_MAX);
            prop_assert_eq!(Node::parse(&bytes).unwrap(), node);
            for cut in 0..bytes.len() {
                prop_assert!(Node::parse(&bytes[..cut]).is_err());
            }
        }

        #[test]
        fn foreign_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Node::parse(&bytes);
        }
    }
}
