//! The fake world of effects, and a worker in it that meets good and bad luck.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::super::*;
use crate::error::ErrorCode;
use crate::id::PointId;
use crate::model::{
    Consistency, RestoreFacts, RestoreTarget, SnapshotFacts, TransferFacts, Unwound,
};

/// Every kind that has steps.
pub(super) fn kinds() -> Vec<JobKind> {
    let point = PointId(Uuid::from_u128(7));
    let folder = "/restored".to_owned();
    vec![
        JobKind::Backup { point, retain_until: None, scheduled: true },
        JobKind::Restore {
            point,
            target: RestoreTarget::Disks { account: "acc".into(), luns: None, folder },
        },
        JobKind::Restore {
            point,
            target: RestoreTarget::InPlace { luns: Some(vec![]), restart: false },
        },
        JobKind::Restore { point, target: RestoreTarget::InPlace { luns: None, restart: true } },
        JobKind::Restore {
            point,
            target: RestoreTarget::NewVm { name: "new".into(), group: "rg".into() },
        },
        JobKind::DeleteBackupData { points: vec![point] },
        JobKind::StartVm,
        JobKind::StopVm { graceful: true },
        JobKind::RefreshContainers,
    ]
}

pub(super) fn job_of(kind: JobKind) -> Job {
    let new = NewJob {
        id: JobId(Uuid::from_u128(1)),
        kind,
        vault: None,
        item: None,
        vm: None,
        name: "vm".into(),
        user_triggered: true,
    };
    create(new, Timestamp::UNIX_EPOCH)
}

/// What is there outside the database because of the job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct World {
    pub(super) things: BTreeSet<&'static str>,
}

impl World {
    pub(super) fn perform(&mut self, step: Step) -> StepFacts {
        match step {
            Step::TakeSnapshot => {
                self.things.insert("snapshot");
                return StepFacts::Snapshot(SnapshotFacts {
                    consistency: Consistency::Crash,
                    reason: String::new(),
                    freeze_ms: None,
                    freeze: None,
                    taken: Timestamp::UNIX_EPOCH,
                    disks: Vec::new(),
                    config: serde_json::Value::Null,
                    local: None,
                });
            }
            Step::TransferToVault => {
                assert!(self.things.contains("snapshot"), "nothing to read from");
                self.things.insert("point");
                return StepFacts::Transfer(TransferFacts::default());
            }
            Step::ValidatePoint => assert!(self.things.contains("point")),
            Step::ReleaseSnapshot => {
                self.things.remove("snapshot");
            }
            Step::PrepareRestore => {
                self.things.insert("target");
            }
            Step::TransferFromVault => {
                assert!(self.things.contains("target"), "nowhere to write to");
                self.things.insert("files");
            }
            Step::ValidateRestore => assert!(self.things.contains("files")),
            Step::PublishRestore => {
                self.things = BTreeSet::from(["restored"]);
                return StepFacts::Restore(RestoreFacts::default());
            }
            Step::DeletePoints => {
                self.things.insert("deleted");
            }
            Step::StartMachine => {
                self.things.insert("started");
            }
            Step::StopMachine => {
                self.things.insert("stopped");
            }
            Step::DiscoverMachines => {
                self.things.insert("seen");
            }
        }
        StepFacts::None
    }

    pub(super) fn undo(&mut self, step: Step) {
        match step {
            Step::TakeSnapshot => self.things.remove("snapshot"),
            Step::TransferToVault => {
                assert!(self.things.contains("snapshot"), "undone in the wrong order");
                self.things.remove("point")
            }
            Step::PrepareRestore => self.things.remove("target"),
            Step::TransferFromVault => self.things.remove("files"),
            Step::PublishRestore => {
                // Put back: what was written before it is there again.
                if self.things.remove("restored") {
                    self.things.extend(["target", "files"]);
                }
                true
            }
            other => panic!("{other:?} has no undo"),
        };
    }
}

