//! Taking a point: by which way, inside a freeze, and what its result means.

use std::time::{Duration, SystemTime};

use crate::blob::{self, Outcome};
use crate::channel::Channel;
use crate::code::Code;
use crate::command::{Command, Way};
use crate::conf::BackupConf;
use crate::hostsvc::{self, AdeState, DoSnapshot};
use crate::log::Log;
use crate::net::{Client, HOST_TIMEOUT};
use crate::report::{Consistency, SnapshotInfo};
use crate::reporter::{Ending, Reporter};
use crate::window::{Failed, Window};

/// A command that the agent hands over later than this is not carried out.
const AGE_MAX: Duration = Duration::from_secs(140 * 60);

/// Stands for a host that did not answer at all.
const NO_ANSWER: u16 = 555;

/// Texts of the storage that say more than its status.
const PHRASES: [(&str, Code); 2] = [
    ("The rate of snapshot blob calls is exceeded", Code::SNAPSHOT_RATE),
    ("The snapshot count against this blob has been exceeded", Code::SNAPSHOT_LIMIT),
];

/// What is needed to take a point.
pub(crate) struct Taker<'a, 'b> {
    pub(crate) command: &'a Command,
    pub(crate) conf: &'a BackupConf,
    pub(crate) log: &'a Log,
    pub(crate) client: &'a Client,
    pub(crate) reporter: &'a mut Reporter<'b>,
    /// False when an administrator's scripts do it all and want no freeze.
    pub(crate) freezes: bool,
    pub(crate) host_is_silent: bool,
    pub(crate) ade: Option<AdeState>,
}

/// Work that was done, inside a freeze or, when allowed, without one.
struct Worked<T> {
    result: T,
    held: bool,
    consistency: Consistency,
    /// When the thaw began and ended, if there was a freeze.
    thawed: Option<(SystemTime, SystemTime)>,
    /// What went wrong with the freeze when the work was done without one.
    instead_of: Option<Failed>,
}

impl<T> Worked<T> {
    fn with<U>(self, result: U) -> Worked<U> {
        let Worked { held, consistency, thawed, instead_of, .. } = self;
        Worked { result, held, consistency, thawed, instead_of }
    }
}

impl Taker<'_, '_> {
    /// Takes a point, by the way that the command, the machine's administrator and the disks allow.
    pub(crate) fn take(&mut self) -> Ending {
        let named = self.conf.snapshot_method().map(Way::of);
        let way = match (self.command.way, named) {
            (Way::OnlyHost, Some(_)) if self.command.disks.needs_host => Way::OnlyHost,
            (_, Some(named)) => named,
            (asked, None) => asked,
        };
        self.log.info(format!("Snapshots are taken the way {way:?}."));
        match way {
            Way::OnlyGuest => self.by_guest(),
            Way::OnlyHost => self.by_host(),
            Way::Channel => self.by_channel(),
            Way::FirstHostThenGuest => {
                if self.ask_host(true).is_some_and(|code| code == 200 || code == 201) {
                    self.by_host()
                } else {
                    self.by_guest()
                }
            }
            Way::FirstGuestThenHost => {
                let ending = self.by_guest();
                let snapshots = ending.snapshots.iter().flatten();
                let any = snapshots.filter(|info| info.is_successful == true).count() > 0;
                if any || ending.code.is_success() {
                    return ending;
                }
                self.log.warn("No disk succeeded from inside; the host is asked.");
                let second = self.by_host();
                if second.code.is_success() {
                    self.reporter.healthy_after_all();
                }
                second
            }
        }
    }

    /// Whether the command is too old by now; asks the host for its clock.
    pub(crate) fn is_too_late(&mut self) -> bool {
        let Some(started) = self.command.started else { return false };
        // The way by channel needs no network, so it asks nobody there.
        let time = if self.command.way == Way::Channel { None } else { self.host_time(false) };
        let now = time.unwrap_or_else(SystemTime::now);
        now.duration_since(started).is_ok_and(|age| age > AGE_MAX)
    }

