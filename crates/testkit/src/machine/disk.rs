//! The disks of a machine and the images they are made from.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

/// Format of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Bytes of the disk and nothing else. QEMU keeps no bitmaps for it over a restart.
    Raw,
    /// QEMU's own.
    Qcow2,
}

impl Format {
    /// QEMU's name of the driver.
    pub fn name(self) -> &'static str {
        match self {
            Format::Raw => "raw",
            Format::Qcow2 => "qcow2",
        }
    }
}

/// A disk of a machine.
#[derive(Debug, Clone)]
pub struct MachineDisk {
    /// `root`, `data`, `first`, …: the id of the device. The node of the format is `<name>-disk`.
    pub name: String,
    /// The image, inside the folder of the machine.
    pub path: PathBuf,
    /// Format of the image.
    pub format: Format,
    /// `/dev/vda`, …
    pub device: String,
    /// Where the guest mounts it; `None` for a blank disk.
    pub mount: Option<String>,
}

pub(super) fn machine_disk(
    name: &str,
    path: PathBuf,
    format: Format,
    index: usize,
    mount: Option<String>,
) -> MachineDisk {
    let letter = char::from(b'a' + u8::try_from(index).expect("a handful of disks"));
    MachineDisk { name: name.to_owned(), path, format, device: format!("/dev/vd{letter}"), mount }
}

pub(super) fn overlay(base: &Path, path: &Path) -> anyhow::Result<()> {
    let mut command = Command::new("qemu-img");
    command.args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"]).arg(base).arg(path);
    run(command)
}

pub(super) fn copy_image(base: &Path, path: &Path, format: Format) -> anyhow::Result<()> {
    let mut command = Command::new("qemu-img");
    command.args(["convert", "-q", "-f", "qcow2", "-O", format.name()]).arg(base).arg(path);
    run(command)
}

/// Reads an image that QEMU may hold open.
pub(super) fn copy_shared_image(from: &Path, format: Format, to: &Path) -> anyhow::Result<()> {
    let mut command = Command::new("qemu-img");
    command
        .args(["convert", "-q", "--force-share", "-f", format.name(), "-O", "raw"])
        .arg(from)
        .arg(to);
    run(command)
}

pub(super) fn blank_image(path: &Path, size_bytes: u64, format: Format) -> anyhow::Result<()> {
    let mut command = Command::new("qemu-img");
    command.args(["create", "-q", "-f", format.name()]).arg(path).arg(size_bytes.to_string());
    run(command)
}

fn run(mut command: Command) -> anyhow::Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .context("start qemu-img (cargo xtask setup installs it)")?;
    ensure!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr).trim_end()
    );
    Ok(())
}

/// Compares two raw images. `None`: the same bytes; else the offset of the first byte that differs (the length of the
/// shorter one when it is the beginning of the other).
///
/// # Errors
/// When one cannot be read.
pub fn first_difference(a: &Path, b: &Path) -> anyhow::Result<Option<u64>> {
    let open = |path: &Path| File::open(path).with_context(|| format!("open {}", path.display()));
    let (mut a, mut b) = (open(a)?, open(b)?);
    let (mut buffer_a, mut buffer_b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut offset = 0;
    loop {
        let (read_a, read_b) =
            (read_full(&mut a, &mut buffer_a)?, read_full(&mut b, &mut buffer_b)?);
        let both = read_a.min(read_b);
        if buffer_a[..both] != buffer_b[..both] {
            let equal = std::iter::zip(&buffer_a, &buffer_b).take_while(|(x, y)| x == y).count();
            return Ok(Some(offset + equal as u64));
        }
        offset += both as u64;
        if read_a != read_b {
            return Ok(Some(offset));
        }
        if both < buffer_a.len() {
            return Ok(None);
        }
    }
}

fn read_full(file: &mut File, buffer: &mut [u8]) -> anyhow::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
