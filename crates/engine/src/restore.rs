//! The steps of a restore: prepare, transfer, validate, publish; and the one that removes.
//!
//! Everything is written beside its place under a name that carries the job, and moved there by a
//! rename at the end. A half-written restore is removed and written again.

mod local;
mod place;
mod publish;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use coffre_fabric::image::{self, ImageSpec, QCOW2_MAGIC};
use coffre_fabric::{ImageFormat, Machine};
use coffre_vault::{DiskReader, Vault, VaultError};
use uuid::Uuid;

pub use publish::{PublishFacts, publish, remove};

use crate::backup::sample_offsets;
use crate::blocks::ImageSink;
use crate::crash;
use crate::watch::Passed;
use crate::{Class, Failure, Retry, Watch};
use place::{PlannedDisk, plan};

/// What a restore is asked to do.
#[derive(Debug, Clone)]
pub struct RestoreSpec {
    /// The job. Names what is being written.
    pub job: Uuid,
    /// The recovery point.
    pub point: Uuid,
    /// Which of its disks.
    pub disks: DiskChoice,
    /// Where they go.
    pub target: RestoreTarget,
    /// Where they come from.
    pub source: Source,
}

/// Where a restore takes the bytes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The vault.
    Vault,
    /// The copy of the point in the images of the machine; in place only. [`prepare`] says whether it can be used, and all
    /// later steps are told what it said.
    Local,
}

/// Which disks of a recovery point are restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskChoice {
    /// All of them.
    All,
    /// The disk of the operating system and the data disks with these logical unit numbers; with an
    /// empty list the disk of the operating system alone.
    Luns(Vec<u32>),
}

/// Where restored disks go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreTarget {
    /// Image files in a folder of their own, with `vm.json` beside them.
    Folder {
        /// The folder of the storage account.
        account: PathBuf,
        /// Name of the new folder in it. If another restore holds it, part of the job's id is added.
        name: String,
    },
    /// In the place of the disks of the machine, which must be off.
    InPlace,
    /// A new machine among those that Coffre manages.
    NewMachine {
        /// Folder below which the machine gets a folder for its disks.
        images: PathBuf,
        /// Folder of machine definitions.
        definitions: PathBuf,
        /// Name of the machine: letters, digits, `-`, `_` and `.`.
        name: String,
        /// Identity of the machine; the same again when the step is repeated.
        id: Uuid,
    },
}

/// What every step of a restore works with.
#[derive(Clone, Copy)]
pub struct RestoreContext<'a> {
    /// The vault that holds the point.
    pub vault: &'a Vault,
    /// The machine whose disks are replaced; needed in place only.
    pub machine: Option<&'a dyn Machine>,
    /// What is asked.
    pub spec: &'a RestoreSpec,
}

/// What came of preparing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrepareFacts {
    /// Disks that will be written.
    pub disks: u64,
    /// Sum of their sizes in bytes.
    pub total_bytes: u64,
    /// Where the bytes come from.
    pub source: Source,
    /// Why not from the copy that was asked for.
    pub doubt: Option<String>,
}

/// What came of the transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestoreTransferFacts {
    /// Bytes read from the store.
    pub read_bytes: u64,
    /// Bytes written to the disks; zeros are not written.
    pub written_bytes: u64,
}

/// What came of validation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestoreValidateFacts {
    /// Disks that were looked at.
    pub disks: u64,
    /// Bytes that were compared with the recovery point.
    pub compared_bytes: u64,
}

/// Step 1: looks whether all is there, and makes the folder. Before a restore in place it turns off
/// a machine that Coffre runs; one that somebody else runs must be off.
///
/// # Errors
/// [`Class::PointMissing`], [`Class::DiskMissing`], [`Class::MachineMustBeOff`],
/// [`Class::TargetUnusable`].
pub fn prepare(cx: &RestoreContext<'_>) -> Result<PrepareFacts, Failure> {
    let disks = plan(cx)?;
    place::turn_off(cx)?;
    place::must_be_off(cx)?;
    if let Some(folder) = place::staging_folder(cx.spec) {
        std::fs::create_dir_all(&folder)
            .map_err(|error| Failure::target("make the folder", &folder, &error))?;
    }
    for disk in &disks {
        let folder = disk.staged.parent().unwrap_or(Path::new("/"));
        if !folder.is_dir() {
            let error = io::Error::from(io::ErrorKind::NotADirectory);
            return Err(Failure::target("write to", folder, &error));
        }
    }
    let doubt = if local::is_wanted(cx) { local::doubt(cx, &disks)? } else { None };
    let from_copy = local::is_wanted(cx) && doubt.is_none();
    crash::here("restore.prepare.done");
    Ok(PrepareFacts {
        source: if from_copy { Source::Local } else { Source::Vault },
        doubt,
        disks: disks.len() as u64,
        total_bytes: disks.iter().map(|disk| disk.size_bytes).sum(),
    })
}

