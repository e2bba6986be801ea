//! A year of a fleet, day by day: what is kept is what the simulator says.

use coffre_control::id::{ItemId, VmId};
use coffre_control::job::{Event, Next};
use coffre_control::model::*;
use coffre_control::port::JobFilter;
use coffre_control::retention::{Rules, simulate};
use coffre_control::usecase::*;
use jiff::civil::time;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::scene::{Scene, facts_of, vm};
use crate::schedule::wanted;

const BEGIN: &str = "2026-01-01T05:00:00Z";
const ROOM: Budget = Budget { per_hypervisor: 100_000, per_store: 100_000, batch: 100_000 };

/// Machines of the fleet: `COFFRE_FLEET`, or 1000. Days that it lives: `COFFRE_FLEET_DAYS`, or 365.
/// Services that share it: `COFFRE_FLEET_SERVICES`, or 2.
fn number(variable: &str, default: u128) -> u128 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// Policies of the fleet: of a hundred machines one is backed up every few hours, nineteen daily,
/// the rest twice a week.
fn policies(scene: &Scene, vault: &Vault) -> Vec<String> {
    let first = DaysFormat::Weekly { days: vec![Weekday::Sunday], weeks: vec![WeekOfMonth::First] };
    let last = DaysFormat::Daily { days: vec![DayOfMonth::Date(1), DayOfMonth::Last] };
    let base = |name: &str, days| PutPolicy { name: name.into(), ..wanted(scene, vault, days) };
    let hourly = PutPolicy {
        kind: PolicyKind::Enhanced,
        schedule: Schedule::Hourly {
            interval_hours: 4,
            window_start: time(8, 0, 0, 0),
            window_hours: 12,
        },
        instant_days: 3,
        ..base("hourly", 14)
    };
    let mut daily = base("daily", 10);
    daily.time_zone = "Romance Standard Time".into();
    daily.retention.weekly = Some(WeeklyRetention { days: vec![Weekday::Sunday], weeks: 6 });
    daily.retention.monthly = Some(MonthlyRetention { on: last, months: 5 });
    let weekly = PutPolicy {
        schedule: Schedule::Weekly {
            days: vec![Weekday::Wednesday, Weekday::Sunday],
            time: time(22, 0, 0, 0),
        },
        instant_days: 5,
        retention: Retention {
            daily: None,
            weekly: Some(WeeklyRetention { days: vec![Weekday::Sunday], weeks: 4 }),
            monthly: Some(MonthlyRetention { on: first.clone(), months: 6 }),
            yearly: Some(YearlyRetention { in_months: vec![Month::March], on: first, years: 3 }),
        },
        ..base("weekly", 7)
    };
    let mut names = Vec::new();
    for policy in [hourly, daily, weekly] {
        names.push(policy.name.clone());
        scene.act(|tx, cx| put_policy(tx, cx, vault.id, policy)).unwrap();
    }
    names
}

fn fleet(scene: &Scene, vault: &Vault, names: &[String], count: u128) -> Vec<(ItemId, String)> {
    let machines: Vec<_> = (0..count).map(|at| vm(1000 + at, &format!("vm{at}"))).collect();
    let found = scene.discovery("local", &machines);
    scene.act(|tx, cx| record_vms(tx, found, cx.now)).unwrap();
    let policy_of = |at: u128| match at % 100 {
        0 => names[0].clone(),
        place if place % 20 < 4 => names[1].clone(),
        _ => names[2].clone(),
    };
    let items: Vec<_> = (0..count)
        .map(|at| {
            let policy = policy_of(at);
            let input = EnableProtection {
                vault: vault.id,
                vm: VmId(Uuid::from_u128(1000 + at)),
                policy: policy.clone(),
                disk_selection: None,
            };
            (scene.act(|tx, cx| enable_protection(tx, cx, input, "")).unwrap().0.id, policy)
        })
        .collect();
    let now = scene.now.get();
    scene.as_service(|tx, _| plan_again(tx, now));
    items
}

/// Does all work that is due at this moment; no time passes. All of it is one transaction: to a
/// database in memory a commit costs as much as it has pages.
fn work(scene: &Scene) -> usize {
    let owner = scene.id();
    let ttl = std::time::Duration::from_secs(30);
    scene.as_service(|tx, cx| {
        let mut jobs = 0;
        while let Some((token, _)) = lease_job(tx, owner, cx.now, ttl)? {
            loop {
                let (_, next) = begin_step(tx, token, cx.now)?;
                let Next::Do(step) = next else { panic!("{next:?}") };
                let event = Event::StepDone { step, facts: facts_of(step, cx.now) };
                if report_job(tx, token, event, cx.now)?.state.is_ended() {
                    break;
                }
            }
            jobs += 1;
        }
        Ok(jobs)
    })
}

