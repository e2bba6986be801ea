//! The bytes of a pack in the making.

use std::ops::Deref;

use crate::direct::AlignedBuffer;

/// Bytes that grow at their end, at an address that direct writes take. What is beyond the end is memory already, so
/// that a frame is compressed and sealed in its place.
pub(crate) struct PackBuffer {
    memory: AlignedBuffer,
    length: usize,
}

impl PackBuffer {
    /// An empty one that does not move before it is longer than `capacity` bytes.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { memory: AlignedBuffer::new(capacity), length: 0 }
    }

    /// Forgets the content and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.length = 0;
    }

    /// At least the next `bytes` after the end, of any content.
    pub(crate) fn room(&mut self, bytes: usize) -> &mut [u8] {
        let wanted = self.length + bytes;
        if wanted > self.memory.len() {
            let mut larger = AlignedBuffer::new(wanted.max(2 * self.memory.len()));
            larger[..self.length].copy_from_slice(self);
            self.memory = larger;
        }
        &mut self.memory[self.length..]
    }

    /// Takes in the next `bytes`, which were written into the [`PackBuffer::room`].
    pub(crate) fn take(&mut self, bytes: usize) {
        self.length += bytes;
        assert!(self.length <= self.memory.len(), "only what there was room for is taken in");
    }

    /// Puts bytes before all that is there.
    pub(crate) fn put_first(&mut self, bytes: &[u8]) {
        let length = self.length;
        self.room(bytes.len());
        self.memory.copy_within(..length, bytes.len());
        self.memory[..bytes.len()].copy_from_slice(bytes);
        self.take(bytes.len());
    }

    pub(crate) fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.take(bytes.len());
    }
}

impl Deref for PackBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the first capacity, what comes out is what went in, and the room that was not taken leaves no trace.
    #[test]
    fn grows_and_begins_anew() {
        for capacity in [0, 1, 100, 10_000] {
            let mut buffer = PackBuffer::with_capacity(capacity);
            for round in 0..3u8 {
                buffer.clear();
                let mut wanted = Vec::new();
                for length in [0, 1, 7, 300, 2] {
                    let piece = vec![round + 1; length];
                    buffer.extend_from_slice(&piece);
                    buffer.room(50)[..50].fill(0xEE);
                    wanted.extend_from_slice(&piece);
                    buffer.put_first(&[round, 0xDD]);
                    wanted.splice(..0, [round, 0xDD]);
                }
                assert!(*buffer == *wanted);
            }
        }
    }
}
