//! A host with put-only keys attacks the others, in every way that its keys allow.

use std::io;
use std::sync::{Arc, Mutex};

use super::poison::Lie;
use crate::bucket::{Bucket, Call, Fault, FaultyBucket, MemoryBucket, Verb};
use crate::format::{BLOCK_BYTES, Id, PackId, Seal};
use crate::{
    BlockReader, BlockSink, BlockSource, BlockWriter, Capability, CollectOptions, DiskSpec,
    DiskStats, Extent, NoProgress, Passphrase, PointSpec, ReadPlan, RecoveryKey, SourceExtent,
    Unlock, Vault, VaultError, VerifyScope,
};
use uuid::Uuid;

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

/// Blocks that nobody else has, for each seed.
fn image(seed: u8, blocks: usize) -> Image {
    let block = |n: usize| {
        let mut block = vec![0; BLOCK_BYTES];
        blake3::Hasher::new().update(&[seed, n as u8]).finalize_xof().fill(&mut block);
        block
    };
    Image((0..blocks).flat_map(block).collect())
}

/// A vault with its owner and two hosts that may only put.
struct World {
    bucket: Arc<MemoryBucket>,
    recovery: RecoveryKey,
    owner: Vault,
    honest: Vault,
    attacker: Vault,
}

fn world() -> World {
    let bucket = Arc::new(MemoryBucket::new());
    let store = || Arc::clone(&bucket) as Arc<dyn Bucket>;
    let (owner, recovery) = Vault::create(store(), &Passphrase::new("owner")).unwrap();
    let host = |name: &str| {
        let unlock = Unlock::Passphrase(Passphrase::new(name));
        owner.add_key(&unlock, &[Capability::Put]).unwrap();
        Vault::open(store(), &unlock).unwrap()
    };
    let (honest, attacker) = (host("honest"), host("attacker"));
    World { bucket, recovery, owner, honest, attacker }
}

impl World {
    /// A handle that remembers nothing.
    fn again(&self) -> Vault {
        let unlock = Unlock::RecoveryKey(self.recovery.clone());
        Vault::open(Arc::clone(&self.bucket) as Arc<dyn Bucket>, &unlock).unwrap()
    }

    fn read(&self, n: u128, image: &Image) {
        let target = Target(Mutex::new(vec![0; image.0.len()]));
        self.again().restore_disk(Uuid::from_u128(n), "disk", &target, &NoProgress).unwrap();
        assert!(target.0.into_inner().unwrap() == image.0, "point {n}");
    }

    fn collect(&self) {
        let options = CollectOptions {
            repack_below_percent: 100,
            spare_younger_ms: 0,
            ..CollectOptions::at(0)
        };
        self.again().collect(&options).unwrap();
    }
}

fn backup(
    vault: &Vault,
    n: u128,
    image: &Image,
    base: Option<u128>,
) -> Result<DiskStats, VaultError> {
    let spec = PointSpec { id: Uuid::from_u128(n), name: "vm".into(), time_unix_ms: n as i64 };
    let mut writer = vault.begin_point(spec)?;
    let base = base.map(|point| (Uuid::from_u128(point), "disk".to_owned()));
    let plan = if base.is_some() { ReadPlan::Changed(&[]) } else { ReadPlan::Everything };
    let disk = DiskSpec { key: "disk".into(), size_bytes: image.size_bytes(), base };
    let stats = writer.add_disk(disk, image, plan, &NoProgress)?;
    writer.commit(serde_json::Value::Null)?;
    Ok(stats)
}

/// The identities of an image, which a put-only host can make for whatever it guesses others to have.
fn names(vault: &Vault, image: &Image) -> Vec<Id> {
    image.0.chunks(BLOCK_BYTES).map(|block| Id::of(&vault.inner.block_key, block)).collect()
}

fn packs(world: &World) -> Vec<PackId> {
    world
        .bucket
        .list("packs/")
        .unwrap()
        .iter()
        .filter_map(|object| PackId::of_object(&object.key))
        .collect()
}

/// Every lie, told before and after the victims store the same blocks.
fn lies(world: &World) -> Vec<Lie> {
    let other = world.honest.dedup_group().unwrap();
    let mut lies = vec![Lie::Own, Lie::As(other), Lie::As(0), Lie::Unsigned];
    lies.extend(packs(world).into_iter().map(Lie::About));
    lies
}

