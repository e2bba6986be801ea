//! A service with a guest that it hosts, and what a test asks of both.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use coffre_testkit::service::{Commands, HostedGuest, Job, Point, RestoreTo, Service, Verbs};
use coffre_testkit::{Guest, Guests};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Several times what one step takes on a busy machine with two cores.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);
pub(crate) const GROUP: &str = "lab";
pub(crate) const VAULT: &str = "safe";
pub(crate) const VM: &str = "web";

/// The program under test.
pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_coffre"))
}

/// A signed-in service and a guest.
pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) guest: HostedGuest,
    pub(crate) verbs: Verbs,
    pub(crate) vm: Value,
    // Last: the folder goes when the processes are gone.
    pub(crate) folder: TempDir,
}

impl World {
    /// The service runs and is signed in; the guest runs; nothing is protected. `more` goes into the configuration.
    pub(crate) fn new(guest: Guest, more: &str) -> anyhow::Result<World> {
        let folder = tempfile::Builder::new().prefix("cof").tempdir()?;
        let mut service = Service::new(program(), &folder.path().join("data"), more)?;
        let guest = HostedGuest::install(
            &Guests::build()?,
            guest,
            VM,
            &folder.path().join("vm"),
            service.folder(),
        )?;
        service.start()?;
        let verbs = Verbs::new(program(), &folder.path().join("verbs"))?;
        verbs.sign_in(&service)?;
        let vm = verbs.find_vm(VM, PATIENCE)?;
        let world = World { service, guest, verbs, vm, folder };
        world.start_vm()?;
        Ok(world)
    }

    /// The same with the VM protected.
    pub(crate) fn protected(guest: Guest, more: &str) -> anyhow::Result<World> {
        let world = World::new(guest, more)?;
        world.verbs.create_group(GROUP)?;
        world.verbs.create_vault(GROUP, VAULT)?;
        world.verbs.enable(GROUP, VAULT, &world.vm)?;
        Ok(world)
    }

    pub(crate) fn start_vm(&self) -> anyhow::Result<()> {
        self.verbs.start_vm(&self.vm)?;
        self.guest.shell().wait_until_ready(PATIENCE)
    }

    pub(crate) fn stop_vm(&self) -> anyhow::Result<()> {
        self.verbs.stop_vm(&self.vm)
    }

    /// A file of this test.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn start_backup(&self) -> anyhow::Result<String> {
        self.verbs.backup_now(GROUP, VAULT, VM)
    }

    pub(crate) fn wait(&self, job: &str) -> anyhow::Result<Job> {
        self.verbs.wait_for_job(GROUP, VAULT, job, PATIENCE)
    }

    /// Names of all jobs of this operation, newest first.
    pub(crate) fn jobs(&self, operation: &str) -> anyhow::Result<Vec<String>> {
        let jobs = self.verbs.run(&["job", "list", "-v", VAULT])?;
        let jobs = jobs.as_array().context("a list of jobs")?.clone();
        let of_kind = jobs.iter().filter(|job| job["properties"]["operation"] == operation);
        Ok(of_kind.filter_map(|job| Some(job["name"].as_str()?.to_owned())).collect())
    }

    /// The newest job of this operation.
    pub(crate) fn newest_job(&self, operation: &str) -> anyhow::Result<String> {
        self.jobs(operation)?.into_iter().next().context("the service kept the job")
    }

    /// A backup that must succeed.
    pub(crate) fn back_up(&self) -> anyhow::Result<Job> {
        let job = self.wait(&self.start_backup()?)?;
        job.must_be_completed().with_context(|| self.service.log_tail())?;
        Ok(job)
    }

    pub(crate) fn points(&self) -> anyhow::Result<Vec<Point>> {
        self.verbs.points(GROUP, VAULT, VM)
    }

    /// Restores the newest point into files; path of the image of each disk by its key.
    pub(crate) fn restore_to_files(&self) -> anyhow::Result<Vec<(String, PathBuf)>> {
        let point = self.points()?.into_iter().next().context("there is a recovery point")?;
        let job = self.verbs.restore(GROUP, VAULT, VM, &point.name, RestoreTo::Disks)?;
        let job = self.wait(&job)?;
        job.must_be_completed().with_context(|| self.service.log_tail())?;
        let files = job.fact("Restored files").context("the job names the files")?;
        let staging = self.service.folder().join("staging");
        let find = |key: &str| {
            let named = |file: &&str| {
                Path::new(file).file_stem().is_some_and(|stem| stem.to_string_lossy() == key)
            };
            let file = files.split(", ").find(named);
            let file = file.with_context(|| format!("no file of disk {key} in {files}"))?;
            Ok((key.to_owned(), staging.join(file)))
        };
        self.guest.images().iter().map(|(key, _)| find(key)).collect()
    }

    /// Fails unless the guest can write to all its disks and QEMU holds nothing of ours but one change map a disk.
    pub(crate) fn must_be_clean(&self) -> anyhow::Result<()> {
        self.guest_must_write()?;
        let mut qmp = self.guest.qmp()?;
        let status = qmp.call("query-status", json!({}))?;
        ensure!(status["status"] == "running", "the VM is {status}");
        for (query, what) in [
            ("query-block-exports", "exports"),
            ("query-jobs", "jobs"),
            ("query-block-jobs", "block jobs"),
        ] {
            let left = qmp.call(query, json!({}))?;
            ensure!(left == json!([]), "{what} are left: {left}");
        }
        let nodes = qmp.call("query-named-block-nodes", json!({ "flat": true }))?;
        let scratch = self.service.folder().join("scratch");
        for node in nodes.as_array().into_iter().flatten() {
            let file = node["file"].as_str().unwrap_or_default();
            ensure!(
                !file.starts_with(&*scratch.to_string_lossy()),
                "a scratch node is left: {}",
                node["node-name"]
            );
            let maps = node["dirty-bitmaps"].as_array().map(Vec::len).unwrap_or_default();
            ensure!(maps <= 1, "{maps} change maps are left on {}", node["node-name"]);
        }
        let left = files_below(&scratch)?;
        ensure!(left.is_empty(), "scratch files are left: {left:?}");
        Ok(())
    }

    /// Fails when a file system of the guest does not take a write.
    pub(crate) fn guest_must_write(&self) -> anyhow::Result<()> {
        let script = "for d in /mnt/vda /mnt/vdb /data; do [ -d $d ] || continue; \
                      timeout 20 sh -c \"echo x >$d/alive && sync $d/alive\" || exit 1; done";
        self.guest.shell().check(script).map(drop).context("the guest must be able to write")
    }
}

/// All files below a folder; a missing folder has none.
pub(crate) fn files_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error.into()),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files_below(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Fails unless the raw content of both images is the same, byte for byte.
pub(crate) fn must_be_equal(
    left: (&str, &Path),
    right: (&str, &Path),
    what: &str,
) -> anyhow::Result<()> {
    let output = std::process::Command::new("qemu-img")
        .args(["compare", "-U", "-f", left.0, "-F", right.0])
        .args([left.1, right.1])
        .output()
        .context("start qemu-img")?;
    if !output.status.success() {
        bail!("{what} differs: {}", String::from_utf8_lossy(&output.stdout).trim());
    }
    Ok(())
}

/// Format of an image by the ending of its name.
pub(crate) fn format_of(path: &Path) -> &'static str {
    if path.extension().is_some_and(|it| it == "qcow2") { "qcow2" } else { "raw" }
}
