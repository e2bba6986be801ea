//! What is backed up comes back, and an incremental costs what changed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use coffre_vault::bucket::{Bucket, FolderBucket};
use coffre_vault::{
    Advance, DiskSpec, Extent, NoProgress, PointSpec, Progress, ReadPlan, Unlock, Vault,
    VaultError, VerifyScope,
};
use proptest::prelude::*;
use uuid::Uuid;

use crate::support::{
    BLOCK, Image, Noise, Target, backup, mixed_image, new_vault, open, passphrase, restore,
};

fn random_changes(noise: &mut Noise, data: &mut Vec<u8>) -> Vec<Extent> {
    let mut changed = Vec::new();
    for _ in 0..noise.next() % 6 {
        if data.is_empty() {
            break;
        }
        let offset = (noise.next() as usize) % data.len();
        let length = (noise.next() as usize % (3 * BLOCK)).min(data.len() - offset);
        match noise.next() % 3 {
            0 => data[offset..offset + length].fill(0),
            1 => noise.fill(&mut data[offset..offset + length]),
            _ => data[offset..offset + length].fill(7),
        }
        changed.push(Extent { offset: offset as u64, length: length as u64 });
    }
    if noise.next().is_multiple_of(4) {
        let grow = noise.next() as usize % (40 * BLOCK);
        let old = data.len();
        data.resize(old + grow, 0);
        let filled = (noise.next() as usize) % (grow + 1);
        noise.fill(&mut data[old..old + filled]);
    }
    changed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// The law: whatever the images and the changes, by increments or whole, every point of the history restores equal,
    /// by restore and by random reads, from a fresh handle too; and the vault verifies.
    #[test]
    fn every_point_of_a_history_restores_equal(seed: u64, blocks in 0usize..400, tail in 0usize..BLOCK) {
        let mut noise = Noise::new(seed);
        let (bucket, vault) = new_vault();
        let mut image = Image::new(mixed_image(seed, blocks, tail));
        let mut history: Vec<(Uuid, Vec<u8>)> = Vec::new();
        for round in 0..4u128 {
            let id = Uuid::from_u128(round + 1);
            let changed = if round == 0 { Vec::new() } else { random_changes(&mut noise, &mut image.data) };
            let since = history.last().filter(|_| !noise.next().is_multiple_of(4)).map(|(id, _)| (*id, changed.as_slice()));
            backup(&vault, id, &image, since).unwrap();
            history.push((id, image.data.clone()));
        }
        let fresh = open(&bucket).unwrap();
        for (id, data) in &history {
            prop_assert!(restore(&fresh, *id).unwrap() == *data);
            let disk = vault.disk(*id, "disk").unwrap();
            prop_assert_eq!(disk.size_bytes(), data.len() as u64);
            for _ in 0..20 {
                let start = (noise.next() as usize) % (data.len() + 1);
                let length = (noise.next() as usize % (2 * BLOCK)).min(data.len() - start);
                let mut read = vec![1; length];
                disk.read_at(start as u64, &mut read).unwrap();
                prop_assert!(read == data[start..start + length]);
            }
            let extents = disk.data_extents(Extent { offset: 0, length: u64::MAX }).unwrap();
            let mut covered = vec![false; data.len()];
            extents.iter().for_each(|e| covered[e.offset as usize..e.end() as usize].fill(true));
            prop_assert!(data.iter().zip(&covered).all(|(byte, covered)| *covered || *byte == 0));
        }
        let report = fresh.verify(VerifyScope::All, &NoProgress).unwrap();
        prop_assert_eq!(report.damage, []);
        prop_assert_eq!(report.points, 4);
        for (id, _) in &history {
            prop_assert_eq!(fresh.verify(VerifyScope::Point(*id), &NoProgress).unwrap().damage, []);
        }
    }
}