#[test]
fn nobody_counts_on_what_a_put_only_host_says_that_it_stored() {
    let world = world();
    backup(&world.honest, 1, &image(9, 3), None).unwrap();
    for (n, lie) in (10..).step_by(10).zip(lies(&world)) {
        let (mine, theirs) = (image(n as u8, 6), image(n as u8 + 1, 6));
        for image in [&mine, &theirs] {
            world.attacker.inner.poison(&names(&world.attacker, image), Seal::Data, lie).unwrap();
        }
        // The holder of all keys, a host of another group, and handles that were open before and after.
        let stats = backup(&world.honest, n, &mine, None).unwrap();
        assert_eq!((stats.blocks_new, stats.blocks_reused), (6, 0), "{lie:?}");
        let stats = backup(&world.owner, n + 1, &theirs, None).unwrap();
        assert_eq!((stats.blocks_new, stats.blocks_reused), (6, 0), "{lie:?}");
        let stats = backup(&world.again(), n + 2, &mine, None).unwrap();
        assert_eq!((stats.blocks_new, stats.blocks_reused), (6, 0), "{lie:?}");
        world.read(n, &mine);
        world.read(n + 1, &theirs);
    }
}

#[test]
fn no_lie_makes_the_collector_drop_the_only_good_copy() {
    let world = world();
    let (mine, theirs) = (image(1, 6), image(2, 6));
    backup(&world.honest, 1, &mine, None).unwrap();
    backup(&world.owner, 2, &theirs, None).unwrap();
    for lie in lies(&world).into_iter().filter(|lie| !matches!(lie, Lie::About(_))) {
        for image in [&mine, &theirs] {
            world.attacker.inner.poison(&names(&world.attacker, image), Seal::Data, lie).unwrap();
        }
    }
    for _ in 0..3 {
        world.collect();
        world.read(1, &mine);
        world.read(2, &theirs);
    }
    // Verified, the good copies stand for all others, and the lies are named.
    let report = world.again().verify(VerifyScope::All, &NoProgress).unwrap();
    assert_eq!(report.damage.iter().filter(|damage| !damage.points.is_empty()).count(), 0);
    assert!(report.damage.len() >= 8, "{:?}", report.damage);
    for _ in 0..3 {
        world.collect();
    }
    world.read(1, &mine);
    world.read(2, &theirs);
    let report = world.again().verify(VerifyScope::All, &NoProgress).unwrap();
    assert_eq!(report.damage, [], "what nobody needs is collected");
}

#[test]
fn what_was_verified_is_everybodys() {
    let world = world();
    let shared = image(3, 8);
    assert_eq!(backup(&world.attacker, 1, &shared, None).unwrap().blocks_new, 8);
    // Its own group counts on it, nobody else does.
    assert_eq!(backup(&world.attacker, 2, &shared, None).unwrap().blocks_new, 0);
    let report = world.again().verify(VerifyScope::All, &NoProgress).unwrap();
    assert!(report.packs_vouched >= 2 && report.damage.is_empty(), "{report:?}");
    assert_eq!(backup(&world.honest, 3, &shared, None).unwrap().blocks_new, 0);
    assert_eq!(backup(&world.owner, 4, &shared, None).unwrap().blocks_new, 0);
    let report = world.again().verify(VerifyScope::All, &NoProgress).unwrap();
    assert_eq!(report.packs_vouched, 0, "nothing new to say");
    // The collector moves it, and it is everybody's still.
    world.owner.delete_point(Uuid::from_u128(1)).unwrap();
    for _ in 0..2 {
        world.collect();
    }
    assert_eq!(backup(&world.honest, 5, &shared, None).unwrap().blocks_new, 0);
    world.read(5, &shared);
}

#[test]
fn a_verification_signs_for_nothing_that_is_not_so() {
    let world = world();
    let mine = image(4, 5);
    backup(&world.honest, 1, &mine, None).unwrap();
    let honest = packs(&world);
    let other = image(5, 5);
    for lie in lies(&world) {
        world.attacker.inner.poison(&names(&world.attacker, &other), Seal::Data, lie).unwrap();
    }
    let report = world.again().verify(VerifyScope::All, &NoProgress).unwrap();
    assert_eq!(report.packs_vouched, honest.len() as u64, "{report:?}");
    assert_eq!(backup(&world.owner, 2, &other, None).unwrap().blocks_new, 5);
    assert_eq!(backup(&world.owner, 3, &mine, None).unwrap().blocks_new, 0);
    world.read(2, &other);
}

