//! The words between worker and freezer.
//!
//! Before the freeze: JSON after a length. From the freeze on: one byte one way, and ten numbers the other way, for
//! which nobody needs to allocate.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A table of mounts is far smaller; more is nonsense.
const FRAME_MAX: u32 = 4 << 20;

/// Worker to freezer: freeze now.
pub(super) const FREEZE: u8 = b'F';
/// Worker to freezer: thaw now.
pub(super) const THAW: u8 = b'T';

/// What the freezer says from the freeze on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    pub kind: u64,
    /// One of the reasons below, zero when all went well.
    pub reason: u64,
    /// Which file system.
    pub index: u64,
    /// Number of the error of the kernel.
    pub errno: u64,
    /// Beginning, as in [`super::Stamp`].
    pub from: [u64; 2],
    /// End.
    pub to: [u64; 2],
    /// File systems that were no longer frozen when we thawed them.
    pub lost: u64,
}

pub(super) const KIND_FROZEN: u64 = 1;
pub(super) const KIND_FAILED: u64 = 2;
pub(super) const KIND_THAWED: u64 = 3;

pub(super) const REASON_REFUSED: u64 = 1;
pub(super) const REASON_CEILING: u64 = 2;
pub(super) const REASON_WATCHDOG: u64 = 3;
pub(super) const REASON_WORKER: u64 = 4;

const EVENT_WORDS: usize = 9;

/// Length of an [`Event`] on the wire.
pub(super) const EVENT_BYTES: usize = EVENT_WORDS * 8;

impl Event {
    pub(super) const NOTHING: Event =
        Event { kind: 0, reason: 0, index: 0, errno: 0, from: [0; 2], to: [0; 2], lost: 0 };

    pub(super) fn to_bytes(self) -> [u8; EVENT_BYTES] {
        let words: [u64; EVENT_WORDS] = [
            self.kind,
            self.reason,
            self.index,
            self.errno,
            self.from[0],
            self.from[1],
            self.to[0],
            self.to[1],
            self.lost,
        ];
        let mut bytes = [0; EVENT_BYTES];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; EVENT_BYTES]) -> Event {
        let mut words = [0; EVENT_WORDS];
        for (word, place) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(place.try_into().expect("chunks of eight"));
        }
        Event {
            kind: words[0],
            reason: words[1],
            index: words[2],
            errno: words[3],
            from: [words[4], words[5]],
            to: [words[6], words[7]],
            lost: words[8],
        }
    }
}

/// Sends a value as one frame.
pub(super) fn send<T: Serialize>(mut to: impl Write, value: &T) -> io::Result<()> {
    let json = serde_json::to_vec(value)?;
    let length = u32::try_from(json.len()).ok().filter(|length| *length <= FRAME_MAX);
    let length = length.ok_or_else(|| io::Error::other("a message that is too long"))?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&json)
}

/// Receives a frame.
pub(super) fn receive<T: DeserializeOwned>(mut from: impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > FRAME_MAX {
        return Err(io::Error::other("a message that is too long"));
    }
    let mut json = vec![0; length as usize];
    from.read_exact(&mut json)?;
    Ok(serde_json::from_slice(&json)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_event_arrives_as_it_was_sent(bytes in any::<[u8; EVENT_BYTES]>()) {
            prop_assert_eq!(Event::from_bytes(&bytes).to_bytes(), bytes);
        }

        #[test]
        fn no_frame_makes_the_receiver_fall_over(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = receive::<serde_json::Value>(bytes.as_slice());
        }
    }

    #[test]
    fn a_frame_that_claims_to_be_huge_is_refused_before_it_is_read() {
        let failure = receive::<String>([0xff; 8].as_slice()).unwrap_err();
        assert_eq!(failure.to_string(), "a message that is too long");
    }
}
