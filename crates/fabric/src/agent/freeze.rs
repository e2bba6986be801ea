//! Freezing the file systems of a guest for a moment, and never leaving them frozen.
//!
//! What the agent does decides the order here: a freeze that was given up may still happen when a
//! slow hook in the guest ends, nobody thaws when the connection closes, and thaw may be repeated.
//! So whatever happens after the request to freeze, thaw is sent until the agent says that the
//! guest is thawed; and if that takes too long, a thread goes on trying.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use super::AgentClient;
use super::guard::Guard;
use crate::FreezeWish;
use crate::qmp::QmpError;

/// How long an agent that is alive may take to answer a sync. One under heavy load in an emulated
/// guest needs more than a second.
const SYNC_TIMEOUT: Duration = Duration::from_secs(3);

/// How long one thaw may take: hooks in the guest run in it.
const THAW_TIMEOUT: Duration = Duration::from_secs(20);

/// How long the caller waits for a guest that does not thaw.
const THAW_PATIENCE: Duration = Duration::from_secs(40);

/// How long a thread of its own goes on after that.
const THAW_STUBBORNNESS: Duration = Duration::from_secs(20 * 60);

/// How much longer than the freeze may take the guest stays frozen if we are gone: the snapshot has five seconds, the thaw
/// comes right after.
const GUARD_PATIENCE: Duration = Duration::from_secs(15);

/// What came of the wish to freeze.
pub(crate) enum FreezeOutcome {
    /// The file systems are frozen until the value is thawed or dropped.
    Frozen(Frozen),
    /// They are not, for this reason in words.
    Not(String),
}

/// The file systems of a guest are frozen by us.
pub(crate) struct Frozen {
    agent: Option<AgentClient>,
    guard: Option<Guard>,
    since: Instant,
    /// When it was asked for.
    pub(crate) asked: SystemTime,
    /// When the agent said that it is.
    pub(crate) at: SystemTime,
}

/// How a freeze ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thawed {
    /// From the request to freeze until the answer to thaw.
    pub(crate) window: Duration,
    /// How many file systems were still frozen when ours was asked; `None` = it was not told.
    pub(crate) file_systems: Option<u64>,
}

/// Freezes the file systems if it is wished and can be had.
pub(crate) fn freeze(socket: Option<PathBuf>, wish: FreezeWish) -> FreezeOutcome {
    if !wish.ask {
        return FreezeOutcome::Not("freezing was not asked for".to_owned());
    }
    let Some(socket) = socket else {
        return FreezeOutcome::Not("the machine has no channel for a guest agent".to_owned());
    };
    let mut agent = match ready_agent(&socket) {
        Ok(agent) => agent,
        Err(reason) => return FreezeOutcome::Not(reason),
    };
    let guard = match Guard::set(&mut agent, wish.timeout + GUARD_PATIENCE) {
        Ok(guard) => guard,
        Err(error) => {
            tracing::debug!(%error, "no guard was set in the guest");
            // What it may still say is not the answer to the next question.
            match agent.sync(SYNC_TIMEOUT) {
                Ok(()) => None,
                Err(_) => return FreezeOutcome::Not("the guest agent does not answer".to_owned()),
            }
        }
    };
    let (since, asked) = (Instant::now(), SystemTime::now());
    let frozen = |agent| Frozen { agent: Some(agent), guard, since, asked, at: SystemTime::now() };
    match agent.command("guest-fsfreeze-freeze", Value::Null, wish.timeout) {
        Ok(count) if count.as_u64() == Some(0) => {
            drop(frozen(agent));
            FreezeOutcome::Not("the guest agent found no file system to freeze".to_owned())
        }
        Ok(_) => FreezeOutcome::Frozen(frozen(agent)),
        Err(error) => {
            // It may be frozen, or freeze later: thaw before anything else.
            drop(frozen(agent));
            FreezeOutcome::Not(match error {
                QmpError::Timeout { .. } => {
                    format!("the guest did not freeze within {:?}", wish.timeout)
                }
                QmpError::Command { description, .. } => {
                    format!("the guest agent refused to freeze: {description}")
                }
                other => format!("the guest agent failed while freezing: {other}"),
            })
        }
    }
}

