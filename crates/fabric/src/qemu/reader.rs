//! A point in time that is open, and the readers of its disks.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use super::names;
use super::note::{Mode, Note};
use crate::nbd::client::IO_TIMEOUT_DEFAULT;
use crate::nbd::wire::{STATUS_DIRTY, STATUS_ZERO};
use crate::nbd::{
    CONTEXT_ALLOCATION, ConnectSpec, NbdClient, NbdError, StatusExtent, bitmap_context,
};
use crate::{
    ByteRange, Changed, Extent, FabricError, Result, SnapshotDisk, SnapshotReader, SnapshotReport,
};

/// Why a point broke, told by whoever notices to all who read. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Broken(Arc<Mutex<Option<String>>>);

impl Broken {
    /// Tells. The first reason stays.
    pub(crate) fn set(&self, reason: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| reason.to_owned());
    }

    pub(crate) fn reason(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How the disks of one point are reached.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) machine: String,
    pub(crate) point: Uuid,
    pub(crate) broken: Broken,
    /// Socket and name of the export of each disk of the note.
    pub(crate) exports: Vec<(PathBuf, String)>,
}

impl Door {
    pub(crate) fn lost(&self, reason: impl Into<String>) -> FabricError {
        FabricError::SnapshotLost {
            machine: self.machine.clone(),
            point: self.point,
            reason: reason.into(),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.broken.reason().map_or(Ok(()), |reason| Err(self.lost(reason)))
    }

    fn connect(&self, index: usize, key: &str, contexts: Vec<String>) -> Result<NbdClient> {
        self.check()?;
        let (socket, export) = &self.exports[index];
        let spec = ConnectSpec { export: export.clone(), contexts, timeout: IO_TIMEOUT_DEFAULT };
        NbdClient::connect(socket, &spec).map_err(|source| nbd(key, source))
    }

    /// Opens one disk of the note.
    pub(crate) fn open(&self, note: &Note, key: &str) -> Result<DiskReader> {
        let Some((index, disk)) = note.disk(key) else {
            return Err(FabricError::UnknownDisk {
                machine: self.machine.clone(),
                disk: key.to_owned(),
            });
        };
        let client = self.connect(index, key, vec![CONTEXT_ALLOCATION.to_owned()])?;
        if client.size_bytes() < disk.size_bytes {
            return Err(self.lost(format!("the disk {key} shrank")));
        }
        let reader =
            DiskReader { key: key.to_owned(), door: self.clone(), client, size: disk.size_bytes };
        Ok(reader)
    }

    /// What changed on each disk since the parent.
    pub(crate) fn changes(&self, note: &Note) -> Result<Vec<SnapshotDisk>> {
        let mut disks = Vec::with_capacity(note.disks.len());
        for (index, disk) in note.disks.iter().enumerate() {
            let changed = match (&disk.unknown, note.parent) {
                (None, Some(parent)) => {
                    let context = bitmap_context(&names::bitmap(parent));
                    let mut client = self.connect(index, &disk.key, vec![context.clone()])?;
                    let status = client
                        .block_status(&context, 0, disk.size_bytes)
                        .map_err(|source| nbd(&disk.key, source))?;
                    Changed::Extents(ranges(&status))
                }
                (Some(reason), _) => Changed::Unknown(reason.clone()),
                (None, None) => Changed::Unknown("there is no earlier point".to_owned()),
            };
            let (key, size_bytes) = (disk.key.clone(), disk.size_bytes);
            disks.push(SnapshotDisk { key, size_bytes, changed });
        }
        Ok(disks)
    }
}

/// The report of a point: what was noted when it was taken, with the changes of its disks.
pub(crate) fn report(note: &Note, disks: Vec<SnapshotDisk>) -> Option<SnapshotReport> {
    let taken = note.taken.clone()?;
    Some(SnapshotReport {
        consistency: taken.consistency,
        reason: taken.reason,
        freeze_window: taken.freeze_window,
        freeze: taken.freeze,
        taken_unix_ms: taken.taken_unix_ms,
        local: taken.local,
        disks,
    })
}

/// Sockets and names of the exports of a note.
pub(crate) fn exports(note: &Note, paths: &super::paths::Paths) -> Vec<(PathBuf, String)> {
    let socket = |index| match note.mode {
        Mode::Live => paths.nbd_socket(),
        Mode::Stopped => paths.image_socket(index),
    };
    (0..note.disks.len()).map(|index| (socket(index), names::job(note.point, index))).collect()
}

fn nbd(disk: &str, source: NbdError) -> FabricError {
    FabricError::Nbd { disk: disk.to_owned(), source }
}

fn ranges(status: &[StatusExtent]) -> Vec<ByteRange> {
    let mut at = 0;
    let mut ranges = Vec::new();
    for extent in status {
        if extent.flags & STATUS_DIRTY != 0 {
            ranges.push(ByteRange { offset: at, length: extent.length });
        }
        at += extent.length;
    }
    ranges
}

/// One connection to one disk of a point.
pub(crate) struct DiskReader {
    key: String,
    door: Door,
    client: NbdClient,
    size: u64,
}

impl DiskReader {
    /// A failure of a point that broke is told as that.
    fn explain(&self, source: NbdError) -> FabricError {
        match self.door.broken.reason() {
            Some(reason) => self.door.lost(reason),
            None => nbd(&self.key, source),
        }
    }
}

impl SnapshotReader for DiskReader {
    fn size_bytes(&self) -> u64 {
        self.size
    }

    fn extents(&mut self, offset: u64, length: u64) -> Result<Vec<Extent>> {
        self.door.check()?;
        let status = self
            .client
            .block_status(CONTEXT_ALLOCATION, offset, length)
            .map_err(|source| self.explain(source))?;
        let mut at = offset;
        let mut extents: Vec<Extent> = Vec::new();
        for part in status {
            let zero = part.flags & STATUS_ZERO != 0;
            match extents.last_mut() {
                Some(last) if last.zero == zero => last.length += part.length,
                _ => extents.push(Extent { offset: at, length: part.length, zero }),
            }
            at += part.length;
        }
        Ok(extents)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.door.check()?;
        self.client.read_at(offset, buffer).map_err(|source| self.explain(source))
    }
}
