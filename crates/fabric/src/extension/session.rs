//! One command of the extension that takes a point together with the host.
//!
//! The meeting place is three files in the guest's memory, made and opened by the host before the command begins:
//!
//! | file | by | content |
//! |---|---|---|
//! | `ready` | guest | all is frozen: `nonce`, `startedUnixNanoseconds`, `frozenUnixNanoseconds`, `ceilingMilliseconds` |
//! | `done` | host | `nonce` of `ready`, `ok`, `error`; or, when the host gave up, `taskId` and `ok: false` |
//! | `thawed` | guest | `nonce`, `answered`, `held`, `thawedUnixNanoseconds` |
//!
//! While the guest is frozen the host reads and writes files that are open already: the agent writes a line to the
//! guest's log for each file that it opens.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::hurry::Hurry;
use super::shell::{SHELL, check, quote};
use super::{Extension, Installed, Verdict};
use crate::agent::{AgentClient, GuestFile};
use crate::qmp::QmpError;

/// The meeting place in the guest.
const FOLDER: &str = "/run/coffre-guest/channel";

/// Longest message of the guest in bytes.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Longest status of the guest in bytes.
const STATUS_BYTES_MAX: usize = 1 << 20;

/// Between two looks whether all is frozen. A look takes a millisecond of an emulated guest, which has better to do.
const LOOK: Duration = Duration::from_millis(5);

/// Between two looks whether the command ended without a freeze.
const LOOK_AT_STATUS: Duration = Duration::from_millis(500);

/// Between two looks at the status once nothing is frozen.
const LOOK_AFTER: Duration = Duration::from_millis(30);

/// For commands of the shell that only make a few files.
const QUICK: Duration = Duration::from_secs(30);

/// How long a command may take to be on its way.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Between year 1 and 1970, in units of 100 ns.
const TICKS_OF_1970: i128 = 621_355_968_000_000_000;

/// A command that is on its way in the guest.
pub(crate) struct Session {
    home: String,
    sequence: u64,
    task: String,
    ready: GuestFile,
    done: GuestFile,
    thawed: GuestFile,
    nonce: Option<String>,
    /// From the wait for the freeze to the thaw.
    hurry: Option<Hurry>,
}

/// All is frozen, says the guest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ready {
    task_id: String,
    nonce: String,
    /// When the first freeze began, by the guest's clock.
    #[serde(rename = "startedUnixNanoseconds")]
    pub(crate) started_ns: u64,
    /// When the last one was done.
    #[serde(rename = "frozenUnixNanoseconds")]
    pub(crate) frozen_ns: u64,
    /// After this long the guest thaws by itself.
    #[serde(rename = "ceilingMilliseconds")]
    pub(crate) ceiling_ms: u64,
}

/// All is thawed, says the guest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Thawed {
    nonce: String,
    /// Whether it thawed because of our `done`.
    #[serde(default)]
    pub(crate) answered: bool,
    /// Whether all stayed frozen until then.
    #[serde(default)]
    pub(crate) held: bool,
    /// When the last file system was thawed, by the guest's clock.
    #[serde(rename = "thawedUnixNanoseconds")]
    pub(crate) thawed_ns: u64,
}

#[cfg(test)]
impl Thawed {
    pub(crate) fn for_test(answered: bool, held: bool) -> Thawed {
        Thawed { nonce: String::new(), answered, held, thawed_ns: 0 }
    }
}

impl Session {
    /// Begins the command in the guest. The error is in words; nothing is frozen then.
    pub(crate) fn begin(
        agent: &mut AgentClient,
        extension: &Extension,
        installed: &Installed,
    ) -> Result<Session, String> {
        let (task, sequence) = (Uuid::new_v4().to_string(), unix_ms());
        let settings = settings(extension, installed, &task)?;
        make_room(agent, installed)?;
        let failed = |error: QmpError| format!("giving the extension its command: {error}");
        let path = format!("{}/config/{sequence}.settings", installed.home);
        agent.write_file(&path, settings.to_string().as_bytes()).map_err(failed)?;
        let mut open = |name: &str, mode| agent.open_file(&format!("{FOLDER}/{name}"), mode);
        let ready = open("ready", "rb").map_err(failed)?;
        let done = open("done", "wb").map_err(failed)?;
        let thawed = open("thawed", "rb").map_err(failed)?;
        let home = installed.home.clone();
        let mut session =
            Session { home, sequence, task, ready, done, thawed, nonce: None, hurry: None };
        if let Err(reason) = session.enable(agent, installed) {
            session.close(agent);
            return Err(reason);
        }
        Ok(session)
    }