#[test]
fn an_incremental_reads_and_stores_only_what_changed() {
    let (_, vault) = new_vault();
    let mut data = vec![0; 1200 * BLOCK];
    Noise::new(5).fill(&mut data[..1000 * BLOCK]);
    let image = Image::new(data);
    let (_, first) = backup(&vault, Uuid::from_u128(1), &image, None).unwrap();
    assert_eq!(first.blocks_new, 1000);
    assert_eq!(first.blocks_zero, 200);
    assert_eq!(first.read_bytes, 1000 * BLOCK as u64);
    assert_eq!(image.bytes_read(), first.read_bytes);

    let mut image = Image::new(image.data);
    let changed = [
        Extent { offset: 10 * BLOCK as u64 + 5, length: 10 },
        Extent { offset: 900 * BLOCK as u64 - 1, length: 2 },
    ];
    image.data[10 * BLOCK + 5] ^= 1;
    image.data[900 * BLOCK] ^= 1;
    let (info, second) =
        backup(&vault, Uuid::from_u128(2), &image, Some((Uuid::from_u128(1), &changed))).unwrap();
    assert_eq!((second.blocks_new, second.blocks_reused, second.blocks_zero), (2, 1, 0));
    assert_eq!(second.read_bytes, 3 * BLOCK as u64);
    assert_eq!(second.new_bytes, 2 * BLOCK as u64);
    assert_eq!(image.bytes_read(), second.read_bytes);
    assert!(second.stored_bytes < 2 * BLOCK as u64 + 40_000, "{}", second.stored_bytes);
    assert_eq!(info.stats, second);
    assert!(restore(&vault, Uuid::from_u128(2)).unwrap() == image.data);

    // Without a map: all is read, nothing is stored.
    let (_, third) = backup(&vault, Uuid::from_u128(3), &image, None).unwrap();
    assert_eq!((third.blocks_new, third.blocks_reused), (0, 1000));
    assert_eq!(third.stored_bytes, 0);
}

#[test]
fn zeros_are_never_read_and_never_written() {
    let (_, vault) = new_vault();
    let mut data = vec![0; 700 * BLOCK];
    data[300 * BLOCK] = 1;
    let image = Image::new(data);
    let (_, stats) = backup(&vault, Uuid::from_u128(1), &image, None).unwrap();
    assert_eq!((stats.read_bytes, stats.blocks_zero, stats.blocks_new), (BLOCK as u64, 699, 1));
    let target = Target::new(image.data.len());
    let restored = vault.restore_disk(Uuid::from_u128(1), "disk", &target, &NoProgress).unwrap();
    assert_eq!(
        (restored.blocks_data, restored.blocks_zero, restored.written_bytes),
        (1, 699, BLOCK as u64)
    );
    assert_eq!(target.writes.load(Ordering::Relaxed), 1);
    // What was discarded since is not read either.
    let image = Image::new(vec![0; 700 * BLOCK]);
    let changed = [Extent { offset: 0, length: u64::MAX }];
    let (_, stats) =
        backup(&vault, Uuid::from_u128(2), &image, Some((Uuid::from_u128(1), &changed))).unwrap();
    assert_eq!((stats.read_bytes, stats.blocks_zero), (0, 700));
    assert!(restore(&vault, Uuid::from_u128(2)).unwrap().iter().all(|byte| *byte == 0));
}

#[test]
fn points_are_listed_oldest_first_and_deleted_ones_are_gone() {
    let (bucket, vault) = new_vault();
    let image = Image::new(mixed_image(3, 20, 0));
    for n in 1..=3u128 {
        backup(&vault, Uuid::from_u128(n), &image, None).unwrap();
    }
    let listed: Vec<_> =
        vault.points().unwrap().into_iter().map(|point| point.id.as_u128()).collect();
    assert_eq!(listed, [1, 2, 3]);
    vault.delete_point(Uuid::from_u128(2)).unwrap();
    vault.delete_point(Uuid::from_u128(2)).unwrap();
    let fresh = open(&bucket).unwrap();
    let listed: Vec<_> =
        fresh.points().unwrap().into_iter().map(|point| point.id.as_u128()).collect();
    assert_eq!(listed, [1, 3]);
    assert!(fresh.point(Uuid::from_u128(2)).unwrap().is_none());
    assert!(matches!(restore(&fresh, Uuid::from_u128(2)), Err(VaultError::UnknownPoint(_))));
    assert!(matches!(fresh.delete_point(Uuid::from_u128(9)), Err(VaultError::UnknownPoint(_))));
    // A deleted point is no base, and its id is used up.
    let base = backup(&fresh, Uuid::from_u128(4), &image, Some((Uuid::from_u128(2), &[])));
    assert!(matches!(base, Err(VaultError::BaseUnusable { .. })));
    let again = backup(&fresh, Uuid::from_u128(2), &image, None);
    assert!(matches!(again, Err(VaultError::AlreadyCommitted(_))));
    assert_eq!(fresh.verify(VerifyScope::All, &NoProgress).unwrap().damage, []);
}

