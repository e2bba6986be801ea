//! Ranges of bytes of a disk.

use serde::{Deserialize, Serialize};

/// A range of bytes of a disk that changed. Offsets and lengths are bytes; the length is never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByteRange {
    /// First byte.
    pub offset: u64,
    /// Number of bytes, never zero.
    pub length: u64,
}

impl ByteRange {
    /// The first byte after the range.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

/// A range of bytes of a disk and whether it is known to read as zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Extent {
    /// First byte.
    pub offset: u64,
    /// Number of bytes, never zero.
    pub length: u64,
    /// All bytes are zero and need not be read. `false` means only that it is not known.
    pub zero: bool,
}

impl Extent {
    /// The first byte after the extent.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}
