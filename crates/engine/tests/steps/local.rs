//! Restores in place from the copy in the images: the disks are those of the point, whatever fails in between, and the next
//! backup never believes a map that the roll-back made a lie of.

use crate::world::{World, pattern};
use coffre_engine::{
    Class, DiskChoice, Failure, PrepareFacts, PublishFacts, RestoreContext, RestoreSpec,
    RestoreTarget, Retry, Source, Unwatched, prepare, publish, release, remove, restore_transfer,
    restore_validate, take_snapshot, transfer,
};
use coffre_fabric::{LocalCopy, Machine, PowerState};
use uuid::Uuid;

const JOB: Uuid = Uuid::from_u128(0xabcd_ef00_0000_0000_0000_0000_0000_0002);
const FIRST: Uuid = Uuid::from_u128(1);
const DISKS: [&str; 2] = ["data", "os"];

type Disks = Vec<Vec<u8>>;

fn disks(world: &World) -> Disks {
    DISKS.map(|key| world.machine.bytes(key)).to_vec()
}

fn back_up(world: &World, point: u128, parent: Option<u128>) {
    let spec = world.spec(point, parent);
    let taken = take_snapshot(&world.machine, &world.vault, &spec).unwrap();
    assert_eq!(taken.local, Some(LocalCopy::Kept));
    transfer(&world.machine, &world.vault, &spec, &Unwatched).unwrap();
    release(Some(&world.machine), &world.vault, spec.point).unwrap();
}

/// Two points with a map of changes since the second, and then damage.
fn damaged_world() -> (World, Disks) {
    let world = World::new();
    back_up(&world, 1, None);
    let at_first = disks(&world);
    world.machine.write("os", 1 << 20, &pattern(9000, 5));
    back_up(&world, 2, Some(1));
    world.machine.write("data", 4096, &pattern(70_000, 6));
    (world, at_first)
}

fn spec(source: Source) -> RestoreSpec {
    let target = RestoreTarget::InPlace;
    RestoreSpec { job: JOB, point: FIRST, disks: DiskChoice::All, target, source }
}

fn cx<'a>(world: &'a World, spec: &'a RestoreSpec) -> RestoreContext<'a> {
    RestoreContext { vault: &world.vault, machine: Some(&world.machine), spec }
}

fn choose(world: &World) -> Result<PrepareFacts, Failure> {
    prepare(&cx(world, &spec(Source::Local)))
}

/// As the worker does it: what the first step chose holds for the others.
fn restore(world: &World) -> Result<PublishFacts, Failure> {
    let spec = spec(choose(world)?.source);
    let cx = cx(world, &spec);
    restore_transfer(&cx, &Unwatched)?;
    restore_validate(&cx, &Unwatched)?;
    publish(&cx)
}

/// Whatever happened to the disks: what is backed up next is what they hold.
fn assert_next_backup_is_right(world: &World, what: &str) {
    world.machine.write("os", 2 << 20, &pattern(5000, 9));
    back_up(world, 3, Some(2));
    for (key, truth) in DISKS.into_iter().zip(disks(world)) {
        let reader = world.vault.disk(Uuid::from_u128(3), key).unwrap();
        let mut bytes = vec![0; truth.len()];
        reader.read_at(0, &mut bytes).unwrap();
        assert!(bytes == truth, "{what}: the next point is not what is on disk {key}");
    }
}

#[test]
fn the_disks_are_those_of_the_point_and_the_next_backup_is_right() {
    let (world, at_first) = damaged_world();
    world.machine.set_power(PowerState::Stopped);
    let facts = choose(&world).unwrap();
    assert_eq!((facts.source, facts.doubt), (Source::Local, None));
    let published = restore(&world).unwrap();
    assert_eq!(published.images.len(), 2);
    assert!(disks(&world) == at_first);
    let copies = world.machine.local_copies().unwrap();
    assert_eq!(copies.before.len(), 0, "what was there before is given up");
    assert_eq!(copies.points.len(), 2, "the copies stay, for the next time");
    assert_next_backup_is_right(&world, "restored");
}

#[test]
fn whichever_call_fails_it_ends_whole_or_as_before_and_the_next_backup_is_right() {
    for give_up in [true, false] {
        for call in 0.. {
            let (world, at_first) = damaged_world();
            world.machine.set_power(PowerState::Stopped);
            let before = disks(&world);
            world.machine.fuse.set(call);
            let outcome = restore(&world);
            let over = !world.machine.fuse.has_blown();
            world.machine.fuse.set(i64::MAX);
            let what = format!("call {call}, give up: {give_up}");
            if outcome.is_err() && give_up {
                remove(&cx(&world, &spec(Source::Local))).unwrap();
                remove(&cx(&world, &spec(Source::Vault))).unwrap();
                let now = disks(&world);
                // Whole if what was there before had been given up already.
                assert!(now == before || now == at_first, "{what}");
            } else {
                if outcome.is_err() {
                    restore(&world).unwrap();
                }
                assert!(disks(&world) == at_first, "{what}");
            }
            assert_eq!(world.machine.local_copies().unwrap().before.len(), 0, "{what}");
            assert_next_backup_is_right(&world, &what);
            if over {
                assert!(call > 8, "{call} calls");
                break;
            }
        }
    }
}

#[test]
fn a_copy_that_is_gone_or_is_not_the_point_sends_the_restore_to_the_vault() {
    let (world, _) = damaged_world();
    world.machine.set_power(PowerState::Stopped);
    world.machine.damage_copy(FIRST, "os");
    let facts = choose(&world).unwrap();
    assert_eq!(facts.source, Source::Vault);
    let doubt = facts.doubt.unwrap();
    assert!(doubt.contains("disk os") && doubt.contains("bytes at 0"), "{doubt}");
    world.machine.drop_local_copy(FIRST).unwrap();
    let facts = choose(&world).unwrap();
    assert_eq!((facts.source, facts.doubt.as_deref()), (Source::Vault, Some("there is no copy")));
    // Gone after the choice: the job begins again, and chooses anew.
    let failure = publish(&cx(&world, &spec(Source::Local))).unwrap_err();
    assert!(matches!(failure.retry, Retry::FromTheStart(_)), "{failure:?}");
}

#[test]
fn a_machine_that_runs_is_not_rolled_back() {
    let (world, _) = damaged_world();
    let before = disks(&world);
    let failure = restore(&world).unwrap_err();
    assert_eq!(failure.class, Class::MachineMustBeOff);
    assert_eq!(publish(&cx(&world, &spec(Source::Local))).unwrap_err().class, failure.class);
    assert!(disks(&world) == before);
}

#[test]
fn a_backup_that_is_given_up_leaves_no_copy() {
    let world = World::new();
    let spec = world.spec(1, None);
    take_snapshot(&world.machine, &world.vault, &spec).unwrap();
    release(Some(&world.machine), &world.vault, spec.point).unwrap();
    assert_eq!(world.machine.local_copies().unwrap().points.len(), 0);
}
