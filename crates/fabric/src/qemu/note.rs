//! Notes about points, on disk before anything they speak of exists.
//!
//! A note is what lets a service that was killed find and undo what it began. A note of a
//! committed point stays until the next one is committed: it knows what the point's disks were.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::local::LocalCopy;
use crate::{Consistency, FabricError, FreezeRecord, ImageFormat, Result};

/// How far a point is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// Being taken, or given up half-way.
    Preparing,
    /// Can be read.
    Ready,
    /// Committed and released; kept for the next point.
    Kept,
}

/// How a point is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// From the running machine's QEMU.
    Live,
    /// From the images, because the machine was off.
    Stopped,
}

/// What is written down about a point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) point: Uuid,
    pub(crate) parent: Option<Uuid>,
    pub(crate) stage: Stage,
    pub(crate) mode: Mode,
    /// The guest may be frozen by us.
    pub(crate) freezing: bool,
    pub(crate) scratch: PathBuf,
    pub(crate) disks: Vec<DiskNote>,
    /// What the report says, once it is taken.
    pub(crate) taken: Option<Taken>,
    /// Why the point cannot be used any more.
    pub(crate) broken: Option<String>,
}

/// What is written down about one disk of a point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DiskNote {
    pub(crate) key: String,
    pub(crate) path: PathBuf,
    pub(crate) format: ImageFormat,
    pub(crate) size_bytes: u64,
    /// Why there is no map of what changed since the parent; `None` = there is one.
    pub(crate) unknown: Option<String>,
}

/// The part of a report that is not read anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Taken {
    pub(crate) consistency: Consistency,
    pub(crate) reason: String,
    pub(crate) freeze_window: Option<Duration>,
    #[serde(default)]
    pub(crate) freeze: Option<FreezeRecord>,
    pub(crate) taken_unix_ms: i64,
    #[serde(default)]
    pub(crate) local: Option<LocalCopy>,
}

impl Note {
    pub(crate) fn disk(&self, key: &str) -> Option<(usize, &DiskNote)> {
        self.disks.iter().enumerate().find(|(_, disk)| disk.key == key)
    }

    /// Whether something of the point may exist outside of this note.
    pub(crate) fn lives(&self) -> bool {
        self.stage != Stage::Kept
    }
}

/// The notes of one machine.
#[derive(Debug, Clone)]
pub(crate) struct Notes {
    folder: PathBuf,
}

impl Notes {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn path(&self, point: Uuid) -> PathBuf {
        self.folder.join(format!("{}.json", point.simple()))
    }

    /// Writes a note so that it is whole or as before, whatever happens.
    pub(crate) fn write(&self, note: &Note) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(FabricError::io("creating", &self.folder))?;
        let path = self.path(note.point);
        let new = path.with_extension("new");
        let text = serde_json::to_vec_pretty(note).expect("notes have only text keys");
        let save = || {
            let mut file = File::create(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        save().map_err(FabricError::io("writing", &path))
    }

    /// The note of a point.
    pub(crate) fn read(&self, point: Uuid) -> Result<Option<Note>> {
        read(&self.path(point))
    }

    /// All notes, in no order. Files that are no notes are left out.
    pub(crate) fn all(&self) -> Result<Vec<Note>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(FabricError::io("reading", &self.folder)(error)),
        };
        let mut notes = Vec::new();
        for entry in entries {
            let path = entry.map_err(FabricError::io("reading", &self.folder))?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                notes.extend(read(&path)?);
            }
        }
        Ok(notes)
    }

    /// Forgets a point. One that is not known is a success.
    pub(crate) fn remove(&self, point: Uuid) -> Result<()> {
        let path = self.path(point);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(FabricError::io("removing", path)(error))
            }
            _ => Ok(()),
        }
    }
}

fn read(path: &Path) -> Result<Option<Note>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FabricError::io("reading", path)(error)),
    };
    match serde_json::from_slice(&text) {
        Ok(note) => Ok(Some(note)),
        Err(error) => {
            // Written whole or not at all: only a hand changes it. What it spoke of is still
            // found by the names in QEMU.
            tracing::warn!(path = %path.display(), %error, "a note about a point is not understood");
            Ok(None)
        }
    }
}
