//! Restores from a vault in memory: what comes back is what was stored, whatever fails in between.

use std::fs;
use std::path::PathBuf;

use crate::world::{World, pattern};
use coffre_engine::{
    Class, DiskChoice, Failure, PublishFacts, RestoreContext, RestoreSpec, RestoreTarget, Source,
    Unwatched, prepare, publish, release, remove, restore_transfer, restore_validate,
    take_snapshot, transfer,
};
use coffre_fabric::{Machine, PowerState};
use serde_json::Value;
use uuid::Uuid;

const JOB: Uuid = Uuid::from_u128(0xabcd_ef00_0000_0000_0000_0000_0000_0001);

fn world_with_point() -> (World, Vec<(&'static str, Vec<u8>)>) {
    let world = World::new();
    let spec = world.spec(1, None);
    take_snapshot(&world.machine, &world.vault, &spec).unwrap();
    transfer(&world.machine, &world.vault, &spec, &Unwatched).unwrap();
    release(Some(&world.machine), &world.vault, spec.point).unwrap();
    let truth = ["data", "os"].map(|key| (key, world.machine.bytes(key))).to_vec();
    (world, truth)
}

fn account(world: &World) -> PathBuf {
    world.folder.path().join("staging")
}

fn to_folder(world: &World) -> RestoreSpec {
    RestoreSpec {
        job: JOB,
        point: Uuid::from_u128(1),
        disks: DiskChoice::All,
        target: RestoreTarget::Folder { account: account(world), name: "web-1".to_owned() },
        source: Source::Vault,
    }
}

fn in_place() -> RestoreSpec {
    RestoreSpec {
        job: JOB,
        point: Uuid::from_u128(1),
        disks: DiskChoice::All,
        target: RestoreTarget::InPlace,
        source: Source::Vault,
    }
}

fn context<'a>(world: &'a World, spec: &'a RestoreSpec) -> RestoreContext<'a> {
    RestoreContext { vault: &world.vault, machine: Some(&world.machine), spec }
}

fn restore(world: &World, spec: &RestoreSpec) -> Result<PublishFacts, Failure> {
    let cx = context(world, spec);
    prepare(&cx)?;
    restore_transfer(&cx, &Unwatched)?;
    restore_validate(&cx, &Unwatched)?;
    publish(&cx)
}

/// Files of images, whose disks are changed after the point: off, and no longer the truth.
fn machine_off_with_other_disks(world: &World) {
    for key in ["data", "os"] {
        fs::write(world.machine.image(key), pattern(5000, 77)).unwrap();
    }
    world.machine.set_power(PowerState::Stopped);
}

fn files_below(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .map(|entries| entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

#[test]
fn disks_come_back_with_their_description() {
    let (world, truth) = world_with_point();
    let facts = restore(&world, &to_folder(&world)).unwrap();
    let folder = account(&world).join("web-1");
    assert_eq!(facts.folder.as_deref(), Some(folder.as_path()));
    assert_eq!(files_below(&account(&world)), ["web-1"]);
    assert_eq!(files_below(&folder), ["data.raw", "os.raw", "vm.json"]);
    for (key, bytes) in truth {
        assert!(fs::read(folder.join(format!("{key}.raw"))).unwrap() == bytes, "{key}");
    }
    let text = fs::read(folder.join("vm.json")).unwrap();
    let description: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(description["machine"]["name"], "web");
    assert_eq!(description["disks"][1]["file"], "os.raw");
}

#[test]
fn every_step_twice_is_as_once() {
    let (world, _) = world_with_point();
    let spec = to_folder(&world);
    let cx = context(&world, &spec);
    prepare(&cx).unwrap();
    prepare(&cx).unwrap();
    restore_transfer(&cx, &Unwatched).unwrap();
    restore_transfer(&cx, &Unwatched).unwrap();
    restore_validate(&cx, &Unwatched).unwrap();
    let first = publish(&cx).unwrap();
    assert_eq!(publish(&cx).unwrap(), first);
    // A crash before the last step was recorded repeats it only; repeating all does no harm.
    restore_transfer(&cx, &Unwatched).unwrap();
    assert_eq!(publish(&cx).unwrap(), first);
    assert_eq!(files_below(&account(&world)), ["web-1"]);
}

#[test]
fn removed_after_every_step_nothing_is_left() {
    let (world, _) = world_with_point();
    let spec = to_folder(&world);
    let cx = context(&world, &spec);
    remove(&cx).unwrap();
    prepare(&cx).unwrap();
    remove(&cx).unwrap();
    assert_eq!(files_below(&account(&world)), Vec::<String>::new());
    prepare(&cx).unwrap();
    restore_transfer(&cx, &Unwatched).unwrap();
    remove(&cx).unwrap();
    remove(&cx).unwrap();
    assert_eq!(files_below(&account(&world)), Vec::<String>::new());
}

#[test]
fn a_half_written_restore_is_written_again() {
    let (world, truth) = world_with_point();
    let spec = to_folder(&world);
    prepare(&context(&world, &spec)).unwrap();
    let staged = account(&world).join(format!(".coffre-restore-{}", JOB.simple()));
    fs::write(staged.join("os.raw"), b"half").unwrap();
    fs::write(staged.join("data.raw.part"), b"half").unwrap();
    let facts = restore(&world, &spec).unwrap();
    let folder = facts.folder.unwrap();
    assert_eq!(files_below(&folder), ["data.raw", "os.raw", "vm.json"]);
    assert!(fs::read(folder.join("os.raw")).unwrap() == truth[1].1);
}

#[test]
fn a_taken_name_is_left_alone() {
    let (world, _) = world_with_point();
    fs::create_dir_all(account(&world).join("web-1")).unwrap();
    let facts = restore(&world, &to_folder(&world)).unwrap();
    assert_eq!(files_below(&account(&world)), ["web-1", "web-1-abcdef00"]);
    assert_eq!(files_below(&account(&world).join("web-1")), Vec::<String>::new());
    assert_eq!(facts.folder, Some(account(&world).join("web-1-abcdef00")));
}

#[test]
fn what_was_written_is_compared_before_it_is_published() {
    let (world, _) = world_with_point();
    let spec = to_folder(&world);
    let cx = context(&world, &spec);
    prepare(&cx).unwrap();
    restore_transfer(&cx, &Unwatched).unwrap();
    let staged = account(&world).join(format!(".coffre-restore-{}", JOB.simple()));
    let mut bytes = fs::read(staged.join("os.raw")).unwrap();
    bytes[0] ^= 1;
    fs::write(staged.join("os.raw"), bytes).unwrap();
    let failure = restore_validate(&cx, &Unwatched).unwrap_err();
    assert_eq!(failure.class, Class::RestoredDataDiffers);
    assert!(failure.message.contains("os.raw"), "{}", failure.message);
}

#[test]
fn only_the_disks_that_were_asked_for_come() {
    let (world, _) = world_with_point();
    // The fake machine's first disk by name is the one of its operating system.
    let only_os = RestoreSpec { disks: DiskChoice::Luns(Vec::new()), ..to_folder(&world) };
    let facts = restore(&world, &only_os).unwrap();
    assert_eq!(files_below(&facts.folder.unwrap()), ["data.raw", "vm.json"]);
    let unknown = RestoreSpec { disks: DiskChoice::Luns(vec![9]), ..to_folder(&world) };
    let failure = prepare(&context(&world, &unknown)).unwrap_err();
    assert_eq!(failure.class, Class::DiskMissing);
    assert!(failure.message.contains('9'), "{}", failure.message);
}

#[test]
fn in_place_replaces_the_disks_of_a_machine_that_is_off() {
    let (world, truth) = world_with_point();
    machine_off_with_other_disks(&world);
    restore(&world, &in_place()).unwrap();
    for (key, bytes) in truth {
        assert!(fs::read(world.machine.image(key)).unwrap() == bytes, "{key}");
    }
    assert_eq!(files_below(world.folder.path()), ["data.raw", "os.raw"], "nothing else is left");
    assert!(world.machine.unconfirmed().is_empty());
}

#[test]
fn in_place_refuses_a_machine_that_runs() {
    let (world, _) = world_with_point();
    machine_off_with_other_disks(&world);
    world.machine.set_power(PowerState::Running);
    let failure = restore(&world, &in_place()).unwrap_err();
    assert_eq!(failure.class, Class::MachineMustBeOff);
    assert!(failure.message.contains("web"), "{}", failure.message);
}

#[test]
fn whichever_call_of_the_machine_fails_in_place_ends_whole_or_as_before() {
    for call in 0.. {
        let (world, truth) = world_with_point();
        machine_off_with_other_disks(&world);
        let before = fs::read(world.machine.image("os")).unwrap();
        world.machine.fuse.set(call);
        let spec = in_place();
        let outcome = restore(&world, &spec);
        let over = !world.machine.fuse.has_blown();
        if outcome.is_err() {
            // Given up: the machine is as it was, unless the disks were already confirmed.
            remove(&context(&world, &spec)).unwrap();
            let now = fs::read(world.machine.image("os")).unwrap();
            assert!(now == before || now == truth[1].1, "call {call}");
            // Tried again instead: it is restored.
            machine_off_with_other_disks(&world);
            restore(&world, &spec).unwrap();
        }
        for (key, bytes) in truth {
            assert!(fs::read(world.machine.image(key)).unwrap() == bytes, "call {call}: {key}");
        }
        assert_eq!(files_below(world.folder.path()), ["data.raw", "os.raw"], "call {call}");
        if over {
            assert!(call > 3);
            return;
        }
    }
}

#[test]
fn a_new_machine_is_defined_last() {
    let (world, truth) = world_with_point();
    let definitions = world.folder.path().join("machines");
    fs::create_dir(&definitions).unwrap();
    let spec = RestoreSpec {
        job: JOB,
        point: Uuid::from_u128(1),
        disks: DiskChoice::All,
        target: RestoreTarget::NewMachine {
            images: account(&world),
            definitions: definitions.clone(),
            name: "web2".to_owned(),
            id: JOB,
        },
        source: Source::Vault,
    };
    restore(&world, &spec).unwrap();
    publish(&context(&world, &spec)).unwrap();
    let text = fs::read_to_string(definitions.join("web2.toml")).unwrap();
    assert!(text.contains("name = \"web2\"") && text.contains(&JOB.to_string()), "{text}");
    let image = account(&world).join("web2/os.raw");
    assert!(text.contains(image.to_str().unwrap()), "{text}");
    assert!(fs::read(image).unwrap() == truth[1].1);
}

#[test]
fn a_point_that_is_not_there_is_said() {
    let (world, _) = world_with_point();
    let spec = RestoreSpec { point: Uuid::from_u128(404), ..to_folder(&world) };
    let failure = prepare(&context(&world, &spec)).unwrap_err();
    assert_eq!(failure.class, Class::PointMissing);
    assert!(world.machine.leftovers().unwrap().is_empty());
}
