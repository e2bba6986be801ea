//! A point in time of a machine that is off: its images are read where they lie.
//!
//! `qemu-nbd` holds the images read-only, so nobody starts the machine on them unnoticed. The
//! bitmaps in the images are rotated as those of a running machine are, so that what is written
//! after the machine starts again is known.

use std::path::PathBuf;

use super::bitmap::{self, ParentFacts};
use super::live::unix_ms;
use super::local;
use super::machine::QemuMachine;
use super::names;
use super::note::{DiskNote, Mode, Note, Stage, Taken};
use super::reader;
use crate::tool::{self, BitmapChange, Serve};
use crate::{
    Consistency, DiskInfo, FabricError, ImageFormat, Result, SnapshotReport, SnapshotRequest,
};

/// Takes the point. What a failure leaves is for the caller to release.
pub(super) fn take(machine: &QemuMachine, request: &SnapshotRequest) -> Result<SnapshotReport> {
    let (mut note, infos) = new_note(machine, request)?;
    let infos: Vec<&DiskInfo> = infos.iter().collect();
    let mut local = local::Plan::new(machine, request.local.as_ref(), None, &infos);
    let notes = machine.paths().notes();
    notes.write(&note)?;
    for disk in note.disks.iter().filter(|disk| disk.format == ImageFormat::Qcow2) {
        // The new one records before the old one stops: killed in between, none is lost.
        let new = names::bitmap(note.point);
        tool::change_bitmap(&disk.path, &new, BitmapChange::Add)?;
        if let (Some(parent), None) = (note.parent, &disk.unknown) {
            let old = names::bitmap(parent);
            tool::change_bitmap(&disk.path, &old, BitmapChange::Disable)?;
        }
    }
    let images: Vec<(String, PathBuf)> =
        note.disks.iter().map(|disk| (disk.key.clone(), disk.path.clone())).collect();
    local::take_stopped(&mut local, note.point, &images);
    machine.paths().create_runtime_folder()?;
    for (index, disk) in note.disks.iter().enumerate() {
        let bitmap = note.parent.filter(|_| disk.unknown.is_none()).map(names::bitmap);
        tool::serve(&Serve {
            image: &disk.path,
            format: disk.format,
            socket: &machine.paths().image_socket(index),
            pid_file: &machine.paths().image_pid_file(index),
            export: &names::job(note.point, index),
            bitmap: bitmap.as_deref(),
            snapshot: None,
            writable: false,
            persistent: true,
        })?;
    }
    note.taken = Some(Taken {
        consistency: Consistency::Crash,
        reason: "the machine was off".to_owned(),
        freeze_window: None,
        freeze: None,
        taken_unix_ms: unix_ms(),
        local: local.answer,
    });
    note.stage = Stage::Ready;
    notes.write(&note)?;
    let report = reader::report(&note, machine.door(&note).changes(&note)?);
    Ok(report.expect("the note says what was taken since a few lines"))
}

fn new_note(machine: &QemuMachine, request: &SnapshotRequest) -> Result<(Note, Vec<DiskInfo>)> {
    let Some(definition) = machine.definition() else {
        return Err(FabricError::NotRunning(machine.name().to_owned()));
    };
    let parent_note = match request.parent {
        Some(parent) => machine.paths().notes().read(parent)?,
        None => None,
    };
    let (mut disks, mut infos) = (Vec::new(), Vec::new());
    for disk in &definition.disks {
        if !disk.path.exists() {
            return Err(FabricError::DiskMissing {
                machine: definition.name.clone(),
                disk: disk.key.clone(),
                path: disk.path.clone(),
            });
        }
        let image = tool::image_info(&disk.path, disk.format)?;
        let stored = |parent| {
            let wanted = names::bitmap(parent);
            image.bitmaps().iter().find(|bitmap| bitmap.name == wanted).map(Into::into)
        };
        let facts = ParentFacts {
            parent: request.parent,
            note: parent_note.as_ref(),
            bitmap: request.parent.and_then(stored),
            elsewhere: false,
        };
        let info = DiskInfo {
            key: disk.key.clone(),
            lun: disk.lun,
            name: disk.key.clone(),
            size_bytes: image.virtual_size,
            format: disk.format,
            path: disk.path.clone(),
        };
        disks.push(DiskNote {
            unknown: bitmap::doubt(&info, &facts),
            key: info.key.clone(),
            path: info.path.clone(),
            format: info.format,
            size_bytes: info.size_bytes,
        });
        infos.push(info);
    }
    let note = Note {
        point: request.point,
        parent: request.parent,
        stage: Stage::Preparing,
        mode: Mode::Stopped,
        freezing: false,
        scratch: request.scratch.clone(),
        disks,
        taken: None,
        broken: None,
    };
    Ok((note, infos))
}