/// Looks at the points of all items that are due for it, in one transaction; says how many went.
fn expire(scene: &Scene) -> usize {
    let time = scene.time();
    scene.as_service(|tx, cx| {
        let mut gone = 0;
        for item in due_items(tx, time, 100_000)? {
            if let Some(wanted) = mark_expired(tx, item, time)? {
                gone += wanted.points.len();
                forget_points(tx, item, &wanted.points, time, cx.now)?;
            }
        }
        Ok(gone)
    })
}

/// What a part of the fleet went through.
#[derive(Default)]
struct Lived {
    machines: usize,
    made: usize,
    gone: usize,
    compared: usize,
}

/// So many machines live so many days.
fn live(machines: u128, days: i64) -> Lived {
    let scene = Scene::new();
    scene.at(BEGIN);
    let begin: Timestamp = BEGIN.parse().unwrap();
    let vault = scene.vault("shop", "local");
    let names = policies(&scene, &vault);
    let items = fleet(&scene, &vault, &names, machines);
    let mut lived = Lived { machines: items.len(), ..Lived::default() };
    for day in 0..days {
        // A tick every half an hour of the day; points are looked at once.
        for half in 0..48 {
            let at = begin + SignedDuration::from_mins(day * 1440 + half * 30);
            scene.now.set(at);
            while scene.tick(ROOM).started > 0 {
                lived.made += work(&scene);
            }
        }
        scene.now.set(begin + SignedDuration::from_hours((day + 1) * 24));
        lived.gone += expire(&scene);
        if day % 30 == 29 || day == days - 1 {
            lived.compared += compare(&scene, &vault, &items, begin);
        }
    }
    let failed = scene.as_service(|tx, _| {
        let statuses = vec![JobStatus::Failed, JobStatus::InProgress];
        Ok(tx.jobs(&JobFilter { statuses, ..JobFilter::default() })?)
    });
    assert!(failed.is_empty());
    lived
}

#[test]
fn a_year_of_a_fleet_keeps_what_the_simulator_says() {
    let (machines, services) = (number("COFFRE_FLEET", 1000), number("COFFRE_FLEET_SERVICES", 2));
    let days = i64::try_from(number("COFFRE_FLEET_DAYS", 365)).unwrap();
    let part = machines.div_ceil(services);
    // Services share nothing: each has its part of the fleet and a processor.
    let lived: Vec<Lived> = std::thread::scope(|threads| {
        let parts: Vec<_> = (0..services)
            .map(|at| part.min(machines.saturating_sub(at * part)))
            .filter(|count| *count > 0)
            .map(|count| threads.spawn(move || live(count, days)))
            .collect();
        parts.into_iter().map(|part| part.join().unwrap()).collect()
    });
    let sum = |of: fn(&Lived) -> usize| lived.iter().map(of).sum::<usize>();
    let (made, gone, compared) = (sum(|it| it.made), sum(|it| it.gone), sum(|it| it.compared));
    let machines = sum(|it| it.machines);
    println!(
        "{machines} machines, {days} days: {made} points made, {gone} gone, {compared} compared"
    );
    assert!(made > gone && gone > 0 && compared > 0);
}

/// Every item has as many points with each tag as the simulator says; says how many were counted.
fn compare(scene: &Scene, vault: &Vault, items: &[(ItemId, String)], begin: Timestamp) -> usize {
    let now = scene.now.get();
    let mut compared = 0;
    let mut expected = std::collections::BTreeMap::new();
    for (item, name) in items {
        let wanted = expected.entry(name.clone()).or_insert_with(|| {
            let policy = scene.act(|tx, cx| get_policy(tx, cx, vault.id, name)).unwrap().policy;
            let life = simulate::live(&Rules::of(&policy).unwrap(), &[], begin, now);
            simulate::count(&life, now)
        });
        let points = scene.points(*item);
        assert_eq!(points.len(), wanted.points, "{name} at {now}");
        let mut by_tag = std::collections::BTreeMap::new();
        for point in &points {
            let alive = point.tags.iter().filter(|it| it.until.is_none_or(|until| now < until));
            if let Some(tag) = alive.map(|it| it.tag).max() {
                *by_tag.entry(tag).or_insert(0_usize) += 1;
            }
        }
        assert_eq!(by_tag, wanted.by_tag, "{name} at {now}");
        compared += points.len();
    }
    compared
}
