//! One run's reports: the interim one, and exactly one that is final.

use std::time::SystemTime;

use crate::code::Code;
use crate::command::Command;
use crate::conf::BackupConf;
use crate::environment::Environment;
use crate::log::Log;
use crate::net::{Client, Sas};
use crate::report::{Consistency, Report, SnapshotInfo, StorageDetails};
use crate::telemetry::Telemetry;
use crate::upload::Uploader;
use crate::{events, facts, identity, json, sequence};

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Ending {
    /// The result.
    pub code: Code,
    /// Whether the run counts as a success. Some failures of the host do, because readers look at the code.
    pub success: bool,
    /// Words for people.
    pub message: String,
    /// How the point is consistent.
    pub consistency: Consistency,
    /// Snapshots; nothing when it did not come to that.
    pub snapshots: Option<Vec<SnapshotInfo>>,
}

impl Ending {
    /// An end without a point.
    #[must_use]
    pub fn failed(code: Code, message: impl Into<String>) -> Ending {
        Ending {
            code,
            success: false,
            message: message.into(),
            consistency: Consistency::None,
            snapshots: None,
        }
    }
}

/// Sends the reports of one run.
pub struct Reporter<'a> {
    environment: &'a Environment,
    sequence: u64,
    command: &'a Command,
    log: &'a Log,
    uploader: Option<Uploader>,
    /// Measurements and facts, for whoever has some.
    pub telemetry: Telemetry,
    health: Option<Code>,
    storage: StorageDetails,
    /// File and blob give one time for the end.
    ended: Option<SystemTime>,
}

impl<'a> Reporter<'a> {
    /// A reporter.
    #[must_use]
    pub fn new(
        environment: &'a Environment,
        sequence: u64,
        command: &'a Command,
        conf: &BackupConf,
        log: &'a Log,
        client: &Client,
    ) -> Reporter<'a> {
        let mut telemetry = Telemetry::default();
        facts::set(&mut telemetry, environment);
        Reporter {
            environment,
            sequence,
            command,
            log,
            uploader: conf.uploads().then(|| Uploader::new(client.clone())),
            telemetry,
            health: None,
            storage: StorageDetails::default(),
            ended: None,
        }
    }

    /// Records what is wrong with the machine. The first record counts.
    pub fn unhealthy(&mut self, code: Code) {
        self.health.get_or_insert(code);
    }

    /// Forgets what was recorded: another way succeeded.
    pub fn healthy_after_all(&mut self) {
        self.health = None;
    }

    /// Says in the status file that the run goes on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn running_in_file(&self) -> std::io::Result<()> {
        let report = self.report(&running());
        sequence::write_status(self.environment, self.sequence, &report.for_file())
    }

    /// Says everywhere that the run goes on, and sends the log so far.
    pub fn running(&mut self) {
        if let Err(error) = self.running_in_file() {
            self.log.error(format!("write the status file: {error}"));
        }
        self.upload_status(&running());
        self.upload_log();
    }

    /// Reports the end: to the file, then to the blob; the log goes last.
    pub fn finish(&mut self, ending: &Ending) {
        self.count_bytes();
        self.finish_file(ending);
        self.upload_status(ending);
        self.upload_log();
        self.write_events();
    }

    /// Reports an end that came before any work: the log goes first.
    pub fn finish_early(&mut self, ending: &Ending) {
        self.upload_log();
        self.finish_file(ending);
        self.upload_status(ending);
        self.write_events();
    }

    fn count_bytes(&mut self) {
        let only_os = self.command.only_os_disk == Some(true);
        self.storage = facts::storage(self.command.disks.luns.len(), only_os);
        if let Some(only_os) = self.command.only_os_disk {
            self.telemetry.set("billingType", if only_os { "os disk" } else { "none" });
        }
    }

    fn finish_file(&mut self, ending: &Ending) {
        self.ended = Some(SystemTime::now());
        self.telemetry.set("consistencyType", ending.consistency.word());
        self.telemetry.set("extErrorCode", ending.code.name());
        self.log.info(format!(
            "The run ends with code {} ({}). {}",
            ending.code.0,
            ending.code.name(),
            ending.message
        ));
        let text = self.report(ending).for_file();
        if let Err(error) = sequence::write_final_status(self.environment, self.sequence, &text) {
            self.log.error(format!("write the status file: {error}"));
        }
    }

    fn report(&self, ending: &Ending) -> Report {
        let health = if ending.code.is_success() { Code::SUCCESS } else { ending.code };
        let health = match ending.code {
            Code::APP_CONSISTENT | Code::RUNNING => Code(ending.code.0.min(1)),
            _ => health,
        };
        Report {
            schema_version: self.environment.schema_version.clone(),
            name: self.environment.name.clone(),
            at: self.ended.unwrap_or_else(SystemTime::now),
            success: ending.success,
            always_success_on_top: !self.command.is_classic,
            code: ending.code,
            health: self.health.unwrap_or(health),
            message: self.log.clean(&ending.message),
            consistency: ending.consistency,
            task_id: self.command.task_id.clone(),
            start_ticks: self.command.start_ticks.clone(),
            telemetry: self.telemetry.clone(),
            machine_id: identity::unique_id(self.environment),
            storage: self.storage.clone(),
            snapshots: ending.snapshots.clone(),
        }
    }

    fn upload_status(&mut self, ending: &Ending) {
        let text = self.report(ending).for_blob();
        let task = json::render(&self.command.task_id).unwrap_or_default();
        let own = format!("\"taskId\": {task}, ");
        self.upload(self.command.status_blob.as_ref(), &text, &own, "status");
    }

    fn upload_log(&mut self) {
        let text = self.log.for_blob(self.environment);
        let own = first_line(self.command);
        self.upload(self.command.logs_blob.as_ref(), &text, &own, "log");
    }

    fn upload(&mut self, to: Option<&Sas>, text: &str, own: &str, what: &str) {
        let (Some(to), Some(uploader)) = (to, &mut self.uploader) else { return };
        // Without a task nothing tells our own text from somebody else's.
        let own = self.command.task().map(|_| own);
        if let Err(error) = uploader.write(to, text, own) {
            self.log.warn(format!("upload the {what}: {error}"));
            self.telemetry.set("statusBlobUploadError", "true");
        }
    }

    fn write_events(&self) {
        let task = self.command.task().unwrap_or_default();
        if let Err(error) = events::write(self.environment, self.log, task) {
            self.log.warn(format!("write the event file: {error}"));
        }
    }
}

/// What the log of a task begins with, so that its blob is known again.
#[must_use]
pub fn first_line(command: &Command) -> String {
    format!("Working on task {}.", command.task().unwrap_or_default())
}

fn running() -> Ending {
    Ending {
        code: Code::RUNNING,
        success: true,
        message: "Transitioning state in extension".to_owned(),
        consistency: Consistency::None,
        snapshots: None,
    }
}
