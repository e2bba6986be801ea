//! Backups of a machine in memory: what is stored is what was there, whatever fails in between.

use crate::world::{World, pattern};
use coffre_engine::{
    BackupSpec, Class, Failure, PointMetadata, Retry, TransferFacts, Unwatched, Warning, Watch,
    clean, forget, release, take_snapshot, transfer, validate,
};
use coffre_fabric::{AgentState, Machine, PowerState};
use coffre_vault::Advance;
use uuid::Uuid;

/// All steps of a backup, each tried again when it says that this helps.
fn back_up(world: &World, spec: &BackupSpec) -> TransferFacts {
    let machine = &world.machine;
    again(|| take_snapshot(machine, &world.vault, spec));
    let facts = again(|| transfer(machine, &world.vault, spec, &Unwatched));
    again(|| validate(&world.vault, spec.point, &Unwatched));
    again(|| release(Some(machine), &world.vault, spec.point));
    facts
}

/// Tries a step until it succeeds; a failure that says `Never` is one of the test.
fn again<T>(step: impl Fn() -> Result<T, Failure>) -> T {
    for _ in 0..3 {
        match step() {
            Ok(value) => return value,
            Err(failure) => {
                assert!(matches!(failure.retry, Retry::After(_)), "{failure:?}");
            }
        }
    }
    panic!("a step failed three times");
}

/// What the vault gives back for a disk.
fn stored(world: &World, point: Uuid, key: &str) -> Vec<u8> {
    let reader = world.vault.disk(point, key).unwrap();
    let mut bytes = vec![0; usize::try_from(reader.size_bytes()).unwrap()];
    reader.read_at(0, &mut bytes).unwrap();
    bytes
}

fn assert_stored(world: &World, point: Uuid, truth: &[(&str, Vec<u8>)]) {
    for (key, bytes) in truth {
        assert!(stored(world, point, key) == *bytes, "disk {key} of {point} is not the truth");
    }
}

fn truth(world: &World) -> Vec<(&'static str, Vec<u8>)> {
    ["data", "os"].map(|key| (key, world.machine.bytes(key))).to_vec()
}

#[test]
fn a_point_holds_what_was_there_when_it_was_taken() {
    let world = World::new();
    let spec = world.spec(1, None);
    take_snapshot(&world.machine, &world.vault, &spec).unwrap();
    let before = truth(&world);
    world.machine.write("os", 4096, &pattern(8192, 99));
    let facts = transfer(&world.machine, &world.vault, &spec, &Unwatched).unwrap();
    assert_stored(&world, spec.point, &before);
    assert_eq!(facts.size_bytes, 4 << 20);
    assert_eq!(facts.read_reason, None, "a first point needs no excuse");
}

#[test]
fn an_incremental_reads_and_stores_only_what_changed() {
    let world = World::new();
    let full = back_up(&world, &world.spec(1, None));
    assert_eq!(full.stats.read_bytes, 4 << 20);
    world.machine.write("os", (1 << 20) + 5, &pattern(3000, 5));
    let second = world.spec(2, Some(1));
    let facts = back_up(&world, &second);
    assert!(facts.stats.read_bytes <= 1 << 20, "{:?}", facts.stats);
    assert!(facts.stats.new_bytes <= 1 << 20, "{:?}", facts.stats);
    assert_eq!(facts.read_reason, None);
    assert_stored(&world, second.point, &truth(&world));
    assert_eq!(world.machine.maps("os"), [second.point], "one map is left, of the newest point");
}

#[test]
fn a_lost_map_is_healed_by_reading_everything_and_said() {
    let world = World::new();
    back_up(&world, &world.spec(1, None));
    world.machine.write("data", 0, &pattern(100, 8));
    world.machine.crash();
    let facts = back_up(&world, &world.spec(2, Some(1)));
    let reason = facts.read_reason.unwrap();
    assert!(reason.starts_with("re-read everything because"), "{reason}");
    assert!(reason.contains("its change map is lost"), "{reason}");
    assert_eq!(facts.stats.read_bytes, 4 << 20);
    assert!(facts.stats.new_bytes <= 1 << 20, "known blocks are stored once: {:?}", facts.stats);
    assert_stored(&world, Uuid::from_u128(2), &truth(&world));
    world.machine.write("data", 0, &pattern(100, 9));
    let third = back_up(&world, &world.spec(3, Some(2)));
    assert_eq!(third.read_reason, None, "healed");
}

