//! A virtual machine for one test: in a folder of its own, on overlays of the shared images, gone when dropped.

mod builder;
mod disk;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

pub use self::builder::MachineBuilder;
pub use self::disk::{Format, MachineDisk, first_difference};
use crate::guest::{Guest, Guests};
use crate::shell::Shell;
use crate::wire::Qmp;

/// Several times what a cold boot of the larger guest takes on a busy machine with two cores.
const BOOT_PATIENCE: Duration = Duration::from_secs(300);
const QMP_PATIENCE: Duration = Duration::from_secs(60);

/// A running machine, or one that was stopped and still has its disks. Dropping it kills QEMU and removes the disks.
#[derive(Debug)]
pub struct Machine {
    guest: Guest,
    guests: Guests,
    disks: Vec<MachineDisk>,
    arguments: Vec<String>,
    shell: Shell,
    running: Option<Running>,
    boot_time: Duration,
    // Last: the folder goes when QEMU is gone.
    folder: TempDir,
}

#[derive(Debug)]
struct Running {
    process: Child,
    qmp: Mutex<Qmp>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when the process has ended already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Machine {
    /// Begins to describe a machine.
    pub fn build(guest: Guest) -> MachineBuilder {
        MachineBuilder::new(guest)
    }

    /// A machine with nothing special, from its saved state.
    ///
    /// # Errors
    /// As [`MachineBuilder::warm`].
    pub fn warm(guest: Guest) -> anyhow::Result<Machine> {
        Self::build(guest).warm()
    }

    /// A machine with nothing special, booted from its disks.
    ///
    /// # Errors
    /// As [`MachineBuilder::cold`].
    pub fn cold(guest: Guest) -> anyhow::Result<Machine> {
        Self::build(guest).cold()
    }

    fn new(
        guest: Guest,
        guests: Guests,
        folder: TempDir,
        disks: Vec<MachineDisk>,
        arguments: Vec<String>,
    ) -> Machine {
        let shell = Shell::at(&folder.path().join("harness-agent.sock"));
        Machine {
            guest,
            guests,
            disks,
            arguments,
            shell,
            running: None,
            boot_time: Duration::ZERO,
            folder,
        }
    }

    /// Boots the machine from its disks, after [`Machine::kill`], [`Machine::quit`] or [`Machine::shut_down`].
    ///
    /// # Errors
    /// As [`MachineBuilder::cold`].
    pub fn start(&mut self) -> anyhow::Result<()> {
        let started = Instant::now();
        self.launch(None)?;
        self.wait_for_agents(started)
    }

    fn resume(&mut self, state: &Path) -> anyhow::Result<()> {
        let started = Instant::now();
        self.launch(Some(state))?;
        while self.status()? == "inmigrate" {
            ensure!(
                started.elapsed() < BOOT_PATIENCE,
                "QEMU does not finish reading the machine state"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        self.qmp().call("cont", json!({}))?;
        self.wait_for_agents(started)?;
        // The clock of the guest stands at the moment of saving.
        let now =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("read the clock")?;
        self.shell.check(&format!("date -s @{} >/dev/null", now.as_secs())).map(drop)
    }

    fn wait_for_agents(&mut self, started: Instant) -> anyhow::Result<()> {
        let ready = self
            .shell
            .wait_until_ready(BOOT_PATIENCE)
            .and_then(|()| Shell::at(&self.agent_socket()).wait_until_ready(BOOT_PATIENCE));
        self.boot_time = started.elapsed();
        ready.with_context(|| {
            format!("boot {}; it said:\n{}", self.guest.name(), self.serial_tail())
        })
    }

    fn launch(&mut self, state: Option<&Path>) -> anyhow::Result<()> {
        ensure!(self.running.is_none(), "the machine is running already");
        let files = self.guests.files(self.guest);
        let folder =
            self.folder.path().to_str().context("the folder for temporary files is not UTF-8")?;
        let mut command = Command::new("qemu-system-x86_64");
        command.args(["-name", self.guest.name(), "-m", &files.memory_mib.to_string()]);
        command.args(self.guests.machine_arguments(folder));
        command.arg("-kernel").arg(&files.kernel).arg("-initrd").arg(&files.initrd);
        command.args(["-append", &files.append]);
        for disk in &self.disks {
            let path = disk.path.to_str().context("the image has a path that is not UTF-8")?;
            let driver = format!("driver={}", disk.format.name());
            command.args(self.guests.disk_arguments(&disk.name, path, &driver));
        }
        if let Some(state) = state {
            command.arg("-incoming").arg(format!("exec:cat '{}'", state.display()));
        }
        command.args(&self.arguments);
        let log = File::create(self.folder.path().join("qemu.log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut process =
            command.spawn().context("start qemu-system-x86_64 (cargo xtask setup installs it)")?;
        match Qmp::connect(&self.folder.path().join("harness-qmp.sock"), QMP_PATIENCE) {
            Ok(qmp) => self.running = Some(Running { process, qmp: Mutex::new(qmp) }),
            Err(error) => {
                let _ = process.kill();
                let _ = process.wait();
                let said = std::fs::read_to_string(self.folder.path().join("qemu.log"))
                    .unwrap_or_default();
                return Err(error.context(format!("start QEMU; it said: {said}")));
            }
        }
        Ok(())
    }

    /// Which guest this is.
    pub fn guest(&self) -> Guest {
        self.guest
    }

    /// Time from the start of QEMU to the answer of the agent, at the last start.
    pub fn boot_time(&self) -> Duration {
        self.boot_time
    }

    /// Folder with the images, sockets and logs. Scratch files of a test may go here too.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// QMP socket for the code under test; the harness never connects to it.
    pub fn qmp_socket(&self) -> PathBuf {
        self.folder.path().join("qmp.sock")
    }

    /// Socket of the guest agent for the code under test; the harness only used it to see that it answers.
    pub fn agent_socket(&self) -> PathBuf {
        self.folder.path().join("agent.sock")
    }

    /// Runs scripts in the guest, through an agent of the harness's own.
    pub fn shell(&self) -> &Shell {
        &self.shell
    }

    /// The harness's own QMP connection.
    ///
    /// # Panics
    /// When the machine is off.
    pub fn qmp(&self) -> MutexGuard<'_, Qmp> {
        let running = self.running.as_ref().expect("the machine runs");
        running.qmp.lock().expect("no test thread panicked in a QMP call")
    }

    /// The run state: `running`, `paused`, `io-error`, …
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn status(&self) -> anyhow::Result<String> {
        let answer = self.qmp().call("query-status", json!({}))?;
        Ok(answer["status"].as_str().unwrap_or_default().to_owned())
    }

    /// The disks, in the order they are attached.
    pub fn disks(&self) -> &[MachineDisk] {
        &self.disks
    }

    /// The disk of that name.
    ///
    /// # Panics
    /// When there is none.
    pub fn disk(&self, name: &str) -> &MachineDisk {
        self.disks
            .iter()
            .find(|disk| disk.name == name)
            .expect("the machine has a disk of this name")
    }

    /// Copies what a disk holds to a new raw file: the truth that a backup of this moment is compared with.
    ///
    /// # Errors
    /// When the machine is running: what the disk holds changes then. Pause it, or turn it off.
    pub fn copy_disk(&self, name: &str, to: &Path) -> anyhow::Result<()> {
        // QEMU drains and flushes all disks when it stops the processors, so the file is complete.
        let still = self.running.is_none() || self.status()? == "paused";
        ensure!(still, "pause the machine before its disks are copied");
        let disk = self.disk(name);
        disk::copy_shared_image(&disk.path, disk.format, to)
    }

    /// What the guest wrote to its serial console.
    pub fn serial_log(&self) -> String {
        let bytes = std::fs::read(self.folder.path().join("serial.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn serial_tail(&self) -> String {
        let log = self.serial_log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Id of QEMU's process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.process.id())
    }

    /// Kills QEMU with SIGKILL, as a crash of the host would: nothing is flushed, bitmaps stay marked as in use.
    ///
    /// # Errors
    /// When the machine is off.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let mut running = self.running.take().context("the machine is off")?;
        running.process.kill()?;
        running.process.wait()?;
        Ok(())
    }

    /// Ends QEMU in good order while the guest runs on: for the guest like pulling the plug, for the images a clean end.
    ///
    /// # Errors
    /// When QEMU does not end.
    pub fn quit(&mut self) -> anyhow::Result<()> {
        self.qmp().call("quit", json!({}))?;
        self.wait_for_end()
    }

    /// Asks the guest to shut down, and waits until QEMU ended.
    ///
    /// # Errors
    /// When the guest does not.
    pub fn shut_down(&mut self) -> anyhow::Result<()> {
        // The agent does not reply to this one: it may be gone already.
        let _ = self.shell.run("shutdown -P now");
        self.wait_for_end()
    }

    /// Waits until QEMU ended, for whatever reason.
    ///
    /// # Errors
    /// When it does not end in five minutes, or with a bad exit status.
    pub fn wait_for_end(&mut self) -> anyhow::Result<()> {
        let mut running = self.running.take().context("the machine is off")?;
        let status = wait(&mut running.process, BOOT_PATIENCE)?;
        ensure!(status.success(), "QEMU ended with {status}");
        Ok(())
    }

    /// Stops the processors. What the disks hold then is the truth of that moment, once they are flushed.
    ///
    /// # Errors
    /// When QEMU refuses.
    pub fn pause(&self) -> anyhow::Result<Value> {
        self.qmp().call("stop", json!({}))
    }

    /// Lets the processors run again.
    ///
    /// # Errors
    /// When QEMU refuses.
    pub fn unpause(&self) -> anyhow::Result<Value> {
        self.qmp().call("cont", json!({}))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.running = None;
        if std::env::var_os("COFFRE_KEEP_MACHINES").is_some() {
            self.folder.disable_cleanup(true);
        }
    }
}

fn wait(process: &mut Child, patience: Duration) -> anyhow::Result<ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = process.try_wait()? {
            return Ok(status);
        }
        if Instant::now() > deadline {
            bail!("QEMU does not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
