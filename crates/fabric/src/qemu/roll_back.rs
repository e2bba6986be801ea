//! Rolling the disks of a machine that is off back to a copy of a point, in their images.
//!
//! What was on each disk is kept in a snapshot of its own first, named after the job, until the job confirms. All change
//! maps go before the first disk is touched: they recorded what no longer holds, and a map that is believed wrongly loses
//! data without a sign. (QEMU refuses to roll back an image that has one.)

use std::path::Path;

use uuid::Uuid;

use super::config::DiskDefinition;
use super::local;
use super::machine::QemuMachine;
use super::names;
use super::stored::StoredReader;
use crate::tool::{self, BitmapChange, SnapshotChange};
use crate::{FabricError, ImageFormat, Result, SnapshotReader};

impl QemuMachine {
    /// Why the disks cannot be rolled back to a point.
    pub(super) fn doubt_local_copy(&self, point: Uuid, keys: &[String]) -> Result<Option<String>> {
        let wanted = names::local_copy(point);
        for key in keys {
            let disk = self.defined_disk(key)?;
            if disk.format != ImageFormat::Qcow2 {
                return Ok(Some(format!("the image of disk {key} is not qcow2")));
            }
            let info = tool::image_info(&disk.path, disk.format)?;
            let copies = info.snapshots.iter().filter(|snapshot| snapshot.name == wanted).count();
            if copies != 1 {
                return Ok(Some(format!("the image of disk {key} has {copies} snapshots of it")));
            }
            let ours = |name: &str| names::point_of_bitmap(name).is_some();
            if let Some(foreign) = info.bitmaps().iter().find(|bitmap| !ours(&bitmap.name)) {
                let name = &foreign.name;
                return Ok(Some(format!("somebody keeps the change map {name} of disk {key}")));
            }
            if let Some(damage) = tool::check_image(&disk.path)? {
                return Ok(Some(format!("the image of disk {key} is damaged: {damage}")));
            }
        }
        Ok(None)
    }

    /// Rolls the disks back. Again after a crash at any place it ends the same.
    pub(super) fn roll_disks_back(&self, point: Uuid, job: Uuid, keys: &[String]) -> Result<()> {
        if let Some(reason) = self.doubt_local_copy(point, keys)? {
            return Err(FabricError::LocalCopyUnusable { point, reason });
        }
        self.forget_changes(keys)?;
        let (before, copy) = (names::before(job), names::local_copy(point));
        for key in keys {
            let path = &self.defined_disk(key)?.path;
            // Of an earlier try: the disk may be rolled back already, and this is what it held.
            if !has_snapshot(path, &before)? {
                tool::change_snapshot(path, &before, SnapshotChange::Create)?;
            }
        }
        for key in keys {
            tool::change_snapshot(&self.defined_disk(key)?.path, &copy, SnapshotChange::Apply)?;
        }
        Ok(())
    }

    /// Puts back what the job found on the disks.
    pub(super) fn undo_roll_back(&self, job: Uuid) -> Result<()> {
        let before = names::before(job);
        let definition = self.managed()?;
        let qcow2 = definition.disks.iter().filter(|disk| disk.format == ImageFormat::Qcow2);
        for disk in qcow2 {
            if local::is_qcow2(&disk.path)? && has_snapshot(&disk.path, &before)? {
                self.forget_changes(std::slice::from_ref(&disk.key))?;
                tool::change_snapshot(&disk.path, &before, SnapshotChange::Apply)?;
                tool::change_snapshot(&disk.path, &before, SnapshotChange::Delete)?;
            }
        }
        Ok(())
    }

    /// Opens what a disk holds now, or in the copy of a point.
    pub(super) fn open_image(
        &self,
        key: &str,
        point: Option<Uuid>,
    ) -> Result<Box<dyn SnapshotReader>> {
        let disks = &self.managed()?.disks;
        let index = disks.iter().position(|disk| disk.key == key);
        let index = index.ok_or_else(|| self.unknown_disk(key))?;
        Ok(Box::new(StoredReader::open(self.paths(), index, &disks[index], point)?))
    }

    fn defined_disk(&self, key: &str) -> Result<&DiskDefinition> {
        let found = self.managed()?.disks.iter().find(|disk| disk.key == key);
        found.ok_or_else(|| self.unknown_disk(key))
    }

    fn unknown_disk(&self, key: &str) -> FabricError {
        FabricError::UnknownDisk { machine: self.name().to_owned(), disk: key.to_owned() }
    }

    /// The next point reads everything: our notes of committed points go first, then the maps.
    fn forget_changes(&self, keys: &[String]) -> Result<()> {
        let notes = self.paths().notes();
        for note in notes.all()?.into_iter().filter(|note| !note.lives()) {
            notes.remove(note.point)?;
        }
        for key in keys {
            let disk = self.defined_disk(key)?;
            let info = tool::image_info(&disk.path, disk.format)?;
            let ours =
                info.bitmaps().iter().filter(|it| names::point_of_bitmap(&it.name).is_some());
            for bitmap in ours {
                tool::change_bitmap(&disk.path, &bitmap.name, BitmapChange::Remove)?;
            }
        }
        Ok(())
    }
}

fn has_snapshot(image: &Path, name: &str) -> Result<bool> {
    let info = tool::image_info(image, ImageFormat::Qcow2)?;
    Ok(info.snapshots.iter().any(|snapshot| snapshot.name == name))
}
