//! Lists that the store filters, orders, counts and cuts: they say what the rows say.

use coffre_control::id::VmId;
use coffre_control::model::*;
use coffre_control::port::{JobFilter, Missing, Need, Order, PointSearch, Search, Tx};
use coffre_control::usecase::*;
use uuid::Uuid;

use crate::scene::{Scene, vm};

/// Twenty-three machines in one region, twelve of them protected by two vaults.
fn crowd() -> (Scene, Vec<Vault>) {
    let scene = Scene::new();
    let names: Vec<String> =
        (0..23).map(|n| format!("{}-{n}", ["Web", "db", "box"][n % 3])).collect();
    let machines: Vec<DiscoveredVm> =
        names.iter().zip(100..).map(|(name, id)| vm(id, name)).collect();
    let discovery = scene.discovery("local", &machines);
    scene.as_service(|tx, cx| record_vms(tx, discovery, cx.now));
    let vaults = vec![scene.vault("first", "local"), scene.vault("second", "local")];
    for number in 0..12 {
        scene.protect(vaults[number as usize % 2].id, 100 + number).unwrap();
        scene.work();
    }
    (scene, vaults)
}

/// All rows of a list, a page of five at a time, and the count that it was announced with.
fn pages<T>(
    scene: &Scene,
    search: &Search,
    read: impl Fn(&mut dyn Tx, &Search) -> (Vec<T>, u64),
) -> Vec<T> {
    let (mut rows, mut counts) = (Vec::new(), Vec::new());
    loop {
        let part = Search { skip: rows.len() as u64, limit: 5, ..search.clone() };
        let (page, count) = scene.act(|tx, _| Ok(read(tx, &part))).unwrap();
        counts.push(count);
        if page.is_empty() {
            break;
        }
        rows.extend(page);
    }
    assert!(counts.iter().all(|count| *count == rows.len() as u64), "{search:?}: {counts:?}");
    rows
}

fn vms(scene: &Scene, search: &Search) -> Vec<Vm> {
    pages(scene, search, |tx, part| (tx.search_vms(part).unwrap(), tx.count_vms(part).unwrap()))
}

fn items(scene: &Scene, search: &Search) -> Vec<ProtectedItem> {
    pages(scene, search, |tx, part| (tx.search_items(part).unwrap(), tx.count_items(part).unwrap()))
}

#[test]
fn machines_are_found_by_every_condition_and_in_every_order() {
    let (scene, _) = crowd();
    let all = scene.act(|tx, _| Ok(tx.vms(scene.subscription)?)).unwrap();
    let protected = |vm: &Vm| scene.act(|tx, _| Ok(tx.item_of_vm(vm.id)?.is_some())).unwrap();
    let mut cases = Vec::new();
    for find in ["", "WEB", "-1", "nothing", "%", "rg"] {
        for is_protected in [None, Some(true), Some(false)] {
            for region in [None, Some("LOCAL"), Some("remote")] {
                cases.push((find, is_protected, region));
            }
        }
    }
    for (find, is_protected, region) in cases {
        for (order, backwards) in [(Order::Name, false), (Order::Name, true), (Order::Group, false)]
        {
            let search = Search {
                find: find.to_owned(),
                protected: is_protected,
                region: region.map(str::to_owned),
                order,
                backwards,
                ..Search::default()
            };
            let mut expected: Vec<&Vm> = all
                .iter()
                .filter(|vm| {
                    let text = format!("{} {}", vm.name, vm.group).to_ascii_lowercase();
                    text.contains(&find.to_ascii_lowercase())
                        && is_protected.is_none_or(|it| it == protected(vm))
                        && region.is_none_or(|it| it.eq_ignore_ascii_case(&vm.region))
                })
                .collect();
            expected.sort_by_key(|vm| vm.name.to_ascii_lowercase());
            if backwards {
                expected.reverse();
            }
            let found = vms(&scene, &search);
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{search:?}");
        }
    }
}

#[test]
fn machines_that_are_gone_are_listed_as_asked() {
    let (scene, _) = crowd();
    // The host has only one protected and one free machine left.
    let left = [vm(100, "Web-0"), vm(120, "box-20")];
    let discovery = scene.discovery("local", &left);
    scene.as_service(|tx, cx| record_vms(tx, discovery, cx.now));
    let count = |missing| vms(&scene, &Search { missing, ..Search::default() }).len();
    let far = 1;
    assert_eq!(count(Missing::LeftOut), left.len() + far);
    assert_eq!(count(Missing::IfProtected), 12 + 1 + far);
    assert_eq!(
        count(Missing::Listed),
        scene.act(|tx, _| Ok(tx.vms(scene.subscription)?)).unwrap().len()
    );
    let hosts = scene.act(|tx, _| Ok(tx.hypervisors()?)).unwrap();
    let vms: Vec<(&str, u64)> = hosts.iter().map(|it| (it.name.as_str(), it.vms)).collect();
    assert_eq!(vms, [("host-local", 2), ("host-remote", 1)]);
}

