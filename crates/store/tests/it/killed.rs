//! Workers that are killed again and again: every job ends once, and what lies outside the
//! database is what its end promises.
//!
//! The workers live in a child process and leave files as effects: `snapshot` and `point` in a
//! folder per job. The parent kills the child at odd moments, cancels some jobs in between, and
//! starts it again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use coffre_control::job::{Event, Failure, Next, Retry, StepFacts};
use coffre_control::model::*;
use coffre_control::port::{Db, JobFilter, read, tx};
use coffre_control::usecase::*;
use coffre_control::{ErrorCode, Refusal};
use coffre_store::SqliteDb;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::scene::{Scene, facts_of, vm};

/// How many jobs: `COFFRE_KILLED_JOBS`, or 2,000.
fn job_count() -> u64 {
    std::env::var("COFFRE_KILLED_JOBS").map_or(2_000, |text| text.parse().unwrap())
}

/// Set for the child: the folder of its database and its effects.
const WORK_IN: &str = "COFFRE_STORE_TEST_WORK_IN";
const TTL: Duration = Duration::from_secs(30);

#[test]
fn every_job_ends_once_however_often_its_worker_is_killed() {
    if let Some(folder) = std::env::var_os(WORK_IN) {
        return work_to_the_end(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let jobs = prepare(folder.path());
    // So many effects to a life that a few dozen lives are not enough for all jobs.
    let lives = 24;
    let life = job_count() / 20;
    for kill in 0..lives {
        let effects = count_of_effects(folder.path());
        let mut child = start(folder.path());
        wait_for_effects(folder.path(), &mut child, effects + 1 + kill % 6 * life);
        // The end of the child may come first; then there is nothing to kill.
        let _ = child.kill();
        child.wait().unwrap();
        cancel_some(folder.path(), &jobs, kill);
    }
    let status = start(folder.path()).wait().unwrap();
    assert!(status.success(), "the last child failed");
    check(folder.path(), &jobs);
}

fn open(folder: &Path) -> SqliteDb {
    SqliteDb::open(&folder.join("coffre.db")).unwrap()
}

fn start(folder: &Path) -> Child {
    let name = "killed::every_job_ends_once_however_often_its_worker_is_killed";
    Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact"])
        .env(WORK_IN, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until so many effects were begun, or the child has nothing more to do.
fn wait_for_effects(folder: &Path, child: &mut Child, wanted: u64) {
    let begun = Instant::now();
    while count_of_effects(folder) < wanted && child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(300), "the child does nothing");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Every effect adds a byte to a file of its own.
fn count_of_effects(folder: &Path) -> u64 {
    fs::metadata(folder.join("effects")).map_or(0, |file| file.len())
}

fn count_effect(folder: &Path) {
    use std::io::Write;
    let mut file =
        fs::OpenOptions::new().create(true).append(true).open(folder.join("effects")).unwrap();
    file.write_all(b".").unwrap();
}

/// As many items as jobs, each with a scheduled backup in the queue, for one slot.
fn prepare(folder: &Path) -> Vec<Job> {
    let scene = Scene::on(Box::new(open(folder)));
    let now = Timestamp::now();
    scene.now.set(now - SignedDuration::from_hours(48));
    let count = u128::from(job_count());
    let machines: Vec<_> = (0..count).map(|at| vm(1000 + at, &format!("vm{at}"))).collect();
    let found = scene.discovery("local", &machines);
    scene.act(|tx, cx| record_vms(tx, found, cx.now)).unwrap();
    let vault = scene.vault("shop", "local");
    let items: Vec<_> =
        (0..count).map(|at| scene.protect(vault.id, 1000 + at).unwrap().id).collect();
    scene.now.set(now);
    let budget = Budget { per_hypervisor: 10_000, per_store: 10_000, batch: 10_000 };
    assert_eq!(scene.tick(budget).started, items.len());
    let running = |item| scene.as_service(|tx, _| Ok(tx.running_job(item)?)).unwrap();
    items.into_iter().map(running).collect()
}

fn cancel_some(folder: &Path, jobs: &[Job], kill: u64) {
    let db = open(folder);
    let caller = coffre_control::Caller::system();
    let ids = || Uuid::new_v4();
    let cx = coffre_control::Cx::new(&caller, Timestamp::now(), &ids);
    let at = usize::try_from(kill * 3).unwrap() % jobs.len();
    match tx(&db, "cancel", |tx| cancel_job(tx, &cx, jobs[at].id)) {
        Ok(_) => {}
        // It was quicker.
        Err(refusal) => assert_eq!(refusal.code, ErrorCode::BMSUserErrorJobNotInCancelableState),
    }
}

/// The child: two workers, as a service has them.
fn work_to_the_end(folder: &Path) {
    let db = open(folder);
    let owner = Uuid::new_v4();
    tx(&db, "adopt", |tx| adopt_orphans(tx, owner)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while is_work_left(&db) {
                    let now = Timestamp::now();
                    match tx(&db, "lease", |tx| lease_job(tx, owner, now, TTL)).unwrap() {
                        Some((token, _)) => drive(&db, folder, token).unwrap(),
                        None => std::thread::sleep(Duration::from_millis(5)),
                    }
                }
            });
        }
    });
}

