//! What runs by itself: backups at their slots, the end of points, and what a restart or a clock
//! does to both.

use coffre_control::id::ItemId;
use coffre_control::job::{Event, Failure, Retry};
use coffre_control::model::*;
use coffre_control::port::JobFilter;
use coffre_control::retention::clock::Reading;
use coffre_control::usecase::*;
use coffre_control::{Caller, ErrorCode};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::scene::{Scene, vm};

const BUDGET: Budget = Budget { per_hypervisor: 4, per_store: 8, batch: 100 };

impl Scene {
    pub(crate) fn at(&self, time: &str) {
        self.now.set(time.parse().unwrap());
    }

    /// One tick of the schedule at the scene's time.
    pub(crate) fn tick(&self, budget: Budget) -> Ticked {
        self.as_service(|tx, cx| run_schedule(tx, cx, budget))
    }

    pub(crate) fn as_service<T>(
        &self,
        work: impl FnOnce(
            &mut dyn coffre_control::port::Tx,
            &coffre_control::Cx<'_>,
        ) -> Result<T, coffre_control::Refusal>,
    ) -> T {
        let caller = Caller::system();
        let ids = || self.id();
        let cx = coffre_control::Cx::new(&caller, self.now.get(), &ids);
        coffre_control::port::tx(&*self.db, "service", |tx| work(tx, &cx)).unwrap()
    }

    pub(crate) fn time(&self) -> ExpiryTime {
        ExpiryTime { now: self.now.get(), grace: SignedDuration::ZERO }
    }

    /// Removes what has had its time, as the service does; says how many points.
    pub(crate) fn expire(&self) -> usize {
        let time = self.time();
        let mut gone = 0;
        for item in self.as_service(|tx, _| due_items(tx, time, 1000)) {
            if let Some(wanted) = self.as_service(|tx, _| mark_expired(tx, item, time)) {
                gone += wanted.points.len();
                let now = self.now.get();
                self.as_service(|tx, _| forget_points(tx, item, &wanted.points, time, now));
            }
        }
        gone
    }

    pub(crate) fn next_run(&self, item: ItemId) -> Option<Timestamp> {
        let entry = self.as_service(|tx, _| Ok(tx.agenda(Task::Backup, item.uuid())?));
        entry.and_then(|entry| entry.slot)
    }

    fn jobs_of(&self, item: ItemId) -> Vec<Job> {
        let filter = JobFilter {
            item: Some(item),
            operation: Some("Backup".into()),
            ..JobFilter::default()
        };
        self.act(|tx, cx| list_jobs(tx, cx, &filter)).unwrap()
    }
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn the_first_scheduled_run_is_the_initial_backup() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    assert_eq!(scene.next_run(item.id), Some(moment("2026-11-21T22:00:00Z")));
    scene.at("2026-11-21T21:59:59Z");
    assert_eq!(scene.tick(BUDGET).started, 0);
    assert_eq!(scene.points(item.id), vec![], "enabling makes no point");
    scene.at("2026-11-21T22:00:00Z");
    assert_eq!(scene.tick(BUDGET).started, 1);
    assert_eq!(scene.item(item.id).last_backup_status(), "Warning (Initial backup pending)");
    assert_eq!(scene.work(), 1);

    let point = &scene.points(item.id)[0];
    assert_eq!(point.slot, Some(moment("2026-11-21T22:00:00Z")));
    assert_eq!((point.rule.as_str(), point.retain_until), ("Daily", None));
    assert_eq!(point.expires, Some(point.time + SignedDuration::from_hours(24 * 30)));
    assert_eq!(scene.item(item.id).last_backup_status(), "Completed");
    let job = &scene.jobs_of(item.id)[0];
    assert!(!job.user_triggered);
    // The slot is used up, whenever the tick comes again.
    assert_eq!(scene.tick(BUDGET).started, 0);
    assert_eq!(scene.next_run(item.id), Some(moment("2026-11-22T22:00:00Z")));
}

#[test]
fn slots_that_nobody_served_are_made_up_for_by_one_backup() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    scene.at("2026-11-26T09:00:00Z");
    let ticked = scene.tick(BUDGET);
    assert_eq!((ticked.started, ticked.made_up_for), (1, 4));
    scene.work();
    assert_eq!(scene.points(item.id)[0].slot, Some(moment("2026-11-25T22:00:00Z")));
    assert_eq!(scene.next_run(item.id), Some(moment("2026-11-26T22:00:00Z")));
}