/// What happens around one effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Luck {
    /// It works.
    Works,
    /// It works, and is done twice.
    Twice,
    /// It fails for good; the flag says whether it had its effect all the same.
    Fails(bool),
    /// It fails and may be tried again.
    Stumbles(bool),
    /// It fails, and only a fresh start helps.
    Spoils(bool),
    /// The worker dies; the flag says whether the effect was there.
    Dies(bool),
    /// Somebody cancels while it runs, and it works.
    CancelThenWorks,
    /// Somebody cancels while it runs, and it gives up.
    CancelThenGivesUp(bool),
}

pub(super) const ALL_LUCK: &[Luck] = &[
    Luck::Works,
    Luck::Twice,
    Luck::Fails(false),
    Luck::Fails(true),
    Luck::Stumbles(false),
    Luck::Stumbles(true),
    Luck::Spoils(false),
    Luck::Spoils(true),
    Luck::Dies(false),
    Luck::Dies(true),
    Luck::CancelThenWorks,
    Luck::CancelThenGivesUp(false),
    Luck::CancelThenGivesUp(true),
];

/// A worker, its world and its clock.
pub(super) struct Run {
    pub(super) job: Job,
    pub(super) world: World,
    pub(super) now: Timestamp,
    pub(super) calls: usize,
    /// States that were seen, without repetition.
    pub(super) path: Vec<JobState>,
}

impl Run {
    pub(super) fn new(kind: JobKind) -> Self {
        let job = job_of(kind);
        Self {
            path: vec![job.state],
            job,
            world: World::default(),
            now: Timestamp::UNIX_EPOCH,
            calls: 0,
        }
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.now += SignedDuration::from_secs(1);
        self.job = apply(self.job.clone(), event, self.now).unwrap();
        if self.path.last() != Some(&self.job.state) {
            self.path.push(self.job.state);
        }
    }

    pub(super) fn try_cancel(&mut self) -> bool {
        let can = is_cancellable(&self.job);
        let answer = apply(self.job.clone(), Event::CancelAsked, self.now);
        assert_eq!(answer.is_ok(), can);
        if can {
            self.tell(Event::CancelAsked);
        }
        can
    }

    /// Works on the job to its end; `luck` is asked before each effect, with the number of the
    /// effect.
    pub(super) fn work_to_the_end(&mut self, mut luck: impl FnMut(usize) -> Luck) {
        loop {
            assert!(self.calls < 1000, "the job does not end: {:?}", self.job);
            if can_take_cancel(&self.job) {
                self.tell(Event::CancelTaken);
            }
            match next(&self.job, self.now) {
                Next::Done => return,
                Next::Wait(until) => {
                    assert!(until > self.now);
                    self.now = until;
                }
                Next::Do(step) => {
                    self.tell(Event::StepStarted { step });
                    let luck = luck(self.calls);
                    self.calls += 1;
                    self.one_step(step, luck);
                }
                Next::Undo(step) => {
                    let luck = luck(self.calls);
                    self.calls += 1;
                    self.one_undo(step, luck);
                }
            }
        }
    }

    pub(super) fn one_step(&mut self, step: Step, luck: Luck) {
        let failed = |retry| failure(retry);
        match luck {
            Luck::Works | Luck::Twice | Luck::CancelThenWorks => {
                if luck == Luck::CancelThenWorks {
                    self.try_cancel();
                }
                let facts = self.world.perform(step);
                if luck == Luck::Twice {
                    assert_eq!(self.world.perform(step), facts);
                }
                self.tell(Event::StepDone { step, facts });
            }
            Luck::Fails(had_effect) => {
                self.partly(step, had_effect);
                self.tell(Event::StepFailed { step, failure: failed(Retry::Never) });
            }
            Luck::Stumbles(had_effect) => {
                self.partly(step, had_effect);
                let retry = Retry::After(SignedDuration::from_secs(5));
                self.tell(Event::StepFailed { step, failure: failed(retry) });
            }
            Luck::Spoils(had_effect) => {
                self.partly(step, had_effect);
                self.tell(Event::StepFailed { step, failure: failed(Retry::FromStart) });
            }
            Luck::CancelThenGivesUp(had_effect) => {
                let asked = self.try_cancel();
                self.partly(step, had_effect);
                let retry = if asked { Retry::Never } else { Retry::After(SignedDuration::ZERO) };
                self.tell(Event::StepFailed { step, failure: failed(retry) });
            }
            // Nothing is told: the next worker finds the job as it was.
            Luck::Dies(had_effect) => self.partly(step, had_effect),
        }
    }