#[test]
fn items_are_found_by_vault_policy_need_and_deletion() {
    let (scene, vaults) = crowd();
    let vault = Some(vaults[0].id);
    let of_first = items(&scene, &Search { vault, ..Search::default() });
    assert_eq!(of_first, scene.act(|tx, _| Ok(tx.items(vaults[0].id)?)).unwrap());
    // Before its first backup every item needs a look; none has an alert.
    let need = |need| items(&scene, &Search { need, ..Search::default() }).len();
    assert_eq!((need(Need::Look), need(Need::Alert)), (12, 0));
    scene.backup(of_first[0].id).unwrap();
    scene.work();
    assert_eq!((need(Need::Look), need(Need::Alert)), (11, 0));
    let urgent = items(&scene, &Search { order: Order::Urgency, ..Search::default() });
    assert!(urgent.is_sorted_by_key(ProtectedItem::urgency));
    assert_eq!(urgent.last().unwrap().id, of_first[0].id);
    let policy = |name: &str| Search { policy: Some(name.to_owned()), ..Search::default() };
    assert_eq!(items(&scene, &policy("defaultPOLICY")).len(), 12);
    assert_eq!(items(&scene, &policy("other")).len(), 0);
    assert_eq!(items(&scene, &policy("")).len(), 0);
    let deleted = |it| items(&scene, &Search { deleted: Some(it), ..Search::default() }).len();
    assert_eq!((deleted(true), deleted(false)), (0, 12));
}

#[test]
fn sums_of_points_follow_the_points() {
    let (scene, vaults) = crowd();
    let check = || {
        let (mut all, mut bytes) = (0, 0);
        for vault in &vaults {
            let (mut points, mut stored) = (0, 0);
            for item in scene.act(|tx, _| Ok(tx.items(vault.id)?)).unwrap() {
                let found = scene.points(item.id);
                let here: u64 = found.iter().map(|it| it.stats.stored_bytes).sum();
                let sum = scene.act(|tx, _| Ok(tx.stored_of_item(item.id)?)).unwrap();
                assert_eq!((sum.points, sum.bytes), (found.len() as u64, here));
                let oldest = scene.act(|tx, _| Ok(tx.oldest_point(item.id)?)).unwrap();
                assert_eq!(oldest, found.iter().map(|it| it.time).min());
                points += sum.points;
                stored += sum.bytes;
            }
            let sum = scene.act(|tx, _| Ok(tx.stored(Some(vault.id))?)).unwrap();
            assert_eq!((sum.points, sum.bytes), (points, stored));
            all += points;
            bytes += stored;
        }
        let sum = scene.act(|tx, _| Ok(tx.stored(None)?)).unwrap();
        assert_eq!((sum.points, sum.bytes), (all, bytes));
        all
    };
    assert_eq!(check(), 0);
    for round in 1..=3 {
        for number in 0..4 {
            let id = VmId(Uuid::from_u128(100 + number));
            let item = scene.act(|tx, _| Ok(tx.item_of_vm(id)?)).unwrap().unwrap();
            scene.pass(3600);
            scene.backup(item.id).unwrap();
            scene.work();
        }
        assert_eq!(check(), 4 * round);
    }
    let newest = PointSearch { limit: 5, ..PointSearch::default() };
    let newest = scene.act(|tx, _| Ok(tx.search_points(&newest)?)).unwrap();
    assert_eq!(newest.len(), 5);
    assert!(newest.is_sorted_by(|a, b| a.time >= b.time));
    // A point whose bytes change, and one that goes.
    let mut changed = newest[0].clone();
    changed.stats.stored_bytes += 7;
    scene.act(|tx, _| Ok(tx.put_point(&mut changed)?)).unwrap();
    assert_eq!(check(), 12);
    scene.act(|tx, _| Ok(tx.delete_point(newest[1].id)?)).unwrap();
    assert_eq!(check(), 11);
}

#[test]
fn jobs_and_records_come_in_pages_newest_first() {
    let (scene, vaults) = crowd();
    let filter = |vault| JobFilter { vault, of_vaults: true, ..JobFilter::default() };
    for vault in [None, Some(vaults[0].id)] {
        let whole = scene.act(|tx, _| Ok(tx.jobs(&filter(vault))?)).unwrap();
        let count = scene.act(|tx, _| Ok(tx.count_jobs(&filter(vault))?)).unwrap();
        assert_eq!(count, whole.len() as u64);
        let mut paged = Vec::new();
        while paged.len() < whole.len() {
            let part = JobFilter { skip: paged.len() as u64, limit: Some(5), ..filter(vault) };
            paged.extend(scene.act(|tx, _| Ok(tx.jobs(&part)?)).unwrap());
        }
        assert_eq!(paged, whole);
        assert!(whole.is_sorted_by(|a, b| a.created >= b.created));
    }
    for find in ["", "VAULT first", "web-1", "nobody"] {
        let count = scene.act(|tx, _| Ok(tx.count_audit(find)?)).unwrap();
        let all = scene.act(|tx, _| Ok(tx.search_audit(find, 0, u32::MAX)?)).unwrap();
        assert_eq!(all.len() as u64, count, "{find}");
        let text = find.to_ascii_lowercase();
        assert!(all.iter().all(|it| {
            format!("{} {}", it.name, it.target).to_ascii_lowercase().contains(&text)
        }));
        let second = scene.act(|tx, _| Ok(tx.search_audit(find, 1, 2)?)).unwrap();
        assert_eq!(second, all.into_iter().skip(1).take(2).collect::<Vec<_>>());
    }
}
