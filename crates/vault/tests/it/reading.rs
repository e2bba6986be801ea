//! Reading at random, what differs between two points, and a verification of a part.

use std::io;
use std::sync::atomic::Ordering;

use coffre_vault::bucket::Bucket;
use coffre_vault::{
    BlockReader, BlockSink, BlockWriter, Extent, NoProgress, SourceExtent, VerifyScope,
};
use proptest::prelude::*;
use uuid::Uuid;

use crate::support::{BLOCK, Image, Target, backup, mixed_image, new_vault};

const ONE: Uuid = Uuid::from_u128(1);
const TWO: Uuid = Uuid::from_u128(2);

/// A target that says what it holds, by 4 KiB.
struct Used(Target);

impl BlockSink for Used {
    fn writer(&self) -> io::Result<Box<dyn BlockWriter + '_>> {
        self.0.writer()
    }

    fn existing(&self) -> io::Result<Option<Box<dyn BlockReader + '_>>> {
        Ok(Some(Box::new(UsedReader(&self.0))))
    }
}

struct UsedReader<'a>(&'a Target);

impl BlockReader for UsedReader<'_> {
    fn extents(&mut self, range: Extent) -> io::Result<Vec<SourceExtent>> {
        let end = ((range.offset / 4096 + 1) * 4096).min(range.end());
        let data = self.0.data.lock().unwrap();
        let zero = data[range.offset as usize..end as usize].iter().all(|byte| *byte == 0);
        Ok(vec![SourceExtent { offset: range.offset, length: end - range.offset, zero }])
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let data = self.0.data.lock().unwrap();
        buffer.copy_from_slice(&data[offset as usize..][..buffer.len()]);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Any reads in any order, long and short, give the bytes of the image; so do streams, which read ahead.
    #[test]
    fn reads_give_the_bytes_of_the_image(
        seed in 0u64..1000,
        reads in prop::collection::vec((0usize..300 * BLOCK, 1usize..40 * BLOCK, 1usize..6), 1..12),
    ) {
        let (_, vault) = new_vault();
        let mut data = mixed_image(seed, 290, 777);
        data[100 * BLOCK..180 * BLOCK].fill(0);
        let image = Image::new(data);
        backup(&vault, ONE, &image, None).unwrap();
        let disk = vault.disk(ONE, "disk").unwrap();
        for (start, length, pieces) in reads {
            let start = start % image.data.len();
            let end = (start + length).min(image.data.len());
            let step = (end - start).div_ceil(pieces);
            for from in (start..end).step_by(step) {
                let to = (from + step).min(end);
                let mut buffer = vec![1; to - from];
                disk.read_at(from as u64, &mut buffer).unwrap();
                prop_assert!(buffer == image.data[from..to], "{from}..{to}");
            }
        }
        // Data and holes are told apart block by block.
        let mut at = 0;
        while let Some(extent) = disk.next_data(at).unwrap() {
            prop_assert!(image.data[at as usize..extent.offset as usize].iter().all(|b| *b == 0));
            prop_assert!(extent.length > 0);
            at = extent.end();
        }
        prop_assert!(image.data[at as usize..].iter().all(|b| *b == 0));
    }

    /// Whatever a target holds, after a restore it is the image; and what was right is not written again.
    #[test]
    fn a_restore_goes_on_with_what_is_there(
        seed in 0u64..1000,
        stopped_at in 0usize..300 * BLOCK,
        dirt in prop::collection::vec((0usize..300 * BLOCK, 1usize..3 * BLOCK), 0..8),
    ) {
        let (_, vault) = new_vault();
        let mut data = mixed_image(seed, 290, 777);
        data[20 * BLOCK..60 * BLOCK].fill(0);
        let image = Image::new(data);
        backup(&vault, ONE, &image, None).unwrap();
        let target = Used(Target::new(image.data.len()));
        {
            let mut held = target.0.data.lock().unwrap();
            let stopped_at = stopped_at.min(image.data.len());
            held[..stopped_at].copy_from_slice(&image.data[..stopped_at]);
            for (at, length) in dirt {
                let at = at % held.len();
                let end = (at + length).min(held.len());
                held[at..end].fill(0x5a);
            }
        }
        vault.restore_disk(ONE, "disk", &target, &NoProgress).unwrap();
        prop_assert!(*target.0.data.lock().unwrap() == image.data);
        let before = target.0.writes.load(Ordering::Relaxed);
        let again = vault.restore_disk(ONE, "disk", &target, &NoProgress).unwrap();
        prop_assert_eq!(target.0.writes.load(Ordering::Relaxed), before);
        prop_assert_eq!((again.blocks_data, again.read_bytes, again.written_bytes), (0, 0, 0));
        prop_assert_eq!(again.blocks_kept + again.blocks_zero, 291);
    }

    /// What differs is exactly the blocks that differ, also when the disk grew or shrank over a level of the map.
    #[test]
    fn a_difference_names_the_blocks_that_differ(
        seed in 0u64..1000,
        sizes in (1usize..300 * BLOCK, 1usize..300 * BLOCK),
        edits in prop::collection::vec((0usize..300 * BLOCK, any::<bool>()), 0..10),
    ) {
        let (_, vault) = new_vault();
        let before = mixed_image(seed, sizes.0 / BLOCK, sizes.0 % BLOCK);
        let mut after = before.clone();
        after.resize(sizes.1, 0);
        for (at, clear) in edits {
            let at = at % after.len();
            let end = (at + 5).min(after.len());
            after[at..end].fill(if clear { 0 } else { 0xab });
        }
        backup(&vault, ONE, &Image::new(before.clone()), None).unwrap();
        backup(&vault, TWO, &Image::new(after.clone()), None).unwrap();
        let (one, two) = (vault.disk(ONE, "disk").unwrap(), vault.disk(TWO, "disk").unwrap());
        let mut found = vec![false; after.len().div_ceil(BLOCK)];
        let mut last = 0;
        two.changed_since(&one, &mut |extent: Extent| {
            assert!(extent.length > 0 && (extent.offset > last || last == 0), "in order, joined");
            assert!(extent.end() <= after.len() as u64);
            last = extent.end();
            for block in extent.offset / BLOCK as u64..extent.end().div_ceil(BLOCK as u64) {
                found[block as usize] = true;
            }
        })
        .unwrap();
        let mut padded = before.clone();
        padded.resize(before.len().max(after.len()).next_multiple_of(BLOCK), 0);
        for (block, bytes) in after.chunks(BLOCK).enumerate() {
            let mut now = bytes.to_vec();
            now.resize(BLOCK, 0);
            let differs = now != padded[block * BLOCK..(block + 1) * BLOCK];
            prop_assert_eq!(found[block], differs, "block {}", block);
        }
    }
}

