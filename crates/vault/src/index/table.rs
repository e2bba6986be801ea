//! Identities and their places, in bounded memory.
//!
//! New entries are held in a hash table. When that is full, they are sorted and written to a file without a name (a
//! *run*); when there are many runs, they are merged into one. A look-up asks the table and then each run: a fence of
//! one number per page in memory, one page from the file. The files are gone with the process; what they held is read
//! again from the index segments.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::{IdMap, Location};
use crate::format::Id;

/// Entries in memory: about 50 MiB.
const MEMORY_ENTRIES_MAX: usize = 500_000;
/// Runs that are asked one after the other before they are merged.
const RUNS_MAX: usize = 8;
/// Identity, pack, offset, length, part, padding.
const ENTRY_BYTES: usize = 48;
/// Entries of a page: 6 KiB.
const PAGE_ENTRIES: usize = 128;

/// Maps identities to places; an identity may have several.
#[derive(Debug)]
pub(crate) struct PlaceTable {
    memory: IdMap<Location>,
    /// Further places of identities that are in `memory`; few.
    copies: IdMap<Vec<Location>>,
    runs: Vec<Run>,
    folder: PathBuf,
    limit: usize,
}

/// A sorted file of entries.
#[derive(Debug)]
struct Run {
    file: File,
    entries: u64,
    /// The front of the first identity of each page.
    fence: Vec<u64>,
}

impl Default for PlaceTable {
    fn default() -> Self {
        Self::with_limit(folder(), MEMORY_ENTRIES_MAX)
    }
}

/// Where runs go: `TMPDIR`, or else `/var/tmp`, which is a disk where `/tmp` may be memory.
fn folder() -> PathBuf {
    let disk = PathBuf::from("/var/tmp");
    if std::env::var_os("TMPDIR").is_none() && disk.is_dir() { disk } else { std::env::temp_dir() }
}

impl PlaceTable {
    fn with_limit(folder: PathBuf, limit: usize) -> Self {
        Self { memory: IdMap::default(), copies: IdMap::default(), runs: Vec::new(), folder, limit }
    }

    /// Makes room for so many more entries at once, as far as they stay in memory: a table that grows step by step moves
    /// what it holds at each.
    pub(crate) fn reserve(&mut self, entries: usize) {
        self.memory.reserve(entries.min(self.limit - self.memory.len()));
    }

    /// Adds a place.
    pub(crate) fn insert(&mut self, id: Id, place: Location) -> io::Result<()> {
        match self.memory.entry(id) {
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(place);
            }
            std::collections::hash_map::Entry::Occupied(_) => {
                self.copies.entry(id).or_default().push(place);
            }
        }
        if self.memory.len() >= self.limit {
            self.spill()?;
        }
        Ok(())
    }

    /// All places of an identity, the newest run last.
    pub(crate) fn get(&self, id: &Id) -> io::Result<Vec<Location>> {
        let mut places: Vec<Location> = self.memory.get(id).copied().into_iter().collect();
        if let Some(more) = self.copies.get(id) {
            places.extend(more);
        }
        for run in &self.runs {
            run.find(id, &mut places)?;
        }
        Ok(places)
    }

    /// Calls `visit` with every entry.
    pub(crate) fn visit(&self, mut visit: impl FnMut(Id, Location)) -> io::Result<()> {
        for (id, place) in &self.memory {
            visit(*id, *place);
        }
        for (id, places) in &self.copies {
            places.iter().for_each(|place| visit(*id, *place));
        }
        for run in &self.runs {
            let mut reader = RunReader::new(run);
            while let Some((id, place)) = reader.next()? {
                visit(id, place);
            }
        }
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        let copies = self
            .copies
            .drain()
            .flat_map(|(id, places)| places.into_iter().map(move |place| (id, place)));
        let mut entries: Vec<(Id, Location)> = self.memory.drain().chain(copies).collect();
        entries.sort_unstable_by_key(|(id, place)| (*id, place.pack, place.offset, place.part));
        let mut writer = RunWriter::new(&self.folder)?;
        for (id, place) in &entries {
            writer.add(id, place)?;
        }
        self.runs.push(writer.finish()?);
        if self.runs.len() >= RUNS_MAX { self.merge() } else { Ok(()) }
    }

    fn merge(&mut self) -> io::Result<()> {
        let mut writer = RunWriter::new(&self.folder)?;
        let mut readers: Vec<_> = self.runs.iter().map(RunReader::new).collect();
        let mut heads = readers.iter_mut().map(RunReader::next).collect::<io::Result<Vec<_>>>()?;
        while let Some(least) = (0..heads.len())
            .filter(|at| heads[*at].is_some())
            .min_by_key(|at| heads[*at].as_ref().map(|(id, _)| *id))
        {
            if let Some((id, place)) = heads[least] {
                writer.add(&id, &place)?;
            }
            heads[least] = readers[least].next()?;
        }
        self.runs = vec![writer.finish()?];
        Ok(())
    }
}

