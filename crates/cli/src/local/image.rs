//! `coffre image backup|restore|list|diff|verify|mount|delete`.

mod diff;
mod mount;
mod restore;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use coffre_vault::{
    BlockSource, DiskSpec, Extent, PointInfo, PointSpec, ReadPlan, Vault, VerifyScope,
};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::StoreArgs;
use super::file::FileSource;
use super::meter::Meter;
use crate::say::{self, Column, Format};

/// Name of the one disk of a point that was made from an image.
const DISK: &str = "disk";
/// Entries of a map of changes; more would cost more than reading everything.
const CHANGES_MAX: usize = 16 << 20;

/// Images of disks in a store, with no service.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ImageVerb {
    /// Stores an image (raw file or block device) as a new recovery point.
    Backup {
        #[command(flatten)]
        store: StoreArgs,
        /// Points of one name form a history.
        #[arg(long)]
        name: String,
        /// JSON array of {"offset":bytes,"length":bytes} that changed since the newest point of
        /// this name; without it everything is read and known blocks are stored once.
        #[arg(long)]
        changed: Option<PathBuf>,
        /// The image.
        image: PathBuf,
    },
    /// Writes a recovery point to a new sparse raw file, or its disks to files in a new folder.
    ///
    /// Until it is whole, a file is beside its place, with `.part` behind its name. A restore that
    /// was stopped goes on with that: run the same command again.
    Restore {
        #[command(flatten)]
        store: StoreArgs,
        /// The recovery point, or `latest`.
        #[arg(long, default_value = "latest")]
        point: String,
        /// With `latest`: the newest point of this name.
        #[arg(long)]
        name: Option<String>,
        /// The file; it must not exist. Of a point with several disks: the folder that gets one file
        /// for each, named as `mount` names them; disks that are there whole are left.
        #[arg(long)]
        to: PathBuf,
        /// Only this disk of a point with several, to the file.
        #[arg(long)]
        disk: Option<String>,
    },
    /// Lists recovery points, oldest first.
    List {
        #[command(flatten)]
        store: StoreArgs,
        /// Only points of this name.
        #[arg(long)]
        name: Option<String>,
    },
    /// Says what changed between two recovery points, from their maps alone.
    ///
    /// The array `changed` of a disk in the JSON output is a map as `coffre image backup --changed`
    /// takes it.
    Diff {
        #[command(flatten)]
        store: StoreArgs,
        /// The older recovery point, then the newer one (or `latest`).
        #[arg(long, required = true, num_args = 1, action = clap::ArgAction::Append)]
        point: Vec<String>,
        /// With `latest`: the newest point of this name.
        #[arg(long)]
        name: Option<String>,
    },
    /// Shows a recovery point as a folder with one raw image per disk, until it is unmounted.
    ///
    /// The images are read-only; what is read is fetched, checked and kept in a bounded cache.
    /// Stays in the foreground; Ctrl-C, SIGTERM or `umount DIR` end it cleanly.
    ///
    /// To reach the files of a guest:
    ///
    ///   mkdir -p /mnt/point /mnt/files
    ///   coffre image mount --store file:///srv/vault --passphrase-file F --name web /mnt/point &
    ///   losetup --find --show --read-only --partscan /mnt/point/disk.raw   # says /dev/loop0
    ///   mount -o ro,noload /dev/loop0p1 /mnt/files      # ext4; for XFS: -o ro,norecovery
    ///   ...
    ///   umount /mnt/files; losetup --detach /dev/loop0; umount /mnt/point
    ///
    /// A read that meets damage fails, and the exit status is 3 in the end.
    /// Not root? Then the package fuse3 is needed, and --allow-other for others to look in.
    #[command(verbatim_doc_comment)]
    Mount {
        #[command(flatten)]
        store: StoreArgs,
        /// The recovery point, or `latest`.
        #[arg(long, default_value = "latest")]
        point: String,
        /// With `latest`: the newest point of this name.
        #[arg(long)]
        name: Option<String>,
        /// Let every user of this machine look in, not only the one who mounts.
        #[arg(long)]
        allow_other: bool,
        /// An empty folder.
        dir: PathBuf,
    },
    /// Reads back and checks a recovery point; exit status 3 when damage is found.
    Verify {
        #[command(flatten)]
        store: StoreArgs,
        /// The recovery point, or `latest`.
        #[arg(long, default_value = "latest")]
        point: String,
        /// With `latest`: the newest point of this name.
        #[arg(long)]
        name: Option<String>,
    },
    /// Deletes a recovery point. Its space is freed by the next collection.
    Delete {
        #[command(flatten)]
        store: StoreArgs,
        /// The recovery point.
        #[arg(long)]
        point: Uuid,
    },
}