#[test]
fn a_point_of_another_group_is_no_base() {
    let world = world();
    let mine = image(6, 4);
    backup(&world.attacker, 1, &mine, None).unwrap();
    for victim in [&world.honest, &world.owner] {
        let refused = backup(victim, 2, &mine, Some(1)).unwrap_err();
        assert!(matches!(refused, VaultError::BaseUnusable { .. }), "{refused:?}");
    }
    backup(&world.owner, 3, &mine, None).unwrap();
    assert_eq!(backup(&world.honest, 4, &mine, Some(3)).unwrap().read_bytes, 0);
    assert_eq!(backup(&world.attacker, 5, &mine, Some(1)).unwrap().read_bytes, 0);
    world.read(4, &mine);
}

#[test]
fn a_vault_without_groups_is_as_it_was_and_learns_of_its_first_group() {
    let bucket = Arc::new(MemoryBucket::new());
    let store = || Arc::clone(&bucket) as Arc<dyn Bucket>;
    let (owner, _) = Vault::create(store(), &Passphrase::new("owner")).unwrap();
    let mine = image(7, 4);
    backup(&owner, 1, &mine, None).unwrap();
    assert_eq!(backup(&owner, 2, &mine, Some(1)).unwrap().read_bytes, 0);
    assert!(
        bucket.list("groups/").unwrap().is_empty() && bucket.list("verified/").unwrap().is_empty()
    );
    // A key that holds the delete key as well needs no group.
    let all = [Capability::Put, Capability::Delete];
    let unlock = |name: &str| Unlock::Passphrase(Passphrase::new(name));
    assert_eq!(owner.add_key_in_group(&unlock("all"), &all, None).unwrap().1, None);
    assert_eq!(owner.add_key_in_group(&unlock("read"), &[Capability::Read], None).unwrap().1, None);
    assert!(bucket.list("groups/").unwrap().is_empty());
    // The same handle, after somebody came who is not trusted: what was there before counts when it was read.
    let (_, group) = owner.add_key_in_group(&unlock("host"), &[Capability::Put], None).unwrap();
    let second = owner.add_key_in_group(&unlock("twin"), &[Capability::Put], group).unwrap();
    assert_eq!(second.1, group);
    assert_eq!(backup(&owner, 30, &mine, None).unwrap().blocks_new, 0, "it wrote them itself");
    let later = Vault::open(store(), &unlock("owner")).unwrap();
    assert_eq!(backup(&later, 3, &mine, None).unwrap().blocks_new, 4);
    let report = owner.verify(VerifyScope::All, &NoProgress).unwrap();
    assert!(report.packs_vouched > 0 && report.damage.is_empty(), "{report:?}");
    let host = Vault::open(store(), &unlock("host")).unwrap();
    assert_eq!(backup(&host, 4, &mine, None).unwrap().blocks_new, 0);
    // Two hosts of one group count on each other.
    let fresh = image(8, 4);
    assert_eq!(backup(&host, 5, &fresh, None).unwrap().blocks_new, 4);
    let twin = Vault::open(store(), &unlock("twin")).unwrap();
    assert_eq!(backup(&twin, 6, &fresh, None).unwrap().blocks_new, 0);
    assert_eq!(backup(&twin, 7, &fresh, Some(5)).unwrap().read_bytes, 0);
}

#[test]
fn a_store_that_can_only_be_read_is_verified_all_the_same() {
    let world = world();
    backup(&world.honest, 1, &image(1, 2), None).unwrap();
    let plan = |call: Call<'_>| (call.verb == Verb::Create).then_some(Fault::Before);
    let store = FaultyBucket::new(Arc::clone(&world.bucket), plan);
    let reader = Vault::open(Arc::new(store), &Unlock::RecoveryKey(world.recovery.clone()));
    let report = reader.unwrap().verify(VerifyScope::All, &NoProgress).unwrap();
    assert_eq!((report.damage.len(), report.packs_vouched), (0, 0));
    assert!(report.vouch_refused.is_some_and(|why| why.contains("verified/")));
    let report = world.again().verify(VerifyScope::All, &NoProgress).unwrap();
    assert!(report.packs_vouched > 0 && report.vouch_refused.is_none());
}