    fn host_time(&mut self, details: bool) -> Option<SystemTime> {
        let mut time = None;
        self.presnapshot(details, |answer| time = answer.time);
        time
    }

    fn ask_host(&mut self, details: bool) -> Option<u16> {
        let mut code = None;
        self.presnapshot(details, |answer| code = Some(answer.code));
        code
    }

    /// A host that never answered is not waited for again.
    fn presnapshot(&mut self, details: bool, then: impl FnOnce(&hostsvc::PreSnapshot)) {
        if self.host_is_silent {
            return;
        }
        let wants_ade = self.command.disks.is_ade && self.ade.is_none();
        let answer = hostsvc::presnapshot(self.client, self.command, details || wants_ade);
        self.log.info(format!(
            "The host answers {} before the snapshot. {}",
            answer.code,
            answer.error.as_deref().unwrap_or_default()
        ));
        self.host_is_silent = answer.code == NO_ANSWER;
        self.reporter.telemetry.set("hostStatusCodePreSnapshot", answer.code.to_string());
        if let Some(ade) = &answer.ade {
            self.ade = Some(ade.clone());
        }
        then(&answer);
    }

    fn too_late(&mut self) -> Option<Ending> {
        self.is_too_late().then(|| {
            self.reporter.unhealthy(Code::TOO_LATE);
            Ending::failed(Code::TOO_LATE, TOO_LATE)
        })
    }

    /// Works inside a freeze. `prepare` runs before and may take its time.
    fn frozen<P, T>(
        &mut self,
        prepare: impl FnOnce(&Taker<'_, '_>) -> P,
        work: impl FnOnce(&Taker<'_, '_>, P, Option<&crate::freeze::Frozen>, Duration) -> T,
    ) -> Result<Worked<T>, Ending> {
        let ceiling = Duration::from_secs(self.conf.ceiling_seconds());
        if !self.freezes {
            let prepared = prepare(self);
            let result = work(self, prepared, None, ceiling);
            return Ok(Worked {
                result,
                held: true,
                consistency: Consistency::FileSystem,
                thawed: None,
                instead_of: None,
            });
        }
        let mut prepared = Some(prepare(self));
        let mut work = Some(work);
        let mut telemetry = std::mem::take(&mut self.reporter.telemetry);
        let tried =
            Window::prepare(ceiling, &self.conf.mounts_to_skip(), self.log).and_then(|window| {
                let budget = window.budget();
                let silently = self.conf.is_silent_while_frozen();
                let this: &Taker<'_, '_> = self;
                window.within(this.log, silently, &mut telemetry, |frozen| {
                    let (work, prepared) = (work.take(), prepared.take());
                    let (work, prepared) = work.zip(prepared).expect("the work is done once");
                    work(this, prepared, Some(frozen), budget)
                })
            });
        self.reporter.telemetry = telemetry;
        let failed = match tried {
            Ok(done) => {
                let crash = done.crash_only.is_some();
                if let Some(why) = done.crash_only {
                    self.reporter.telemetry.set("consistencyReason", why);
                }
                let consistency = if crash { Consistency::Crash } else { Consistency::FileSystem };
                return Ok(Worked {
                    result: done.result,
                    held: done.held,
                    consistency,
                    thawed: Some(done.thawed),
                    instead_of: None,
                });
            }
            Err(failed) => failed,
        };
        self.log.warn(format!("The freeze failed with {}: {}", failed.code.0, failed.what));
        self.reporter.unhealthy(failed.code);
        self.reporter.telemetry.set("consistencyReason", failed.what.clone());
        let (Some(work), Some(prepared)) = (work, prepared) else {
            return Err(freeze_failed(failed));
        };
        if !self.command.crash_consistent_will_do {
            return Err(freeze_failed(failed));
        }
        self.log.info("A crash-consistent point will do.");
        let result = work(self, prepared, None, ceiling);
        let consistency = Consistency::Crash;
        Ok(Worked { result, held: true, consistency, thawed: None, instead_of: Some(failed) })
    }

