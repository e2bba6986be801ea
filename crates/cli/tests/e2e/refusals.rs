//! Bad input gives a clear error, through `az` as in the portal, and loses nothing.

use std::process::Command;

use anyhow::{Context, bail, ensure};
use coffre_testkit::Guest;
use coffre_testkit::service::{Commands, Refused, RestoreTo};
use serde_json::Value;

use crate::az::az_of;
use crate::portal::Browser;
use crate::world::{GROUP, VAULT, VM, World};

/// The command must say no, with each of these words.
fn must_refuse(result: anyhow::Result<Value>, words: &[&str]) -> anyhow::Result<()> {
    let error = match result {
        Ok(answer) => bail!("was not refused: {answer}"),
        Err(error) => error.downcast::<Refused>()?,
    };
    println!("{}: {}", error.command, error.text.trim());
    for word in words {
        ensure!(error.text.contains(word), "{word:?} is not in: {}", error.text);
    }
    Ok(())
}

#[test]
fn az_says_what_is_wrong_and_what_to_do() -> anyhow::Result<()> {
    let world = World::protected(Guest::Tiny, "")?;
    let az = az_of(&world)?;
    let vault = |name: &str, region: &str| {
        az.run(&["backup", "vault", "create", "-g", GROUP, "-n", name, "-l", region])
    };
    must_refuse(vault("1st", "local"), &["letter"])?;
    must_refuse(vault("other", "eastus"), &["eastus", "local"])?;
    az.create_group("second")?;
    must_refuse(
        az.run(&["backup", "vault", "create", "-g", "second", "-n", VAULT, "-l", "local"]),
        &[VAULT, GROUP],
    )?;
    let unknown = world.vm["id"].as_str().context("an id")?.replace(VM, "nobody");
    let enable = ["backup", "protection", "enable-for-vm", "-g", GROUP, "-v", VAULT];
    must_refuse(
        az.run(&[&enable[..], &["--vm", &unknown, "-p", "DefaultPolicy"]].concat()),
        &["nobody", "not found"],
    )?;
    must_refuse(
        az.run(&["backup", "vault", "delete", "-g", GROUP, "-n", VAULT, "--yes"]),
        &["existing resources within the vault", VM],
    )?;
    // All is as it was.
    world.back_up()?;
    world.must_be_clean()
}

#[test]
fn a_disk_that_vanished_fails_the_job_and_nothing_else() -> anyhow::Result<()> {
    let world = World::protected(Guest::Tiny, "")?;
    world.back_up()?;
    world.stop_vm()?;
    let (_, image) = &world.guest.images()[1];
    let aside = image.with_extension("aside");
    std::fs::rename(image, &aside)?;
    let job = world.wait(&world.start_backup()?)?;
    ensure!(job.status() == "Failed", "{}", job.body);
    let errors = job.errors().join("; ");
    println!("{errors}");
    ensure!(errors.contains("second") || errors.contains(&*image.to_string_lossy()), "{errors}");
    must_show_in_portal(&world, &job.body)?;
    std::fs::rename(&aside, image)?;
    world.start_vm()?;
    world.back_up()?;
    world.must_be_clean()
}

#[test]
fn a_guest_without_an_agent_is_backed_up_and_says_so() -> anyhow::Result<()> {
    let world = World::protected(Guest::Tiny, "")?;
    world.guest.shell().check("kill $(cat /run/qga.pid)")?;
    let job = world.wait(&world.start_backup()?)?;
    ensure!(job.status() == "CompletedWithWarnings", "{}", job.body);
    println!("{}", job.errors().join("; "));
    ensure!(job.fact("Consistency") == Some("CrashConsistent"), "{}", job.body);
    let reason = job.fact("Consistency reason").context("a reason")?;
    ensure!(reason.contains("agent"), "{reason}");
    world.must_be_clean()
}

#[test]
fn a_full_store_fails_the_job_and_loses_nothing() -> anyhow::Result<()> {
    let small = tempfile::Builder::new().prefix("cofs").tempdir()?;
    let _mounted = Tmpfs::mount(small.path(), "96m")?;
    let more = format!("vaults = \"{}\"", small.path().display());
    let world = World::protected(Guest::Tiny, &more)?;
    world.guest.shell().check("echo kept >/mnt/vda/file && sync")?;
    world.back_up()?;
    world.guest.shell().check("dd if=/dev/urandom of=/mnt/vda/big bs=64k count=2400 && sync")?;
    let job = world.wait(&world.start_backup()?)?;
    ensure!(job.status() == "Failed", "{}", job.body);
    let errors = job.errors().join("; ");
    println!("{errors}");
    ensure!(errors.contains("space"), "{errors}");
    world.must_be_clean()?;
    ensure!(world.points()?.len() == 1, "the first point is there, and no other");
    let point = &world.points()?[0];
    let job = world.verbs.restore(GROUP, VAULT, VM, &point.name, RestoreTo::Disks)?;
    world.wait(&job)?.must_be_completed()?;
    // Room again: the next backup goes on with no help.
    remount(small.path(), "600m")?;
    world.back_up()?;
    world.must_be_clean()
}

/// The portal shows the error of the job with its cause.
fn must_show_in_portal(world: &World, job: &Value) -> anyhow::Result<()> {
    let browser = Browser::sign_in(&world.service, world.path("cookies"))?;
    let name = job["name"].as_str().context("a job has a name")?;
    let page = browser.get(&format!("/portal/jobs/{name}"))?;
    let (_, image) = &world.guest.images()[1];
    let file = image.file_name().context("an image is a file")?.to_string_lossy();
    ensure!(page.contains(&*file), "the portal does not say which disk is gone:\n{page}");
    Ok(())
}

/// A file system of a fixed size, gone when dropped.
struct Tmpfs<'a>(&'a std::path::Path);

impl Tmpfs<'_> {
    fn mount<'a>(at: &'a std::path::Path, size: &str) -> anyhow::Result<Tmpfs<'a>> {
        let options = format!("size={size}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at);
        ensure!(done_well(&mut mount)?, "mount a tmpfs (needs root)");
        Ok(Tmpfs(at))
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        // Lazy: whatever still has a file open ends with the test.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

fn remount(at: &std::path::Path, size: &str) -> anyhow::Result<()> {
    let options = format!("remount,size={size}");
    ensure!(done_well(Command::new("mount").args(["-o", &options]).arg(at))?, "remount");
    Ok(())
}

fn done_well(command: &mut Command) -> anyhow::Result<bool> {
    Ok(command.status()?.success())
}
