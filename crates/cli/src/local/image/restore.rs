//! `coffre image restore`: into a file beside its place, moved there when it is whole. One that was
//! stopped is gone on with: what the unfinished file holds is compared with the map, not believed.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use coffre_fabric::image::part_path;
use coffre_vault::{BlockReader, BlockSink, BlockWriter, DirectFile, DiskInfo, PointInfo, Vault};
use rustix::fs::{CWD, FlockOperation, RenameFlags};
use serde_json::{Value, json};

use super::mount::file_name;
use crate::local::file::FileSource;
use crate::local::meter::Meter;
use crate::say::{self, Format};

/// Restores one disk of a point to a file, or all of several to files of a folder.
pub(super) fn run(
    vault: &Vault,
    point: &PointInfo,
    only: Option<&str>,
    to: &Path,
    format: Format,
) -> anyhow::Result<()> {
    let disk = match (&point.disks[..], only) {
        ([], _) => bail!("the recovery point {} has no disk", point.id),
        (disks, Some(key)) => disks.iter().find(|disk| disk.key == key).with_context(|| {
            let known: Vec<&str> = disks.iter().map(|disk| disk.key.as_str()).collect();
            format!("the recovery point {} has the disks {}", point.id, known.join(", "))
        })?,
        ([disk], None) => disk,
        (disks, None) => return all(vault, point, disks, to, format),
    };
    let result = one(vault, point, disk, to, format)?;
    if format == Format::Json {
        say::data(&result.to_string())?;
    }
    Ok(())
}

/// Each disk to a file of a folder. One that is there was made whole by an attempt before.
fn all(
    vault: &Vault,
    point: &PointInfo,
    disks: &[DiskInfo],
    to: &Path,
    format: Format,
) -> anyhow::Result<()> {
    match DirBuilder::new().mode(0o700).create(to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && to.is_dir() => {}
        other => other.with_context(|| format!("make the folder {}", to.display()))?,
    }
    let mut results = Vec::new();
    let mut names = BTreeSet::new();
    for (number, disk) in disks.iter().enumerate() {
        let mut name = file_name(&disk.key, number);
        if !names.insert(name.clone()) {
            name = format!("disk-{number}.raw");
            names.insert(name.clone());
        }
        let target = to.join(&name);
        if target.exists() {
            say::note(&format!("{} is there already", target.display()));
            continue;
        }
        results.push(one(vault, point, disk, &target, format)?);
    }
    if format == Format::Json {
        say::data(&json!({ "point": point.id, "disks": results }).to_string())?;
    }
    Ok(())
}

fn one(
    vault: &Vault,
    point: &PointInfo,
    disk: &DiskInfo,
    to: &Path,
    format: Format,
) -> anyhow::Result<Value> {
    let part = Part::open(to, disk.size_bytes)?;
    if part.holds_data && format == Format::Table {
        say::note(&format!("going on with {}", part.path.display()));
    }
    let meter = Meter::begin(format, "restore", disk.size_bytes);
    let restored = vault.restore_disk(point.id, &disk.key, &part, &meter);
    meter.end();
    let stats = restored.with_context(|| {
        let (disk, part) = (&disk.key, part.path.display());
        format!("restore disk {disk} of recovery point {} (it can go on from {part})", point.id)
    })?;
    part.finish()?;
    if format == Format::Table {
        say::note(&format!(
            "wrote {} of {} to {}",
            say::bytes(stats.written_bytes),
            say::bytes(disk.size_bytes),
            to.display()
        ));
    }
    Ok(json!({
        "point": point.id,
        "disk": disk.key,
        "file": to,
        "read_bytes": stats.read_bytes,
        "written_bytes": stats.written_bytes,
        "blocks_kept": stats.blocks_kept,
        "size_bytes": disk.size_bytes,
    }))
}

/// The unfinished file. It stays when a restore fails or is stopped: the next one goes on with it.
struct Part {
    file: File,
    path: PathBuf,
    target: PathBuf,
    /// An earlier attempt wrote to it.
    holds_data: bool,
}

impl Part {
    fn open(target: &Path, size_bytes: u64) -> anyhow::Result<Part> {
        anyhow::ensure!(!target.exists(), "{} is there already", target.display());
        let path = part_path(target);
        let what = || format!("make {}", path.display());
        // It will hold a guest's data: only its owner may read it.
        let options =
            File::options().read(true).write(true).create(true).truncate(false).mode(0o600).clone();
        let file = options.open(&path).with_context(what)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
            .with_context(|| format!("another restore writes {}", path.display()))?;
        let holds_data = file.metadata().with_context(what)?.blocks() > 0;
        file.set_len(size_bytes).with_context(what)?;
        Ok(Part { file, path, target: target.to_owned(), holds_data })
    }

    /// Makes the file durable and moves it to its place, where nothing may be.
    fn finish(self) -> anyhow::Result<()> {
        let what = || format!("finish {}", self.target.display());
        self.file.sync_all().with_context(what)?;
        rustix::fs::renameat_with(CWD, &self.path, CWD, &self.target, RenameFlags::NOREPLACE)
            .with_context(what)?;
        let folder = self.target.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new("."))).with_context(what)?;
        folder.sync_all().with_context(what)
    }
}

impl BlockSink for Part {
    fn writer(&self) -> io::Result<Box<dyn BlockWriter + '_>> {
        // A restored disk is larger than what should be in memory, and must be durable in the end anyway.
        Ok(Box::new(DirectFile::open(&self.path)?))
    }

    fn existing(&self) -> io::Result<Option<Box<dyn BlockReader + '_>>> {
        if !self.holds_data {
            return Ok(None);
        }
        FileSource::open(&self.path)?.into_reader().map(|reader| Some(Box::new(reader) as _))
    }
}
