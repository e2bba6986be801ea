//! The journey by the unmodified `az` command.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use coffre_testkit::Guest;
use coffre_testkit::service::{Az, Commands, RestoreTo};
use serde_json::Value;

use crate::world::{GROUP, PATIENCE, VAULT, VM, World, files_below};

/// `cargo xtask test` installs the command and says where it is.
pub(crate) fn az_of(world: &World) -> anyhow::Result<Az> {
    let program = std::env::var_os("COFFRE_AZ")
        .context("COFFRE_AZ must name the az command (cargo xtask setup --az installs it)")?;
    let az = Az::new(&PathBuf::from(program), &world.path("az"), &world.service.info()?.ca)?;
    // Each of these is a process of its own, as people start it; the rest shares one.
    az.sign_in(&world.service)?;
    az.in_one_process()
}

/// Names of the resources in a list.
pub(crate) fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|it| it["name"].as_str()).collect()
}

#[test]
fn the_unmodified_az_protects_backs_up_and_restores() -> anyhow::Result<()> {
    let world = World::new(Guest::Tiny, "")?;
    let az = az_of(&world)?;
    let here = ["-g", GROUP, "-v", VAULT];
    let run = |verb: &[&str], more: &[&str]| az.run(&[verb, &here[..], more].concat());

    az.create_group(GROUP)?;
    let group = az.run(&["group", "show", "-n", GROUP])?;
    ensure!(group["location"] == "local", "{group}");
    az.create_vault(GROUP, VAULT)?;
    let vaults = az.run(&["backup", "vault", "list"])?;
    ensure!(names(&vaults) == [VAULT], "{vaults}");
    let policies = run(&["backup", "policy", "list"], &[])?;
    ensure!(names(&policies).contains(&"DefaultPolicy"), "{policies}");
    let vms = az.vms()?;
    let vm = vms.iter().find(|vm| vm["name"] == VM).context("az vm list shows the VM")?;

    az.enable(GROUP, VAULT, vm)?;
    let item = az.item(GROUP, VAULT, VM)?;
    ensure!(item["properties"]["protectionState"] == "IRPending", "{item}");
    ensure!(az.points(GROUP, VAULT, VM)?.is_empty(), "enabling makes no recovery point");

    let job = az.backup_now(GROUP, VAULT, VM)?;
    run(&["backup", "job", "wait"], &["-n", &job])?;
    let done = az.wait_for_job(GROUP, VAULT, &job, PATIENCE)?;
    done.must_be_completed()?;
    let tasks = done.body["properties"]["extendedInfo"]["tasksList"].as_array();
    let tasks: Vec<&str> =
        tasks.into_iter().flatten().filter_map(|it| it["taskId"].as_str()).collect();
    ensure!(tasks.starts_with(&["Take Snapshot", "Transfer data to vault"]), "{tasks:?}");
    let jobs =
        run(&["backup", "job", "list"], &["--operation", "Backup", "--status", "Completed"])?;
    ensure!(names(&jobs) == [job.as_str()], "{jobs}");

    let item = az.item(GROUP, VAULT, VM)?;
    ensure!(item["properties"]["protectionState"] == "Protected", "{item}");
    ensure!(item["properties"]["lastBackupStatus"] == "Completed", "{item}");
    let points = az.points(GROUP, VAULT, VM)?;
    ensure!(points.len() == 1 && points[0].consistency() == "FileSystemConsistent", "{points:?}");

    let job = az.restore(GROUP, VAULT, VM, &points[0].name, RestoreTo::Disks)?;
    let done = az.wait_for_job(GROUP, VAULT, &job, PATIENCE)?;
    done.must_be_completed()?;
    let files = files_below(&world.service.folder().join("staging"))?;
    ensure!(files.len() > world.guest.images().len(), "disks and description: {files:?}");

    az.stop_vm(vm)?;
    world.guest.destroy_disks()?;
    let job = az.restore(GROUP, VAULT, VM, &points[0].name, RestoreTo::Original)?;
    az.wait_for_job(GROUP, VAULT, &job, PATIENCE)?.must_be_completed()?;
    az.start_vm(vm)?;
    world.guest.shell().wait_until_ready(PATIENCE)?;
    world.guest_must_write()
}