    pub(super) fn one_undo(&mut self, step: Step, luck: Luck) {
        match luck {
            Luck::Works | Luck::CancelThenWorks => {
                self.world.undo(step);
                self.tell(Event::StepUndone { step });
            }
            Luck::Twice => {
                self.world.undo(step);
                self.world.undo(step);
                self.tell(Event::StepUndone { step });
            }
            // For an undo a failure for good would leave something behind by right; what is
            // tried here is that it is tried again.
            Luck::Fails(had_effect)
            | Luck::Stumbles(had_effect)
            | Luck::Spoils(had_effect)
            | Luck::CancelThenGivesUp(had_effect) => {
                if had_effect {
                    self.world.undo(step);
                }
                let retry = Retry::After(SignedDuration::from_secs(5));
                self.tell(Event::UndoFailed { step, failure: failure(retry) });
            }
            Luck::Dies(had_effect) => {
                if had_effect {
                    self.world.undo(step);
                }
            }
        }
    }

    /// A step that fails may have had its effect. Some are whole or nothing by nature. Said here
    /// and not asked of the machine, whose table of undos is what is tried.
    pub(super) fn partly(&mut self, step: Step, had_effect: bool) {
        let whole_or_none = matches!(
            step,
            Step::ReleaseSnapshot
                | Step::DeletePoints
                | Step::StartMachine
                | Step::StopMachine
                | Step::DiscoverMachines
        );
        if had_effect && !whole_or_none {
            self.world.perform(step);
        }
    }

    /// What must hold at the end.
    pub(super) fn check(&self) {
        let nothing = World::default();
        let whole = success(&self.job.kind);
        match self.job.state {
            JobState::Completed => assert_eq!(self.world, whole),
            JobState::CompletedWithWarnings => {
                assert!(!self.job.warnings.is_empty());
                // A restored machine that does not start again is a warning, not a lost restore.
                let restore = matches!(self.job.kind, JobKind::Restore { .. });
                let mut needed = whole.things;
                needed.retain(|thing| !(restore && *thing == "started"));
                assert!(self.world.things.is_superset(&needed), "{:?}", self.world);
            }
            JobState::Failed => {
                assert_eq!(self.world, nothing, "a failed job left something behind");
                assert!(self.job.error.is_some());
            }
            JobState::Cancelled => {
                assert_eq!(self.world, nothing, "a cancelled job left something behind");
                assert!(self.job.cancel_requested && self.job.error.is_none());
            }
            other => panic!("not an end: {other:?}"),
        }
        let ends = self.path.iter().filter(|state| state.is_ended()).count();
        assert_eq!(ends, 1, "{:?}", self.path);
        assert!(self.job.ended.is_some() && self.job.lease.is_none());
        for pair in self.path.windows(2) {
            assert!(allowed(pair[0], pair[1]), "{pair:?}");
        }
    }
}

pub(super) fn failure(retry: Retry) -> Failure {
    Failure { code: ErrorCode::BackupInternalError, message: "it broke".into(), retry }
}

/// The world after a job of this kind that met no trouble.
pub(super) fn success(kind: &JobKind) -> World {
    let mut world = World::default();
    for &step in steps(kind) {
        world.perform(step);
    }
    world
}

/// The declared table of states.
pub(super) fn allowed(from: JobState, to: JobState) -> bool {
    use JobState::{
        Cancelled, Completed, CompletedWithWarnings, Failed, Queued, Running, Unwinding,
    };
    match from {
        // A backup that lost its snapshot begins again.
        Queued => matches!(to, Running | Cancelled),
        Unwinding { to: Unwound::Again } => {
            matches!(to, Queued | Unwinding { to: Unwound::Cancelled } | Cancelled)
        }
        Running => !matches!(to, Running),
        Unwinding { to: Unwound::Failed } => to == Failed,
        Unwinding { to: Unwound::Cancelled } => to == Cancelled,
        Completed | CompletedWithWarnings | Failed | Cancelled => false,
    }
}
