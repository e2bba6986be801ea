//! Cost follows what is on a disk and what changed, never its size.

use std::io;

use coffre_vault::{
    BlockReader, BlockSource, DiskSpec, DiskStats, Extent, NoProgress, PointSpec, ReadPlan,
    SourceExtent, Vault,
};
use uuid::Uuid;

use crate::support::{BLOCK, Target, new_vault};

const HUGE_BYTES: u64 = 64 << 40;

/// A disk on which every `every`-th block and the last one hold data.
struct Sparse {
    size_bytes: u64,
    every: u64,
    /// Nothing but zeros from here on, the last block apart.
    data_bytes: u64,
    /// Changes what the data is.
    salt: u8,
}

impl Sparse {
    fn is_data(&self, block: u64) -> bool {
        let inside = block * (BLOCK as u64) < self.data_bytes;
        inside && block.is_multiple_of(self.every) || block == self.size_bytes / BLOCK as u64 - 1
    }
}

impl BlockSource for Sparse {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
    fn reader(&self) -> io::Result<Box<dyn BlockReader + '_>> {
        Ok(Box::new(Reader(self)))
    }
}

struct Reader<'a>(&'a Sparse);

impl BlockReader for Reader<'_> {
    fn extents(&mut self, range: Extent) -> io::Result<Vec<SourceExtent>> {
        let block = range.offset / BLOCK as u64;
        let next = if self.0.is_data(block) {
            block + 1
        } else {
            (block + 1..).take(1 << 15).find(|b| self.0.is_data(*b)).unwrap_or(block + (1 << 15))
        };
        let length = (next * BLOCK as u64).min(range.end()) - range.offset;
        Ok(vec![SourceExtent { offset: range.offset, length, zero: !self.0.is_data(block) }])
    }
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        for (at, block) in buffer.chunks_mut(BLOCK).enumerate() {
            let number = offset / BLOCK as u64 + at as u64;
            block.fill(if self.0.is_data(number) { self.0.salt } else { 0 });
            let front = 8.min(block.len());
            block[..front].copy_from_slice(&number.to_le_bytes()[..front]);
        }
        Ok(())
    }
}

fn backup(vault: &Vault, n: u128, source: &Sparse, plan: ReadPlan<'_>) -> DiskStats {
    let spec = PointSpec { id: Uuid::from_u128(n), name: "huge".into(), time_unix_ms: n as i64 };
    let mut writer = vault.begin_point(spec).unwrap();
    let base =
        matches!(plan, ReadPlan::Changed(_)).then(|| (Uuid::from_u128(n - 1), "disk".to_owned()));
    let disk = DiskSpec { key: "disk".into(), size_bytes: source.size_bytes, base };
    let stats = writer.add_disk(disk, source, plan, &NoProgress).unwrap();
    writer.commit(serde_json::Value::Null).unwrap();
    stats
}

#[test]
fn a_disk_of_64_tib_costs_what_is_on_it() {
    let source = Sparse { size_bytes: HUGE_BYTES, every: 1 << 26, data_bytes: HUGE_BYTES, salt: 1 };
    let (_, vault) = new_vault();
    let stats = backup(&vault, 1, &source, ReadPlan::Everything);
    assert_eq!(stats.blocks_new, 17);
    assert_eq!(stats.blocks_zero, HUGE_BYTES / BLOCK as u64 - 17);
    assert!(stats.stored_bytes < 100_000, "{}", stats.stored_bytes);
    let disk = vault.disk(Uuid::from_u128(1), "disk").unwrap();
    assert_eq!(disk.data_extents(Extent { offset: 0, length: HUGE_BYTES }).unwrap().len(), 17);
    let mut last = [0; 9];
    disk.read_at(HUGE_BYTES - BLOCK as u64, &mut last).unwrap();
    assert_eq!(last[..8], (HUGE_BYTES / BLOCK as u64 - 1).to_le_bytes());
    // An increment touches one path of the map.
    let changed = [Extent { offset: 5 << 40, length: 1 }];
    let stats = backup(&vault, 2, &source, ReadPlan::Changed(&changed));
    assert!(stats.stored_bytes < 10_000, "{stats:?}");
}

/// The same change in a disk of 8 GiB and in one of 1 TiB: the same bytes, within a tenth.
#[test]
fn the_same_change_costs_the_same_in_a_disk_128_times_larger() {
    let changed: Vec<Extent> = (0..500u64)
        .map(|n| Extent { offset: n * 37 % 4096 * (1 << 21), length: BLOCK as u64 })
        .collect();
    let cost = |size_bytes: u64| {
        let (_, vault) = new_vault();
        // The data lies in the first 8 GiB; beyond, the larger disk is empty.
        let disk = |salt| Sparse { size_bytes, every: 32, data_bytes: 8 << 30, salt };
        backup(&vault, 1, &disk(1), ReadPlan::Everything);
        let stats = backup(&vault, 2, &disk(2), ReadPlan::Changed(&changed));
        (stats.read_bytes, stats.new_bytes, stats.stored_bytes)
    };
    let (small, large) = (cost(8 << 30), cost(1 << 40));
    assert_eq!((small.0, small.1), (large.0, large.1));
    assert!(large.2 * 10 <= small.2 * 11, "{small:?} {large:?}");
}

#[test]
fn a_restore_of_a_large_empty_disk_writes_its_data_only() {
    let source = Sparse { size_bytes: 1 << 30, every: 1 << 13, data_bytes: 1 << 30, salt: 3 };
    let (_, vault) = new_vault();
    backup(&vault, 1, &source, ReadPlan::Everything);
    let target = Target::new(1 << 30);
    let restored = vault.restore_disk(Uuid::from_u128(1), "disk", &target, &NoProgress).unwrap();
    assert_eq!((restored.blocks_data, restored.written_bytes), (3, 3 * BLOCK as u64));
}