/// The front of an identity as a number that sorts alike.
fn front(id: &Id) -> u64 {
    u64::from_be_bytes(*id.0.first_chunk().expect("an identity is 32 bytes"))
}

fn encode(id: &Id, place: &Location) -> [u8; ENTRY_BYTES] {
    let mut entry = [0; ENTRY_BYTES];
    entry[..32].copy_from_slice(&id.0);
    entry[32..36].copy_from_slice(&place.pack.to_le_bytes());
    entry[36..40].copy_from_slice(&place.offset.to_le_bytes());
    entry[40..44].copy_from_slice(&place.bytes.to_le_bytes());
    entry[44] = place.part;
    entry
}

fn decode(entry: &[u8; ENTRY_BYTES]) -> (Id, Location) {
    let number =
        |at: usize| u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]);
    let id = Id(*entry.first_chunk().expect("an entry starts with an identity"));
    (id, Location { pack: number(32), offset: number(36), bytes: number(40), part: entry[44] })
}

/// A file without a name, or one whose name is removed at once.
fn nameless_file(folder: &Path) -> io::Result<File> {
    let flags = (OFlags::TMPFILE | OFlags::EXCL).bits().cast_signed();
    let nameless =
        File::options().read(true).write(true).mode(0o600).custom_flags(flags).open(folder);
    nameless.or_else(|_| {
        let path = folder.join(format!(".coffre-index-{}", uuid::Uuid::new_v4().simple()));
        let file =
            File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(file)
    })
}

struct RunWriter {
    file: BufWriter<File>,
    entries: u64,
    fence: Vec<u64>,
}

impl RunWriter {
    fn new(folder: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 20, nameless_file(folder)?);
        Ok(Self { file, entries: 0, fence: Vec::new() })
    }

    fn add(&mut self, id: &Id, place: &Location) -> io::Result<()> {
        if self.entries.is_multiple_of(PAGE_ENTRIES as u64) {
            self.fence.push(front(id));
        }
        self.entries += 1;
        self.file.write_all(&encode(id, place))
    }

    fn finish(self) -> io::Result<Run> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Run { file, entries: self.entries, fence: self.fence })
    }
}

impl Run {
    /// Appends the places of `id` in this run.
    fn find(&self, id: &Id, places: &mut Vec<Location>) -> io::Result<()> {
        let wanted = front(id);
        // The first page that may hold it is the one before the first that starts at or after it.
        let first = self.fence.partition_point(|start| *start < wanted).saturating_sub(1);
        let mut page = vec![0; PAGE_ENTRIES * ENTRY_BYTES];
        for number in first..self.fence.len() {
            if number > first && self.fence[number] > wanted {
                break;
            }
            let entries = self.read_page(number as u64, &mut page)?;
            let start = entries.partition_point(|entry| entry[..32] < id.0[..]);
            let equal = entries[start..].iter().take_while(|entry| entry[..32] == id.0);
            places.extend(equal.map(|entry| decode(entry).1));
        }
        Ok(())
    }

