//! The second backup reads and stores only what changed, and heals by itself when the change map is lost.

use anyhow::{Context, ensure};
use coffre_testkit::Guest;

use crate::world::{World, format_of, must_be_equal};

const BLOCK: u64 = 64 << 10;
/// What a file system may change beside the blocks of a file: its own log, inodes and free lists.
const FILE_SYSTEM_BLOCKS: u64 = 40;

/// Writes `blocks` blocks of noise into a new file on the first disk.
fn write_blocks(world: &World, file: &str, blocks: u64) -> anyhow::Result<()> {
    let script = format!("dd if=/dev/urandom of=/mnt/vda/{file} bs=64k count={blocks} && sync");
    world.guest.shell().check(&script).map(drop)
}

fn must_restore_what_is_there(world: &World) -> anyhow::Result<()> {
    world.stop_vm()?;
    world.back_up()?;
    for ((key, image), (_, restored)) in world.guest.images().iter().zip(world.restore_to_files()?)
    {
        must_be_equal(("qcow2", image), (format_of(&restored), &restored), &format!("disk {key}"))?;
    }
    Ok(())
}

#[test]
fn only_what_changed_is_read_and_stored() -> anyhow::Result<()> {
    let world = World::protected(Guest::Tiny, "")?;
    write_blocks(&world, "first", 800)?;
    let full = world.back_up()?;
    ensure!(full.number("ReadBytes")? >= 800 * BLOCK, "{}", full.body);

    write_blocks(&world, "second", 20)?;
    let part = world.back_up()?;
    let (read, new) = (part.number("ReadBytes")?, part.number("NewBytes")?);
    ensure!(read >= 20 * BLOCK, "read {read} bytes, less than was written");
    let most = (20 + FILE_SYSTEM_BLOCKS) * BLOCK;
    ensure!(read <= most, "read {read} bytes for {} that changed", 20 * BLOCK);
    ensure!(new <= read && new >= 20 * BLOCK, "{new} bytes are new of {read} read");
    ensure!(part.fact("Full read reason").is_none(), "{}", part.body);

    let idle = world.back_up()?;
    let read = idle.number("ReadBytes")?;
    ensure!(read <= FILE_SYSTEM_BLOCKS * BLOCK, "read {read} bytes when nothing was written");
    ensure!(world.points()?.len() == 3, "three points");
    world.must_be_clean()?;
    must_restore_what_is_there(&world)
}

#[test]
fn a_crash_of_qemu_is_healed_by_the_next_backup() -> anyhow::Result<()> {
    let world = World::protected(Guest::Tiny, "")?;
    write_blocks(&world, "first", 800)?;
    world.back_up()?;
    write_blocks(&world, "second", 20)?;
    world.guest.kill_qemu()?;
    world.start_vm()?;
    let healed = world.back_up()?;
    let reason = healed.fact("Full read reason").context("it says why it read everything")?;
    println!("after the crash: {reason}");
    let (read, new) = (healed.number("ReadBytes")?, healed.number("NewBytes")?);
    ensure!(read >= 800 * BLOCK, "without a map everything is read, not {read} bytes");
    let most = (20 + 2 * FILE_SYSTEM_BLOCKS) * BLOCK;
    ensure!(new <= most, "{new} bytes are new, though about {} changed", 20 * BLOCK);

    write_blocks(&world, "third", 20)?;
    let next = world.back_up()?;
    ensure!(next.fact("Full read reason").is_none(), "the map works again: {}", next.body);
    ensure!(next.number("ReadBytes")? <= (20 + FILE_SYSTEM_BLOCKS) * BLOCK, "{}", next.body);
    must_restore_what_is_there(&world)
}

#[test]
fn a_crash_of_the_service_between_backups_costs_nothing() -> anyhow::Result<()> {
    let mut world = World::protected(Guest::Tiny, "")?;
    write_blocks(&world, "first", 400)?;
    world.back_up()?;
    world.service.kill()?;
    write_blocks(&world, "second", 20)?;
    world.service.start()?;
    let next = world.back_up()?;
    ensure!(next.fact("Full read reason").is_none(), "{}", next.body);
    ensure!(next.number("ReadBytes")? <= (20 + FILE_SYSTEM_BLOCKS) * BLOCK, "{}", next.body);
    must_restore_what_is_there(&world)
}