    fn by_guest(&mut self) -> Ending {
        self.reporter.telemetry.set("snapshotCreator", "guestExtension");
        let Some(blobs) = self.command.blobs.as_ref().filter(|blobs| !blobs.is_empty()) else {
            self.reporter.unhealthy(Code::NO_SNAPSHOT);
            return Ending::failed(Code::NO_SNAPSHOT, "The command names no disks. ");
        };
        if let Some(ending) = self.too_late() {
            return ending;
        }
        let worked = self.frozen(
            |this| {
                let Command { metadata, disks, .. } = this.command;
                blob::prepare(this.client, blobs, metadata, disks.is_ade)
            },
            |this, disks, _, budget| {
                blob::take(this.client, disks, this.conf.is_sequential(), budget)
            },
        );
        match worked {
            Ok(worked) => {
                for error in worked.result.iter().filter_map(|outcome| outcome.error.as_ref()) {
                    self.log.error(error);
                }
                let (code, health, message) = judge_guest(&worked.result);
                let snapshots = worked.result.iter().map(|outcome| outcome.info.clone()).collect();
                let worked = worked.with(snapshots);
                self.conclude(worked, code, health, message, code.is_success())
            }
            Err(ending) => ending,
        }
    }

    fn by_host(&mut self) -> Ending {
        self.reporter.telemetry.set("snapshotCreator", "backupHostService");
        if let Some(ending) = self.too_late() {
            return ending;
        }
        let body = hostsvc::dosnapshot_body(self.command, self.ade.as_ref());
        let worked = self.frozen(
            |_| body,
            // It is waited for beyond the ceiling, because what the host took must be known; the thaw does not wait.
            |this, body, _, _| hostsvc::dosnapshot(this.client, body, HOST_TIMEOUT),
        );
        match worked {
            Ok(worked) => {
                let answer: &DoSnapshot = &worked.result;
                self.log.info(format!("The host answers {} to the snapshot.", answer.code));
                self.reporter.telemetry.set("hostStatusCodeDoSnapshot", answer.code.to_string());
                let offered = self.reporter.telemetry.get("hostStatusCodePreSnapshot");
                let offered = offered == Some("200");
                let (code, health, message, success) = judge_host(answer, offered);
                let snapshots = answer.snapshots.clone();
                let worked = worked.with(snapshots);
                self.conclude(worked, code, health, message, success)
            }
            Err(ending) => ending,
        }
    }

    fn by_channel(&mut self) -> Ending {
        self.reporter.telemetry.set("snapshotCreator", "hypervisor");
        let channel = match Channel::open() {
            Ok(channel) => channel,
            Err(error) => {
                self.reporter.unhealthy(Code::ERROR);
                return Ending::failed(Code::ERROR, format!("open the channel: {error} "));
            }
        };
        let ceiling = Duration::from_secs(self.conf.ceiling_seconds());
        let worked = self.frozen(
            |_| (),
            |this, (), frozen, budget| match frozen {
                Some(frozen) => {
                    let task = this.command.task().unwrap_or_default();
                    channel.exchange(task, frozen, ceiling, budget)
                }
                None => Err(std::io::Error::other("nothing is frozen")),
            },
        );
        let held = worked.as_ref().is_ok_and(|worked| worked.held);
        let thawed = worked.as_ref().ok().and_then(|worked| worked.thawed);
        let times = thawed.unwrap_or_else(|| (SystemTime::now(), SystemTime::now()));
        let answered = worked.as_ref().is_ok_and(|w| w.result.as_ref().is_ok_and(|a| a.ok));
        if let Err(error) = channel.thawed(times, held, answered) {
            self.log.warn(format!("tell the host of the thaw: {error}"));
        }
        match worked {
            Ok(worked) => {
                let (code, message) = match &worked.result {
                    Ok(answer) if answer.ok => (Code::SUCCESS, String::new()),
                    Ok(answer) => (Code::NO_SNAPSHOT, format!("The hypervisor: {} ", answer.error)),
                    Err(error) => (Code::NO_SNAPSHOT, format!("The hypervisor: {error} ")),
                };
                let worked = worked.with(Vec::new());
                self.conclude(worked, code, code, message, code.is_success())
            }
            Err(ending) => ending,
        }
    }