#[test]
fn a_parent_that_was_deleted_is_as_good_as_none() {
    let world = World::new();
    back_up(&world, &world.spec(1, None));
    forget(&world.vault, Uuid::from_u128(1)).unwrap();
    let facts = back_up(&world, &world.spec(2, Some(1)));
    assert_eq!(facts.stats.read_bytes, 4 << 20);
    assert_stored(&world, Uuid::from_u128(2), &truth(&world));
}

#[test]
fn every_step_twice_is_as_once() {
    let world = World::new();
    back_up(&world, &world.spec(1, None));
    world.machine.write("os", 0, &pattern(10, 3));
    let spec = world.spec(2, Some(1));
    let (machine, vault) = (&world.machine, &world.vault);
    take_snapshot(machine, vault, &spec).unwrap();
    take_snapshot(machine, vault, &spec).unwrap();
    let first = transfer(machine, vault, &spec, &Unwatched).unwrap();
    let second = transfer(machine, vault, &spec, &Unwatched).unwrap();
    assert_eq!(first, second);
    let checked = validate(vault, spec.point, &Unwatched).unwrap();
    assert_eq!(validate(vault, spec.point, &Unwatched).unwrap(), checked);
    release(Some(machine), vault, spec.point).unwrap();
    release(Some(machine), vault, spec.point).unwrap();
    assert_eq!(machine.leftovers().unwrap(), Vec::<Uuid>::new());
    assert_eq!(vault.points().unwrap().len(), 2);
    assert_stored(&world, spec.point, &truth(&world));
}

#[test]
fn whichever_call_of_the_machine_fails_the_next_try_goes_on() {
    for call in 0.. {
        let world = World::new();
        back_up(&world, &world.spec(1, None));
        world.machine.write("data", 70_000, &pattern(10, call as u64 + 10));
        world.machine.fuse.set(call);
        let spec = world.spec(2, Some(1));
        back_up(&world, &spec);
        let over = !world.machine.fuse.has_blown();
        assert_stored(&world, spec.point, &truth(&world));
        assert_eq!(world.machine.leftovers().unwrap_or_default(), Vec::<Uuid>::new());
        if over {
            assert!(call > 5, "the machine is called more often than {call} times");
            return;
        }
    }
}

#[test]
fn whichever_call_of_the_store_fails_the_next_try_goes_on() {
    for call in 0.. {
        let world = World::new();
        world.bucket.fuse.set(call);
        let spec = world.spec(1, None);
        back_up(&world, &spec);
        let over = !world.bucket.fuse.has_blown();
        world.bucket.fuse.set(i64::MAX);
        assert_stored(&world, spec.point, &truth(&world));
        if over {
            assert!(call > 3, "the store is called more often than {call} times");
            return;
        }
    }
}

#[test]
fn undone_at_every_step_nothing_is_left_and_no_change_is_lost() {
    for steps in 1..=3 {
        let world = World::new();
        back_up(&world, &world.spec(1, None));
        world.machine.write("os", 0, &pattern(10, 1));
        let given_up = world.spec(2, Some(1));
        let (machine, vault) = (&world.machine, &world.vault);
        take_snapshot(machine, vault, &given_up).unwrap();
        world.machine.write("os", 2 << 20, &pattern(10, 2));
        if steps >= 2 {
            transfer(machine, vault, &given_up, &Unwatched).unwrap();
        }
        if steps >= 3 {
            validate(vault, given_up.point, &Unwatched).unwrap();
        }
        forget(vault, given_up.point).unwrap();
        release(Some(machine), vault, given_up.point).unwrap();
        assert_eq!(machine.leftovers().unwrap(), Vec::<Uuid>::new());
        assert_eq!(vault.points().unwrap().len(), 1);

        let next = world.spec(3, Some(1));
        let facts = back_up(&world, &next);
        assert_eq!(facts.read_reason, None, "the map of the parent lives on");
        assert_stored(&world, next.point, &truth(&world));
    }
}

#[test]
fn a_broken_snapshot_is_never_committed() {
    let world = World::new();
    let spec = world.spec(1, None);
    take_snapshot(&world.machine, &world.vault, &spec).unwrap();
    world.machine.break_snapshot(spec.point);
    let failure = transfer(&world.machine, &world.vault, &spec, &Unwatched).unwrap_err();
    assert_eq!(failure.class, Class::SnapshotLost);
    assert!(matches!(failure.retry, Retry::FromTheStart(_)));
    assert!(failure.message.contains("scratch space ended"), "{}", failure.message);
    assert_eq!(world.vault.points().unwrap().len(), 0);
    back_up(&world, &spec);
    assert_stored(&world, spec.point, &truth(&world));
}

