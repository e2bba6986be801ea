//! What a tick costs when there is a lot to look after.

use coffre_control::id::{ItemId, VaultId};
use coffre_control::model::{Agenda, Task};
use coffre_control::usecase::Budget;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::scene::{Scene, vm};

/// Items in the agenda.
const ITEMS: u128 = 100_000;

/// Processor time of this thread.
fn cpu() -> std::time::Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    std::time::Duration::new(spent.tv_sec.try_into().unwrap(), spent.tv_nsec.try_into().unwrap())
}

fn fill(scene: &Scene, vault: VaultId, due: impl Fn(u128) -> Timestamp) {
    scene.as_service(|tx, _| {
        for at in 0..ITEMS {
            tx.put_agenda(&Agenda {
                task: Task::Backup,
                subject: Uuid::from_u128((1 << 64) + at),
                due: Some(due(at)),
                slot: Some(due(at)),
                vault,
                host: format!("host-{}", at % 50),
            })?;
        }
        Ok(())
    });
}

#[test]
fn a_tick_over_a_hundred_thousand_items_costs_less_than_a_tenth_of_a_second() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let machines: Vec<_> = (100..140).map(|at| vm(at, &format!("vm{at}"))).collect();
    let found = scene.discovery("local", &machines);
    scene.act(|tx, cx| coffre_control::usecase::record_vms(tx, found, cx.now)).unwrap();
    let items: Vec<ItemId> = (100..140).map(|at| scene.protect(vault.id, at).unwrap().id).collect();
    let now: Timestamp = "2026-11-22T02:00:00Z".parse().unwrap();
    scene.now.set(now);
    let budget = Budget { per_hypervisor: 20, per_store: 20, batch: 200 };
    // The database itself is not optimised in a debug build.
    let limit = std::time::Duration::from_millis(if cfg!(debug_assertions) { 400 } else { 100 });
    let tick = |name: &str| {
        let before = cpu();
        let ticked = scene.tick(budget);
        let spent = cpu() - before;
        println!("{name}: {} started, {spent:?}", ticked.started);
        assert!(spent < limit, "{name}: {spent:?}");
        ticked.started
    };
    // Nobody else is due; the forty of ours are.
    fill(&scene, vault.id, |at| now + SignedDuration::from_secs(60 + i64::try_from(at).unwrap()));
    assert_eq!(tick("a store takes twenty, a hundred thousand wait for their time"), 20);
    assert_eq!(tick("the store is full"), 0);
    // All hundred thousand are due, and their store is full.
    let other = scene.vault("bank", "local");
    fill(&scene, vault.id, |at| now - SignedDuration::from_secs(i64::try_from(at).unwrap()));
    assert_eq!(tick("a hundred thousand are due and their store is full"), 0);
    // Half of them are of another store, and their items are gone: the tick tidies them away.
    fill(&scene, other.id, |at| now - SignedDuration::from_secs(i64::try_from(at).unwrap()));
    assert_eq!(tick("entries without an item"), 0);
    assert_eq!(items.len(), 40);
}