#[test]
fn nothing_is_visible_before_the_commit_and_the_next_attempt_reuses_it() {
    let (_, vault) = new_vault();
    let image = Image::new(mixed_image(4, 50, 0));
    let id = Uuid::from_u128(1);
    let spec = || PointSpec { id, name: "vm".into(), time_unix_ms: 1 };
    let disk = || DiskSpec { key: "disk".into(), size_bytes: image.data.len() as u64, base: None };
    let mut writer = vault.begin_point(spec()).unwrap();
    let first = writer.add_disk(disk(), &image, ReadPlan::Everything, &NoProgress).unwrap();
    assert!(first.blocks_new > 0);
    assert!(vault.points().unwrap().is_empty());
    drop(writer);
    let mut writer = vault.begin_point(spec()).unwrap();
    let second = writer.add_disk(disk(), &image, ReadPlan::Everything, &NoProgress).unwrap();
    assert_eq!(second.blocks_new, 0);
    writer.commit(serde_json::Value::Null).unwrap();
    assert_eq!(vault.points().unwrap().len(), 1);
    assert!(matches!(vault.begin_point(spec()), Err(VaultError::AlreadyCommitted(_))));
}

#[test]
fn progress_adds_up_to_the_plan_and_cancelling_stops() {
    #[derive(Default)]
    struct Sum(std::sync::Mutex<Advance>, bool);
    impl Progress for Sum {
        fn advance(&self, done: Advance) {
            let mut sum = self.0.lock().unwrap();
            sum.read_bytes += done.read_bytes;
            sum.new_bytes += done.new_bytes;
            sum.done_bytes += done.done_bytes;
        }
        fn cancelled(&self) -> bool {
            self.1
        }
    }
    let (_, vault) = new_vault();
    let image = Image::new(mixed_image(8, 700, 1000));
    let size = image.data.len() as u64;
    let run = |n: u128, progress: &Sum| {
        let mut writer = vault
            .begin_point(PointSpec { id: Uuid::from_u128(n), name: "vm".into(), time_unix_ms: 1 })
            .unwrap();
        let disk = DiskSpec { key: "disk".into(), size_bytes: size, base: None };
        let stats = writer.add_disk(disk, &image, ReadPlan::Everything, progress)?;
        writer.commit(serde_json::Value::Null)?;
        Ok::<_, VaultError>(stats)
    };
    let sum = Sum::default();
    let stats = run(1, &sum).unwrap();
    let seen = *sum.0.lock().unwrap();
    assert_eq!(
        (seen.done_bytes, seen.read_bytes, seen.new_bytes),
        (size, stats.read_bytes, stats.new_bytes)
    );
    let sum = Sum::default();
    let target = Target::new(image.data.len());
    vault.restore_disk(Uuid::from_u128(1), "disk", &target, &sum).unwrap();
    assert_eq!(sum.0.lock().unwrap().done_bytes, size);
    let stopping = Sum(Default::default(), true);
    assert!(matches!(run(2, &stopping), Err(VaultError::Cancelled)));
    let target = Target::new(image.data.len());
    let restored = vault.restore_disk(Uuid::from_u128(1), "disk", &target, &stopping);
    assert!(matches!(restored, Err(VaultError::Cancelled)));
}