    fn enable(&mut self, agent: &mut AgentClient, installed: &Installed) -> Result<(), String> {
        let line = format!(
            "cd {} && ConfigSequenceNumber={} exec {}",
            quote(&installed.home),
            self.sequence,
            installed.handler.enable
        );
        let failed = |error: QmpError| format!("starting the extension: {error}");
        let process = agent.spawn(SHELL, &["-c", &line]).map_err(failed)?;
        let end = Instant::now() + START_TIMEOUT;
        // The work goes on in a process of its own; this one only says that it is on its way.
        loop {
            match agent.ended(process).map_err(failed)? {
                Some(output) if output.exit_code == Some(0) => return Ok(()),
                Some(output) => {
                    return Err(format!(
                        "the extension does not start in the guest (code {:?})",
                        output.exit_code
                    ));
                }
                None if Instant::now() >= end => {
                    return Err(format!("the extension did not start within {START_TIMEOUT:?}"));
                }
                None => std::thread::sleep(LOOK),
            }
        }
    }

    /// Waits until all is frozen. The error says in words why it will not be.
    pub(crate) fn wait_until_frozen(
        &mut self,
        agent: &mut AgentClient,
        patience: Duration,
    ) -> Result<Ready, String> {
        let (mut text, end) = (Vec::new(), Instant::now() + patience);
        let mut looked = Instant::now();
        self.hurry = Hurry::begin();
        loop {
            let ready: Option<Ready> = self.hear(agent, self.ready, &mut text)?;
            if let Some(ready) = ready.filter(|ready| ready.task_id == self.task) {
                self.nonce = Some(ready.nonce.clone());
                return Ok(ready);
            }
            if looked.elapsed() > LOOK_AT_STATUS {
                looked = Instant::now();
                if let Some(verdict) = self.look_at_status(agent) {
                    return Err(said(&verdict));
                }
            }
            if Instant::now() >= end {
                self.give_up(agent);
                return Err(format!("the extension was not ready within {patience:?}"));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Says whether there is a point: the guest thaws.
    pub(crate) fn done(
        &self,
        agent: &mut AgentClient,
        error: Option<&str>,
    ) -> Result<(), QmpError> {
        let text = json!({
            "nonce": self.nonce, "taskId": self.task, "ok": error.is_none(),
            "error": error.unwrap_or_default(),
        });
        agent.write_open(self.done, format!("{text}\n").as_bytes())
    }

    fn give_up(&self, agent: &mut AgentClient) {
        // If it does not arrive, the guest freezes for nothing and thaws at its ceiling.
        if let Err(error) = self.done(agent, Some("the host gave up")) {
            tracing::warn!(%error, "the extension was not told that nobody waits");
        }
    }

    /// Waits until the guest says that it is thawed. `None` = it does not say so in time.
    pub(crate) fn wait_until_thawed(
        &self,
        agent: &mut AgentClient,
        patience: Duration,
    ) -> Option<Thawed> {
        let (mut text, end) = (Vec::new(), Instant::now() + patience);
        loop {
            match self.hear::<Thawed>(agent, self.thawed, &mut text) {
                Ok(Some(thawed)) if Some(&thawed.nonce) == self.nonce.as_ref() => {
                    return Some(thawed);
                }
                Ok(_) => {}
                Err(reason) => {
                    tracing::warn!(reason, "the guest does not say whether it is thawed");
                    let _ = agent.reconnect().and_then(|()| agent.sync(QUICK));
                }
            }
            if Instant::now() >= end {
                return None;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The end of the command: scripts and reports come after the thaw. `None` = it takes longer.
    pub(crate) fn verdict(
        &mut self,
        agent: &mut AgentClient,
        patience: Duration,
    ) -> Option<Verdict> {
        self.hurry = None;
        let end = Instant::now() + patience;
        loop {
            if let Some(verdict) = self.look_at_status(agent) {
                return Some(verdict);
            }
            if Instant::now() >= end {
                return None;
            }
            std::thread::sleep(LOOK_AFTER);
        }
    }

    /// Ends the talk. Nothing may be frozen.
    pub(crate) fn close(self, agent: &mut AgentClient) {
        for file in [self.ready, self.done, self.thawed] {
            // An agent that was started anew has closed them.
            let _ = agent.close_file(file);
        }
    }

    fn look_at_status(&self, agent: &mut AgentClient) -> Option<Verdict> {
        let path = format!("{}/status/{}.status", self.home, self.sequence);
        Verdict::parse(&agent.read_file(&path, STATUS_BYTES_MAX).ok()?)
    }

    /// A whole message of the guest, if there is one. `text` keeps what came so far.
    fn hear<T: DeserializeOwned>(
        &self,
        agent: &mut AgentClient,
        file: GuestFile,
        text: &mut Vec<u8>,
    ) -> Result<Option<T>, String> {
        let news = agent
            .read_open(file, MESSAGE_BYTES_MAX)
            .map_err(|error| format!("listening to the extension: {error}"))?;
        text.extend(news);
        if text.len() > MESSAGE_BYTES_MAX {
            return Err("the extension says too much".to_owned());
        }
        let whole = text.ends_with(b"\n");
        Ok(whole.then(|| serde_json::from_slice(text).ok()).flatten())
    }
}

/// Thaws what a freeze of the extension left, and only that. The error is in words.
pub(crate) fn thaw_left(agent: &mut AgentClient, installed: &Installed) -> Result<(), String> {
    let program = format!("{}/{}", installed.home, installed.handler.program());
    check(agent, &format!("exec {} thaw", quote(&program)), b"", "thawing", QUICK).map(drop)
}

/// Makes the meeting place anew.
fn make_room(agent: &mut AgentClient, installed: &Installed) -> Result<(), String> {
    let line = format!(
        "umask 077 && mkdir -p {FOLDER} && cd {FOLDER} && : >ready && : >done && : >thawed && \
         test -d {}/config",
        quote(&installed.home)
    );
    check(agent, &line, b"", "meeting the extension", QUICK).map(drop)
}

/// The settings of the command: what everybody may read, and what only this guest can open.
fn settings(extension: &Extension, installed: &Installed, task: &str) -> Result<Value, String> {
    let object = json!({ "backupMetadata": [] }).to_string();
    let secret = json!({ "snapshotTaskToken": Uuid::new_v4().to_string() }).to_string();
    let sealed = (extension.seal)(secret.as_bytes(), &installed.certificate)
        .map_err(|reason| format!("sealing settings for the guest: {reason}"))?;
    Ok(json!({ "runtimeSettings": [{ "handlerSettings": {
        "publicSettings": {
            "locale": "en-US",
            "taskId": task,
            "commandToExecute": "snapshot",
            "commandStartTimeUTCTicks": ticks().to_string(),
            "vmType": "microsoft.compute/virtualmachines",
            "customSettings": json!({ "takeSnapshotFrom": "channel" }).to_string(),
            "objectStr": BASE64.encode(object),
        },
        "protectedSettings": BASE64.encode(sealed),
        "protectedSettingsCertThumbprint": installed.thumbprint,
    }}]}))
}

fn said(verdict: &Verdict) -> String {
    let reason = if verdict.reason.is_empty() { "it did not say why" } else { &verdict.reason };
    format!("the extension ended with code {}: {reason}", verdict.code)
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn ticks() -> i128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(since.as_nanos() / 100).unwrap_or(0) + TICKS_OF_1970
}
