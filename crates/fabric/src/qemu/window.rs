//! The frozen moment of a guest: by the extension, else by the QEMU guest agent, else not at all; and what may be said
//! of a point that was taken in it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::guest::Offer;
use super::machine::QemuMachine;
use crate::agent::{self, AgentClient, FreezeOutcome};
use crate::extension::{Ready, Session, Verdict, deliver, thaw_left};
use crate::qmp::QmpError;
use crate::{Consistency, FreezeRecord, FreezeWish, FrozenBy, GuestTimes, OsType};

/// What the guest may take beyond the time for freezing: its scripts run before it, and all that is in memory is written
/// out. An extension that ends without a freeze says so, and nobody waits for it any longer.
const SCRIPTS: Duration = Duration::from_secs(600);

/// The guest thaws by itself at its ceiling. This much later the host steps in.
const GRACE: Duration = Duration::from_secs(5);

/// How long the extension may take after the thaw: scripts, reports.
const AFTERWARDS: Duration = Duration::from_secs(90);

/// How long an agent that is alive may take to answer.
const SYNC_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the agent's own thaw may take when the extension did not thaw.
const HOST_THAW_PATIENCE: Duration = Duration::from_secs(40);

/// What an extension says that met a file system which somebody else has frozen. The guest agent would thaw that.
const FOREIGN: &str = "somebody else";

/// A guest that is held still, or not.
pub(super) struct Window {
    hold: Hold,
    /// Why the guest is not held in a better way; in words.
    instead: Option<String>,
}

enum Hold {
    Extension(Box<Held>),
    Agent(agent::Frozen),
    Nothing,
}

/// How a window ended.
pub(super) struct Closed {
    /// How whole the point is.
    pub(super) consistency: Consistency,
    /// Why.
    pub(super) reason: String,
    /// How long the guest stood still.
    pub(super) window: Option<Duration>,
    /// What happened when.
    pub(super) record: Option<FreezeRecord>,
    /// Whether the guest surely is thawed.
    pub(super) thawed: bool,
}

impl Window {
    /// A window of a machine that is not to be frozen.
    pub(super) fn none(reason: &str) -> Window {
        Window { hold: Hold::Nothing, instead: Some(reason.to_owned()) }
    }

    /// Freezes the guest as well as it can be had.
    pub(super) fn open(machine: &QemuMachine, wish: FreezeWish, offer: Offer) -> Window {
        let instead = match offer {
            Offer::Ready { .. } => match Held::take(machine, wish, offer) {
                Ok(held) => return Window { hold: Hold::Extension(Box::new(held)), instead: None },
                Err(reason) => Some(reason),
            },
            Offer::No(reason) => reason,
        };
        if let Some(reason) = instead.as_ref().filter(|reason| reason.contains(FOREIGN)) {
            return Window::none(reason);
        }
        match agent::freeze(machine.agent_socket(), wish) {
            FreezeOutcome::Frozen(frozen) => Window { hold: Hold::Agent(frozen), instead },
            FreezeOutcome::Not(reason) => {
                let both = instead.map(|instead| format!("{reason}; {instead}"));
                Window::none(&both.unwrap_or(reason))
            }
        }
    }

    /// Thaws. `taken` says how the transaction ended; `None` = it has not ended yet.
    pub(super) fn close(self, taken: Option<Result<(), String>>, os_type: OsType) -> Closed {
        let in_time = taken.is_some();
        match self.hold {
            Hold::Nothing => Closed {
                consistency: Consistency::Crash,
                reason: self.instead.unwrap_or_default(),
                window: None,
                record: None,
                thawed: true,
            },
            Hold::Agent(frozen) => {
                let closed = close_agent(frozen, in_time, os_type);
                let reason = match self.instead {
                    Some(instead) => format!("{} ({instead})", closed.reason),
                    None => closed.reason,
                };
                Closed { reason, ..closed }
            }
            Hold::Extension(held) => held.thaw(taken),
        }
    }
}

fn close_agent(frozen: agent::Frozen, in_time: bool, os_type: OsType) -> Closed {
    let taken = SystemTime::now();
    let (asked, at) = (frozen.asked, frozen.at);
    let thawed = frozen.thaw();
    let record = FreezeRecord {
        by: FrozenBy::Agent,
        asked_unix_ms: unix_ms(asked),
        frozen_unix_ms: unix_ms(at),
        taken_unix_ms: unix_ms(taken),
        thawed_unix_ms: thawed.is_ok().then(|| unix_ms(SystemTime::now())),
        guest: None,
    };
    let (consistency, reason, window, thawed) = judge_agent(thawed, in_time, os_type);
    Closed { consistency, reason, window, record: Some(record), thawed }
}

