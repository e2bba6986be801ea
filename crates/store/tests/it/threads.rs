//! Many threads on one file.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use coffre_control::ErrorCode;
use coffre_control::model::Setting;
use coffre_control::port::{read, tx};
use coffre_control::usecase::{lease_job, put_vault};
use coffre_store::SqliteDb;

use crate::scene::Scene;

fn on_file() -> (tempfile::TempDir, Scene) {
    let folder = tempfile::tempdir().unwrap();
    let db = SqliteDb::open(&folder.path().join("coffre.db")).unwrap();
    (folder, Scene::on(Box::new(db)))
}

#[test]
fn no_write_is_lost_and_readers_see_whole_transactions() {
    let (_folder, scene) = on_file();
    let db = &*scene.db;
    let put = |key: &str, value: u32| Setting { key: key.into(), value: value.to_string() };
    let get = |tx: &mut dyn coffre_control::port::Tx, key: &str| {
        Ok::<u32, coffre_control::Refusal>(
            tx.setting(key)?.map_or(0, |setting| setting.value.parse().unwrap()),
        )
    };
    let stop = AtomicBool::new(false);
    let looks = AtomicU32::new(0);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..50 {
                        tx(db, "count", |tx| {
                            let count = get(tx, "left")?;
                            tx.put_setting(&put("left", count + 1))?;
                            tx.put_setting(&put("right", count + 1))?;
                            Ok(())
                        })
                        .unwrap();
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let (left, right) =
                        read(db, "look", |tx| Ok((get(tx, "left")?, get(tx, "right")?))).unwrap();
                    assert_eq!(left, right, "half a transaction was seen");
                    looks.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let ended: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        stop.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok));
    });
    assert_eq!(read(db, "sum", |tx| get(tx, "left")).unwrap(), 200);
    assert!(looks.load(Ordering::Relaxed) > 0);
}

#[test]
fn a_reader_waits_for_no_writer() {
    let (_folder, scene) = on_file();
    let db = &*scene.db;
    tx(db, "write", |tx| {
        tx.put_setting(&Setting { key: "k".into(), value: "new".into() })?;
        let seen = std::thread::scope(|scope| {
            scope.spawn(|| read(db, "look", |tx| Ok(tx.setting("k")?)).unwrap()).join().unwrap()
        });
        assert_eq!(seen, None, "not committed yet");
        Ok(())
    })
    .unwrap();
}

#[test]
fn each_job_is_leased_once() {
    let (_folder, scene) = on_file();
    let vault = scene.vault("shop", "local");
    for vm in [1, 2] {
        let item = scene.protect(vault.id, vm).unwrap();
        scene.backup(item.id).unwrap();
    }
    let (now, db) = (scene.now.get(), &*scene.db);
    let leased = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for owner in 0..8_u128 {
            let leased = &leased;
            scope.spawn(move || {
                let owner = uuid::Uuid::from_u128(owner + 1);
                let ttl = Duration::from_secs(30);
                while tx(db, "lease", |tx| lease_job(tx, owner, now, ttl)).unwrap().is_some() {
                    leased.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(leased.load(Ordering::Relaxed), 2);
}

#[test]
fn of_many_who_want_a_name_one_gets_it() {
    let (_folder, scene) = on_file();
    let wish = || {
        let mut wish = scene.put_vault("shop", "local");
        wish.settings.tags = Some(Default::default());
        wish
    };
    let inputs: Vec<_> = (0..8).map(|_| wish()).collect();
    let (caller, now, db) = (scene.caller.clone(), scene.now.get(), &*scene.db);
    let created = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for (at, input) in inputs.into_iter().enumerate() {
            let (caller, created) = (&caller, &created);
            scope.spawn(move || {
                let next = AtomicU32::new(0);
                let ids = || {
                    let low = u128::from(next.fetch_add(1, Ordering::Relaxed));
                    uuid::Uuid::from_u128((1 << 100) + ((at as u128) << 64) + low)
                };
                let cx = coffre_control::Cx::new(caller, now, &ids);
                let (_, written) = tx(db, "create", |tx| put_vault(tx, &cx, input)).unwrap();
                if written == coffre_control::usecase::Written::Created {
                    created.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(created.load(Ordering::Relaxed), 1);
    let taken = scene.act(|tx, cx| {
        coffre_control::usecase::check_vault_name_free(tx, cx, scene.subscription, "shop")
    });
    assert_eq!(taken.unwrap_err().code, ErrorCode::VaultNameAlreadyInUse);
}
