//! Laws of the job machine, for every kind of job, against a fake world of effects.
//!
//! The world holds what steps leave behind. A step may fail before or after it had its effect, a
//! worker may die on either side of it, somebody may cancel at any moment: whatever happens, the
//! job ends in one state, and what is left in the world is what that state promises.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::*;
use crate::error::ErrorCode;
use crate::id::PointId;
use crate::model::{
    Consistency, RestoreFacts, RestoreTarget, SnapshotFacts, TransferFacts, Unwound,
};

/// Every kind that has steps.
fn kinds() -> Vec<JobKind> {
    let point = PointId(Uuid::from_u128(7));
    let folder = "/restored".to_owned();
    vec![
        JobKind::Backup { point, retain_until: None, scheduled: true },
        JobKind::Restore {
            point,
            target: RestoreTarget::Disks { account: "acc".into(), luns: None, folder },
        },
        JobKind::Restore { point, target: RestoreTarget::InPlace { luns: Some(vec![]) } },
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

fn job_of(kind: JobKind) -> Job {
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
struct World {
    things: BTreeSet<&'static str>,
}

impl World {
    fn perform(&mut self, step: Step) -> StepFacts {
        match step {
            Step::TakeSnapshot => {
                self.things.insert("snapshot");
                return StepFacts::Snapshot(SnapshotFacts {
                    consistency: Consistency::Crash,
                    reason: String::new(),
                    freeze_ms: None,
                    taken: Timestamp::UNIX_EPOCH,
                    disks: Vec::new(),
                    config: serde_json::Value::Null,
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

    fn undo(&mut self, step: Step) {
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
enum Luck {
    /// It works.
    Works,
    /// It works, and is done twice.
    Twice,
    /// It fails for good; the flag says whether it had its effect all the same.
    Fails(bool),
    /// It fails and may be tried again.
    Stumbles(bool),
    /// The worker dies; the flag says whether the effect was there.
    Dies(bool),
    /// Somebody cancels while it runs, and it works.
    CancelThenWorks,
    /// Somebody cancels while it runs, and it gives up.
    CancelThenGivesUp(bool),
}

const ALL_LUCK: &[Luck] = &[
    Luck::Works,
    Luck::Twice,
    Luck::Fails(false),
    Luck::Fails(true),
    Luck::Stumbles(false),
    Luck::Stumbles(true),
    Luck::Dies(false),
    Luck::Dies(true),
    Luck::CancelThenWorks,
    Luck::CancelThenGivesUp(false),
    Luck::CancelThenGivesUp(true),
];

/// A worker, its world and its clock.
struct Run {
    job: Job,
    world: World,
    now: Timestamp,
    calls: usize,
    /// States that were seen, without repetition.
    path: Vec<JobState>,
}

impl Run {
    fn new(kind: JobKind) -> Self {
        let job = job_of(kind);
        Self {
            path: vec![job.state],
            job,
            world: World::default(),
            now: Timestamp::UNIX_EPOCH,
            calls: 0,
        }
    }

    fn tell(&mut self, event: Event) {
        self.now += SignedDuration::from_secs(1);
        self.job = apply(self.job.clone(), event, self.now).unwrap();
        if self.path.last() != Some(&self.job.state) {
            self.path.push(self.job.state);
        }
    }

    fn try_cancel(&mut self) -> bool {
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
    fn work_to_the_end(&mut self, mut luck: impl FnMut(usize) -> Luck) {
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

    fn one_step(&mut self, step: Step, luck: Luck) {
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

    fn one_undo(&mut self, step: Step, luck: Luck) {
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
    fn partly(&mut self, step: Step, had_effect: bool) {
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
    fn check(&self) {
        let nothing = World::default();
        let whole = success(&self.job.kind);
        match self.job.state {
            JobState::Completed => assert_eq!(self.world, whole),
            JobState::CompletedWithWarnings => {
                assert!(!self.job.warnings.is_empty());
                assert!(self.world.things.is_superset(&whole.things), "{:?}", self.world);
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

fn failure(retry: Retry) -> Failure {
    Failure { code: ErrorCode::BackupInternalError, message: "it broke".into(), retry }
}

/// The world after a job of this kind that met no trouble.
fn success(kind: &JobKind) -> World {
    let mut world = World::default();
    for &step in steps(kind) {
        world.perform(step);
    }
    world
}

/// The declared table of states.
fn allowed(from: JobState, to: JobState) -> bool {
    use JobState::{
        Cancelled, Completed, CompletedWithWarnings, Failed, Queued, Running, Unwinding,
    };
    match from {
        Queued => matches!(to, Running | Cancelled),
        Running => {
            matches!(to, Unwinding { .. } | Completed | CompletedWithWarnings | Failed | Cancelled)
        }
        Unwinding { to: Unwound::Failed } => to == Failed,
        Unwinding { to: Unwound::Cancelled } => to == Cancelled,
        Completed | CompletedWithWarnings | Failed | Cancelled => false,
    }
}

#[test]
fn without_trouble_every_kind_completes() {
    for kind in kinds() {
        let mut run = Run::new(kind);
        run.work_to_the_end(|_| Luck::Works);
        run.check();
        assert_eq!(run.job.state, JobState::Completed);
        assert!(run.job.steps.iter().all(|it| it.status == StepStatus::Completed));
    }
}

#[test]
fn a_failure_at_any_step_leaves_nothing_behind() {
    for kind in kinds() {
        for at in 0..steps(&kind).len() {
            for had_effect in [false, true] {
                let mut run = Run::new(kind.clone());
                run.work_to_the_end(
                    |call| {
                        if call == at { Luck::Fails(had_effect) } else { Luck::Works }
                    },
                );
                run.check();
                let counts = at > commit_index(&kind);
                let expected =
                    if counts { JobState::CompletedWithWarnings } else { JobState::Failed };
                assert_eq!(run.job.state, expected, "{kind:?} at step {at}");
            }
        }
    }
}

#[test]
fn every_effect_and_undo_may_happen_twice() {
    for kind in kinds() {
        let mut run = Run::new(kind.clone());
        run.work_to_the_end(|_| Luck::Twice);
        run.check();
        for at in 0..steps(&kind).len() {
            let mut run = Run::new(kind.clone());
            run.work_to_the_end(|call| if call == at { Luck::Fails(true) } else { Luck::Twice });
            run.check();
        }
    }
}

#[test]
fn a_crash_at_any_moment_changes_nothing_in_the_end() {
    for kind in kinds() {
        let count = steps(&kind).len();
        // The job goes well; one worker dies on either side of one effect.
        for at in 0..count {
            for had_effect in [false, true] {
                let mut run = Run::new(kind.clone());
                run.work_to_the_end(
                    |call| {
                        if call == at { Luck::Dies(had_effect) } else { Luck::Works }
                    },
                );
                run.check();
                assert_eq!(run.job.state, JobState::Completed);
            }
        }
        // The job fails at one step; one worker dies on either side of one undo.
        for at in 0..count {
            for dies in at + 1..2 * count + 1 {
                for had_effect in [false, true] {
                    let mut run = Run::new(kind.clone());
                    run.work_to_the_end(|call| match call {
                        call if call == at => Luck::Fails(true),
                        call if call == dies => Luck::Dies(had_effect),
                        _ => Luck::Works,
                    });
                    run.check();
                }
            }
        }
    }
}

#[test]
fn a_cancel_at_any_step_leaves_nothing_behind() {
    for kind in kinds() {
        for at in 0..steps(&kind).len() {
            for luck in [
                Luck::CancelThenWorks,
                Luck::CancelThenGivesUp(false),
                Luck::CancelThenGivesUp(true),
            ] {
                let mut run = Run::new(kind.clone());
                run.work_to_the_end(|call| if call == at { luck } else { Luck::Works });
                run.check();
                let late = luck == Luck::CancelThenWorks && at >= commit_index(&kind);
                let expected = match &kind {
                    JobKind::Backup { .. } | JobKind::Restore { .. }
                        if !late && at <= commit_index(&kind) =>
                    {
                        JobState::Cancelled
                    }
                    _ => JobState::Completed,
                };
                assert_eq!(run.job.state, expected, "{kind:?} {luck:?} at step {at}");
            }
        }
    }
}

#[test]
fn a_job_nobody_began_is_cancelled_at_once() {
    let mut run = Run::new(kinds().remove(0));
    assert!(run.try_cancel());
    assert_eq!(run.job.state, JobState::Cancelled);
    run.check();
}

#[test]
fn a_job_that_waits_for_another_attempt_is_cancelled_without_a_worker_in_it() {
    let mut run = Run::new(kinds().remove(0));
    let step = Step::TakeSnapshot;
    run.tell(Event::StepStarted { step });
    run.partly(step, true);
    let retry = Retry::After(SignedDuration::from_secs(60));
    run.tell(Event::StepFailed { step, failure: failure(retry) });
    assert!(matches!(next(&run.job, run.now), Next::Wait(_)));
    assert!(run.try_cancel());
    assert_eq!(next(&run.job, run.now), Next::Undo(step));
    run.work_to_the_end(|_| Luck::Works);
    run.check();
    assert_eq!(run.job.state, JobState::Cancelled);
}

#[test]
fn a_step_that_keeps_stumbling_fails_after_a_few_attempts() {
    for kind in kinds() {
        let mut run = Run::new(kind);
        // Undos work; only the first step stumbles.
        run.work_to_the_end(|call| {
            if call < usize::from(MAX_ATTEMPTS) { Luck::Stumbles(true) } else { Luck::Works }
        });
        run.check();
        assert_eq!(run.job.state, JobState::Failed);
    }
}

#[test]
fn an_undo_that_never_works_is_given_up_with_a_warning() {
    let mut run = Run::new(kinds().remove(0));
    run.work_to_the_end(|call| match call {
        0 => Luck::Fails(true),
        _ => Luck::Stumbles(false),
    });
    assert_eq!(run.job.state, JobState::Failed);
    assert_eq!(run.job.warnings.len(), 1);
    assert_eq!(run.calls, 1 + usize::from(MAX_UNDO_ATTEMPTS));
}

#[test]
fn after_the_commit_step_nothing_is_taken_back() {
    let mut run = Run::new(kinds().remove(0));
    run.work_to_the_end(|call| if call >= 3 { Luck::Stumbles(false) } else { Luck::Works });
    assert_eq!(run.job.state, JobState::CompletedWithWarnings);
    assert!(run.world.things.contains("point"));
    run.check();
}

#[test]
fn an_ended_job_takes_no_event() {
    for kind in kinds() {
        let mut run = Run::new(kind.clone());
        run.work_to_the_end(|_| Luck::Works);
        for &step in steps(&kind) {
            for event in every_event(step) {
                assert!(apply(run.job.clone(), event, run.now).is_err());
            }
        }
    }
}

#[test]
fn kinds_without_steps_are_born_complete() {
    let policy = "DefaultPolicy".to_owned();
    for kind in [
        JobKind::ConfigureBackup { policy },
        JobKind::DisableBackup,
        JobKind::Undelete,
        JobKind::DeleteBackupData { points: Vec::new() },
    ] {
        let job = job_of(kind);
        assert_eq!(job.state, JobState::Completed);
        assert_eq!(job.ended, Some(Timestamp::UNIX_EPOCH));
        assert_eq!(next(&job, Timestamp::UNIX_EPOCH), Next::Done);
    }
}

/// Random luck at every effect, many times over: always one end, and the world it promises.
#[test]
fn whatever_happens_there_is_one_end() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..20_000 {
        let kinds = kinds();
        let kind = kinds[dice.below(kinds.len())].clone();
        let mut run = Run::new(kind);
        let trouble = 1 + dice.below(4);
        run.work_to_the_end(|_| {
            // Stumbling for ever is its own test; here luck turns in the end.
            if dice.below(4) < trouble { ALL_LUCK[dice.below(ALL_LUCK.len())] } else { Luck::Works }
        });
        // A stubborn undo may be given up; that is the one case with leftovers.
        if run.job.state.is_ended() && !gave_up_an_undo(&run.job) {
            run.check();
        }
    }
}

fn gave_up_an_undo(job: &Job) -> bool {
    matches!(job.state, JobState::Failed | JobState::Cancelled) && !job.warnings.is_empty()
}

/// Any event at any reachable state: either refused, or a state of the table with its cursor in
/// bounds.
#[test]
fn any_event_at_any_state_keeps_the_table() {
    let mut dice = Dice(42);
    for _ in 0..5_000 {
        let kinds = kinds();
        let kind = kinds[dice.below(kinds.len())].clone();
        let all = steps(&kind);
        let mut job = job_of(kind);
        for _ in 0..30 {
            let events = every_event(all[dice.below(all.len())]);
            let event = events[dice.below(events.len())].clone();
            let before = job.clone();
            let Ok(after) = apply(job.clone(), event, Timestamp::UNIX_EPOCH) else {
                assert_eq!(job, before);
                continue;
            };
            assert!(before.state == after.state || allowed(before.state, after.state));
            let cursor = usize::from(after.cursor);
            match after.state {
                JobState::Queued | JobState::Running => assert!(cursor < all.len()),
                JobState::Unwinding { .. } => assert!(cursor >= 1 && cursor <= all.len()),
                _ => assert_eq!(next(&after, Timestamp::MAX), Next::Done),
            }
            job = after;
        }
    }
}

fn every_event(step: Step) -> Vec<Event> {
    let retry = Retry::After(SignedDuration::from_secs(1));
    vec![
        Event::StepStarted { step },
        Event::StepDone { step, facts: StepFacts::None },
        Event::StepFailed { step, failure: failure(Retry::Never) },
        Event::StepFailed { step, failure: failure(retry) },
        Event::StepUndone { step },
        Event::UndoFailed { step, failure: failure(Retry::Never) },
        Event::Progress(Progress::default()),
        Event::CancelAsked,
        Event::CancelTaken,
    ]
}

/// Pseudo-random numbers (xorshift), the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}
