//! Reads ahead, past the page cache, what the page cache does not hold.
//!
//! A disk that is backed up is seldom in the page cache: hypervisors keep their disks out of it, or it is larger than
//! memory. Read through a full page cache it costs three to ten times the processor, for every page that comes in pushes
//! another out, and those that go are what the guests and the services of the host use.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use coffre_vault::{AlignedBuffer, Extent};
use rustix::fs::OFlags;

use crate::sys;

/// How much is read at once: enough that the number of reads costs nothing.
const CHUNK_BYTES: u64 = 1024 * 1024;
/// What reads past the page cache must be aligned to: the largest sector of disks that are sold.
const SECTOR_BYTES: u64 = 4096;

/// Reads the parts of one file that were announced, in their order, while its owner works on those before.
pub(super) struct Ahead {
    /// For a look at what the page cache holds.
    cached: File,
    /// What the thread reads, first to last.
    coming: VecDeque<Extent>,
    /// The chunk that came last.
    held: Option<(Extent, AlignedBuffer)>,
    /// The same file past the page cache, before there is a thread.
    direct: Option<File>,
    thread: Option<Thread>,
}

struct Thread {
    wishes: Sender<Extent>,
    filled: Receiver<io::Result<AlignedBuffer>>,
    spare: Sender<AlignedBuffer>,
    handle: JoinHandle<()>,
}

impl Ahead {
    /// Of the file at `path`, which stays as it is. Reads nothing where the file system cannot read past its cache.
    pub(super) fn open(path: &Path) -> io::Result<Ahead> {
        let cached = File::open(path)?;
        let flags = OFlags::DIRECT.bits().cast_signed();
        let direct = File::options().read(true).custom_flags(flags).open(path).ok();
        Ok(Ahead { cached, coming: VecDeque::new(), held: None, direct, thread: None })
    }

    /// Begins to read of `reads` what the page cache does not hold.
    pub(super) fn announce(&mut self, reads: &[Extent]) {
        for chunk in reads.iter().flat_map(chunks) {
            let aligned = chunk.offset.is_multiple_of(SECTOR_BYTES)
                && chunk.length.is_multiple_of(SECTOR_BYTES);
            if !aligned || is_cached(&self.cached, chunk) {
                continue;
            }
            if let Some(direct) = self.direct.take() {
                self.thread = Thread::start(direct).ok();
            }
            let Some(thread) = &self.thread else { return };
            if thread.wishes.send(chunk).is_err() {
                return self.stop();
            }
            self.coming.push_back(chunk);
        }
    }

    /// Fills `buffer` from what was read ahead. `false` if that does not hold all of it: then it is read as ever, and
    /// an error of the file is met again where it can be told.
    pub(super) fn read(&mut self, offset: u64, buffer: &mut [u8]) -> bool {
        let wanted = Extent { offset, length: buffer.len() as u64 };
        loop {
            if let Some((held, bytes)) = &self.held
                && let Some(start) = place(held, wanted)
            {
                buffer.copy_from_slice(&bytes[start..][..buffer.len()]);
                return true;
            }
            // What was announced and not asked for has been passed by.
            if self.coming.front().is_none_or(|chunk| chunk.offset > offset) {
                return false;
            }
            self.take_next();
        }
    }

    /// Holds the chunk that comes next in place of the last.
    fn take_next(&mut self) {
        let (Some(thread), Some(chunk)) = (&self.thread, self.coming.pop_front()) else { return };
        if let Some((_, used)) = self.held.take() {
            // If nobody takes it, its memory goes.
            let _ = thread.spare.send(used);
        }
        match thread.filled.recv() {
            Ok(Ok(bytes)) => self.held = Some((chunk, bytes)),
            Ok(Err(_)) | Err(_) => self.stop(),
        }
    }