#[test]
fn a_snapshot_that_is_gone_is_taken_again() {
    let world = World::new();
    let spec = world.spec(1, None);
    take_snapshot(&world.machine, &world.vault, &spec).unwrap();
    world.machine.crash();
    let failure = transfer(&world.machine, &world.vault, &spec, &Unwatched).unwrap_err();
    assert_eq!(failure.class, Class::SnapshotLost);
}

struct Impatient;

impl Watch for Impatient {
    fn planned(&self, _total_bytes: u64) {}
    fn advance(&self, _done: Advance) {}
    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn a_cancelled_transfer_commits_nothing() {
    let world = World::new();
    let spec = world.spec(1, None);
    take_snapshot(&world.machine, &world.vault, &spec).unwrap();
    let failure = transfer(&world.machine, &world.vault, &spec, &Impatient).unwrap_err();
    assert_eq!(failure.class, Class::Cancelled);
    assert_eq!(world.vault.points().unwrap().len(), 0);
}

#[test]
fn leftovers_of_an_earlier_point_are_ended_by_what_the_vault_says() {
    let world = World::new();
    let first = world.spec(1, None);
    take_snapshot(&world.machine, &world.vault, &first).unwrap();
    transfer(&world.machine, &world.vault, &first, &Unwatched).unwrap();
    // Its release never came.
    world.machine.write("os", 0, &pattern(10, 4));
    let facts = back_up(&world, &world.spec(2, Some(1)));
    assert_eq!(facts.read_reason, None, "the map of the committed point was kept");
    assert_stored(&world, Uuid::from_u128(2), &truth(&world));

    let left = world.spec(3, Some(2));
    take_snapshot(&world.machine, &world.vault, &left).unwrap();
    let keep = clean(&world.machine, Some(&world.vault), &[left.point]).unwrap();
    assert!(keep.is_empty(), "its job still runs");
    let cleaned = clean(&world.machine, Some(&world.vault), &[]).unwrap();
    assert_eq!(cleaned.len(), 1);
    assert!(!cleaned[0].committed);
}

#[test]
fn a_silent_agent_is_a_warning_and_a_missing_one_is_not() {
    let world = World::new();
    let spec = world.spec(1, None);
    let take = || take_snapshot(&world.machine, &world.vault, &spec).unwrap().warning;
    assert_eq!(take(), None);
    world.machine.set_agent(AgentState::Silent);
    assert!(matches!(take(), Some(Warning::AgentSilent(_))));
    world.machine.set_power(PowerState::Stopped);
    assert_eq!(take(), None);
    world.machine.set_power(PowerState::Running);
    world.machine.set_agent(AgentState::NotConfigured);
    assert_eq!(take(), None);
}

#[test]
fn what_is_sealed_with_a_point_suffices_to_write_its_row_again() {
    let world = World::new();
    let spec = world.spec(1, None);
    back_up(&world, &spec);
    let point = world.vault.points().unwrap().remove(0);
    let metadata = PointMetadata::read(&point.metadata).unwrap();
    assert_eq!(metadata.labels, spec.labels);
    assert_eq!(metadata.machine.id, world.machine.id);
    assert_eq!(metadata.machine.disks.len(), 2);
    assert_eq!(metadata.freeze_ms, Some(12));
    assert_eq!(point.time_unix_ms, 1_700_000_000_000);
    assert_eq!(PointMetadata::read(&serde_json::json!({"version": 1})), None);
}

#[test]
fn excluded_disks_stay_out_and_none_at_all_is_refused() {
    let world = World::new();
    let mut spec = world.spec(1, None);
    spec.excluded = vec!["data".to_owned()];
    let facts = back_up(&world, &spec);
    assert_eq!(facts.size_bytes, 3 << 20);
    let mut spec = world.spec(2, None);
    spec.excluded = vec!["data".to_owned(), "os".to_owned()];
    take_snapshot(&world.machine, &world.vault, &spec).unwrap();
    let failure = transfer(&world.machine, &world.vault, &spec, &Unwatched).unwrap_err();
    assert_eq!(failure.class, Class::DiskMissing);
}
