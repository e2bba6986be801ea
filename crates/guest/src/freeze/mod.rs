//! Freezing and thawing the file systems of this machine.
