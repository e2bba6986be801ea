//! The unmodified `az` command.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use serde_json::Value;

use super::Service;
use super::az_shell::{AzShell, python_of};
use super::commands::{Commands, Job, Point, RestoreTo};
use super::verbs::{as_json, run_text};

/// `az …`, with a configuration of its own.
#[derive(Debug, Clone)]
pub struct Az {
    program: PathBuf,
    folder: PathBuf,
    authority: PathBuf,
    shell: Option<Arc<Mutex<AzShell>>>,
}

impl Az {
    /// The command; what it remembers goes into `folder`. `authority` is the certificate it shall trust.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(program: &Path, folder: &Path, authority: &Path) -> anyhow::Result<Az> {
        std::fs::create_dir_all(folder)?;
        Ok(Az {
            program: program.to_owned(),
            folder: folder.to_owned(),
            authority: authority.to_owned(),
            shell: None,
        })
    }

    /// The same with all commands in one process, which saves a second for each.
    ///
    /// # Errors
    /// When the Python that belongs to the command is not found.
    pub fn in_one_process(&self) -> anyhow::Result<Az> {
        let command = self.command(&python_of(&self.program)?);
        let shell = AzShell::start(&self.program, command)?;
        Ok(Az { shell: Some(Arc::new(Mutex::new(shell))), ..self.clone() })
    }

    /// A program in the environment that the commands get.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("AZURE_CONFIG_DIR", &self.folder)
            .env("REQUESTS_CA_BUNDLE", &self.authority)
            .env("AZURE_CORE_COLLECT_TELEMETRY", "0")
            .env("AZURE_CORE_NO_COLOR", "1")
            .env("AZURE_CORE_ONLY_SHOW_ERRORS", "1")
            .current_dir(&self.folder);
        command
    }

    /// Runs one command line; what it prints as a table.
    ///
    /// # Errors
    /// [`super::Refused`] when it ends with another status than 0.
    pub fn table(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.text(&[arguments, &["--output", "table"]].concat())
    }

    /// Runs one command line; what a person would see.
    ///
    /// # Errors
    /// [`super::Refused`] when it ends with another status than 0.
    pub fn text(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let words = format!("az {}", arguments.join(" "));
        match &self.shell {
            Some(shell) => {
                shell.lock().unwrap_or_else(PoisonError::into_inner).run(arguments, &words)
            }
            None => {
                let mut command = self.command(&self.program);
                command.args(arguments);
                run_text(command, &words)
            }
        }
    }

    /// Runs one command line; its standard output as JSON (null when empty).
    ///
    /// # Errors
    /// [`super::Refused`] when it ends with another status than 0.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let text = self.text(&[arguments, &["--output", "json"]].concat())?;
        as_json(&text, &format!("az {}", arguments.join(" ")))
    }

    /// Starts one command line that waits for somebody; what it says comes through its standard error.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&self, arguments: &[&str]) -> anyhow::Result<Child> {
        self.command(&self.program)
            .args(arguments)
            // What a person has to do is said as a warning.
            .env("AZURE_CORE_ONLY_SHOW_ERRORS", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", self.program.display()))
    }

    fn job_of(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let answer = self.run(arguments)?;
        let name = answer["name"].as_str();
        Ok(name.with_context(|| format!("no job in {answer}"))?.to_owned())
    }

    fn staging_account(&self) -> anyhow::Result<String> {
        let accounts = self.run(&[
            "resource",
            "list",
            "--resource-type",
            "Microsoft.Storage/storageAccounts",
        ])?;
        let id = accounts[0]["id"].as_str().context("there is a staging storage account")?;
        Ok(id.to_owned())
    }
}

const VM: [&str; 2] = ["--backup-management-type", "AzureIaasVM"];

impl Commands for Az {
    fn name(&self) -> &'static str {
        "az"
    }

    fn sign_in(&self, service: &Service) -> anyhow::Result<()> {
        let info = service.info()?;
        self.run(&["cloud", "register", "-n", "Coffre", "--endpoint-resource-manager", &info.url])?;
        self.run(&["cloud", "set", "-n", "Coffre"])?;
        self.run(&["config", "set", "core.instance_discovery=false"])?;
        let (id, secret) = (info.client_id.as_str(), service.secret()?);
        let login = ["login", "--service-principal", "-u", id, "-p", secret];
        self.run(&[&login[..], &["--tenant", &info.tenant]].concat()).map(drop)
    }

    fn create_group(&self, group: &str) -> anyhow::Result<()> {
        self.run(&["group", "create", "-n", group, "-l", "local"]).map(drop)
    }

    fn create_vault(&self, group: &str, vault: &str) -> anyhow::Result<()> {
        self.run(&["backup", "vault", "create", "-g", group, "-n", vault, "-l", "local"]).map(drop)
    }

    fn vms(&self) -> anyhow::Result<Vec<Value>> {
        Ok(self.run(&["vm", "list"])?.as_array().cloned().unwrap_or_default())
    }

    fn start_vm(&self, vm: &Value) -> anyhow::Result<()> {
        self.run(&["vm", "start", "--ids", vm["id"].as_str().unwrap_or_default()]).map(drop)
    }

    fn stop_vm(&self, vm: &Value) -> anyhow::Result<()> {
        self.run(&["vm", "deallocate", "--ids", vm["id"].as_str().unwrap_or_default()]).map(drop)
    }

    fn enable(&self, group: &str, vault: &str, vm: &Value) -> anyhow::Result<()> {
        let id = vm["id"].as_str().unwrap_or_default();
        let verb = ["backup", "protection", "enable-for-vm", "-g", group, "-v", vault];
        self.run(&[&verb[..], &["--vm", id, "-p", "DefaultPolicy"]].concat()).map(drop)
    }

    fn backup_now(&self, group: &str, vault: &str, vm: &str) -> anyhow::Result<String> {
        let verb = ["backup", "protection", "backup-now", "-g", group, "-v", vault];
        self.job_of(&[&verb[..], &["-c", vm, "-i", vm], &VM].concat())
    }

    fn job(&self, group: &str, vault: &str, job: &str) -> anyhow::Result<Job> {
        Ok(Job { body: self.run(&["backup", "job", "show", "-g", group, "-v", vault, "-n", job])? })
    }

    fn item(&self, group: &str, vault: &str, vm: &str) -> anyhow::Result<Value> {
        let verb = ["backup", "item", "show", "-g", group, "-v", vault, "-c", vm, "-n", vm];
        self.run(&[&verb[..], &VM].concat())
    }

    fn points(&self, group: &str, vault: &str, vm: &str) -> anyhow::Result<Vec<Point>> {
        let verb =
            ["backup", "recoverypoint", "list", "-g", group, "-v", vault, "-c", vm, "-i", vm];
        let rows = self.run(&[&verb[..], &VM].concat())?;
        rows.as_array().into_iter().flatten().map(Point::of).collect()
    }

    fn restore(
        &self,
        group: &str,
        vault: &str,
        vm: &str,
        point: &str,
        to: RestoreTo,
    ) -> anyhow::Result<String> {
        let account = self.staging_account()?;
        let verb = ["backup", "restore", "restore-disks", "-g", group, "-v", vault];
        let what = ["-c", vm, "-i", vm, "-r", point, "--storage-account", &account];
        let how: &[&str] = match to {
            RestoreTo::Original => &["--restore-mode", "OriginalLocation"],
            RestoreTo::Disks => &[],
        };
        self.job_of(&[&verb[..], &what, how].concat())
    }
}
