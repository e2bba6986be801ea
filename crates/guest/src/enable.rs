//! The verbs that the agent calls. `enable` decides whether there is anything to do and starts it in the background.

use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command as Process, Stdio};

use rustix::fs::{FlockOperation, flock};

use crate::command::Command;
use crate::conf::BackupConf;
use crate::environment::{Environment, EnvironmentError};
use crate::freeze::STATE_FOLDER;
use crate::log::{Log, shell};
use crate::net::Client;
use crate::reporter::Reporter;
use crate::scripts::{ScriptFiles, TEMPLATE};
use crate::settings::{self, Settings};
use crate::{sequence, supervise};

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub enum VerbError {
    /// The place is not known.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// A step failed.
    #[error("{0}")]
    Step(&'static str, #[source] io::Error),
}

/// Does what `enable` is for, and returns at once; the work goes on in processes of its own.
///
/// # Errors
/// When the place is not known or a process cannot be started.
pub fn enable(home: &Path, sequence: Option<&str>) -> Result<(), VerbError> {
    let environment = Environment::read(home)?;
    shell(&environment, "enable");
    let sequence = sequence::current(&environment, sequence)
        .map_err(|error| VerbError::Step("find the settings", error))?;
    let file = settings::path(&environment.config, sequence);
    let decided = decide(&environment, sequence, &file);
    let result = match decided {
        Ok(Work::Nothing) => {
            let _ = settings::strip(&file);
            Ok(())
        }
        Ok(Work::Run) => start(&environment, sequence),
        Err(error) => Err(error),
    };
    if result.is_err() {
        let _ = settings::strip(&file);
    }
    result
}

enum Work {
    Nothing,
    Run,
}

fn decide(environment: &Environment, sequence: u64, file: &Path) -> Result<Work, VerbError> {
    let log = Log::open(environment, BackupConf::read().writes_log());
    sequence::put_away_others(environment, sequence)
        .map_err(|error| VerbError::Step("put away the files of earlier commands", error))?;
    if sequence::last(environment) == Some(sequence) {
        log.info(format!("Command {sequence} was worked on already."));
        if let Some(_lock) = Lock::take().filter(|_| !has_ended(environment, sequence)) {
            // Its processes died, and the secrets with them: all that can be done is to say so.
            supervise::report_crash(environment, sequence, &empty(), "the run was interrupted");
        }
        return Ok(Work::Nothing);
    }
    let step = |what| move |error| VerbError::Step(what, error);
    sequence::remember(environment, sequence).map_err(step("remember the sequence number"))?;
    let settings = Settings::read(file).unwrap_or_else(|error| {
        log.error(format!("The settings cannot be read: {error}"));
        empty()
    });
    let command = Command::of(&settings);
    log.hide(command.secrets());
    if let Some(task) = command.task() {
        if let Some(status) = earlier_result(environment, task) {
            log.info("This task was worked on already; its result is given again.");
            sequence::write_status(environment, sequence, &status)
                .map_err(step("write the status file"))?;
            return Ok(Work::Nothing);
        }
        sequence::remember_task(environment, task, sequence).map_err(step("remember the task"))?;
    }
    let conf = BackupConf::read();
    Reporter::new(environment, sequence, &command, &conf, &log, &Client::default())
        .running_in_file()
        .map_err(step("write the status file"))?;
    Ok(Work::Run)
}

/// Settings that say nothing.
pub(crate) fn empty() -> Settings {
    let object = || serde_json::Value::Object(serde_json::Map::new());
    Settings { public: object(), protected: object(), unreadable: None }
}

fn has_ended(environment: &Environment, sequence: u64) -> bool {
    sequence::read_status(environment, sequence).is_some_and(|(_, code)| code != "4")
}

/// The final status of the last task, if it is this one.
fn earlier_result(environment: &Environment, task: &str) -> Option<String> {
    let (last, sequence) = sequence::last_task(environment)?;
    let (status, code) = sequence::read_status(environment, sequence)?;
    (last == task && code != "4").then_some(status)
}

fn start(environment: &Environment, sequence: u64) -> Result<(), VerbError> {
    Process::new("/proc/self/exe")
        .args(["supervise", &sequence.to_string()])
        .current_dir(&environment.home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // The agent kills the group of this verb when it takes too long.
        .process_group(0)
        .spawn()
        .map(drop)
        .map_err(|error| VerbError::Step("start the run", error))
}

/// Held by the one run that is going on. Gone with its process, however that ends.
pub(crate) struct Lock(#[allow(dead_code, reason = "the lock lives as long as the file")] File);

impl Lock {
    /// Takes the lock if nobody holds it.
    pub(crate) fn take() -> Option<Lock> {
        let file = Lock::file().ok()?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
        Some(Lock(file))
    }

    /// Takes the lock as soon as nobody holds it.
    pub(crate) fn wait() -> io::Result<Lock> {
        let file = Lock::file()?;
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(Lock(file))
    }

    fn file() -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(STATE_FOLDER)?;
        File::options().create(true).append(true).open(Path::new(STATE_FOLDER).join("run.lock"))
    }
}

/// Does what `install` is for: makes the folder of the administrator's files, with a `workload.conf` that does nothing yet.
/// One that is there stays as it is.
///
/// # Errors
/// When the place is not known, or folder or file cannot be made.
pub fn install(home: &Path) -> Result<(), VerbError> {
    let environment = Environment::read(home)?;
    shell(&environment, "install");
    std::fs::create_dir_all("/etc/azure")
        .map_err(|error| VerbError::Step("make /etc/azure", error))?;
    // Never by way of a link, and never in place of what somebody wrote.
    let made = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&ScriptFiles::default().workload)
        .and_then(|mut file| file.write_all(TEMPLATE.as_bytes()));
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(VerbError::Step("write workload.conf", error))
        }
        _ => Ok(()),
    }
}

/// `disable`, `update` and `uninstall` only leave a line in the log: nothing outlives a run but its files, and those go
/// with the folder of the extension. What the administrator wrote stays.
///
/// # Errors
/// When the place is not known.
pub fn note(home: &Path, verb: &str) -> Result<(), VerbError> {
    let environment = Environment::read(home)?;
    shell(&environment, verb);
    Ok(())
}
