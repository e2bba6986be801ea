//! A real guest goes back to the copy of a point beside its disks: it boots with its data of then, and what is backed up
//! afterwards is what is on its disks.

use std::time::Instant;

use anyhow::{Context, ensure};
use coffre_testkit::Guest;
use coffre_testkit::service::{Commands, RestoreTo};

use crate::world::{GROUP, PATIENCE, VAULT, VM, World, format_of, must_be_equal};

/// What the newest point gives back is what is on the disks.
fn must_restore_what_is_there(world: &World, what: &str) -> anyhow::Result<()> {
    for ((key, image), (_, restored)) in world.guest.images().iter().zip(world.restore_to_files()?)
    {
        let restored = (format_of(&restored), restored.as_path());
        must_be_equal(("qcow2", image), restored, &format!("{what}: disk {key}"))?;
    }
    Ok(())
}

#[test]
fn a_guest_that_was_damaged_is_back_in_a_moment_and_the_next_backups_are_right()
-> anyhow::Result<()> {
    let world = World::protected(Guest::Tiny, "")?;
    let shell = world.guest.shell();
    shell.check(
        "dd if=/dev/urandom of=/mnt/vda/base bs=64k count=800 && echo kept >/mnt/vda/file && sync",
    )?;
    // It writes while the point is taken and moved.
    shell.check(
        "(while :; do dd if=/dev/urandom of=/mnt/vdb/noise bs=64k count=20 conv=fsync; done) \
         >/dev/null 2>&1 & echo $! >/run/writer",
    )?;
    let job = world.back_up()?;
    ensure!(job.fact("Snapshot tier") == Some("kept"), "{}", job.body);
    let point = world.points()?.into_iter().next().context("there is a recovery point")?;
    world.must_be_clean()?;
    let sum = shell.check("md5sum /mnt/vda/base")?;
    shell.check("echo lost >/mnt/vda/file; rm /mnt/vda/base; dd if=/dev/urandom of=/mnt/vda/junk bs=64k count=300; sync")?;
    // An incremental lies between: its map of changes is the one that must not be believed.
    world.back_up()?;
    shell.check("dd if=/dev/urandom of=/mnt/vda/junk bs=64k count=300; sync")?;

    let begun = Instant::now();
    let job = world.verbs.restore(GROUP, VAULT, VM, &point.name, RestoreTo::Original)?;
    let done = world.wait(&job)?;
    done.must_be_completed().with_context(|| world.service.log_tail())?;
    println!("restored from the snapshot and started in {:?}", begun.elapsed());
    let tier = done.fact("Recovery point tier");
    ensure!(tier == Some("Snapshot"), "{}", done.body);
    world.guest.shell().wait_until_ready(PATIENCE)?;
    let shell = world.guest.shell();
    shell.check("grep -q kept /mnt/vda/file && test ! -e /mnt/vda/junk")?;
    ensure!(shell.check("md5sum /mnt/vda/base")? == sum, "the file is not what it was");

    let whole = world.back_up()?;
    let reason = whole.fact("Full read reason").context("it says why it read everything")?;
    println!("after the restore: {reason}");
    shell.check("dd if=/dev/urandom of=/mnt/vda/more bs=64k count=20 && sync")?;
    world.stop_vm()?;
    let part = world.back_up()?;
    ensure!(part.fact("Full read reason").is_none(), "changes are known again: {}", part.body);
    must_restore_what_is_there(&world, "after the restore")
}
