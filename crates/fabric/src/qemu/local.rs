//! Copies of points inside the images of a machine that Coffre runs: whether one can be had, taking, listing, deleting.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use uuid::Uuid;

use super::live::free_bytes;
use super::machine::QemuMachine;
use super::names;
use crate::image::QCOW2_MAGIC;
use crate::local::{LocalCopies, LocalCopy, LocalWish};
use crate::qmp::QmpClient;
use crate::tool::{self, SnapshotChange};
use crate::{DiskInfo, FabricError, ImageFormat, Result};

/// With less room than this and less than a tenth of the file system no copy is made: it makes the image grow by all that
/// the guest overwrites.
const FREE_BYTES_MIN: u64 = 8 << 30;

/// With less room than this and less than a twentieth of the file system, copies that are there go before their time.
const FREE_BYTES_KEPT: u64 = FREE_BYTES_MIN / 2;

/// Images that hold more than this together are not copied: the time to mark every cluster of theirs as shared is time
/// that the guest stands still (measured: 0.1 s for 64 GiB, 0.4 s for 256 GiB, 5 s for 1 TiB).
const HELD_BYTES_MAX: u64 = 512 << 30;

/// What will be copied, and what is said about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Plan {
    /// Keys of the disks; empty = no copy.
    keys: Vec<String>,
    /// `None` = nobody asked.
    pub(super) answer: Option<LocalCopy>,
}