/// How whole the point is, given how the freeze of the guest agent ended.
fn judge_agent(
    thawed: Result<agent::Thawed, String>,
    in_time: bool,
    os_type: OsType,
) -> (Consistency, String, Option<Duration>, bool) {
    let crash = |reason: &str, window| (Consistency::Crash, reason.to_owned(), window, true);
    match thawed {
        Err(reason) => (Consistency::Crash, reason, None, false),
        Ok(agent::Thawed { window, .. }) if !in_time => crash(SLOW_TRANSACTION, Some(window)),
        Ok(agent::Thawed { window, file_systems: Some(0) }) => {
            crash("somebody thawed the guest before the point was taken", Some(window))
        }
        Ok(agent::Thawed { window, file_systems: None }) => {
            crash("the guest agent did not tell whether it was frozen all the time", Some(window))
        }
        Ok(agent::Thawed { window, file_systems: Some(_) }) => match os_type {
            OsType::Linux => (
                Consistency::FileSystem,
                "the guest agent froze the file systems".to_owned(),
                Some(window),
                true,
            ),
            OsType::Windows => (
                Consistency::Application,
                "the guest agent took a volume shadow copy".to_owned(),
                Some(window),
                true,
            ),
        },
    }
}

const SLOW_TRANSACTION: &str = "QEMU took too long while the guest was frozen";

/// A guest that the extension holds.
struct Held {
    /// `None` once it is thawed.
    talk: Option<(AgentClient, Session)>,
    installed: crate::extension::Installed,
    ready: Ready,
    asked: SystemTime,
    /// When the host heard that all is frozen.
    heard: (Instant, SystemTime),
}

impl Held {
    fn take(machine: &QemuMachine, wish: FreezeWish, offer: Offer) -> Result<Held, String> {
        let Offer::Ready { extension, installed } = offer else {
            return Err("there is no extension".to_owned());
        };
        let mut installed = *installed;
        let silent = |_| "the guest agent does not answer".to_owned();
        let socket = machine.agent_socket().ok_or_else(|| "there is no guest agent".to_owned())?;
        let mut agent = AgentClient::connect(&socket).map_err(silent)?;
        agent.sync(SYNC_TIMEOUT).map_err(silent)?;
        let asked = SystemTime::now();
        let begun = Session::begin(&mut agent, &extension, &installed).or_else(|reason| {
            // Somebody may have removed it from the guest: once more with a fresh one.
            tracing::warn!(machine = machine.name(), reason, "the extension is delivered anew");
            installed = deliver(&mut agent, &extension)?;
            Session::begin(&mut agent, &extension, &installed)
        });
        let mut session = begun.inspect_err(|reason| {
            machine.extension_failed(Some(&extension.version), reason);
        })?;
        match session.wait_until_frozen(&mut agent, wish.timeout + SCRIPTS) {
            Ok(ready) => {
                let heard = (Instant::now(), SystemTime::now());
                Ok(Held { talk: Some((agent, session)), installed, ready, asked, heard })
            }
            Err(reason) => {
                session.close(&mut agent);
                machine.extension_failed(Some(&installed.version), &reason);
                Err(reason)
            }
        }
    }
}

impl Held {
    /// Tells the guest that it may thaw, and makes sure that it does.
    fn thaw(mut self, taken: Option<Result<(), String>>) -> Closed {
        let taken_at = SystemTime::now();
        let (mut agent, mut session) = self.talk.take().expect("taken only here and in drop");
        let thawed = self.end(&mut agent, &session, &taken);
        let acknowledged = (Instant::now(), SystemTime::now());
        let window = thawed.as_ref().ok().and_then(Option::as_ref).map(|thawed| {
            let by_guest = thawed.thawed_ns.checked_sub(self.ready.started_ns);
            let by_host = acknowledged.1.duration_since(self.asked).unwrap_or_default();
            // A clock that jumped is not believed.
            by_guest
                .map(Duration::from_nanos)
                .filter(|window| *window <= by_host)
                .unwrap_or(by_host)
        });
        let verdict = match &thawed {
            Ok(Some(_)) => session.verdict(&mut agent, AFTERWARDS),
            _ => None,
        };
        session.close(&mut agent);
        let guest = GuestTimes {
            started_unix_ns: self.ready.started_ns,
            frozen_unix_ns: self.ready.frozen_ns,
            thawed_unix_ns: thawed.as_ref().ok().and_then(Option::as_ref).map(|t| t.thawed_ns),
        };
        let record = FreezeRecord {
            by: FrozenBy::Extension { version: self.installed.version.clone() },
            asked_unix_ms: unix_ms(self.asked),
            frozen_unix_ms: unix_ms(self.heard.1),
            taken_unix_ms: unix_ms(taken_at),
            thawed_unix_ms: thawed.is_ok().then(|| unix_ms(acknowledged.1)),
            guest: Some(guest),
        };
        let (consistency, reason) = judge(&taken, &thawed, verdict);
        Closed { consistency, reason, window, record: Some(record), thawed: thawed.is_ok() }
    }

