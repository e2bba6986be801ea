//! `coffre image diff`: what changed between two recovery points, from their maps alone.

use std::io::{self, Write};

use anyhow::Context;
use coffre_vault::{DiskReader, Extent, PointInfo, Vault};
use serde_json::json;

use crate::say::{self, Format};

/// Prints what `now` has and `base` has not. Written as it is found: two large disks may differ in
/// millions of places.
pub(super) fn run(
    vault: &Vault,
    base: &PointInfo,
    now: &PointInfo,
    format: Format,
) -> anyhow::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match print(vault, base, now, format, &mut out) {
        // A reader that went away has what it wanted.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        other => other,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

fn print(
    vault: &Vault,
    base: &PointInfo,
    now: &PointInfo,
    format: Format,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if format == Format::Json {
        write!(out, "{{\"base\":{},\"point\":{},\"disks\":[", json!(base.id), json!(now.id))?;
    }
    for (number, disk) in now.disks.iter().enumerate() {
        let reader = open(vault, now, &disk.key)?;
        let known = base.disks.iter().find(|known| known.key == disk.key);
        if format == Format::Json {
            let comma = if number > 0 { "," } else { "" };
            let (key, before) = (json!(disk.key), json!(known.map(|known| known.size_bytes)));
            write!(
                out,
                "{comma}{{\"disk\":{key},\"size_bytes\":{},\"base_size_bytes\":{before},\"changed\":[",
                disk.size_bytes
            )?;
        }
        let mut lines = Lines { out: &mut *out, format, count: 0, bytes: 0, failed: None };
        match known {
            Some(known) => {
                let old = open(vault, base, &known.key)?;
                reader.changed_since(&old, &mut |extent| lines.add(extent)).with_context(|| {
                    format!("compare disk {} of {} and {}", disk.key, base.id, now.id)
                })?;
            }
            None => all_data(&reader, &mut lines).context("read the map of the disk")?,
        }
        let (count, bytes) = lines.end()?;
        match format {
            Format::Json => write!(out, "],\"changed_bytes\":{bytes}}}")?,
            Format::Table => {
                out.flush()?;
                say::note(&format!("disk {}: {} in {count} places", disk.key, say::bytes(bytes)));
            }
        }
    }
    if format == Format::Json {
        writeln!(out, "]}}")?;
    }
    Ok(out.flush()?)
}

fn open(vault: &Vault, point: &PointInfo, disk: &str) -> anyhow::Result<DiskReader> {
    let what = || format!("open disk {disk} of recovery point {}", point.id);
    vault.disk(point.id, disk).with_context(what)
}

/// A disk that was not there before: all that is on it.
fn all_data(disk: &DiskReader, lines: &mut Lines<'_>) -> Result<(), coffre_vault::VaultError> {
    let mut at = 0;
    while let Some(extent) = disk.next_data(at)? {
        lines.add(extent);
        at = extent.end();
    }
    Ok(())
}

/// Extents as lines or as an array; the first failure of the output is kept.
struct Lines<'a> {
    out: &'a mut dyn Write,
    format: Format,
    count: u64,
    bytes: u64,
    failed: Option<io::Error>,
}

impl Lines<'_> {
    fn add(&mut self, extent: Extent) {
        let Extent { offset, length } = extent;
        let comma = if self.count > 0 { "," } else { "" };
        self.count += 1;
        self.bytes += length;
        if self.failed.is_none() {
            let written = match self.format {
                Format::Json => {
                    write!(self.out, "{comma}{{\"offset\":{offset},\"length\":{length}}}")
                }
                Format::Table => writeln!(self.out, "{offset} {length}"),
            };
            self.failed = written.err();
        }
    }

    fn end(self) -> io::Result<(u64, u64)> {
        self.failed.map_or(Ok((self.count, self.bytes)), Err)
    }
}
