//! The journey of the demonstration: protect, back up while it writes, lose, restore, boot, check.
//!
//! It goes through the API like any user: with `az` where that is there, else with Coffre's own verbs. What the guest
//! holds is judged from inside the guest, past the service.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use coffre_testkit::service::{Az, Commands, HostedGuest, Job, RestoreTo, Service, Verbs};
use coffre_testkit::{Guest, Workload};

use super::Ready;
use super::table::Table;

const GROUP: &str = "demo";
const VAULT: &str = "safe";
const VM: &str = "web";
/// Several times what one step takes on a busy machine with two cores.
const PATIENCE: Duration = Duration::from_secs(600);
/// Rows that the guest shall write between two steps, so that there is something to back up.
const ROWS: u64 = 40;

/// One backup or restore, for the table.
pub(super) struct Run {
    pub(super) name: &'static str,
    pub(super) seconds: f64,
    pub(super) job: Job,
}

pub(super) fn run(ready: &Ready) -> anyhow::Result<()> {
    let mut stage = Stage(Instant::now());
    let folder = tempfile::Builder::new().prefix("coffre-demo-").tempdir()?;
    let mut service = Service::new(&ready.coffre, &folder.path().join("data"), "")?;
    let guest = HostedGuest::install(
        &ready.guests,
        Guest::Debian,
        VM,
        &folder.path().join("vm"),
        service.folder(),
    )?;
    service.start()?;
    let outcome = protect_lose_restore(ready, &service, &guest, folder.path(), &mut stage);
    if ready.keep && outcome.is_ok() {
        say_how_to_go_on(&service, &folder.keep())?;
        service.leave_running();
        guest.leave_running();
        return Ok(());
    }
    service.stop()?;
    outcome
}

fn protect_lose_restore(
    ready: &Ready,
    service: &Service,
    guest: &HostedGuest,
    folder: &Path,
    stage: &mut Stage,
) -> anyhow::Result<()> {
    let commands = sign_in(ready, service, folder)?;
    stage.done(&format!("service up, signed in with `{}`", commands.name()));

    let vm = commands.find_vm(VM, PATIENCE)?;
    commands.start_vm(&vm)?;
    guest.shell().wait_until_ready(PATIENCE)?;
    let workload = Workload::on(guest.shell());
    workload.start()?;
    workload.wait_for_row(ROWS)?;
    stage.done("Debian booted, its database is being written");

    commands.create_group(GROUP)?;
    commands.create_vault(GROUP, VAULT)?;
    commands.enable(GROUP, VAULT, &vm)?;
    let points = commands.points(GROUP, VAULT, VM)?;
    ensure!(points.is_empty(), "enabling made a recovery point");
    stage.done("VM protected by DefaultPolicy; no recovery point yet");

    let first = backup(commands.as_ref(), "first backup")?;
    stage.done("first backup, while the guest wrote");
    workload.wait_for_row(workload.acknowledged()? + ROWS)?;
    let promise = workload.promise()?;
    let second = backup(commands.as_ref(), "second backup")?;
    stage.done("second backup: what changed");
    let point = commands.points(GROUP, VAULT, VM)?.into_iter().next();
    let point = point.context("there is a recovery point")?;

    commands.stop_vm(&vm)?;
    guest.destroy_disks()?;
    stage.done("VM stopped, its disks overwritten with rubbish");

    let restore = restore(commands.as_ref(), &point.name)?;
    stage.done("disks restored");
    commands.start_vm(&vm)?;
    guest.shell().wait_until_ready(PATIENCE)?;
    stage.done("VM booted from the restored disks");

    let report = workload.check_promise(&promise)?;
    stage.done(&format!(
        "database whole: {} rows, all that was acknowledged before the point; files as their hashes say",
        report.rows
    ));
    println!("\n{}", Table::of(&[first, second, restore], &point)?);
    println!("portal: {}/", service.info()?.url);
    Ok(())
}

fn sign_in(ready: &Ready, service: &Service, folder: &Path) -> anyhow::Result<Box<dyn Commands>> {
    let commands: Box<dyn Commands> = match &ready.az {
        Some(az) => Box::new(Az::new(az, &folder.join("az"), &service.info()?.ca)?),
        None => Box::new(Verbs::new(service.program(), &folder.join("verbs"))?),
    };
    commands.sign_in(service)?;
    Ok(commands)
}

fn backup(commands: &dyn Commands, name: &'static str) -> anyhow::Result<Run> {
    let started = Instant::now();
    let job = commands.backup_now(GROUP, VAULT, VM)?;
    let job = commands.wait_for_job(GROUP, VAULT, &job, PATIENCE)?;
    job.must_be_completed()?;
    Ok(Run { name, seconds: started.elapsed().as_secs_f64(), job })
}

fn restore(commands: &dyn Commands, point: &str) -> anyhow::Result<Run> {
    let started = Instant::now();
    let job = commands.restore(GROUP, VAULT, VM, point, RestoreTo::Original)?;
    let job = commands.wait_for_job(GROUP, VAULT, &job, PATIENCE)?;
    job.must_be_completed()?;
    Ok(Run { name: "restore", seconds: started.elapsed().as_secs_f64(), job })
}

fn say_how_to_go_on(service: &Service, folder: &Path) -> anyhow::Result<()> {
    let info = service.info()?;
    println!(
        "The service (process {}) and the VM keep running; all is in {}.",
        info.pid,
        folder.display()
    );
    println!("  portal        {}/", info.url);
    println!("  client id     {}", info.client_id);
    println!("  secret        {}", service.secret()?);
    println!("  certificate   {}", info.ca.display());
    println!(
        "  for az        {} az-setup --data {}",
        service.program().display(),
        service.folder().display()
    );
    Ok(())
}

/// Says what was reached, with the seconds since the start.
struct Stage(Instant);

impl Stage {
    fn done(&mut self, what: &str) {
        println!("    {:6.1} s  {what}", self.0.elapsed().as_secs_f64());
    }
}
