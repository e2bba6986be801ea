//! Whatever happens to the stored bytes: found by verify, no panic, and never a wrong byte restored.

use std::sync::Arc;

use coffre_vault::bucket::{Bucket, MemoryBucket};
use coffre_vault::{CollectOptions, NoProgress, Vault, VaultError, VerifyScope};
use uuid::Uuid;

use crate::support::{BLOCK, Image, Noise, backup, copy, mixed_image, new_vault, open, restore};

/// A small vault that holds every kind of object, and what its points restore to.
fn small_vault() -> (Arc<MemoryBucket>, Vec<(Uuid, Vec<u8>)>) {
    let (bucket, vault) = new_vault();
    let mut truth = Vec::new();
    let mut image = Image::new(mixed_image(42, 12, 1000));
    for n in 1..=3u128 {
        let changed = [coffre_vault::Extent { offset: BLOCK as u64, length: 10 }];
        Noise::new(n as u64).fill(&mut image.data[BLOCK..BLOCK + 10]);
        let since = (n > 1).then(|| (Uuid::from_u128(n - 1), changed.as_slice()));
        backup(&vault, Uuid::from_u128(n), &image, since).unwrap();
        truth.push((Uuid::from_u128(n), image.data.clone()));
    }
    vault.delete_point(Uuid::from_u128(2)).unwrap();
    truth.remove(1);
    (bucket, truth)
}

fn replace(bucket: &MemoryBucket, key: &str, data: &[u8]) {
    bucket.delete(key).unwrap();
    bucket.create(key, data).unwrap();
}

/// Opens and restores all: what comes back is right or an error. Returns whether anything was reported.
fn no_wrong_byte(vault: &Vault, truth: &[(Uuid, Vec<u8>)]) -> bool {
    let mut reported = false;
    for (id, data) in truth {
        match restore(vault, *id) {
            Ok(restored) => assert!(restored == *data, "a wrong byte was restored"),
            Err(VaultError::Bucket(error)) => {
                panic!("damage must be told from an unreachable store: {error}")
            }
            Err(_) => reported = true,
        }
    }
    reported
}

#[test]
fn a_whole_vault_verifies() {
    let (bucket, truth) = small_vault();
    let vault = open(&bucket).unwrap();
    let report = vault.verify(VerifyScope::All, &NoProgress).unwrap();
    assert_eq!(report.damage, []);
    assert_eq!(report.points, 2);
    assert!(!no_wrong_byte(&vault, &truth));
}

/// Flips bits of every object: every one for the small objects, a spread for the packs.
#[test]
fn every_flipped_bit_is_found() {
    let (bucket, truth) = small_vault();
    let vault = open(&bucket).unwrap();
    vault.points().unwrap();
    for object in bucket.list("").unwrap() {
        let good = bucket.get(&object.key).unwrap();
        let bits = good.len() * 8;
        let step = (bits / 150).max(1);
        let ends =
            (0..bits.min(96 * 8)).step_by(7).chain((bits.saturating_sub(48 * 8)..bits).step_by(5));
        for bit in (0..bits).step_by(step).chain(ends) {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            replace(&bucket, &object.key, &bad);
            let report = vault.verify(VerifyScope::All, &NoProgress).unwrap();
            assert!(
                !report.damage.is_empty(),
                "bit {bit} of {} of {} bytes",
                object.key,
                good.len()
            );
            assert!(
                report
                    .damage
                    .iter()
                    .any(|damage| damage.object == object.key || damage.object == "index/"),
                "bit {bit} of {}: {:?}",
                object.key,
                report.damage
            );
        }
        replace(&bucket, &object.key, &good);
        if object.key.starts_with("packs/") {
            let mut bad = good.clone();
            let middle = bad.len() / 3;
            bad[middle] ^= 1;
            replace(&bucket, &object.key, &bad);
            no_wrong_byte(&open(&bucket).unwrap(), &truth);
            replace(&bucket, &object.key, &good);
        }
    }
    assert_eq!(vault.verify(VerifyScope::All, &NoProgress).unwrap().damage, []);
}

