//! One run, in the worker: from settings to the final report.

use std::io::Read;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::code::Code;
use crate::command::Command;
use crate::conf::BackupConf;
use crate::environment::Environment;
use crate::hooks::{self, Hooks};
use crate::log::Log;
use crate::net::Client;
use crate::point::{TOO_LATE, Taker};
use crate::report::Consistency;
use crate::reporter::{Ending, Reporter, first_line};
use crate::settings::Settings;
use crate::{identity, sequence};

/// Larger orders are none.
const ORDER_MAX: u64 = 32 << 20;

/// What the supervisor hands to its worker, over a pipe: the secrets are on no disk any more.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) sequence: u64,
    pub(crate) public: Value,
    pub(crate) protected: Value,
    pub(crate) unreadable: Option<String>,
}

/// Why a worker could not even begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The order did not come.
    #[error("read the order")]
    Order(#[source] std::io::Error),
    /// The order is broken.
    #[error("understand the order")]
    Form(#[source] serde_json::Error),
}

/// Reads the order and carries it out. Whatever comes of it is reported.
pub(crate) fn work(environment: &Environment, from: &mut impl Read) -> Result<(), RunError> {
    let mut bytes = Zeroizing::new(Vec::new());
    from.take(ORDER_MAX).read_to_end(&mut bytes).map_err(RunError::Order)?;
    let order: Order = serde_json::from_slice(&bytes).map_err(RunError::Form)?;
    let settings =
        Settings { public: order.public, protected: order.protected, unreadable: order.unreadable };
    carry_out(environment, order.sequence, &settings);
    Ok(())
}

/// Carries a command out and reports how it ended.
pub(crate) fn carry_out(environment: &Environment, sequence: u64, settings: &Settings) {
    let conf = BackupConf::read();
    let command = Command::of(settings);
    let log = Log::open(environment, conf.writes_log());
    log.hide(command.secrets());
    log.info(first_line(&command));
    if let Some(why) = &settings.unreadable {
        log.warn(why);
    }
    match identity::save(environment) {
        Ok(false) => {}
        Ok(true) => log.warn("This machine was another one when the last command ran."),
        Err(error) => log.warn(format!("save the identity of the machine: {error}")),
    }
    let client = Client::default();
    let mut reporter = Reporter::new(environment, sequence, &command, &conf, &log, &client);
    reporter.telemetry.set("platformArchitecture", "64bit");
    if settings.is_empty() {
        let ending = Ending::failed(Code::NO_CERTIFICATE, "unable to load certificate");
        reporter.finish_early(&ending);
        return;
    }
    let mut taker = Taker {
        command: &command,
        conf: &conf,
        log: &log,
        client: &client,
        reporter: &mut reporter,
        freezes: true,
        host_is_silent: false,
        ade: None,
    };
    if taker.is_too_late() {
        reporter.finish_early(&Ending::failed(Code::TOO_LATE, TOO_LATE));
        return;
    }
    let host_is_silent = taker.host_is_silent;
    if let Err(error) = sequence::remember(environment, sequence) {
        log.warn(format!("remember the sequence number: {error}"));
    }
    let ending = match verb(&command) {
        Verb::Backup => backup(&command, &conf, &log, &client, &mut reporter, host_is_silent),
        Verb::Ended(ending) => ending,
    };
    reporter.finish(&ending);
}

enum Verb {
    Backup,
    Ended(Ending),
}

/// What `commandToExecute` asks for, by the words in it.
fn verb(command: &Command) -> Verb {
    let Some(verb) = &command.verb else {
        return Verb::Ended(Ending::failed(
            Code::ERROR,
            "Enable failed. The settings name no commandToExecute.",
        ));
    };
    let verb = verb.to_ascii_lowercase();
    if verb.contains("install") {
        let message = "Install Succeeded".to_owned();
        Verb::Ended(Ending {
            code: Code::SUCCESS,
            success: true,
            message,
            consistency: Consistency::None,
            snapshots: None,
        })
    } else if !verb.contains("snapshot") {
        Verb::Ended(Ending::failed(Code::PARAMETER, "command is not correct"))
    } else if let Some(wrong) = &command.wrong {
        Verb::Ended(Ending::failed(Code::PARAMETER, format!("The settings are wrong: {wrong}. ")))
    } else {
        Verb::Backup
    }
}

fn backup(
    command: &Command,
    conf: &BackupConf,
    log: &Log,
    client: &Client,
    reporter: &mut Reporter<'_>,
    host_is_silent: bool,
) -> Ending {
    reporter.running();
    let hooks = match hooks::find(reporter, log) {
        Ok(hooks) => hooks,
        Err(ending) => return ending,
    };
    let point = |reporter: &mut Reporter<'_>, freezes: bool| {
        let ade = None;
        Taker { command, conf, log, client, reporter, freezes, host_is_silent, ade }.take()
    };
    match hooks {
        Hooks::None => point(reporter, true),
        Hooks::Unprepared(fault) => hooks::warned(point(reporter, true), &fault),
        Hooks::Ready(plugin) => hooks::around(&plugin, reporter, log, point),
    }
}