impl Plan {
    /// What can be done for a wish. `failed` says why an earlier try of the same snapshot had to do without.
    pub(super) fn new(
        machine: &QemuMachine,
        wish: Option<&LocalWish>,
        failed: Option<&str>,
        disks: &[&DiskInfo],
    ) -> Self {
        let Some(wish) = wish else { return Self::default() };
        let wanted: Vec<&DiskInfo> =
            disks.iter().copied().filter(|disk| !wish.except.contains(&disk.key)).collect();
        let obstacle = match failed {
            Some(reason) => Some(LocalCopy::failed(reason)),
            None => obstacle(machine, &wanted),
        };
        match obstacle {
            Some(reason) => Self { keys: Vec::new(), answer: Some(reason) },
            None => {
                let keys = wanted.into_iter().map(|disk| disk.key.clone()).collect();
                Self { keys, answer: Some(LocalCopy::Kept) }
            }
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|wanted| wanted == key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// No copy after all.
    pub(super) fn give_up(&mut self, why: LocalCopy) {
        *self = Self { keys: Vec::new(), answer: Some(why) };
    }
}

/// Why no copy can be had.
fn obstacle(machine: &QemuMachine, disks: &[&DiskInfo]) -> Option<LocalCopy> {
    if machine.managed().is_err() {
        return Some(LocalCopy::cannot("the machine is not started and stopped by Coffre"));
    }
    if let Some(raw) = disks.iter().find(|disk| disk.format != ImageFormat::Qcow2) {
        return Some(LocalCopy::cannot(format!("the image of disk {} is not qcow2", raw.key)));
    }
    let mut held_bytes = 0_u64;
    for disk in disks {
        match look(&disk.path) {
            Ok((_, Some(reason))) => return Some(LocalCopy::failed(reason)),
            Ok((bytes, None)) => held_bytes = held_bytes.saturating_add(bytes),
            Err(error) => return Some(LocalCopy::failed(error.to_string())),
        }
    }
    (held_bytes > HELD_BYTES_MAX).then(|| {
        LocalCopy::cannot(format!(
            "the images hold {} GiB: taking the copy would hold the guest for seconds",
            held_bytes >> 30
        ))
    })
}

/// What an image takes up in bytes, and why there is too little room beside it.
fn look(image: &Path) -> Result<(u64, Option<String>)> {
    use std::os::unix::fs::MetadataExt;
    let data = std::fs::metadata(image).map_err(FabricError::io("looking at", image))?;
    Ok((data.blocks().saturating_mul(512), tightness(image, FREE_BYTES_MIN, 10)?))
}

/// Why there is too little room beside an image: less than so many bytes and than this part of the file system.
fn tightness(image: &Path, least_bytes: u64, part: u64) -> Result<Option<String>> {
    let folder = image.parent().unwrap_or(Path::new("/"));
    let stat = rustix::fs::statvfs(folder)
        .map_err(|error| FabricError::io("looking at", folder)(error.into()))?;
    let free = free_bytes(folder)?;
    let total = stat.f_blocks.saturating_mul(stat.f_frsize);
    Ok(is_tight(free, total, least_bytes, part).then(|| {
        format!("only {} MiB are free in the file system of {}", free >> 20, image.display())
    }))
}

fn is_tight(free_bytes: u64, total_bytes: u64, least_bytes: u64, part: u64) -> bool {
    free_bytes < least_bytes && free_bytes < total_bytes / part
}

/// The action of a transaction that takes the copy of one disk.
pub(super) fn action(point: Uuid, node: &str) -> Value {
    let data = json!({ "device": node, "name": names::local_copy(point) });
    json!({ "type": "blockdev-snapshot-internal-sync", "data": data })
}

/// Takes the copies of a machine that is off, all or none.
pub(super) fn take_stopped(plan: &mut Plan, point: Uuid, disks: &[(String, PathBuf)]) {
    let name = names::local_copy(point);
    let mut taken: Vec<&Path> = Vec::new();
    for (key, path) in disks {
        if !plan.has(key) {
            continue;
        }
        if let Err(error) = tool::change_snapshot(path, &name, SnapshotChange::Create) {
            for path in taken {
                if let Err(error) = tool::change_snapshot(path, &name, SnapshotChange::Delete) {
                    tracing::warn!(path = %path.display(), %error, "a copy stays until the release");
                }
            }
            plan.give_up(LocalCopy::failed(error.to_string()));
            return;
        }
        taken.push(path);
    }
}

/// Whether there is an image of the format that its machine says. One that was overwritten holds nothing of ours any more.
pub(super) fn is_qcow2(image: &Path) -> Result<bool> {
    let mut magic = [0; 4];
    let read = File::open(image).and_then(|mut file| file.read_exact(&mut magic));
    match read {
        Ok(()) => Ok(magic == QCOW2_MAGIC),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => {
            Ok(false)
        }
        Err(error) => Err(FabricError::io("looking at", image)(error)),
    }
}

/// One disk and the names of all snapshots in its image.
struct Held {
    key: String,
    place: Place,
    names: Vec<String>,
}

enum Place {
    /// A node of the QEMU that runs.
    Node(String),
    /// An image that nobody uses.
    Image(PathBuf),
}

impl QemuMachine {
    fn held(&self, qmp: Option<&QmpClient>) -> Result<Vec<Held>> {
        let mut held = Vec::new();
        if let Some(qmp) = qmp {
            let nodes = self.ask(qmp.nodes())?;
            let disks = match self.live_disks(qmp) {
                // Described, and not there: what is there may hold something all the same.
                Err(FabricError::DiskMissing { .. }) => {
                    super::discover::live_disks(None, self.ask(qmp.drives())?, &nodes)
                }
                disks => disks,
            };
            for disk in disks? {
                let node = nodes.iter().find(|it| it.node_name.as_deref() == Some(&disk.node));
                let names = node.map(|node| node.image.snapshots.as_slice()).unwrap_or_default();
                let names = names.iter().map(|snapshot| snapshot.name.clone()).collect();
                held.push(Held { key: disk.info.key, place: Place::Node(disk.node), names });
            }
            return Ok(held);
        }
        for disk in &self.managed()?.disks {
            if disk.format != ImageFormat::Qcow2 || !is_qcow2(&disk.path)? {
                continue;
            }
            let info = tool::image_info(&disk.path, disk.format)?;
            let names = info.snapshots.into_iter().map(|snapshot| snapshot.name).collect();
            held.push(Held {
                key: disk.key.clone(),
                place: Place::Image(disk.path.clone()),
                names,
            });
        }
        Ok(held)
    }

    /// Why copies must go to leave the guest its room.
    pub(super) fn tight_images(&self) -> Result<Option<String>> {
        let Ok(definition) = self.managed() else { return Ok(None) };
        for disk in definition.disks.iter().filter(|disk| disk.path.exists()) {
            if let Some(reason) = tightness(&disk.path, FREE_BYTES_KEPT, 20)? {
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    /// What the images hold of ours.
    pub(super) fn list_local_copies(&self) -> Result<LocalCopies> {
        let mut copies = LocalCopies::default();
        if self.managed().is_err() {
            return Ok(copies);
        }
        for Held { key, names, .. } in self.held(self.qmp()?.as_deref())? {
            for name in names {
                if let Some(point) = names::point_of_local_copy(&name) {
                    copies.points.entry(point).or_default().push(key.clone());
                } else if let Some(job) = names::job_of_before(&name) {
                    copies.before.entry(job).or_default().push(key.clone());
                }
            }
        }
        Ok(copies)
    }

    /// Deletes a snapshot of ours from all images that have it. No point may be open.
    pub(super) fn delete_snapshot(&self, name: &str) -> Result<()> {
        if self.managed().is_err() {
            return Ok(());
        }
        let qmp = self.qmp()?;
        for Held { place, names, .. } in self.held(qmp.as_deref())? {
            if !names.iter().any(|held| held == name) {
                continue;
            }
            match (place, &qmp) {
                (Place::Node(node), Some(qmp)) => {
                    let arguments = json!({ "device": node, "name": name });
                    let command = "blockdev-snapshot-delete-internal-sync";
                    self.ask(qmp.command(command, arguments))?;
                }
                (Place::Image(path), _) => {
                    tool::change_snapshot(&path, name, SnapshotChange::Delete)?;
                }
                (Place::Node(_), None) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn a_large_file_system_is_tight_in_bytes_and_a_small_one_in_parts() {
        for (free, total, tight) in [
            (7 * GIB, 100 * GIB, true),
            (9 * GIB, 100 * GIB, false),
            (100 * GIB, 10_000 * GIB, false),
            (3 * GIB, 20 * GIB, false),
            (GIB, 20 * GIB, true),
            (0, 0, false),
        ] {
            assert_eq!(is_tight(free, total, FREE_BYTES_MIN, 10), tight, "{free} of {total}");
        }
    }
}