    /// The end of a run whose snapshots gave `code`.
    fn conclude(
        &mut self,
        worked: Worked<Vec<SnapshotInfo>>,
        code: Code,
        health: Code,
        message: String,
        success: bool,
    ) -> Ending {
        if !code.is_success() {
            self.reporter.unhealthy(health);
        }
        if let Some(failed) = worked.instead_of {
            // A point of several disks without a freeze is none.
            let one = worked.result.len() == 1;
            if !(code.is_success() && one) {
                return Ending { snapshots: Some(worked.result), ..freeze_failed(failed) };
            }
        }
        if !worked.held {
            self.reporter.unhealthy(Code::ERROR);
            let message = "The file systems were thawed before the snapshots were done. ";
            return Ending {
                consistency: Consistency::Crash,
                snapshots: Some(worked.result),
                ..Ending::failed(Code::ERROR, message)
            };
        }
        let consistency = if code.is_success() { worked.consistency } else { Consistency::None };
        Ending { code, success, message, consistency, snapshots: Some(worked.result) }
    }
}

/// Words for a command that came too late.
pub(crate) const TOO_LATE: &str = "CRP timeout limit has reached, will not take snapshot.";

fn freeze_failed(failed: Failed) -> Ending {
    let message = format!("{} ", failed.what);
    Ending { snapshots: Some(Vec::new()), ..Ending::failed(failed.code, message) }
}

/// The first text of the storage that says more than its status.
fn phrase<'a>(texts: impl Iterator<Item = &'a str>) -> Option<Code> {
    let mut found = texts.filter_map(|text| {
        PHRASES.iter().find(|(phrase, _)| text.contains(phrase)).map(|(_, code)| *code)
    });
    found.next()
}

/// Code, health and words for what came of the disks.
fn judge_guest(outcomes: &[Outcome]) -> (Code, Code, String) {
    let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.ok).collect();
    let Some(first) = failed.first() else { return (Code::SUCCESS, Code::SUCCESS, String::new()) };
    let texts = failed.iter().filter_map(|outcome| outcome.info.error_message.as_deref());
    let message: String = first.error.as_deref().unwrap_or_default().chars().take(400).collect();
    let message = format!("{} of {} disks: {message} ", failed.len(), outcomes.len());
    if let Some(code) = phrase(texts) {
        return (code, code, message);
    }
    let all = failed.len() == outcomes.len();
    let health = if all { Code::NO_SNAPSHOT } else { Code::SOME_SNAPSHOTS_FAILED };
    (Code::NO_SNAPSHOT, health, message)
}

/// Code, health, words, and whether the run counts as a success, for what the host answered.
fn judge_host(answer: &DoSnapshot, offered: bool) -> (Code, Code, String, bool) {
    let ok = answer.snapshots.iter().filter(|info| info.is_successful == "true").count();
    let texts = answer.snapshots.iter().filter_map(|info| info.error_message.as_deref());
    let message = answer.error.as_deref().map_or_else(String::new, |why| format!("{why} "));
    if answer.code == Code::HOST_DOWN.0 && offered {
        return (Code::HOST_DOWN, Code::HOST_DOWN, message, false);
    }
    if ok == 0 {
        let explained = phrase(texts).is_some();
        return (Code::NO_SNAPSHOT, Code::NO_SNAPSHOT, message, !explained);
    }
    if let Some(code) = phrase(texts) {
        return (code, code, message, false);
    }
    if ok < answer.snapshots.len() {
        return (Code::NO_SNAPSHOT, Code::SOME_SNAPSHOTS_FAILED, message, false);
    }
    (Code::SUCCESS, Code::SUCCESS, String::new(), true)
}