    /// `Ok(None)` = the host thawed the guest itself; the error = it may still be frozen.
    fn end(
        &self,
        agent: &mut AgentClient,
        session: &Session,
        taken: &Option<Result<(), String>>,
    ) -> Result<Option<crate::extension::Thawed>, String> {
        let error = match taken {
            Some(Ok(())) => None,
            Some(Err(reason)) => Some(reason.as_str()),
            None => Some(SLOW_TRANSACTION),
        };
        if let Err(error) = session.done(agent, error) {
            tracing::warn!(%error, "the guest was not told that it may thaw; it will do so by itself");
        }
        let ceiling = Duration::from_millis(self.ready.ceiling_ms.min(CEILING_MS_MAX));
        let left = (ceiling + GRACE).saturating_sub(self.heard.0.elapsed());
        if let Some(thawed) = session.wait_until_thawed(agent, left) {
            return Ok(Some(thawed));
        }
        tracing::warn!("the guest does not say that it is thawed: the host thaws it");
        self.thaw_by_host(agent).map(|()| None)
    }

    /// The last means: what the extension left is thawed by itself, started anew, and by the guest agent.
    fn thaw_by_host(&self, agent: &mut AgentClient) -> Result<(), String> {
        let failed = |error: QmpError| format!("the guest may still be frozen: {error}");
        let _ = agent.reconnect();
        agent.sync(HOST_THAW_PATIENCE).map_err(failed)?;
        let Err(reason) = thaw_left(agent, &self.installed) else { return Ok(()) };
        tracing::warn!(reason, "the extension cannot thaw");
        agent
            .command("guest-fsfreeze-thaw", serde_json::Value::Null, HOST_THAW_PATIENCE)
            .map(drop)
            .map_err(failed)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some((mut agent, session)) = self.talk.take() else { return };
        let given_up = Some(Err("the host could not take the point".to_owned()));
        if let Err(reason) = self.end(&mut agent, &session, &given_up) {
            tracing::error!(reason, "the guest may still be frozen until it thaws by itself");
        }
        session.close(&mut agent);
    }
}

/// No guest freezes for longer, whatever it says.
const CEILING_MS_MAX: u64 = 60_000;

/// How whole a point is that was taken while the extension held the guest. Each answer can only lower it.
fn judge(
    taken: &Option<Result<(), String>>,
    thawed: &Result<Option<crate::extension::Thawed>, String>,
    verdict: Option<Verdict>,
) -> (Consistency, String) {
    let crash = |reason: &str| (Consistency::Crash, reason.to_owned());
    let thawed = match thawed {
        Err(reason) => return crash(reason),
        Ok(None) => return crash("the guest did not say that it was thawed; the host thawed it"),
        Ok(Some(thawed)) => thawed,
    };
    if !matches!(taken, Some(Ok(()))) {
        return crash(SLOW_TRANSACTION);
    }
    if !thawed.answered {
        return crash("the guest thawed by itself before it heard that the point was taken");
    }
    if !thawed.held {
        return crash("somebody thawed the guest before the point was taken");
    }
    let Some(verdict) = verdict else {
        return crash("the extension did not report how whole the point is");
    };
    let Verdict { code, consistency, reason } = verdict;
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    match consistency {
        Some(Consistency::Application) => (
            Consistency::Application,
            format!("the extension ran the scripts and froze the file systems{because}"),
        ),
        Some(Consistency::FileSystem) => {
            (Consistency::FileSystem, format!("the extension froze the file systems{because}"))
        }
        Some(Consistency::Crash) => (Consistency::Crash, format!("the extension says{because}")),
        None => (Consistency::Crash, format!("the extension ended with code {code}{because}")),
    }
}

fn unix_ms(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extension::Thawed;

    fn level(answered: bool, held: bool, level: Option<Consistency>) -> Consistency {
        let thawed = Ok(Some(Thawed::for_test(answered, held)));
        let verdict = Verdict { code: 0, consistency: level, reason: String::new() };
        judge(&Some(Ok(())), &thawed, Some(verdict)).0
    }

    #[test]
    fn only_a_point_that_surely_lies_in_the_window_has_a_level() {
        let levels = [Consistency::Application, Consistency::FileSystem, Consistency::Crash];
        for wished in levels {
            assert_eq!(level(true, true, Some(wished)), wished);
            assert_eq!(level(false, true, Some(wished)), Consistency::Crash);
            assert_eq!(level(true, false, Some(wished)), Consistency::Crash);
        }
        assert_eq!(level(true, true, None), Consistency::Crash);
        let thawed = Ok(Some(Thawed::for_test(true, true)));
        let good = Verdict { code: 0, consistency: Some(levels[0]), reason: String::new() };
        for taken in [None, Some(Err("no".to_owned()))] {
            assert_eq!(judge(&taken, &thawed, Some(good.clone())).0, Consistency::Crash);
        }
        assert_eq!(judge(&Some(Ok(())), &thawed, None).0, Consistency::Crash);
        assert_eq!(judge(&Some(Ok(())), &Ok(None), Some(good.clone())).0, Consistency::Crash);
        assert_eq!(judge(&Some(Ok(())), &Err(String::new()), Some(good)).0, Consistency::Crash);
    }
}
