//! New disk images: written beside their place, moved there when they are whole.

use std::path::{Path, PathBuf};

use crate::{ImageFormat, Result};

mod part;
mod qcow2;
mod raw;

/// What a qcow2 file begins with (QEMU's docs/interop/qcow2.txt).
pub const QCOW2_MAGIC: [u8; 4] = *b"QFI\xfb";

/// What an image shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageSpec {
    /// Its format.
    pub format: ImageFormat,
    /// Size that a guest sees, in bytes.
    pub size_bytes: u64,
}

/// An image that is being written. It reads as zeros where nothing was written. Dropped without
/// [`ImageTarget::finish`], it is removed.
#[derive(Debug)]
pub struct ImageTarget {
    inner: Target,
}

#[derive(Debug)]
enum Target {
    Raw(raw::RawTarget),
    Qcow2(Box<qcow2::Qcow2Target>),
}

/// Writes to an image. Each thread asks for its own.
pub trait ImageWriter: Send {
    /// Writes the bytes at the offset; the range must lie inside the image.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()>;

    /// Makes what this writer wrote durable.
    fn flush(&mut self) -> Result<()>;
}

/// Begins an image that will be at `path`. Until it is finished it is beside it, at
/// [`part_path`]; one that an earlier try left there is replaced. The path must not exist.
pub fn create(path: &Path, spec: &ImageSpec) -> Result<ImageTarget> {
    let inner = match spec.format {
        ImageFormat::Raw => Target::Raw(raw::RawTarget::create(path, spec.size_bytes)?),
        ImageFormat::Qcow2 => {
            Target::Qcow2(Box::new(qcow2::Qcow2Target::create(path, spec.size_bytes)?))
        }
    };
    Ok(ImageTarget { inner })
}

/// Where an image is until it is finished.
pub fn part_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

impl ImageTarget {
    /// A writer of its own.
    pub fn writer(&self) -> Result<Box<dyn ImageWriter>> {
        match &self.inner {
            Target::Raw(raw) => Ok(Box::new(raw.writer())),
            Target::Qcow2(qcow2) => Ok(Box::new(qcow2.writer()?)),
        }
    }

    /// The unfinished file if what a guest sees is what is in it, byte for byte. It has its full size; whoever writes it
    /// by themselves stays within that.
    pub fn plain_file(&self) -> Option<&Path> {
        match &self.inner {
            Target::Raw(raw) => Some(raw.path()),
            Target::Qcow2(_) => None,
        }
    }

    /// Makes the image durable and moves it to its place. All writers must be gone.
    pub fn finish(self) -> Result<()> {
        match self.inner {
            Target::Raw(raw) => raw.finish(),
            Target::Qcow2(qcow2) => qcow2.finish(),
        }
    }
}