#[test]
fn every_deletion_truncation_and_swap_is_found_and_restores_nothing_wrong() {
    let (bucket, truth) = small_vault();
    let objects = bucket.list("").unwrap();
    for object in &objects {
        let good = bucket.get(&object.key).unwrap();
        let mut damages: Vec<Option<Vec<u8>>> = vec![None];
        for length in [0, 1, 40, 60, good.len() / 2, good.len() - 1] {
            damages.push(Some(good[..length.min(good.len() - 1)].to_vec()));
        }
        damages.push(Some([good.as_slice(), &[0]].concat()));
        let folder = object.key.split('/').next().unwrap();
        for other in
            objects.iter().filter(|other| other.key != object.key && other.key.starts_with(folder))
        {
            damages.push(Some(bucket.get(&other.key).unwrap()));
        }
        for (n, damage) in damages.into_iter().enumerate() {
            let hurt = copy(&bucket);
            hurt.delete(&object.key).unwrap();
            if let Some(data) = &damage {
                hurt.create(&object.key, data).unwrap();
            }
            let what = format!("damage {n} of {}", object.key);
            // The root and the slots: the vault does not open, or opens by what is left of it.
            let Ok(vault) = open(&hurt) else {
                assert!(object.key == "vault" || object.key.starts_with("keys/"), "{what}");
                continue;
            };
            let reported = no_wrong_byte(&vault, &truth);
            let report = vault.verify(VerifyScope::All, &NoProgress).unwrap();
            // A slot, receipt, deletion or segment that is gone takes nothing with it that could be missed: segments are
            // made anew from the packs, and if a living point needs those, that is reported.
            let harmless = damage.is_none()
                && ["keys/", "rp-seen/", "rp-deleted/", "index/"]
                    .iter()
                    .any(|prefix| object.key.starts_with(prefix));
            assert!(harmless || !report.damage.is_empty(), "{what}");
            assert!(
                !reported || !report.damage.is_empty(),
                "{what}: restore knew what verify did not"
            );
            if object.key.starts_with("packs/") {
                let touched = report.damage.iter().filter(|damage| damage.object == object.key);
                assert!(touched.count() > 0, "{what}: {:?}", report.damage);
            }
        }
    }
}

/// All index segments lost: everything still restores, from the packs alone.
#[test]
fn a_lost_index_loses_no_point() {
    let (bucket, truth) = small_vault();
    for object in bucket.list("index/").unwrap() {
        bucket.delete(&object.key).unwrap();
    }
    let vault = open(&bucket).unwrap();
    assert!(!no_wrong_byte(&vault, &truth));
    let report = vault.verify(VerifyScope::All, &NoProgress).unwrap();
    assert!(
        report.damage.iter().all(|damage| damage.what.contains("no index segment")),
        "{:?}",
        report.damage
    );
    // The index can be made whole again.
    let healed = copy(&bucket);
    let whole = open(&healed).unwrap();
    assert!(whole.rebuild_index().unwrap() > 0);
    assert_eq!(whole.rebuild_index().unwrap(), 0);
    assert_eq!(whole.verify(VerifyScope::All, &NoProgress).unwrap().damage, []);
    // The next backup goes on; it must not count on packs that no segment names.
    let image = Image::new(truth[1].1.clone());
    backup(&vault, Uuid::from_u128(9), &image, None).unwrap();
    assert!(restore(&open(&bucket).unwrap(), Uuid::from_u128(9)).unwrap() == image.data);
}

