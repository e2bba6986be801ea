//! The built `coffre` program as its users have it: the service in a data folder, and the commands that speak to it.
//!
//! Used by the journeys of `crates/cli/tests` and by `cargo xtask demo`. Nothing here looks inside the product: only
//! processes, files that the documentation names, and the commands.

mod az;
mod az_shell;
mod commands;
mod hosted;
mod verbs;

use std::fs::{File, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

pub use self::az::Az;
pub use self::commands::{Commands, Job, Point, Refused, RestoreTo};
pub use self::hosted::HostedGuest;
pub use self::verbs::Verbs;

/// Several times what a start takes on a busy machine, key generation and the first run included.
const START_PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// A data folder and the `coffre serve` that runs in it. Dropping it kills the service; its VMs go on running.
#[derive(Debug)]
pub struct Service {
    program: PathBuf,
    folder: PathBuf,
    secret: Option<String>,
    process: Option<Child>,
}

/// What the service tells about itself in `service.json`.
#[derive(Debug, Clone, Deserialize)]
pub struct ServiceInfo {
    /// Address for clients, `https://host:port`.
    pub url: String,
    /// Certificate of its authority.
    pub ca: PathBuf,
    /// Client id of the administrator.
    pub client_id: String,
    /// The tenant.
    pub tenant: String,
    /// The first subscription.
    pub subscription: String,
    /// The process.
    pub pid: u32,
}

impl Service {
    /// A service in an empty or new folder, on a free port of this machine. `more` is added to its configuration.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(program: &Path, folder: &Path, more: &str) -> anyhow::Result<Service> {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        let folder = folder.canonicalize()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let config = format!("listen = \"127.0.0.1:{port}\"\ndiscovery_seconds = 1\n{more}\n");
        std::fs::write(folder.join("coffre.toml"), config)?;
        Ok(Service { program: program.to_owned(), folder, secret: None, process: None })
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// When it ends or does not answer; with what it said.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.start_with(&[])
    }

    /// The same with environment variables.
    ///
    /// # Errors
    /// As [`Service::start`].
    pub fn start_with(&mut self, environment: &[(&str, &str)]) -> anyhow::Result<()> {
        ensure!(self.process.is_none(), "the service runs already");
        let said = File::create(self.folder.join("said.txt"))?;
        let log = OpenOptions::new().create(true).append(true).open(self.log())?;
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--config").arg(self.folder.join("coffre.toml"));
        command.arg("--data").arg(&self.folder);
        if self.secret.is_none() {
            command.arg("--admin-secret-file").arg(self.secret_file());
        }
        let process = command
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(said)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", self.program.display()))?;
        let pid = process.id();
        self.process = Some(process);
        let started = Instant::now();
        while !self.info().is_ok_and(|info| info.pid == pid) {
            if let Some(status) = self.has_ended()? {
                bail!("the service ended ({status}); it said:\n{}", self.log_tail());
            }
            ensure!(
                started.elapsed() < START_PATIENCE,
                "the service does not answer; it said:\n{}",
                self.log_tail()
            );
            std::thread::sleep(PAUSE);
        }
        self.remember_secret()
    }

    /// Its data folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// What it tells about itself.
    ///
    /// # Errors
    /// When it did not start yet.
    pub fn info(&self) -> anyhow::Result<ServiceInfo> {
        let path = self.folder.join("service.json");
        let text = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("understand {}", path.display()))
    }

    /// The administrator's secret, as the first start wrote it.
    ///
    /// # Errors
    /// Before the first start.
    pub fn secret(&self) -> anyhow::Result<&str> {
        self.secret.as_deref().context("the service was never started")
    }

    /// What the last start said on its standard output.
    ///
    /// # Errors
    /// Before the first start.
    pub fn said(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.folder.join("said.txt"))?)
    }

    /// Its log, all starts together.
    pub fn log(&self) -> PathBuf {
        self.folder.join("serve.log")
    }

    /// The end of its log, for messages.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Kills it as a power failure would.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let mut process = self.process.take().context("the service does not run")?;
        process.kill()?;
        process.wait()?;
        Ok(())
    }

    /// Asks it to stop, and waits.
    ///
    /// # Errors
    /// When it does not stop, or says that it failed.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let process = self.process.as_ref().context("the service does not run")?;
        let pid = i32::try_from(process.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(
            pid.context("a process has an id")?,
            rustix::process::Signal::TERM,
        )?;
        let status = self.wait_for_end(START_PATIENCE)?;
        ensure!(status.success(), "the service ended with {status}:\n{}", self.log_tail());
        Ok(())
    }

    /// Waits until it ended by itself.
    ///
    /// # Errors
    /// When it is still there after the time.
    pub fn wait_for_end(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.has_ended()? {
                self.process = None;
                return Ok(status);
            }
            ensure!(
                started.elapsed() < within,
                "the service still runs after {} s:\n{}",
                within.as_secs(),
                self.log_tail()
            );
            std::thread::sleep(PAUSE);
        }
    }

    /// Leaves the service running when this value is dropped.
    pub fn leave_running(mut self) {
        self.process = None;
    }

    /// The most memory it ever had resident since its start, in bytes.
    ///
    /// # Errors
    /// When it does not run.
    pub fn peak_memory_bytes(&self) -> anyhow::Result<u64> {
        self.memory("VmHWM:")
    }

    /// The memory it has resident now, in bytes.
    ///
    /// # Errors
    /// When it does not run.
    pub fn memory_bytes(&self) -> anyhow::Result<u64> {
        self.memory("VmRSS:")
    }

    fn memory(&self, field: &str) -> anyhow::Result<u64> {
        let process = self.process.as_ref().context("the service does not run")?;
        let text = std::fs::read_to_string(format!("/proc/{}/status", process.id()))?;
        let line = text.lines().find(|line| line.starts_with(field)).context("no such field")?;
        let kib = line.split_whitespace().nth(1).context("no number")?;
        Ok(kib.parse::<u64>()? * 1024)
    }

    fn has_ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        let process = self.process.as_mut().context("the service does not run")?;
        Ok(process.try_wait()?)
    }

    fn remember_secret(&mut self) -> anyhow::Result<()> {
        if self.secret.is_none() {
            let path = self.secret_file();
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("read the secret in {}", path.display()))?;
            self.secret = Some(text.trim().to_owned());
        }
        Ok(())
    }

    fn secret_file(&self) -> PathBuf {
        self.folder.join("administrator-secret")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Both fail only when the process has ended already, which is what is wanted.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
