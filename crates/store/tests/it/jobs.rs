//! Leases, fencing, cancel, crash and takeover on rows.

use std::time::Duration;

use coffre_control::ErrorCode;
use coffre_control::job::{Event, Failure, Next, Retry, StepFacts};
use coffre_control::model::*;
use coffre_control::port::JobFilter;
use coffre_control::usecase::*;
use jiff::SignedDuration;
use uuid::Uuid;

use crate::scene::{Scene, facts_of};

const TTL: Duration = Duration::from_secs(30);

fn queued() -> (Scene, ProtectedItem, Job) {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    let job = scene.backup(item.id).unwrap();
    (scene, item, job)
}

fn begin(scene: &Scene, token: LeaseToken) -> Result<Next, ErrorCode> {
    scene.act(|tx, cx| begin_step(tx, token, cx.now)).map(|it| it.1).map_err(|no| no.code)
}

fn done(scene: &Scene, token: LeaseToken, step: Step) -> Result<Job, ErrorCode> {
    let facts = facts_of(step, scene.now.get());
    let event = Event::StepDone { step, facts };
    scene.act(|tx, cx| report_job(tx, token, event, cx.now)).map_err(|no| no.code)
}

#[test]
fn a_job_has_one_worker_until_its_lease_runs_out() {
    let (scene, _, job) = queued();
    let (first, second) = (scene.id(), scene.id());
    let token = scene.lease(first).unwrap();
    assert_eq!((token.job, token.epoch), (job.id, 1));
    assert!(scene.lease(second).is_none() && scene.lease(first).is_none());
    assert_eq!(begin(&scene, token), Ok(Next::Do(Step::TakeSnapshot)));

    scene.pass(20);
    let beat = scene.act(|tx, cx| renew_lease(tx, token, None, cx.now, TTL)).unwrap();
    assert!(!beat.cancel);
    scene.pass(20);
    assert!(scene.lease(second).is_none(), "renewed");
    scene.pass(20);
    let newer = scene.lease(second).unwrap();
    assert_eq!(newer.epoch, 2);

    // Whatever the first worker still says is refused.
    assert_eq!(done(&scene, token, Step::TakeSnapshot), Err(ErrorCode::JobLeaseLost));
    assert_eq!(begin(&scene, token), Err(ErrorCode::JobLeaseLost));
    let late = scene.act(|tx, cx| renew_lease(tx, token, None, cx.now, TTL)).unwrap_err();
    assert_eq!(late.code, ErrorCode::JobLeaseLost);
    let late = scene.act(|tx, _| release_lease(tx, token)).unwrap_err();
    assert_eq!(late.code, ErrorCode::JobLeaseLost);

    // The second repeats the step that the first had begun.
    assert_eq!(begin(&scene, newer), Ok(Next::Do(Step::TakeSnapshot)));
    done(&scene, newer, Step::TakeSnapshot).unwrap();
    while scene.one_step(newer) {}
    let ended = scene.job(job.id);
    assert_eq!((ended.status(), ended.lease), (JobStatus::Completed, None));
}

#[test]
fn two_threads_of_one_process_are_two_workers() {
    let (scene, _, _) = queued();
    let owner = scene.id();
    let slow = scene.lease(owner).unwrap();
    begin(&scene, slow).unwrap();
    scene.pass(31);
    let quick = scene.lease(owner).unwrap();
    assert_eq!((quick.owner, quick.epoch), (slow.owner, slow.epoch + 1));
    assert_eq!(done(&scene, slow, Step::TakeSnapshot), Err(ErrorCode::JobLeaseLost));
    begin(&scene, quick).unwrap();
    done(&scene, quick, Step::TakeSnapshot).unwrap();
}

#[test]
fn two_workers_with_an_expired_lease_never_both_apply() {
    // At every step: the first worker performs it, sleeps over its lease, and reports late.
    for sleeps_at in 0..4 {
        let (scene, item, job) = queued();
        let mut token = scene.lease(scene.id()).unwrap();
        for at in 0..4 {
            let Ok(Next::Do(step)) = begin(&scene, token) else { panic!("no step {at}") };
            if at == sleeps_at {
                scene.pass(31);
                let other = scene.lease(scene.id()).unwrap();
                assert_eq!(begin(&scene, other), Ok(Next::Do(step)));
                done(&scene, other, step).unwrap();
                assert_eq!(done(&scene, token, step), Err(ErrorCode::JobLeaseLost));
                token = other;
            } else {
                done(&scene, token, step).unwrap();
            }
        }
        assert_eq!(scene.job(job.id).status(), JobStatus::Completed);
        assert_eq!(scene.points(item.id).len(), 1);
    }
}