#[test]
fn damage_names_the_points_that_it_touches() {
    let (bucket, vault) = new_vault();
    let one = Image::new(mixed_image(1, 10, 0));
    backup(&vault, Uuid::from_u128(1), &one, None).unwrap();
    let packs_of_one: Vec<_> =
        bucket.list("packs/").unwrap().into_iter().map(|object| object.key).collect();
    let mut both = one.data.clone();
    both.extend(mixed_image(77, 10, 0));
    backup(&vault, Uuid::from_u128(2), &Image::new(both), None).unwrap();
    let packs_of_two: Vec<_> =
        bucket.list("packs/").unwrap().into_iter().map(|object| object.key).collect();
    let only_two = packs_of_two
        .iter()
        .filter(|key| !packs_of_one.contains(key))
        .max_by_key(|key| bucket.size(key).unwrap());
    bucket.delete(only_two.unwrap()).unwrap();
    let report = vault.verify(VerifyScope::All, &NoProgress).unwrap();
    assert_eq!(report.damage.len(), 1, "{report:?}");
    assert_eq!(report.damage[0].points, [Uuid::from_u128(2)]);
    assert_eq!(
        vault.verify(VerifyScope::Point(Uuid::from_u128(1)), &NoProgress).unwrap().damage,
        []
    );
    assert!(
        !vault
            .verify(VerifyScope::Point(Uuid::from_u128(2)), &NoProgress)
            .unwrap()
            .damage
            .is_empty()
    );
    let largest = packs_of_one.iter().max_by_key(|key| bucket.size(key).unwrap()).unwrap();
    let mut bad = bucket.get(largest).unwrap();
    let middle = bad.len() / 2;
    bad[middle] ^= 4;
    replace(&bucket, largest, &bad);
    let report = vault.verify(VerifyScope::All, &NoProgress).unwrap();
    let hit = report.damage.iter().find(|damage| damage.object == *largest).unwrap();
    assert_eq!(hit.points, [Uuid::from_u128(1), Uuid::from_u128(2)]);
    assert!(hit.offset > 0 && hit.offset <= middle as u64);
}

/// One bad object among many must not stop the work: other points are listed and restore, and the next backup runs.
#[test]
fn a_damaged_decision_or_done_marker_stops_no_backup() {
    let (bucket, truth) = small_vault();
    let vault = open(&bucket).unwrap();
    let now_unix_ms = i64::MAX / 2;
    let options = CollectOptions {
        spare_younger_ms: 0,
        repack_below_percent: 100,
        ..CollectOptions::at(now_unix_ms)
    };
    assert!(vault.collect(&options).unwrap().packs_deleted > 0);
    let flip = |key: &str| {
        let mut bad = bucket.get(key).unwrap();
        let last = bad.len() - 1;
        bad[last] ^= 1;
        replace(&bucket, key, &bad);
    };
    flip(&format!("rp/{}", truth[0].0.simple()));
    flip(&bucket.list("gc/done/").unwrap()[0].key);
    let vault = open(&bucket).unwrap();
    let listed: Vec<_> = vault.points().unwrap().into_iter().map(|point| point.id).collect();
    assert_eq!(listed, [truth[1].0]);
    let image = Image::new(truth[1].1.clone());
    backup(&vault, Uuid::from_u128(8), &image, None).unwrap();
    backup(&vault, Uuid::from_u128(9), &image, Some((truth[1].0, &[]))).unwrap();
    for id in [truth[1].0, Uuid::from_u128(8), Uuid::from_u128(9)] {
        assert!(restore(&open(&bucket).unwrap(), id).unwrap() == image.data);
    }
    let damage = vault.verify(VerifyScope::All, &NoProgress).unwrap().damage;
    assert!(damage.iter().any(|damage| damage.object.starts_with("rp/")), "{damage:?}");
    assert!(damage.iter().any(|damage| damage.object.starts_with("gc/done/")), "{damage:?}");
}

