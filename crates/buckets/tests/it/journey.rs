//! A whole life of a vault on each store: backup, increment, restore, verify, delete, collect.

use std::io;
use std::sync::{Arc, Mutex};

use coffre_vault::{
    BlockReader, BlockSink, BlockSource, BlockWriter, CollectOptions, DiskSpec, Extent, NoProgress,
    Passphrase, PointSpec, ReadPlan, SourceExtent, Unlock, Vault, VerifyScope,
};
use uuid::Uuid;

use crate::emulator::Emulator;

struct Image(Vec<u8>);

impl BlockSource for Image {
    fn size_bytes(&self) -> u64 {
        self.0.len() as u64
    }
    fn reader(&self) -> io::Result<Box<dyn BlockReader + '_>> {
        Ok(Box::new(Reader(self)))
    }
}

struct Reader<'a>(&'a Image);

impl BlockReader for Reader<'_> {
    fn extents(&mut self, range: Extent) -> io::Result<Vec<SourceExtent>> {
        Ok(vec![SourceExtent { offset: range.offset, length: range.length, zero: false }])
    }
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        buffer.copy_from_slice(&self.0.0[offset as usize..][..buffer.len()]);
        Ok(())
    }
}

struct Target(Mutex<Vec<u8>>);

impl BlockSink for Target {
    fn writer(&self) -> io::Result<Box<dyn BlockWriter + '_>> {
        Ok(Box::new(Writer(self)))
    }
}

struct Writer<'a>(&'a Target);

impl BlockWriter for Writer<'_> {
    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.0.lock().unwrap()[offset as usize..][..data.len()].copy_from_slice(data);
        Ok(())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes that do not compress, others for each seed.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

fn backup(vault: &Vault, n: u128, image: &Image, changed: Option<&[Extent]>) -> u64 {
    let spec = PointSpec { id: Uuid::from_u128(n), name: "vm".into(), time_unix_ms: n as i64 };
    let mut writer = vault.begin_point(spec).unwrap();
    let base = changed.map(|_| (Uuid::from_u128(n - 1), "disk".to_owned()));
    let disk = DiskSpec { key: "disk".into(), size_bytes: image.size_bytes(), base };
    let plan = changed.map_or(ReadPlan::Everything, ReadPlan::Changed);
    let stats = writer.add_disk(disk, image, plan, &NoProgress).unwrap();
    writer.commit(serde_json::Value::Null).unwrap();
    stats.read_bytes
}

fn restored(vault: &Vault, n: u128, size: usize) -> Vec<u8> {
    let target = Target(Mutex::new(vec![0; size]));
    vault.restore_disk(Uuid::from_u128(n), "disk", &target, &NoProgress).unwrap();
    target.0.into_inner().unwrap()
}

fn lives(emulator: &Emulator) {
    let passphrase = Passphrase::new("on a far store");
    let (vault, _) = Vault::create(emulator.open("life"), &passphrase).unwrap();
    let size = 40 << 20;
    let mut image = Image(vec![0; size]);
    image.0[3 << 20..15 << 20].copy_from_slice(&noise(1, 12 << 20));
    backup(&vault, 1, &image, None);
    let first = image.0.clone();
    image.0[5 << 20..9 << 20].copy_from_slice(&noise(2, 4 << 20));
    let changed = [Extent { offset: 5 << 20, length: 4 << 20 }];
    assert_eq!(backup(&vault, 2, &image, Some(&changed)), 4 << 20);
    // Somebody else, who has only the address and the passphrase.
    let other = Vault::open(emulator.open("life"), &Unlock::Passphrase(passphrase)).unwrap();
    assert!(restored(&other, 1, size) == first);
    assert!(restored(&other, 2, size) == image.0);
    let disk = other.disk(Uuid::from_u128(2), "disk").unwrap();
    let mut part = vec![0; 100_000];
    disk.read_at(6_000_000, &mut part).unwrap();
    assert!(part == image.0[6_000_000..6_100_000]);
    assert_eq!(other.verify(VerifyScope::All, &NoProgress).unwrap().damage, []);
    other.delete_point(Uuid::from_u128(1)).unwrap();
    let before = other.stats().unwrap();
    let report = other.collect(&CollectOptions::at(i64::MAX / 2)).unwrap();
    assert!(report.bytes_deleted > 0, "{report:?}");
    let after = other.stats().unwrap();
    assert!(after.stored_bytes < before.stored_bytes && after.points == 1);
    let fresh: Arc<_> = emulator.open("life");
    let fresh = Vault::open(fresh, &Unlock::Passphrase(Passphrase::new("on a far store"))).unwrap();
    assert_eq!(fresh.verify(VerifyScope::All, &NoProgress).unwrap().damage, []);
    assert!(restored(&fresh, 2, size) == image.0);
}

#[test]
fn a_vault_lives_on_s3() {
    lives(&Emulator::s3());
}

#[test]
fn a_vault_lives_on_azure_blob() {
    lives(&Emulator::azblob());
}
