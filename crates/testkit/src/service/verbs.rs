//! Coffre's own client verbs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use serde_json::Value;

use super::Service;
use super::commands::{Commands, Job, Point, Refused, RestoreTo};

/// `coffre …`, with a profile of its own.
#[derive(Debug, Clone)]
pub struct Verbs {
    program: PathBuf,
    profile: PathBuf,
    secret: PathBuf,
}

impl Verbs {
    /// The verbs; what they remember goes into `folder`.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(program: &Path, folder: &Path) -> anyhow::Result<Verbs> {
        std::fs::create_dir_all(folder)?;
        Ok(Verbs {
            program: program.to_owned(),
            profile: folder.join("profile.json"),
            secret: folder.join("secret"),
        })
    }

    /// Runs one command line; its standard output as JSON (null when empty).
    ///
    /// # Errors
    /// [`Refused`] when it ends with another status than 0.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let mut command = self.command(arguments);
        command.args(["--output", "json"]);
        run_json(command, &format!("coffre {}", arguments.join(" ")))
    }

    /// Runs one command line; what a person would see.
    ///
    /// # Errors
    /// [`Refused`] when it ends with another status than 0.
    pub fn text(&self, arguments: &[&str]) -> anyhow::Result<String> {
        run_text(self.command(arguments), &format!("coffre {}", arguments.join(" ")))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("COFFRE_PROFILE", &self.profile);
        command
    }

    fn job_of(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let answer = self.run(arguments)?;
        let name = answer["name"].as_str();
        Ok(name.with_context(|| format!("no job in {answer}"))?.to_owned())
    }
}

/// Runs a command that prints JSON or nothing.
fn run_json(command: Command, words: &str) -> anyhow::Result<Value> {
    as_json(&run_text(command, words)?, words)
}

/// Runs a command; what it printed.
pub(super) fn run_text(mut command: Command, words: &str) -> anyhow::Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("start `{words}`"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let status = output.status.code().unwrap_or(-1);
    Err(Refused { command: words.to_owned(), status, text: text(&output.stderr) }.into())
}

/// JSON that a command printed; null when it printed nothing.
pub(super) fn as_json(text: &str, words: &str) -> anyhow::Result<Value> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text).with_context(|| format!("`{words}` printed no JSON: {text}"))
}

impl Commands for Verbs {
    fn name(&self) -> &'static str {
        "coffre"
    }

    fn sign_in(&self, service: &Service) -> anyhow::Result<()> {
        std::fs::write(&self.secret, service.secret()?)?;
        let data = service.folder().to_str().context("the data folder is UTF-8")?;
        let secret = self.secret.to_str().context("the folder is UTF-8")?;
        self.run(&["login", "--data", data, "--secret-file", secret]).map(drop)
    }

    fn create_group(&self, group: &str) -> anyhow::Result<()> {
        self.run(&["group", "create", "-n", group, "-l", "local"]).map(drop)
    }

    fn create_vault(&self, group: &str, vault: &str) -> anyhow::Result<()> {
        self.run(&["vault", "create", "-g", group, "-n", vault, "-l", "local"]).map(drop)
    }

    fn vms(&self) -> anyhow::Result<Vec<Value>> {
        Ok(self.run(&["vm", "list"])?.as_array().cloned().unwrap_or_default())
    }

    fn start_vm(&self, vm: &Value) -> anyhow::Result<()> {
        self.run(&["vm", "start", "-n", vm["name"].as_str().unwrap_or_default()]).map(drop)
    }

    fn stop_vm(&self, vm: &Value) -> anyhow::Result<()> {
        self.run(&["vm", "stop", "-n", vm["name"].as_str().unwrap_or_default()]).map(drop)
    }

    fn enable(&self, _group: &str, vault: &str, vm: &Value) -> anyhow::Result<()> {
        let name = vm["name"].as_str().unwrap_or_default();
        self.run(&["protection", "enable", "-v", vault, "--vm", name]).map(drop)
    }

    fn backup_now(&self, _group: &str, vault: &str, vm: &str) -> anyhow::Result<String> {
        self.job_of(&["protection", "backup-now", "-v", vault, "--vm", vm, "--no-wait"])
    }

    fn job(&self, _group: &str, vault: &str, job: &str) -> anyhow::Result<Job> {
        Ok(Job { body: self.run(&["job", "show", "-v", vault, "-n", job])? })
    }

    fn item(&self, _group: &str, vault: &str, vm: &str) -> anyhow::Result<Value> {
        self.run(&["item", "show", "-v", vault, "--vm", vm])
    }

    fn points(&self, _group: &str, vault: &str, vm: &str) -> anyhow::Result<Vec<Point>> {
        let rows = self.run(&["recoverypoint", "list", "-v", vault, "--vm", vm])?;
        rows.as_array().into_iter().flatten().map(Point::of).collect()
    }

    fn restore(
        &self,
        _group: &str,
        vault: &str,
        vm: &str,
        point: &str,
        to: RestoreTo,
    ) -> anyhow::Result<String> {
        let verb = match to {
            RestoreTo::Original => "in-place",
            RestoreTo::Disks => "disks",
        };
        self.job_of(&["restore", verb, "-v", vault, "--vm", vm, "-r", point, "--no-wait"])
    }
}
