//! What a person does with the service, whichever commands they use.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::Service;

/// The journey of a protected VM as commands. Implemented by [`super::Verbs`] and by [`super::Az`].
pub trait Commands {
    /// What the commands are called, for messages.
    fn name(&self) -> &'static str;
    /// Signs in as the administrator.
    fn sign_in(&self, service: &Service) -> anyhow::Result<()>;
    /// Makes a resource group in the region `local`.
    fn create_group(&self, group: &str) -> anyhow::Result<()>;
    /// Makes a vault in the region `local`.
    fn create_vault(&self, group: &str, vault: &str) -> anyhow::Result<()>;
    /// The VMs, as JSON.
    fn vms(&self) -> anyhow::Result<Vec<Value>>;
    /// Starts a VM and waits until it runs.
    fn start_vm(&self, vm: &Value) -> anyhow::Result<()>;
    /// Stops a VM and waits until it is off.
    fn stop_vm(&self, vm: &Value) -> anyhow::Result<()>;
    /// Puts a VM under the default policy.
    fn enable(&self, group: &str, vault: &str, vm: &Value) -> anyhow::Result<()>;
    /// Starts a backup; the name of its job.
    fn backup_now(&self, group: &str, vault: &str, vm: &str) -> anyhow::Result<String>;
    /// One look at a job.
    fn job(&self, group: &str, vault: &str, job: &str) -> anyhow::Result<Job>;
    /// The protected item of a VM.
    fn item(&self, group: &str, vault: &str, vm: &str) -> anyhow::Result<Value>;
    /// The recovery points of a VM, newest first.
    fn points(&self, group: &str, vault: &str, vm: &str) -> anyhow::Result<Vec<Point>>;
    /// Starts a restore; the name of its job.
    fn restore(
        &self,
        group: &str,
        vault: &str,
        vm: &str,
        point: &str,
        to: RestoreTo,
    ) -> anyhow::Result<String>;

    /// The VM with this name, once the service has found it.
    ///
    /// # Errors
    /// When it does not appear in time.
    fn find_vm(&self, name: &str, within: Duration) -> anyhow::Result<Value> {
        let started = Instant::now();
        loop {
            if let Some(vm) = self.vms()?.into_iter().find(|vm| vm["name"] == name) {
                return Ok(vm);
            }
            ensure!(started.elapsed() < within, "the service does not find the VM {name}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Looks at a job until it has ended.
    ///
    /// # Errors
    /// When it goes on for longer than the time.
    fn wait_for_job(
        &self,
        group: &str,
        vault: &str,
        job: &str,
        within: Duration,
    ) -> anyhow::Result<Job> {
        let started = Instant::now();
        loop {
            let seen = self.job(group, vault, job)?;
            if !seen.is_running() {
                return Ok(seen);
            }
            ensure!(
                started.elapsed() < within,
                "job {job} still runs after {} s: {}",
                within.as_secs(),
                seen.body
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Where a restore goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreTo {
    /// The disks of the VM itself, which must be off.
    Original,
    /// Files in the staging storage account.
    Disks,
}

/// A command that said no.
#[derive(Debug, thiserror::Error)]
#[error("`{command}` ended with {status}: {text}")]
pub struct Refused {
    /// What was typed.
    pub command: String,
    /// Its exit status; -1 = ended by a signal.
    pub status: i32,
    /// What it said on its standard error.
    pub text: String,
}

/// A job as the API shows it.
#[derive(Debug, Clone)]
pub struct Job {
    /// The whole body.
    pub body: Value,
}

impl Job {
    /// `InProgress`, `Completed`, …
    pub fn status(&self) -> &str {
        self.body["properties"]["status"].as_str().unwrap_or_default()
    }

    /// Whether it has not ended.
    pub fn is_running(&self) -> bool {
        matches!(self.status(), "InProgress" | "Cancelling")
    }

    /// A value of its property bag.
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.body["properties"]["extendedInfo"]["propertyBag"][name].as_str()
    }

    /// An exact number of its internal property bag.
    ///
    /// # Errors
    /// When it is not there.
    pub fn number(&self, name: &str) -> anyhow::Result<u64> {
        let bag = &self.body["properties"]["extendedInfo"]["internalPropertyBag"];
        let text = bag[name].as_str().with_context(|| format!("no {name} in {}", self.body))?;
        Ok(text.parse()?)
    }

    /// Codes and sentences of its errors and warnings.
    pub fn errors(&self) -> Vec<String> {
        let details = self.body["properties"]["errorDetails"].as_array();
        let texts = details.into_iter().flatten().filter_map(|it| it["errorString"].as_str());
        texts.map(str::to_owned).collect()
    }

    /// Fails unless it is `Completed`.
    ///
    /// # Errors
    /// With all that the job says.
    pub fn must_be_completed(&self) -> anyhow::Result<&Job> {
        ensure!(self.status() == "Completed", "the job is {}: {}", self.status(), self.body);
        Ok(self)
    }
}

/// A recovery point as the API shows it.
#[derive(Debug, Clone)]
pub struct Point {
    /// Its name.
    pub name: String,
    /// The whole body.
    pub body: Value,
}

impl Point {
    pub(crate) fn of(body: &Value) -> anyhow::Result<Point> {
        let name = body["name"].as_str().context("a recovery point has a name")?;
        Ok(Point { name: name.to_owned(), body: body.clone() })
    }

    /// `FileSystemConsistent`, …
    pub fn consistency(&self) -> &str {
        self.body["properties"]["recoveryPointType"].as_str().unwrap_or_default()
    }
}