    fn read_page<'p>(
        &self,
        number: u64,
        page: &'p mut [u8],
    ) -> io::Result<&'p [[u8; ENTRY_BYTES]]> {
        let first = number * PAGE_ENTRIES as u64;
        let count = (self.entries - first).min(PAGE_ENTRIES as u64);
        let bytes = usize::try_from(count).expect("a page is small") * ENTRY_BYTES;
        self.file.read_exact_at(&mut page[..bytes], first * ENTRY_BYTES as u64)?;
        Ok(page[..bytes].as_chunks().0)
    }
}

/// Reads a run in order.
struct RunReader<'a> {
    run: &'a Run,
    page: Vec<u8>,
    /// The next entry, and the page that is loaded.
    next: u64,
    loaded: Option<u64>,
}

impl<'a> RunReader<'a> {
    fn new(run: &'a Run) -> Self {
        Self { run, page: vec![0; PAGE_ENTRIES * ENTRY_BYTES], next: 0, loaded: None }
    }

    fn next(&mut self) -> io::Result<Option<(Id, Location)>> {
        if self.next >= self.run.entries {
            return Ok(None);
        }
        let (page, at) = (self.next / PAGE_ENTRIES as u64, self.next % PAGE_ENTRIES as u64);
        if self.loaded != Some(page) {
            self.run.read_page(page, &mut self.page)?;
            self.loaded = Some(page);
        }
        self.next += 1;
        let at = usize::try_from(at).expect("a page is small");
        Ok(Some(decode(&self.page.as_chunks().0[at])))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// However much of it is in files, it answers as a map in memory does. Identities share fronts on purpose.
        #[test]
        fn answers_as_a_map_does(entries in proptest::collection::vec((0u8..20, 0u8..4, any::<u32>()), 0..3000)) {
            let mut table = PlaceTable::with_limit(std::env::temp_dir(), 50);
            let mut model: BTreeMap<Id, Vec<Location>> = BTreeMap::new();
            let id = |front: u8, back: u8| {
                let mut id = [front; 32];
                id[31] = back;
                Id(id)
            };
            for (front, back, pack) in entries {
                let place = Location { pack, offset: pack / 2, bytes: 7, part: back };
                table.insert(id(front, back), place).unwrap();
                model.entry(id(front, back)).or_default().push(place);
            }
            let sorted = |mut places: Vec<Location>| {
                places.sort_unstable_by_key(|place| place.pack);
                places
            };
            for front in 0..21 {
                for back in 0..4 {
                    let expected = model.get(&id(front, back)).cloned().unwrap_or_default();
                    prop_assert_eq!(sorted(table.get(&id(front, back)).unwrap()), sorted(expected));
                }
            }
            let mut visited = 0;
            table.visit(|_, _| visited += 1).unwrap();
            prop_assert_eq!(visited, model.values().map(Vec::len).sum::<usize>());
        }
    }

    #[test]
    fn many_entries_stay_within_their_memory_and_are_found() {
        let mut table = PlaceTable::with_limit(std::env::temp_dir(), 20_000);
        let id = |n: u64| Id(*blake3::hash(&n.to_le_bytes()).as_bytes());
        let place = |n: u64| Location { pack: n as u32, offset: 1, bytes: 2, part: 3 };
        table.reserve(300_000);
        assert!(
            (20_000..40_000).contains(&table.memory.capacity()),
            "room for what stays in memory"
        );
        for n in 0..300_000 {
            table.insert(id(n), place(n)).unwrap();
        }
        assert!(table.memory.len() < 20_000 && table.runs.len() < RUNS_MAX);
        for n in (0..300_000).step_by(997) {
            assert_eq!(table.get(&id(n)).unwrap(), [place(n)]);
        }
        assert!(table.get(&id(300_000)).unwrap().is_empty());
    }
}