/// Several objects at once, mangled in every way that comes to mind: an answer, never a panic and never a wrong byte.
#[test]
fn havoc_is_answered() {
    let (bucket, truth) = small_vault();
    let objects = bucket.list("").unwrap();
    for seed in 0..400 {
        let mut noise = Noise::new(seed);
        let hurt = copy(&bucket);
        for _ in 0..=noise.next() % 4 {
            let key = &objects[(noise.next() as usize) % objects.len()].key;
            let Ok(mut data) = hurt.get(key) else { continue };
            let at = (noise.next() as usize) % (data.len() + 1);
            match noise.next() % 6 {
                0 => data.truncate(at),
                1 => data.extend_from_slice(&[0xFF; 70]),
                2 => data[at..].iter_mut().take(4).for_each(|byte| *byte = 0xFF),
                3 => data[at..].iter_mut().take(16).for_each(|byte| *byte = 0),
                4 => {
                    let other = &objects[(noise.next() as usize) % objects.len()].key;
                    let other = bucket.get(other).unwrap();
                    data.splice(at.., other.into_iter().skip(at));
                }
                _ => data.rotate_left(at.min(1)),
            }
            replace(&hurt, key, &data);
        }
        let Ok(vault) = open(&hurt) else { continue };
        let _ = vault.points();
        let reported = no_wrong_byte(&vault, &truth);
        let report = vault.verify(VerifyScope::All, &NoProgress).unwrap();
        assert!(!reported || !report.damage.is_empty(), "seed {seed}");
        for (id, data) in &truth {
            let Ok(disk) = vault.disk(*id, "disk") else { continue };
            let mut read = vec![0; data.len()];
            if disk.read_at(0, &mut read).is_ok() {
                assert!(read == *data, "seed {seed}");
            }
        }
        let image = Image::new(truth[1].1.clone());
        if backup(&vault, Uuid::from_u128(50), &image, Some((truth[1].0, &[]))).is_ok()
            && let Ok(restored) = restore(&vault, Uuid::from_u128(50))
        {
            assert!(restored == image.data, "seed {seed}");
        }
    }
}

/// A pack that is lost is noticed by the next writer; what it held is stored again when it is read, and that heals the
/// old points too. One that is damaged inside is known once verify has seen it.
#[test]
fn a_full_read_heals_what_was_lost() {
    for truncated in [false, true] {
        let (bucket, vault) = new_vault();
        let image = Image::new(mixed_image(3, 30, 0));
        let (_, first) = backup(&vault, Uuid::from_u128(1), &image, None).unwrap();
        for object in bucket.list("packs/").unwrap() {
            let data = bucket.get(&object.key).unwrap();
            bucket.delete(&object.key).unwrap();
            if truncated {
                bucket.create(&object.key, &data[..data.len() - 1]).unwrap();
            }
        }
        let vault = open(&bucket).unwrap();
        // The map is lost with its pack: an increment says so instead of building on it.
        let changed = [coffre_vault::Extent { offset: 0, length: 1 }];
        let increment =
            backup(&vault, Uuid::from_u128(2), &image, Some((Uuid::from_u128(1), &changed)));
        assert!(
            truncated || matches!(increment, Err(VaultError::BaseUnusable { .. })),
            "{increment:?}"
        );
        let (_, healed) = backup(&vault, Uuid::from_u128(3), &image, None).unwrap();
        assert_eq!(healed.blocks_new, first.blocks_new);
        for id in [1, 3] {
            assert!(restore(&open(&bucket).unwrap(), Uuid::from_u128(id)).unwrap() == image.data);
        }
    }
    let (bucket, vault) = new_vault();
    let image = Image::new(mixed_image(3, 30, 0));
    backup(&vault, Uuid::from_u128(1), &image, None).unwrap();
    let largest =
        bucket.list("packs/").unwrap().into_iter().max_by_key(|object| object.size).unwrap().key;
    let mut bad = bucket.get(&largest).unwrap();
    bad[5000] ^= 1;
    replace(&bucket, &largest, &bad);
    assert!(!vault.verify(VerifyScope::All, &NoProgress).unwrap().damage.is_empty());
    backup(&vault, Uuid::from_u128(2), &image, None).unwrap();
    // Also for a handle that does not know of the damage: it tries the other copy.
    for vault in [&vault, &open(&bucket).unwrap()] {
        assert!(restore(vault, Uuid::from_u128(1)).unwrap() == image.data);
        assert_eq!(
            vault.verify(VerifyScope::Point(Uuid::from_u128(1)), &NoProgress).unwrap().damage,
            []
        );
    }
    let damage = vault.verify(VerifyScope::All, &NoProgress).unwrap().damage;
    assert!(damage.iter().all(|damage| damage.points.is_empty()), "{damage:?}");
}