#[test]
fn wrong_arguments_are_refused_and_change_nothing() {
    let (_, vault) = new_vault();
    let image = Image::new(mixed_image(9, 3, 0));
    let size_bytes = image.data.len() as u64;
    let spec =
        |name: &str| PointSpec { id: Uuid::from_u128(1), name: name.into(), time_unix_ms: 1 };
    assert!(matches!(vault.begin_point(spec("")), Err(VaultError::Invalid(_))));
    assert!(matches!(vault.begin_point(spec(&"x".repeat(257))), Err(VaultError::Limit { .. })));
    let mut writer = vault.begin_point(spec("vm")).unwrap();
    let disk = |key: &str, size_bytes| DiskSpec { key: key.into(), size_bytes, base: None };
    let mut add = |disk| writer.add_disk(disk, &image, ReadPlan::Everything, &NoProgress);
    assert!(matches!(add(disk("a", size_bytes + 1)), Err(VaultError::Invalid(_))));
    assert!(matches!(add(disk("", size_bytes)), Err(VaultError::Invalid(_))));
    assert!(matches!(add(disk("a", u64::MAX)), Err(VaultError::Limit { .. })));
    add(disk("a", size_bytes)).unwrap();
    assert!(matches!(add(disk("a", size_bytes)), Err(VaultError::Invalid(_))));
    add(disk("b", size_bytes)).unwrap();
    let info = writer.commit(serde_json::json!({"x": [1, 2]})).unwrap();
    assert_eq!(info.disks.iter().map(|disk| disk.key.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(info.disks[1].stats.blocks_new, 0);
    assert!(matches!(vault.disk(info.id, "c"), Err(VaultError::UnknownDisk { .. })));
    let mut byte = [0];
    let past = vault.disk(info.id, "a").unwrap().read_at(size_bytes, &mut byte);
    assert!(matches!(past, Err(VaultError::Limit { .. })));
}

#[test]
fn a_source_or_target_that_fails_is_named_and_the_next_run_goes_on() {
    struct Bad;
    impl coffre_vault::BlockSource for Bad {
        fn size_bytes(&self) -> u64 {
            100 * BLOCK as u64
        }
        fn reader(&self) -> std::io::Result<Box<dyn coffre_vault::BlockReader + '_>> {
            Ok(Box::new(Bad))
        }
    }
    impl coffre_vault::BlockReader for Bad {
        fn extents(&mut self, range: Extent) -> std::io::Result<Vec<coffre_vault::SourceExtent>> {
            Ok(vec![coffre_vault::SourceExtent {
                offset: range.offset,
                length: range.length,
                zero: false,
            }])
        }
        fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
            if offset >= 50 * BLOCK as u64 {
                return Err(std::io::Error::other("disk vanished"));
            }
            Noise::new(offset + 1).fill(buffer);
            Ok(())
        }
    }
    let (_, vault) = new_vault();
    let mut writer = vault
        .begin_point(PointSpec { id: Uuid::from_u128(1), name: "vm".into(), time_unix_ms: 1 })
        .unwrap();
    let disk = DiskSpec { key: "disk".into(), size_bytes: 100 * BLOCK as u64, base: None };
    let failed = writer.add_disk(disk, &Bad, ReadPlan::Everything, &NoProgress);
    assert!(
        matches!(failed, Err(VaultError::Source { offset, .. }) if offset >= 48 * BLOCK as u64),
        "{failed:?}"
    );
    let image = Image::new(mixed_image(2, 5, 0));
    backup(&vault, Uuid::from_u128(1), &image, None).unwrap();
    struct Full;
    impl coffre_vault::BlockSink for Full {
        fn writer(&self) -> std::io::Result<Box<dyn coffre_vault::BlockWriter + '_>> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
    }
    let failed = vault.restore_disk(Uuid::from_u128(1), "disk", &Full, &NoProgress);
    assert!(matches!(failed, Err(VaultError::Sink { .. })));
}

#[test]
fn a_vault_in_a_folder_is_the_same_vault() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = || Arc::new(FolderBucket::open(folder.path()).unwrap()) as Arc<dyn Bucket>;
    let (vault, _) = Vault::create(bucket(), &passphrase()).unwrap();
    let image = Image::new(mixed_image(11, 300, 77));
    backup(&vault, Uuid::from_u128(1), &image, None).unwrap();
    let fresh = Vault::open(bucket(), &Unlock::Passphrase(passphrase())).unwrap();
    assert!(restore(&fresh, Uuid::from_u128(1)).unwrap() == image.data);
    assert_eq!(fresh.verify(VerifyScope::All, &NoProgress).unwrap().damage, []);
}
