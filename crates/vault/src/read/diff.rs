//! What differs between two block maps: equal parts have one name and are not opened.

use super::BaseTree;
use crate::format::{BLOCK, Id, NODE_FANOUT, Node};
use crate::inner::Inner;
use crate::{Extent, VaultError};

/// A part of a map at some level and place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Zeros.
    Zero,
    /// A node of this level; at the level of blocks, a block.
    Node(Id),
    /// The map of a smaller disk: its root, which is at a lower level, is below the first child.
    Above { root: Id, level: u8 },
}

/// Compares two maps.
pub(super) struct TreeDiff<'a> {
    inner: &'a Inner,
    each: &'a mut dyn FnMut(Extent),
    /// What was found last and may grow.
    open: Extent,
    size_bytes: u64,
}

impl<'a> TreeDiff<'a> {
    pub(super) fn new(inner: &'a Inner, each: &'a mut dyn FnMut(Extent)) -> Self {
        Self { inner, each, open: Extent { offset: 0, length: 0 }, size_bytes: 0 }
    }

    /// Tells what is in `now` and not so in `base`.
    pub(super) fn run(mut self, base: &BaseTree, now: &BaseTree) -> Result<(), VaultError> {
        self.size_bytes = now.size_bytes;
        let top = base.level.max(now.level);
        let part = |tree: &BaseTree| match tree.root {
            None => Part::Zero,
            Some(root) if tree.level == top => Part::Node(root),
            Some(root) => Part::Above { root, level: tree.level },
        };
        self.compare(part(base), part(now), top, 0)?;
        if self.open.length > 0 {
            (self.each)(self.open);
        }
        Ok(())
    }

    fn compare(&mut self, base: Part, now: Part, level: u8, place: u64) -> Result<(), VaultError> {
        if base == now {
            return Ok(());
        }
        let (base, now) = (self.open(base, level)?, self.open(now, level)?);
        for slot in 0..NODE_FANOUT {
            let (old, new) = (base.child(slot, level), now.child(slot, level));
            let below = place * NODE_FANOUT as u64 + slot as u64;
            if level > 0 {
                self.compare(old, new, level - 1, below)?;
            } else if old != new {
                self.found(below * BLOCK);
            }
        }
        Ok(())
    }

    fn open(&self, part: Part, level: u8) -> Result<Opened, VaultError> {
        Ok(match part {
            Part::Zero => Opened::Node(Node::empty(level)),
            Part::Node(id) => Opened::Node((*self.inner.node(&id, level)?).clone()),
            Part::Above { root, level } => Opened::Above { root, level },
        })
    }

    fn found(&mut self, offset: u64) {
        let length = BLOCK.min(self.size_bytes.saturating_sub(offset));
        if length == 0 {
            return;
        }
        if self.open.length > 0 && self.open.end() == offset {
            self.open.length += length;
            return;
        }
        if self.open.length > 0 {
            (self.each)(self.open);
        }
        self.open = Extent { offset, length };
    }
}

/// A part whose children can be asked for.
enum Opened {
    Node(Node),
    Above { root: Id, level: u8 },
}

impl Opened {
    /// The child in a slot of this part, which is at `level`.
    fn child(&self, slot: usize, level: u8) -> Part {
        match self {
            Self::Node(node) => node.child(slot).map_or(Part::Zero, Part::Node),
            Self::Above { .. } if slot > 0 => Part::Zero,
            Self::Above { root, level: below } if level == below + 1 => Part::Node(*root),
            Self::Above { root, level } => Part::Above { root: *root, level: *level },
        }
    }
}