impl ImageVerb {
    /// Does it.
    pub(crate) fn run(self, format: Format) -> anyhow::Result<ExitCode> {
        match self {
            ImageVerb::Backup { store, name, changed, image } => {
                backup(&store.open()?, &name, changed.as_deref(), &image, format)?;
            }
            ImageVerb::Restore { store, point, name, to, disk } => {
                let vault = store.open()?;
                let point = find(&vault, &point, name.as_deref())?;
                restore::run(&vault, &point, disk.as_deref(), &to, format)?;
            }
            ImageVerb::List { store, name } => list(&store.open()?, name.as_deref(), format)?,
            ImageVerb::Verify { store, point, name } => {
                let vault = store.open()?;
                let point = find(&vault, &point, name.as_deref())?;
                let meter = Meter::begin(format, "verify", 0);
                let report = vault.verify(VerifyScope::Point(point.id), &meter)?;
                meter.end();
                return super::report(format, &report);
            }
            ImageVerb::Diff { store, point, name } => {
                let [base, now] = &point[..] else { bail!("give --point twice: older, newer") };
                let vault = store.open()?;
                let base = find(&vault, base, name.as_deref())?;
                let now = find(&vault, now, name.as_deref())?;
                diff::run(&vault, &base, &now, format)?;
            }
            ImageVerb::Mount { store, point, name, allow_other, dir } => {
                let vault = store.open()?;
                let point = find(&vault, &point, name.as_deref())?;
                return mount::run(&vault, &point, &dir, allow_other, format);
            }
            ImageVerb::Delete { store, point } => {
                store.open()?.delete_point(point).context("delete the recovery point")?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn backup(
    vault: &Vault,
    name: &str,
    changed: Option<&Path>,
    image: &Path,
    format: Format,
) -> anyhow::Result<()> {
    let source = FileSource::open(image).with_context(|| format!("open {}", image.display()))?;
    let changes = changed.map(read_changes).transpose()?;
    let base = match &changes {
        None => None,
        Some(_) => match newest(vault, Some(name))? {
            Some(point) => Some((point.id, DISK.to_owned())),
            None => bail!("there is no earlier point of {name}; leave --changed out"),
        },
    };
    let total = match &changes {
        None => source.size_bytes(),
        Some(ranges) => ranges.iter().map(|range| range.length).sum(),
    };
    let point = Uuid::now_v7();
    let mut writer = vault.begin_point(PointSpec {
        id: point,
        name: name.to_owned(),
        time_unix_ms: jiff::Timestamp::now().as_millisecond(),
    })?;
    let meter = Meter::begin(format, "backup", total);
    let plan = changes.as_deref().map_or(ReadPlan::Everything, ReadPlan::Changed);
    let spec = DiskSpec { key: DISK.to_owned(), size_bytes: source.size_bytes(), base };
    let stats = writer.add_disk(spec, &source, plan, &meter).context("store the image")?;
    let info = writer.commit(Value::Null).context("commit the recovery point")?;
    meter.end();
    let result = json!({
        "point": info.id,
        "read_bytes": stats.read_bytes,
        "new_bytes": stats.new_bytes,
        "stored_bytes": stats.stored_bytes,
    });
    match format {
        // One line, the last one: scripts read it without looking for brackets.
        Format::Json => say::data(&result.to_string())?,
        Format::Table => {
            say::data(&info.id.to_string())?;
            say::note(&format!(
                "read {}, new {}, stored {}",
                say::bytes(stats.read_bytes),
                say::bytes(stats.new_bytes),
                say::bytes(stats.stored_bytes)
            ));
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    offset: u64,
    length: u64,
}

fn read_changes(path: &Path) -> anyhow::Result<Vec<Extent>> {
    let text = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let changes: Vec<Change> = serde_json::from_slice(&text)
        .with_context(|| format!("understand the map of changes {}", path.display()))?;
    anyhow::ensure!(changes.len() <= CHANGES_MAX, "the map of changes has too many entries");
    Ok(changes
        .into_iter()
        .map(|change| Extent { offset: change.offset, length: change.length })
        .collect())
}

fn list(vault: &Vault, name: Option<&str>, format: Format) -> anyhow::Result<()> {
    const COLUMNS: &[Column] =
        &[("Point", "/point"), ("Name", "/name"), ("Time", "/time"), ("Size", "/size_bytes")];
    let rows: Vec<Value> = vault
        .points()
        .context("list the recovery points")?
        .iter()
        .filter(|point| name.is_none_or(|name| name == point.name))
        .map(|point| {
            json!({
                "point": point.id,
                "name": point.name,
                "time": time(point.time_unix_ms),
                "size_bytes": point.disks.iter().map(|disk| disk.size_bytes).sum::<u64>(),
            })
        })
        .collect();
    say::list(format, &rows, COLUMNS)?;
    Ok(())
}

fn time(unix_ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(unix_ms) {
        Ok(time) => time.to_string(),
        Err(_) => format!("{unix_ms} ms"),
    }
}

fn find(vault: &Vault, point: &str, name: Option<&str>) -> anyhow::Result<PointInfo> {
    if point == "latest" {
        return newest(vault, name)?.context("there is no recovery point");
    }
    let id: Uuid = point.parse().with_context(|| format!("\"{point}\" is no recovery point"))?;
    vault.point(id)?.with_context(|| format!("there is no recovery point {id}"))
}

fn newest(vault: &Vault, name: Option<&str>) -> anyhow::Result<Option<PointInfo>> {
    let points = vault.points().context("list the recovery points")?;
    Ok(points.into_iter().rfind(|point| name.is_none_or(|name| name == point.name)))
}
