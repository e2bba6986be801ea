//! Which points need what is damaged.

use std::collections::{BTreeSet, HashMap};

use super::BaseTree;
use super::findings::Findings;
use crate::VaultError;
use crate::format::{BLOCK, CommittedRecord, Id, LEAF_BYTES};
use crate::index::Location;
use crate::inner::Inner;

/// Walks one point and says which of the bad places it needs.
pub(super) struct ReachCheck<'a> {
    pub(super) inner: &'a Inner,
    pub(super) record: &'a CommittedRecord,
    pub(super) bad: &'a HashMap<(u32, u32), (u64, String)>,
    pub(super) bad_packs: &'a HashMap<u32, (u64, String)>,
    pub(super) findings: &'a mut Findings,
    /// Nodes under which nothing is wrong.
    pub(super) clean: &'a mut BTreeSet<Id>,
}

impl ReachCheck<'_> {
    pub(super) fn run(&mut self) -> Result<(), VaultError> {
        for disk in &self.record.disks {
            let tree = BaseTree::new(disk.root, disk.size_bytes);
            if let Some(root) = tree.root {
                self.check_node(&root, tree.level, 0, &disk.key)?;
            }
        }
        Ok(())
    }

    /// True if nothing is wrong with the node and all below.
    fn check_node(
        &mut self,
        id: &Id,
        level: u8,
        place: u64,
        disk: &str,
    ) -> Result<bool, VaultError> {
        if self.clean.contains(id) {
            return Ok(true);
        }
        let mut good = self.check_place(id, disk, place * LEAF_BYTES)?;
        let node = match self.inner.node(id, level) {
            Ok(node) => node,
            Err(error) => {
                self.findings.take(error, Some(self.record.point))?;
                return Ok(false);
            }
        };
        for (slot, child) in node.children() {
            let below = place * crate::format::NODE_FANOUT as u64 + slot as u64;
            good &= if level == 0 {
                self.check_place(&child, disk, below * BLOCK)?
            } else {
                self.check_node(&child, level - 1, below, disk)?
            };
        }
        if good {
            self.clean.insert(*id);
        }
        Ok(good)
    }

    /// Whether a block or node has a good place.
    fn check_place(&mut self, id: &Id, disk: &str, offset: u64) -> Result<bool, VaultError> {
        if self.inner.find(id)?.is_none() {
            let block = crate::format::hex::encode(&id.0);
            let missing = VaultError::MissingBlock { block, disk: disk.to_owned(), offset };
            self.findings.take(missing, Some(self.record.point))?;
            return Ok(false);
        }
        let index = self.inner.index();
        let places = index.places_of(id)?;
        let wrong = |place: &Location| {
            let frame = self.bad.get(&(place.pack, place.offset));
            frame.or_else(|| self.bad_packs.get(&place.pack))
        };
        if places.iter().any(|place| wrong(place).is_none() && index.pack(place.pack).indexed) {
            return Ok(true);
        }
        for place in &places {
            let object = index.pack(place.pack).id.object();
            let (at, what) = wrong(place)
                .map_or((0, "no index segment names this pack"), |(at, what)| (*at, what));
            self.findings.add(&object, at, what, Some(self.record.point));
        }
        Ok(false)
    }
}