#[test]
fn a_difference_reads_no_data_and_only_the_maps_that_differ() {
    let (_, vault) = new_vault();
    let mut data = mixed_image(5, 1100, 0);
    backup(&vault, ONE, &Image::new(data.clone()), None).unwrap();
    data[700 * BLOCK + 9] ^= 1;
    backup(&vault, TWO, &Image::new(data), None).unwrap();
    let (one, two) = (vault.disk(ONE, "disk").unwrap(), vault.disk(TWO, "disk").unwrap());
    let mut found = Vec::new();
    two.changed_since(&one, &mut |extent| found.push(extent)).unwrap();
    let block = BLOCK as u64;
    assert_eq!(found, [Extent { offset: 700 * block, length: block }]);
    let (_, other) = new_vault();
    backup(&other, ONE, &Image::new(vec![1; 5]), None).unwrap();
    let foreign = other.disk(ONE, "disk").unwrap();
    assert!(two.changed_since(&foreign, &mut |_| {}).is_err());
}

#[test]
fn a_sample_reads_a_part_and_still_misses_no_pack_that_is_gone() {
    let (bucket, vault) = new_vault();
    for n in 1..=12u64 {
        let image = Image::new(mixed_image(n, 20, 0));
        backup(&vault, Uuid::from_u128(n.into()), &image, None).unwrap();
    }
    let scope = |parts_per_million| VerifyScope::Sample { parts_per_million };
    let all = vault.verify(VerifyScope::All, &NoProgress).unwrap();
    assert_eq!((all.packs, all.points, all.damage.len()), (all.packs_known, 12, 0));
    let some = vault.verify(scope(100_000), &NoProgress).unwrap();
    assert_eq!(some.packs, all.packs.div_ceil(10));
    assert_eq!((some.packs_known, some.points, some.damage.len()), (all.packs, 12, 0));
    assert_eq!(vault.verify(scope(0), &NoProgress).unwrap().packs, 0);
    assert_eq!(vault.verify(scope(1_000_000), &NoProgress).unwrap().packs, all.packs);
    let packs = bucket.list("packs/").unwrap();
    let lost = packs.iter().max_by_key(|pack| pack.size).unwrap();
    bucket.delete(&lost.key).unwrap();
    let report = vault.verify(scope(0), &NoProgress).unwrap();
    let found: Vec<_> = report.damage.iter().filter(|damage| damage.object == lost.key).collect();
    assert!(
        !found.is_empty() && found.iter().any(|damage| !damage.points.is_empty()),
        "{report:?}"
    );
}