#[test]
fn a_restart_takes_over_at_once() {
    let (scene, _, job) = queued();
    let (dead, new) = (scene.id(), scene.id());
    let old = scene.lease(dead).unwrap();
    begin(&scene, old).unwrap();
    assert!(scene.lease(new).is_none());
    let adopted = scene.act(|tx, _| adopt_orphans(tx, new)).unwrap();
    assert_eq!(adopted, [job.id]);
    let token = scene.lease(new).unwrap();
    assert_eq!(done(&scene, old, Step::TakeSnapshot), Err(ErrorCode::JobLeaseLost));
    // One's own leases are left alone.
    assert_eq!(scene.act(|tx, _| adopt_orphans(tx, new)).unwrap(), []);
    while scene.one_step(token) {}
    assert_eq!(scene.job(job.id).status(), JobStatus::Completed);
}

#[test]
fn a_crash_after_every_step_ends_the_same() {
    for survives in 0..=8 {
        let (scene, item, job) = queued();
        // A process that dies after so many writes; then another that lives.
        let token = scene.lease(scene.id()).unwrap();
        for write in 0..survives {
            if scene.job(job.id).state.is_ended() {
                break;
            }
            if write % 2 == 0 {
                begin(&scene, token).unwrap();
            } else {
                let at = usize::from(scene.job(job.id).cursor);
                done(&scene, token, scene.job(job.id).steps[at].step).unwrap();
            }
        }
        let new = scene.id();
        scene.act(|tx, _| adopt_orphans(tx, new)).unwrap();
        scene.work();
        assert_eq!(scene.job(job.id).status(), JobStatus::Completed, "after {survives} writes");
        assert_eq!(scene.points(item.id).len(), 1);
        assert_eq!(scene.item(item.id).state, ItemState::Protected);
    }
}

#[test]
fn a_cancel_reaches_the_worker_with_its_heartbeat() {
    let (scene, item, job) = queued();
    let token = scene.lease(scene.id()).unwrap();
    begin(&scene, token).unwrap();
    done(&scene, token, Step::TakeSnapshot).unwrap();
    assert_eq!(begin(&scene, token), Ok(Next::Do(Step::TransferToVault)));
    let asked = scene.act(|tx, cx| cancel_job(tx, cx, job.id)).unwrap();
    assert_eq!(asked.status(), JobStatus::Cancelling);
    // Asking twice is asking once.
    scene.act(|tx, cx| cancel_job(tx, cx, job.id)).unwrap();
    let progress = Progress { done_bytes: 5, total_bytes: 10, ..Progress::default() };
    let beat = scene.act(|tx, cx| renew_lease(tx, token, Some(progress), cx.now, TTL)).unwrap();
    assert!(beat.cancel);
    let failure = Failure {
        code: ErrorCode::UserErrorJobCancelled,
        message: "gave up".into(),
        retry: Retry::Never,
    };
    let event = Event::StepFailed { step: Step::TransferToVault, failure };
    scene.act(|tx, cx| report_job(tx, token, event, cx.now)).unwrap();
    assert_eq!(begin(&scene, token), Ok(Next::Undo(Step::TransferToVault)));
    while scene.one_step(token) {}
    let job = scene.job(job.id);
    assert_eq!(job.status(), JobStatus::Cancelled);
    assert_eq!(job.progress.done_bytes, 5);
    let item = scene.item(item.id);
    assert_eq!(item.last_backup.clone().unwrap().outcome, BackupOutcome::Cancelled);
    assert_eq!(item.last_backup_status(), "Warning (Initial backup pending)");
    assert!(scene.points(item.id).is_empty());
    let refusal = scene.act(|tx, cx| cancel_job(tx, cx, job.id)).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::BMSUserErrorJobNotInCancelableState);
}

#[test]
fn a_job_in_the_queue_is_cancelled_at_once_and_frees_its_item() {
    let (scene, item, job) = queued();
    let cancelled = scene.act(|tx, cx| cancel_job(tx, cx, job.id)).unwrap();
    assert_eq!(cancelled.status(), JobStatus::Cancelled);
    assert_eq!(scene.work(), 0);
    scene.backup(item.id).unwrap();
}

#[test]
fn a_cancel_between_two_workers_is_obeyed_by_the_second() {
    let (scene, _, job) = queued();
    let token = scene.lease(scene.id()).unwrap();
    begin(&scene, token).unwrap();
    scene.act(|tx, cx| cancel_job(tx, cx, job.id)).unwrap();
    scene.pass(31);
    let other = scene.lease(scene.id()).unwrap();
    assert_eq!(begin(&scene, other), Ok(Next::Undo(Step::TakeSnapshot)));
}