    /// Everything is read as ever from here on.
    fn stop(&mut self) {
        self.coming.clear();
        if let Some(Thread { wishes, filled, spare, handle }) = self.thread.take() {
            drop((wishes, filled, spare));
            // It reports its errors itself, and a panic there loses nothing here.
            let _ = handle.join();
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Thread {
    fn start(file: File) -> io::Result<Thread> {
        let (wishes, wished) = channel();
        // No room: one chunk waits in the thread while its owner works on the one before.
        let (fill, filled) = sync_channel(0);
        let (spare, spares) = channel();
        let handle = std::thread::Builder::new()
            .name("read-ahead".to_owned())
            .spawn(move || fulfil(&file, &wished, &fill, &spares))?;
        Ok(Thread { wishes, filled, spare, handle })
    }
}

/// Reads what is wished until nobody wishes or takes.
fn fulfil(
    file: &File,
    wished: &Receiver<Extent>,
    fill: &SyncSender<io::Result<AlignedBuffer>>,
    spares: &Receiver<AlignedBuffer>,
) {
    for Extent { offset, length } in wished {
        let new = |_| AlignedBuffer::new(CHUNK_BYTES as usize);
        let mut buffer = spares.try_recv().unwrap_or_else(new);
        let read = file.read_exact_at(&mut buffer[..length as usize], offset);
        let failed = read.is_err();
        if fill.send(read.map(|()| buffer)).is_err() || failed {
            return;
        }
    }
}

/// Cuts at the multiples of a chunk.
fn chunks(range: &Extent) -> impl Iterator<Item = Extent> + use<> {
    let Extent { offset: mut at, .. } = *range;
    let end = range.end();
    std::iter::from_fn(move || {
        let offset = at;
        at = end.min((offset / CHUNK_BYTES + 1) * CHUNK_BYTES);
        (offset < end).then_some(Extent { offset, length: at - offset })
    })
}

/// Whether the page cache holds most of a range, or this cannot be told.
fn is_cached(file: &File, range: Extent) -> bool {
    sys::cached_bytes(file, range.offset, range.length)
        .is_none_or(|cached| cached >= range.length / 2)
}

/// Where `wanted` begins within `held`, if that holds all of it.
fn place(held: &Extent, wanted: Extent) -> Option<usize> {
    let start = wanted.offset.checked_sub(held.offset)?;
    (wanted.end() <= held.end()).then_some(start as usize)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use rustix::fs::{Advice, fadvise};
    use tempfile::NamedTempFile;

    use super::*;

    const FILE_BYTES: u64 = 3 * CHUNK_BYTES + 5 * SECTOR_BYTES + 17;

    /// A file that differs at every place, most of it not in the page cache where the file system has a choice.
    fn file() -> (NamedTempFile, Vec<u8>) {
        let bytes: Vec<u8> =
            (0..FILE_BYTES / 8 + 1).flat_map(|word| (word * 0x9E37_79B9).to_le_bytes()).collect();
        let bytes = bytes[..FILE_BYTES as usize].to_vec();
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        file.as_file().sync_all().unwrap();
        fadvise(file.as_file(), 0, None, Advice::DontNeed).unwrap();
        (file, bytes)
    }

    fn cached(file: &NamedTempFile) -> u64 {
        sys::cached_bytes(file.as_file(), 0, FILE_BYTES).unwrap_or_default()
    }

    #[test]
    fn what_was_not_in_the_page_cache_is_not_there_afterwards() {
        let (file, bytes) = file();
        let before = cached(&file);
        let mut ahead = Ahead::open(file.path()).unwrap();
        let whole = Extent { offset: 0, length: FILE_BYTES / SECTOR_BYTES * SECTOR_BYTES };
        ahead.announce(&[whole]);
        for offset in (0..whole.length).step_by(SECTOR_BYTES as usize) {
            let mut buffer = [0; SECTOR_BYTES as usize];
            if !ahead.read(offset, &mut buffer) {
                file.as_file().read_exact_at(&mut buffer, offset).unwrap();
            }
            assert!(buffer == bytes[offset as usize..][..buffer.len()], "at {offset}");
        }
        assert!(cached(&file) <= before, "{before} bytes before, {} after", cached(&file));
    }

    #[test]
    fn a_file_that_ends_early_is_read_as_ever_and_tells_so() {
        let (file, _) = file();
        let mut ahead = Ahead::open(file.path()).unwrap();
        file.as_file().set_len(CHUNK_BYTES).unwrap();
        ahead.announce(&[Extent { offset: 0, length: 2 * CHUNK_BYTES }]);
        let mut buffer = vec![0; CHUNK_BYTES as usize];
        assert!(!ahead.read(CHUNK_BYTES, &mut buffer));
        // Nothing is read ahead any more, and nobody waits for it.
        ahead.announce(&[Extent { offset: 0, length: CHUNK_BYTES }]);
        assert!(!ahead.read(0, &mut buffer));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

        /// In whatever order and sizes it is announced and asked, what is given is what the file holds.
        #[test]
        fn what_is_given_is_what_the_file_holds(
            announced in proptest::collection::vec((0..FILE_BYTES, 1..2 * CHUNK_BYTES), 0..6),
            asked in proptest::collection::vec((0..FILE_BYTES, 1..300_000u64), 1..30),
        ) {
            let (file, bytes) = file();
            let mut ahead = Ahead::open(file.path()).unwrap();
            let within = |(offset, length): (u64, u64)| {
                let offset = offset / 2048 * 2048;
                Extent { offset, length: length.min(FILE_BYTES - offset) }
            };
            let announced: Vec<Extent> = announced.into_iter().map(within).collect();
            ahead.announce(&announced);
            for (at, wanted) in asked.into_iter().map(within).enumerate() {
                let wanted_bytes = &bytes[wanted.offset as usize..wanted.end() as usize];
                let mut buffer = vec![0xEE; wanted_bytes.len()];
                if ahead.read(wanted.offset, &mut buffer) {
                    proptest::prop_assert!(buffer == wanted_bytes);
                }
                if at % 7 == 3 {
                    ahead.announce(&[wanted]);
                }
            }
        }
    }
}