fn is_work_left(db: &dyn Db) -> bool {
    let statuses = vec![JobStatus::InProgress, JobStatus::Cancelling];
    let filter = JobFilter { statuses, limit: Some(1), ..JobFilter::default() };
    !read(db, "left", |tx| Ok(tx.jobs(&filter)?)).unwrap().is_empty()
}

fn drive(db: &dyn Db, folder: &Path, token: LeaseToken) -> Result<(), Refusal> {
    loop {
        let now = Timestamp::now();
        let (job, next) = tx(db, "begin", |tx| begin_step(tx, token, now))?;
        let event = match next {
            Next::Do(step) => perform(folder, &job, step),
            Next::Undo(step) => undo(folder, &job, step),
            Next::Wait(_) | Next::Done => return Ok(()),
        };
        let job = tx(db, "report", |tx| report_job(tx, token, event, Timestamp::now()))?;
        if job.lease.is_none() {
            return Ok(());
        }
    }
}

fn effects(folder: &Path, job: &Job) -> PathBuf {
    folder.join(job.id.to_string())
}

/// Some jobs fail for good in the transfer, some stumble once at the snapshot.
fn perform(folder: &Path, job: &Job, step: Step) -> Event {
    let place = effects(folder, job);
    fs::create_dir_all(&place).unwrap();
    count_effect(folder);
    let number = job.item.unwrap().uuid().as_u128();
    let fail = |retry| Event::StepFailed {
        step,
        failure: Failure { code: ErrorCode::VaultStoreFull, message: "full".into(), retry },
    };
    match step {
        Step::TakeSnapshot => {
            fs::write(place.join("snapshot"), "").unwrap();
            if number.is_multiple_of(5) && job.attempt == 0 {
                return fail(Retry::After(SignedDuration::from_millis(10)));
            }
        }
        Step::TransferToVault => {
            assert!(place.join("snapshot").exists(), "nothing to read from");
            fs::write(place.join("point"), "").unwrap();
            if number.is_multiple_of(7) {
                return fail(Retry::Never);
            }
        }
        Step::ValidatePoint => assert!(place.join("point").exists()),
        Step::ReleaseSnapshot => remove(&place.join("snapshot")),
        other => panic!("{other:?} is no step of a backup"),
    }
    let facts: StepFacts = facts_of(step, Timestamp::now());
    Event::StepDone { step, facts }
}

fn undo(folder: &Path, job: &Job, step: Step) -> Event {
    let place = effects(folder, job);
    count_effect(folder);
    match step {
        Step::TakeSnapshot => remove(&place.join("snapshot")),
        Step::TransferToVault => remove(&place.join("point")),
        other => panic!("{other:?} has no undo"),
    }
    Event::StepUndone { step }
}

fn remove(path: &Path) {
    if path.exists() {
        fs::remove_file(path).unwrap();
    }
}

fn check(folder: &Path, jobs: &[Job]) {
    let db = open(folder);
    let mut ends = std::collections::BTreeMap::new();
    let mut taken_over = 0;
    for job in jobs {
        let (job, points) =
            read(&db, "look", |tx| Ok((tx.job(job.id)?.unwrap(), tx.points(job.item.unwrap())?)))
                .unwrap();
        let place = effects(folder, &job);
        assert!(!place.join("snapshot").exists(), "{}: a snapshot was left", job.name);
        let made = job.state == JobState::Completed;
        assert_eq!(place.join("point").exists(), made, "{}: {:?}", job.name, job.state);
        assert_eq!(points.len(), usize::from(made), "{}: {:?}", job.name, job.state);
        assert!(points.iter().all(|point| point.slot.is_some() && point.slot == job.slot));
        assert!(job.state.is_ended() && job.lease.is_none() && job.ended.is_some());
        *ends.entry(job.status().azure()).or_insert(0) += 1;
        // One that stumbles is leased twice by right.
        let stumbles = job.item.unwrap().uuid().as_u128().is_multiple_of(5);
        taken_over += u32::from(!stumbles && job.epoch > 1);
    }
    assert!(ends["Completed"] > 10 && ends["Failed"] > 0, "{ends:?}");
    assert!(taken_over > 0, "{taken_over}: the children died too early or too late to matter");
}