#[test]
fn a_step_that_is_put_off_waits_without_a_lease() {
    let (scene, _, job) = queued();
    let token = scene.lease(scene.id()).unwrap();
    begin(&scene, token).unwrap();
    let failure = Failure {
        code: ErrorCode::VaultStoreUnavailable,
        message: "The store does not answer.".into(),
        retry: Retry::After(SignedDuration::from_secs(60)),
    };
    let event = Event::StepFailed { step: Step::TakeSnapshot, failure };
    let after = scene.act(|tx, cx| report_job(tx, token, event, cx.now)).unwrap();
    assert_eq!((after.lease, after.attempt), (None, 1));
    assert!(scene.lease(scene.id()).is_none(), "not due yet");
    let wake = scene.act(|tx, _| next_wake(tx)).unwrap();
    assert_eq!(wake, after.wake_at);
    scene.pass(60);
    let token = scene.lease(scene.id()).unwrap();
    while scene.one_step(token) {}
    assert_eq!(scene.job(job.id).status(), JobStatus::Completed);
}

#[test]
fn a_backup_that_forgets_its_facts_is_not_recorded() {
    let (scene, item, _) = queued();
    let token = scene.lease(scene.id()).unwrap();
    for step in [Step::TakeSnapshot, Step::TransferToVault, Step::ValidatePoint] {
        begin(&scene, token).unwrap();
        let event = Event::StepDone { step, facts: StepFacts::None };
        let told = scene.act(|tx, cx| report_job(tx, token, event, cx.now));
        if step == Step::ValidatePoint {
            assert_eq!(told.unwrap_err().code, ErrorCode::JobTransitionIllegal);
        }
    }
    assert!(scene.points(item.id).is_empty());
}

#[test]
fn jobs_are_listed_newest_first_and_filtered() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let web = scene.protect(vault.id, 1).unwrap();
    scene.pass(10);
    let db = scene.protect(vault.id, 2).unwrap();
    scene.pass(10);
    scene.backup(web.id).unwrap();
    scene.work();
    let before = scene.now.get();
    scene.pass(10);
    let running = scene.backup(db.id).unwrap();
    scene.act(|tx, cx| refresh_containers(tx, cx, "")).unwrap();
    let list = |filter: JobFilter| {
        let jobs = scene.act(|tx, cx| list_jobs(tx, cx, &filter)).unwrap();
        jobs.iter().map(|it| format!("{} {}", it.kind.azure(), it.name)).collect::<Vec<_>>()
    };
    let of_vault = JobFilter { vault: Some(vault.id), ..JobFilter::default() };
    assert_eq!(
        list(of_vault.clone()),
        ["Backup db", "Backup web", "ConfigureBackup db", "ConfigureBackup web"]
    );
    let statuses = vec![JobStatus::InProgress, JobStatus::Cancelling];
    assert_eq!(list(JobFilter { statuses, ..of_vault.clone() }), ["Backup db"]);
    let operation = Some("configurebackup".into());
    assert_eq!(list(JobFilter { operation, limit: Some(1), ..of_vault.clone() }).len(), 1);
    assert_eq!(list(JobFilter { from: Some(before), ..of_vault.clone() }), ["Backup db"]);
    assert_eq!(list(JobFilter { to: Some(before), ..of_vault }).len(), 3);
    let item = JobFilter { item: Some(web.id), ..JobFilter::default() };
    assert_eq!(list(item), ["Backup web", "ConfigureBackup web"]);
    assert_eq!(list(JobFilter::default()).len(), 5);
    let other = coffre_control::id::VaultId(Uuid::nil());
    let refusal = scene.act(|tx, cx| get_vault_job(tx, cx, other, running.id)).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::BMSUserErrorJobNotFound);
    let seen = scene.act(|tx, cx| get_vault_job(tx, cx, vault.id, running.id)).unwrap();
    assert_eq!(seen.status(), JobStatus::InProgress);
}

#[test]
fn operations_are_views_of_their_jobs() {
    let (scene, item, _) = queued();
    scene.work();
    let accepted = scene.act(|tx, cx| backup_now(tx, cx, item.id, None, "/scope")).unwrap();
    let view = |id| scene.act(|tx, cx| get_operation(tx, cx, id)).unwrap();
    // A backup's operation is done when it is accepted; the job goes on.
    assert_eq!(view(accepted.operation.id).state, OperationState::Succeeded);
    assert_eq!(view(accepted.operation.id).operation.scope, "/scope");
    let refresh = scene.act(|tx, cx| refresh_containers(tx, cx, "")).unwrap().operation.id;
    assert_eq!(view(refresh).state, OperationState::InProgress);
    scene.work();
    assert_eq!(view(refresh).state, OperationState::Succeeded);
    let noted = scene.act(|tx, cx| note_operation(tx, cx, "vault")).unwrap();
    assert_eq!(view(noted.id).state, OperationState::Succeeded);
    scene.pass(10);
    let forgotten = scene.act(|tx, cx| Ok(tx.delete_operations_before(cx.now)?)).unwrap();
    assert!(forgotten >= 3);
    let refusal = scene.act(|tx, cx| get_operation(tx, cx, refresh)).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::OperationNotFound);
}