/// An agent that answers and whose guest is not frozen, or the reason in words.
fn ready_agent(socket: &std::path::Path) -> Result<AgentClient, String> {
    let silent = |_| "the guest agent does not answer".to_owned();
    let mut agent = AgentClient::connect(socket).map_err(silent)?;
    agent.sync(SYNC_TIMEOUT).map_err(silent)?;
    match status(&mut agent) {
        Ok(state) if state == "thawed" => Ok(agent),
        Ok(_) => Err("the file systems of the guest are frozen by somebody else".to_owned()),
        Err(error) => Err(format!("the guest agent cannot freeze: {error}")),
    }
}

fn status(agent: &mut AgentClient) -> Result<String, QmpError> {
    let state = agent.command("guest-fsfreeze-status", Value::Null, SYNC_TIMEOUT)?;
    Ok(state.as_str().unwrap_or_default().to_owned())
}

impl Frozen {
    /// Thaws. The error says, in words, that the guest did not confirm it.
    pub(crate) fn thaw(mut self) -> Result<Thawed, String> {
        let mut agent = self.agent.take().expect("taken only here and in drop");
        match agent.command("guest-fsfreeze-thaw", Value::Null, THAW_TIMEOUT) {
            Ok(count) => {
                let window = self.since.elapsed();
                if let Some(guard) = self.guard.take() {
                    guard.call_off(&mut agent);
                }
                Ok(Thawed { window, file_systems: count.as_u64() })
            }
            Err(error) => {
                tracing::warn!(%error, "thaw was not answered, trying on");
                insist(agent, self.guard.take())?;
                Ok(Thawed { window: self.since.elapsed(), file_systems: None })
            }
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        if let Some(agent) = self.agent.take()
            && let Err(reason) = insist(agent, self.guard.take())
        {
            tracing::error!(reason, "the guest may still be frozen");
        }
    }
}

/// Thaws until the agent says thawed, for a while; then a thread goes on.
fn insist(mut agent: AgentClient, guard: Option<Guard>) -> Result<(), String> {
    if thaw_until_thawed(&mut agent, THAW_PATIENCE).is_ok() {
        if let Some(guard) = guard {
            guard.call_off(&mut agent);
        }
        return Ok(());
    }
    let more = std::thread::Builder::new().name("coffre-thaw".to_owned()).spawn(move || {
        match thaw_until_thawed(&mut agent, THAW_STUBBORNNESS) {
            Ok(()) => tracing::info!("the guest is thawed at last"),
            Err(error) => tracing::error!(%error, "gave up thawing the guest"),
        }
    });
    let _ = more;
    Err(format!("the guest did not confirm within {THAW_PATIENCE:?} that it is thawed"))
}

/// Sends thaw until the agent says that the guest is thawed, this long at most.
pub(crate) fn thaw_until_thawed(
    agent: &mut AgentClient,
    patience: Duration,
) -> Result<(), QmpError> {
    let end = Instant::now() + patience;
    loop {
        let error = match thaw_once(agent) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if Instant::now() >= end {
            return Err(error);
        }
        // The answer may be on its way while the agent is busy: a new sync finds out.
        std::thread::sleep(Duration::from_millis(100));
        if !matches!(error, QmpError::Timeout { .. } | QmpError::Command { .. }) {
            // Fails when the machine is gone; then there is nothing to thaw, which the next
            // round notices.
            let _ = agent.reconnect();
        }
    }
}

fn thaw_once(agent: &mut AgentClient) -> Result<(), QmpError> {
    agent.sync(SYNC_TIMEOUT)?;
    if status(agent)? != "thawed" {
        agent.command("guest-fsfreeze-thaw", Value::Null, THAW_TIMEOUT)?;
    }
    match status(agent)?.as_str() {
        "thawed" => Ok(()),
        other => Err(QmpError::Protocol(format!("the guest says it is {other} after thaw"))),
    }
}