/// Step 2: writes the disks. What an earlier try wrote is removed first.
///
/// # Errors
/// [`Class::TargetFull`], [`Class::PointDamaged`], [`Class::Cancelled`], or what the store met.
pub fn restore_transfer(
    cx: &RestoreContext<'_>,
    watch: &dyn Watch,
) -> Result<RestoreTransferFacts, Failure> {
    if publish::is_published(cx)? || local::is_wanted(cx) {
        return Ok(RestoreTransferFacts::default());
    }
    let disks = plan(cx)?;
    place::must_be_off(cx)?;
    watch.planned(disks.iter().map(|disk| disk.size_bytes).sum());
    let passed = Passed::new(watch, "restore.transfer.middle");
    crash::here("restore.transfer.begun");
    let mut facts = RestoreTransferFacts::default();
    for disk in &disks {
        place::remove_file(&disk.staged)?;
        let spec = ImageSpec { format: disk.format, size_bytes: disk.size_bytes };
        let doing = format!("write disk {}", disk.key);
        let target =
            image::create(&disk.staged, &spec).map_err(|error| target_failure(&doing, &error))?;
        let stats = cx
            .vault
            .restore_disk(cx.spec.point, &disk.key, &ImageSink(&target), &passed)
            .map_err(|error| Failure::vault(&doing, &error))?;
        target.finish().map_err(|error| target_failure(&doing, &error))?;
        facts.read_bytes += stats.read_bytes;
        facts.written_bytes += stats.written_bytes;
    }
    crash::here("restore.transfer.done");
    Ok(facts)
}

/// Step 3: looks whether the disks are there as whole files, and compares samples of them with the
/// recovery point. Every block was verified before it was written.
///
/// # Errors
/// [`Class::TargetUnusable`] when a file is not what was written.
pub fn restore_validate(
    cx: &RestoreContext<'_>,
    watch: &dyn Watch,
) -> Result<RestoreValidateFacts, Failure> {
    let mut facts = RestoreValidateFacts::default();
    // What is rolled back is compared where it lies: before the choice, and after it.
    if publish::is_published(cx)? || local::is_wanted(cx) {
        return Ok(facts);
    }
    for disk in plan(cx)? {
        if watch.cancelled() {
            return Err(Failure::cancelled());
        }
        let reader = cx
            .vault
            .disk(cx.spec.point, &disk.key)
            .map_err(|error| Failure::vault("read the recovery point", &error))?;
        facts.compared_bytes += match disk.format {
            ImageFormat::Raw => compare_samples(&disk, &reader)?,
            ImageFormat::Qcow2 => check_header(&disk)?,
        };
        facts.disks += 1;
    }
    crash::here("restore.validate.done");
    Ok(facts)
}

fn compare_samples(disk: &PlannedDisk, reader: &DiskReader) -> Result<u64, Failure> {
    let failed = |error: io::Error| Failure::target("read back", &disk.staged, &error);
    let file = File::open(&disk.staged).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size < disk.size_bytes {
        return Err(differs(disk, &format!("it has {size} bytes instead of {}", disk.size_bytes)));
    }
    let compared = compare(disk.size_bytes, reader, |offset, found| {
        file.read_exact_at(found, offset).map_err(failed)
    });
    compared.map_err(|failure| match failure.class {
        Class::RestoredDataDiffers => differs(disk, &failure.message),
        _ => failure,
    })
}

/// Compares samples that `read` gives with a disk of the recovery point; says how many bytes.
fn compare(
    size_bytes: u64,
    reader: &DiskReader,
    mut read: impl FnMut(u64, &mut [u8]) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let mut compared = 0;
    for offset in sample_offsets(size_bytes) {
        let length = usize::try_from((size_bytes - offset).min(4096)).expect("at most 4096");
        let (mut found, mut wanted) = (vec![0; length], vec![0; length]);
        read(offset, &mut found)?;
        reader
            .read_at(offset, &mut wanted)
            .map_err(|error: VaultError| Failure::vault("read the recovery point", &error))?;
        if found != wanted {
            let message = format!("the bytes at {offset} are different");
            return Err(Failure::new(Class::RestoredDataDiffers, Retry::Never, message));
        }
        compared += length as u64;
    }
    Ok(compared)
}

/// A qcow2 file begins with its magic number; its virtual size is a big-endian number at byte 24.
fn check_header(disk: &PlannedDisk) -> Result<u64, Failure> {
    let failed = |error: io::Error| Failure::target("read back", &disk.staged, &error);
    let mut header = [0; 32];
    File::open(&disk.staged).and_then(|file| file.read_exact_at(&mut header, 0)).map_err(failed)?;
    let size = u64::from_be_bytes(header[24..].try_into().expect("eight bytes are left"));
    if header[..4] != QCOW2_MAGIC || size < disk.size_bytes {
        return Err(differs(disk, "its header is not that of the image that was written"));
    }
    Ok(header.len() as u64)
}

fn differs(disk: &PlannedDisk, how: &str) -> Failure {
    let message = format!("{} is not what was written: {how}", disk.staged.display());
    Failure::new(Class::RestoredDataDiffers, Retry::Never, message)
}

/// A failure of the image writer is one of the target, not of a hypervisor.
fn target_failure(doing: &str, error: &coffre_fabric::FabricError) -> Failure {
    match error {
        coffre_fabric::FabricError::Io { path, source, .. } => {
            Failure::target(&format!("{doing}:"), path, source)
        }
        other => {
            let mut failure = Failure::fabric(doing, other);
            failure.class = Class::TargetUnusable;
            failure
        }
    }
}
