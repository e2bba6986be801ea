//! Whether the map of what changed since a point can be believed.
//!
//! A map that is wrong loses data without a sign, so each doubt is answered with "unknown" and its
//! reason, and everything is read.

use uuid::Uuid;

use super::discover::LiveDisk;
use super::names;
use super::note::Note;
use crate::qmp::command::{Bitmap, Node};
use crate::tool::StoredBitmap;
use crate::{DiskInfo, ImageFormat};

/// A bitmap, of a running QEMU or stored in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BitmapState {
    pub(crate) recording: bool,
    pub(crate) inconsistent: bool,
    pub(crate) busy: bool,
}

impl From<&Bitmap> for BitmapState {
    fn from(bitmap: &Bitmap) -> Self {
        let Bitmap { recording, inconsistent, busy, .. } = *bitmap;
        Self { recording, inconsistent, busy }
    }
}

impl From<&StoredBitmap> for BitmapState {
    fn from(bitmap: &StoredBitmap) -> Self {
        Self { recording: bitmap.recording(), inconsistent: bitmap.inconsistent(), busy: false }
    }
}

/// The bitmap of a point on the active node of a disk.
pub(crate) fn on_node(nodes: &[Node], node: &str, point: Uuid) -> Option<BitmapState> {
    let wanted = names::bitmap(point);
    let node = nodes.iter().find(|other| other.node_name.as_deref() == Some(node))?;
    let bitmap = node.dirty_bitmaps.iter().find(|one| one.name.as_deref() == Some(&wanted))?;
    Some(bitmap.into())
}

/// Whether a node that no disk is active on has the bitmap of a point: an image that a guest wrote
/// to before somebody put another one on top of it.
pub(crate) fn on_passive_node(nodes: &[Node], disks: &[LiveDisk], point: Uuid) -> bool {
    let wanted = names::bitmap(point);
    let active = |node: &Node| disks.iter().any(|disk| Some(&disk.node) == node.node_name.as_ref());
    nodes
        .iter()
        .filter(|node| !active(node))
        .any(|node| node.dirty_bitmaps.iter().any(|bitmap| bitmap.name.as_deref() == Some(&wanted)))
}

/// What is known about the parent of a point when one disk is looked at.
pub(crate) struct ParentFacts<'a> {
    /// The point since which changes are wanted.
    pub(crate) parent: Option<Uuid>,
    /// What was noted when it was committed.
    pub(crate) note: Option<&'a Note>,
    /// The bitmap of the parent on the disk, if there is one.
    pub(crate) bitmap: Option<BitmapState>,
    /// The bitmap of the parent is on an image that no guest writes to any more.
    pub(crate) elsewhere: bool,
}

/// Why the map since the parent cannot be used for a disk; `None` = it can.
pub(crate) fn doubt(disk: &DiskInfo, facts: &ParentFacts<'_>) -> Option<String> {
    if facts.parent.is_none() {
        return Some("there is no earlier point to compare with".to_owned());
    }
    let Some(note) = facts.note else {
        return Some("nothing is noted on this host about the earlier point".to_owned());
    };
    let Some((_, before)) = note.disk(&disk.key) else {
        return Some("the earlier point does not have this disk".to_owned());
    };
    if before.size_bytes != disk.size_bytes {
        return Some(format!(
            "the size changed from {} to {} bytes",
            before.size_bytes, disk.size_bytes
        ));
    }
    let Some(bitmap) = facts.bitmap else {
        return Some(missing(disk, facts.elsewhere));
    };
    if bitmap.inconsistent {
        return Some("QEMU ended without storing the change map".to_owned());
    }
    if bitmap.busy {
        return Some("somebody else uses the change map".to_owned());
    }
    if !bitmap.recording {
        return Some("the change map did not record all the time".to_owned());
    }
    None
}

fn missing(disk: &DiskInfo, elsewhere: bool) -> String {
    if elsewhere {
        return "the guest writes to another image than before: somebody took a snapshot"
            .to_owned();
    }
    match disk.format {
        ImageFormat::Raw => {
            "a raw image keeps no change map when the machine is off or starts".to_owned()
        }
        ImageFormat::Qcow2 => "the change map is missing".to_owned(),
    }
}