#[test]
fn an_item_on_which_something_runs_waits_and_keeps_its_slot() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    scene.backup(item.id).unwrap();
    scene.at("2026-11-21T22:00:00Z");
    let ticked = scene.tick(BUDGET);
    assert_eq!((ticked.started, ticked.busy), (0, 1));
    scene.work();
    scene.pass(60);
    assert_eq!(scene.tick(BUDGET).started, 1);
    scene.work();
    let slots: Vec<_> = scene.points(item.id).iter().map(|point| point.slot).collect();
    assert_eq!(slots, [Some(moment("2026-11-21T22:00:00Z")), None]);
}

#[test]
fn a_stopped_item_is_not_backed_up_and_a_resumed_one_is() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    scene.act(|tx, cx| stop_protection(tx, cx, item.id, "")).unwrap();
    assert_eq!(scene.next_run(item.id), None);
    scene.at("2026-11-23T22:00:00Z");
    assert_eq!(scene.tick(BUDGET).started, 0);
    scene.protect(vault.id, 1).unwrap();
    assert_eq!(scene.next_run(item.id), Some(moment("2026-11-24T22:00:00Z")));
}

#[test]
fn budgets_hold_for_hypervisors_and_stores_and_everybody_comes_to_it() {
    let scene = Scene::new();
    let machines: Vec<_> = (100..120).map(|at| vm(at, &format!("vm{at}"))).collect();
    let mut found = scene.discovery("local", &machines[..10]);
    scene.act(|tx, cx| record_vms(tx, found, cx.now)).unwrap();
    found = scene.discovery("local", &machines[10..]);
    found.hypervisor = "second".into();
    scene.act(|tx, cx| record_vms(tx, found, cx.now)).unwrap();
    let (shop, bank) = (scene.vault("shop", "local"), scene.vault("bank", "local"));
    let mut items = Vec::new();
    for at in 100..120 {
        let vault = if at % 4 == 0 { &bank } else { &shop };
        items.push(scene.protect(vault.id, at).unwrap().id);
    }
    // All of them are due, whatever their place in the start window.
    scene.at("2026-11-22T00:00:00Z");
    let budget = Budget { per_hypervisor: 3, per_store: 4, batch: 100 };
    let mut rounds = 0;
    loop {
        let ticked = scene.tick(budget);
        let running = scene.as_service(|tx, _| {
            let statuses = vec![JobStatus::InProgress];
            Ok(tx.jobs(&JobFilter { statuses, ..JobFilter::default() })?)
        });
        if ticked.started == 0 && running.is_empty() {
            break;
        }
        let of_vault =
            |vault: &Vault| running.iter().filter(|it| it.vault == Some(vault.id)).count();
        assert!(running.len() <= 6 && of_vault(&shop) <= 4 && of_vault(&bank) <= 4);
        rounds += 1;
        assert!(rounds < 20, "somebody starves");
        scene.work();
    }
    for item in items {
        assert_eq!(scene.points(item).len(), 1);
    }
}

#[test]
fn starts_are_spread_over_the_window_and_one_machine_alone_starts_at_its_slot() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let alone = scene.protect(vault.id, 1).unwrap();
    let due = |item: ItemId| {
        scene.as_service(|tx, _| Ok(tx.agenda(Task::Backup, item.uuid())?)).unwrap().due.unwrap()
    };
    assert_eq!(due(alone.id), moment("2026-11-21T22:00:00Z"));
    let machines: Vec<_> = (1000..1400).map(|at| vm(at, &format!("vm{at}"))).collect();
    let found = scene.discovery("local", &machines);
    scene.act(|tx, cx| record_vms(tx, found, cx.now)).unwrap();
    let items: Vec<_> = (1000..1400).map(|at| scene.protect(vault.id, at).unwrap().id).collect();
    // Planned again with all of them known.
    let now = scene.now.get();
    scene.as_service(|tx, _| plan_again(tx, now));
    let slot = moment("2026-11-21T22:00:00Z");
    let mut quarters = [0; 4];
    for item in items {
        let late = due(item).duration_since(slot).as_secs();
        assert!((0..7200).contains(&late), "{late}");
        quarters[usize::try_from(late / 1800).unwrap()] += 1;
    }
    assert!(quarters.iter().all(|count| (60..140).contains(count)), "{quarters:?}");
}

#[test]
fn a_changed_policy_plans_its_items_anew() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    let mut wanted = wanted(&scene, &vault, 30);
    wanted.schedule = Schedule::Daily { time: jiff::civil::time(9, 30, 0, 0) };
    wanted.time_zone = "Romance Standard Time".into();
    scene.act(|tx, cx| put_policy(tx, cx, vault.id, wanted)).unwrap();
    assert_eq!(scene.next_run(item.id), Some(moment("2026-11-21T08:30:00Z")));
}

