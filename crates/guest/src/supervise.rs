//! The process above the worker: it hands over the order, and reports when the worker cannot.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command as Process, ExitStatus, Stdio};

use zeroize::Zeroizing;

use crate::code::Code;
use crate::command::Command;
use crate::conf::BackupConf;
use crate::enable::{Lock, VerbError, empty};
use crate::environment::Environment;
use crate::log::Log;
use crate::net::Client;
use crate::reporter::{Ending, Reporter};
use crate::run::{Order, work};
use crate::settings::{self, Settings};
use crate::upload::Uploader;
use crate::{freeze, scripts, sequence};

/// Runs one command in a worker, and sees to it that it ends with one report.
///
/// # Errors
/// When the place is not known.
pub fn supervise(home: &Path, sequence: u64) -> Result<(), VerbError> {
    let environment = Environment::read(home)?;
    let file = settings::path(&environment.config, sequence);
    let settings = Settings::read(&file);
    let stripped = settings::strip(&file);
    let log = Log::open(&environment, BackupConf::read().writes_log());
    if let Err(error) = stripped {
        log.error(error.to_string());
    }
    let settings = settings.unwrap_or_else(|error| {
        log.error(format!("The settings cannot be read: {error}"));
        empty()
    });
    // One run at a time. Who waits too long for it finds out by his age.
    let _lock = Lock::wait().map_err(|error| VerbError::Step("take the lock", error))?;
    if let Err(error) = freeze::recover(Path::new(freeze::STATE_FOLDER)) {
        log.error(format!("thaw what an earlier run left: {error}"));
    }
    match scripts::recover(&scripts::ScriptFiles::default()) {
        Some(Err(fault)) => log.error(format!("the script that an earlier run owed: {fault}")),
        Some(Ok(_)) => log.info("The script that an earlier run owed was run."),
        None => {}
    }
    let ended = run_worker(&environment, sequence, &settings);
    let why = match &ended {
        Ok(status) if status.success() => None,
        Ok(status) => Some(told(*status)),
        Err(error) => Some(format!("the worker could not be started: {error}")),
    };
    match sequence::read_status(&environment, sequence) {
        Some((_, code)) if code != "4" && why.is_none() => {}
        Some((status, code)) if code != "4" => {
            log.error(why.unwrap_or_default());
            send_again(&environment, &settings, &status, &log);
        }
        _ => {
            let why = why.unwrap_or_else(|| "the worker left no report".to_owned());
            report_crash(&environment, sequence, &settings, &why);
        }
    }
    Ok(())
}

fn run_worker(
    environment: &Environment,
    sequence: u64,
    settings: &Settings,
) -> std::io::Result<ExitStatus> {
    let order = Order {
        sequence,
        public: settings.public.clone(),
        protected: settings.protected.clone(),
        unreadable: settings.unreadable.clone(),
    };
    let order = Zeroizing::new(serde_json::to_vec(&order)?);
    let mut worker = Process::new("/proc/self/exe")
        .arg("worker")
        .current_dir(&environment.home)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut pipe = worker.stdin.take().expect("its standard input is a pipe");
    // A worker that died already tells more by its end than by this error.
    let _ = pipe.write_all(&order);
    drop(pipe);
    worker.wait()
}

fn told(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("the worker ended with status {code}"),
        (None, Some(signal)) => format!("the worker was ended by signal {signal}"),
        (None, None) => "the worker ended".to_owned(),
    }
}

/// The verb of the worker.
///
/// # Errors
/// When the place is not known or no order came.
pub fn worker(home: &Path) -> Result<(), VerbError> {
    let environment = Environment::read(home)?;
    work(&environment, &mut std::io::stdin().lock())
        .map_err(|error| VerbError::Step("begin", std::io::Error::other(error)))
}

/// The final report of a run that could not make one itself.
pub(crate) fn report_crash(
    environment: &Environment,
    sequence: u64,
    settings: &Settings,
    why: &str,
) {
    let conf = BackupConf::read();
    let command = Command::of(settings);
    let log = Log::open(environment, conf.writes_log());
    log.hide(command.secrets());
    log.error(why);
    let client = Client::default();
    let mut reporter = Reporter::new(environment, sequence, &command, &conf, &log, &client);
    reporter.unhealthy(Code::ERROR);
    reporter.finish(&Ending::failed(Code::ERROR, format!("Enable failed. {why} ")));
}

/// The worker wrote its report and then died, perhaps before it was sent.
fn send_again(environment: &Environment, settings: &Settings, status: &str, log: &Log) {
    let command = Command::of(settings);
    let (Some(to), Some(text)) = (&command.status_blob, sequence::inner_report(status)) else {
        return;
    };
    if BackupConf::read().uploads() {
        let own = format!("\"name\": \"{}\", ", environment.name);
        if let Err(error) = Uploader::new(Client::default()).write(to, &text, Some(&own)) {
            log.error(format!("upload the status: {error}"));
        }
    }
}
