//! Laws of the job machine, for every kind of job, against a fake world of effects.
//!
//! The world holds what steps leave behind. A step may fail before or after it had its effect, a
//! worker may die on either side of it, somebody may cancel at any moment: whatever happens, the
//! job ends in one state, and what is left in the world is what that state promises.

mod world;

use jiff::{SignedDuration, Timestamp};

use self::world::{ALL_LUCK, Luck, Run, allowed, failure, job_of, kinds};
use super::*;

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
fn a_fresh_start_leaves_nothing_of_the_first_and_makes_another_point() {
    for at in 0..=commit_index(&kinds()[0]) {
        let mut run = Run::new(kinds().remove(0));
        let first = run.job.kind.clone();
        run.work_to_the_end(|call| if call == at { Luck::Spoils(true) } else { Luck::Works });
        run.check();
        assert_eq!((run.job.state, run.job.restarts), (JobState::Completed, 1));
        assert_ne!(run.job.kind, first, "a point that was given up is never made again");
    }
}

#[test]
fn a_fresh_start_that_never_helps_is_a_failure() {
    let mut run = Run::new(kinds().remove(0));
    run.work_to_the_end(|_| Luck::Spoils(true));
    assert_eq!((run.job.state, run.job.restarts), (JobState::Failed, MAX_RESTARTS));
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
        Event::StepFailed { step, failure: failure(Retry::FromStart) },
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