/// The default policy with another number of days.
pub(crate) fn wanted(scene: &Scene, vault: &Vault, days: u32) -> PutPolicy {
    let found = scene.act(|tx, cx| get_policy(tx, cx, vault.id, "DefaultPolicy")).unwrap().policy;
    PutPolicy {
        name: found.name,
        kind: found.kind,
        schedule: found.schedule,
        retention: Retention { daily: Some(DailyRetention { days }), ..Retention::default() },
        instant_days: found.instant_days,
        time_zone: found.time_zone,
        tiering: found.tiering,
        consistency: found.consistency,
        daylight_saving: found.daylight_saving,
        short_retention: found.short_retention,
    }
}

/// Lives so many days, a backup and a look at the points on each.
pub(crate) fn live(scene: &Scene, days: usize) -> usize {
    let mut gone = 0;
    for _ in 0..days {
        scene.pass(24 * 3600);
        scene.tick(BUDGET);
        scene.work();
        gone += scene.expire();
    }
    gone
}

#[test]
fn a_clock_that_goes_back_neither_repeats_a_slot_nor_ends_the_backups() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    let reading = |wall: Timestamp, up: i64| Reading {
        wall,
        boot: Uuid::from_u128(1),
        up: SignedDuration::from_secs(up),
    };
    scene.at("2026-11-21T22:00:00Z");
    scene.as_service(|tx, cx| advance_vault_clock(tx, reading(cx.now, 0)));
    scene.tick(BUDGET);
    scene.work();
    // An hour back: the slot comes again, and is not taken again.
    scene.at("2026-11-21T21:30:00Z");
    let now = scene.now.get();
    scene.as_service(|tx, _| plan_again(tx, now));
    assert_eq!(scene.next_run(item.id), Some(moment("2026-11-21T22:00:00Z")));
    scene.at("2026-11-21T22:10:00Z");
    assert_eq!(scene.tick(BUDGET).started, 0);
    assert_eq!(scene.points(item.id).len(), 1);

    // A year later it goes back by a year: backups go on, beside the slots of back then, and what
    // they make is not a year old.
    scene.at("2027-11-21T21:00:00Z");
    let year = 365 * 24 * 3600;
    scene.as_service(|tx, cx| advance_vault_clock(tx, reading(cx.now, year)));
    scene.at("2026-11-21T21:00:00Z");
    let now = scene.now.get();
    scene.as_service(|tx, cx| advance_vault_clock(tx, reading(cx.now, year + 1)));
    scene.as_service(|tx, _| plan_again(tx, now));
    scene.at("2026-11-21T22:00:00Z");
    assert_eq!(scene.tick(BUDGET).started, 1);
    scene.work();
    let newest = scene.item(item.id).last_point.unwrap();
    let points = scene.points(item.id);
    let point = points.iter().find(|point| point.id == newest.id).unwrap();
    assert_eq!(point.slot, None);
    assert!(point.expires.unwrap() > moment("2027-12-20T00:00:00Z"), "{:?}", point.expires);
}

#[test]
fn a_failed_backup_leaves_its_slot_and_the_next_slot_is_tried() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    scene.at("2026-11-21T22:00:00Z");
    scene.tick(BUDGET);
    let token = scene.lease(scene.id()).unwrap();
    scene.act(|tx, cx| begin_step(tx, token, cx.now)).unwrap();
    let failure = Failure {
        code: ErrorCode::VaultStoreFull,
        message: "The store took no more data.".into(),
        retry: Retry::Never,
    };
    let event = Event::StepFailed { step: Step::TakeSnapshot, failure };
    scene.act(|tx, cx| report_job(tx, token, event, cx.now)).unwrap();
    while scene.one_step(token) {}
    assert_eq!(scene.tick(BUDGET).started, 0);
    scene.at("2026-11-22T22:00:00Z");
    assert_eq!(scene.tick(BUDGET).started, 1);
    scene.work();
    assert_eq!(scene.points(item.id).len(), 1);
}

#[test]
fn items_of_an_earlier_version_are_planned_by_themselves() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    scene.as_service(|tx, _| Ok(tx.delete_agenda(item.id.uuid())?));
    let now = scene.now.get();
    assert!(scene.as_service(|tx, _| plan_forgotten(tx, now, 100)) > 0);
    assert_eq!(scene.as_service(|tx, _| plan_forgotten(tx, now, 100)), 0);
    assert_eq!(scene.next_run(item.id), Some(moment("2026-11-21T22:00:00Z")));
}
