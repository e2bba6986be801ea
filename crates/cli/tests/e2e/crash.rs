//! The service dies at each step of a backup and of a restore; after a new start the job ends well and nothing is left.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use coffre_engine::crash::{JobClass, POINTS};
use coffre_testkit::Guest;
use coffre_testkit::service::{Commands, RestoreTo};

use crate::world::{GROUP, PATIENCE, VAULT, VM, World, files_below, format_of, must_be_equal};

fn points(class: JobClass) -> impl Iterator<Item = &'static str> {
    POINTS.iter().filter(move |point| point.class == class).map(|point| point.name)
}

/// Starts the service anew so that it ends itself at this place.
fn arm(world: &mut World, point: &str) -> anyhow::Result<()> {
    world.service.stop()?;
    world.service.start_with(&[("COFFRE_CRASH_AT", point)])
}

#[test]
fn a_backup_survives_the_death_of_the_service_at_each_step() -> anyhow::Result<()> {
    let mut world = World::protected(Guest::Tiny, "")?;
    world.back_up()?;
    for (index, point) in points(JobClass::Backup).enumerate() {
        arm(&mut world, point)?;
        let script = format!("dd if=/dev/urandom of=/mnt/vda/{index} bs=64k count=8 && sync");
        world.guest.shell().check(&script)?;
        // The service may die before it answered; its job is there all the same.
        let _ = world.start_backup();
        world.service.wait_for_end(PATIENCE).with_context(|| format!("crash at {point}"))?;
        world.service.start()?;
        let done = world.wait(&world.newest_job("Backup")?)?;
        ensure!(done.status() == "Completed", "{point}: {}", done.body);
        world.must_be_clean().with_context(|| format!("after the crash at {point}"))?;
    }
    let crashes = points(JobClass::Backup).count();
    let made = world.points()?.len();
    ensure!(made == crashes + 1, "{made} recovery points of {} jobs", crashes + 1);
    world.stop_vm()?;
    world.back_up()?;
    for ((key, image), (_, restored)) in world.guest.images().iter().zip(world.restore_to_files()?)
    {
        must_be_equal(("qcow2", image), (format_of(&restored), &restored), &format!("disk {key}"))?;
    }
    Ok(())
}

#[test]
fn a_restore_survives_the_death_of_the_service_at_each_step() -> anyhow::Result<()> {
    let mut world = World::protected(Guest::Tiny, "")?;
    world.guest.shell().check("dd if=/dev/urandom of=/mnt/vda/first bs=64k count=200 && sync")?;
    world.stop_vm()?;
    world.back_up()?;
    let truth = copies(&world)?;
    let point = world.points()?.into_iter().next().context("there is a recovery point")?;
    let files = files_below(&world.path("vm"))?.len();
    for (index, crash) in points(JobClass::Restore).enumerate() {
        arm(&mut world, crash)?;
        world.guest.destroy_disks()?;
        let _ = world.verbs.restore(GROUP, VAULT, VM, &point.name, RestoreTo::Original);
        world.service.wait_for_end(PATIENCE).with_context(|| format!("crash at {crash}"))?;
        world.service.start()?;
        let done = world.wait(&world.newest_job("Restore")?)?;
        ensure!(done.status() == "Completed", "{crash}: {}", done.body);
        let jobs = world.jobs("Restore")?.len();
        ensure!(jobs == index + 1, "{jobs} restores after {} were asked for", index + 1);
        for (key, copy) in &truth {
            let image = world.guest.image(key)?;
            must_be_equal(("raw", copy), ("qcow2", image), &format!("{crash}: disk {key}"))?;
        }
        let now = files_below(&world.path("vm"))?;
        ensure!(now.len() == files, "{crash}: files are left: {now:?}");
    }
    world.start_vm()?;
    world.guest_must_write()
}

/// A cancelled backup ends as cancelled, leaves nothing, and the next one does not miss a change.
#[test]
fn a_cancelled_backup_leaves_nothing() -> anyhow::Result<()> {
    let world = World::protected(Guest::Tiny, "")?;
    world.back_up()?;
    world.guest.shell().check("dd if=/dev/urandom of=/mnt/vda/more bs=64k count=400 && sync")?;
    let job = world.start_backup()?;
    // Whether the wish comes in time is a race; both ends are right, and nothing may be left in either.
    let stopped = world.verbs.run(&["job", "stop", "-v", VAULT, "-n", &job]);
    let done = world.wait(&job)?;
    let right = match &stopped {
        Ok(_) => matches!(done.status(), "Cancelled" | "Completed"),
        Err(_) => done.status() == "Completed",
    };
    ensure!(right, "stop said {stopped:?}, the job is {}", done.body);
    world.must_be_clean()?;
    world.stop_vm()?;
    world.back_up()?;
    for ((key, image), (_, restored)) in world.guest.images().iter().zip(world.restore_to_files()?)
    {
        must_be_equal(("qcow2", image), (format_of(&restored), &restored), &format!("disk {key}"))?;
    }
    Ok(())
}

fn copies(world: &World) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut copies = Vec::new();
    for (key, _) in world.guest.images() {
        let path = world.path(&format!("truth-{key}.raw"));
        world.guest.copy_disk(key, &path)?;
        copies.push((key.clone(), path));
    }
    Ok(copies)
}
