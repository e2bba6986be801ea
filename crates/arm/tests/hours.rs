//! The hours of a policy through the API: the window and its zone that a client writes are the
//! moments at which points are made, over both changes of the clocks.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use axum::http::StatusCode;
use coffre_control::port::tx;
use coffre_control::usecase::{Budget, run_schedule};
use coffre_control::{Caller, Cx};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

mod world;

use world::{OWNER, World, item, sub, vault, vm_id};

const BUDGET: Budget = Budget { per_hypervisor: 9, per_store: 9, batch: 9 };

/// A world at a time, with a vault and one machine of it under this policy.
async fn living(at: &str, policy: &Value) -> World {
    let mut world = World::new();
    travel(&mut world, at.parse().unwrap());
    world.call("PUT", &sub("/resourceGroups/rg1"), json!({ "location": "eastus" })).await;
    world.call("PUT", &vault(""), json!({ "location": "eastus" })).await;
    let body = json!({ "properties": policy });
    let answer = world.call("PUT", &vault("/backupPolicies/hours"), body).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let properties = json!({
        "protectedItemType": "Microsoft.Compute/virtualMachines",
        "policyId": vault("/backupPolicies/hours"),
        "sourceResourceId": vm_id("web-1"),
    });
    let body = json!({ "properties": properties });
    let answer = world.call("PUT", &item("web-1", ""), body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    world
}

/// It is another time, and the caller has signed in again.
fn travel(world: &mut World, to: Timestamp) {
    *world.now.lock().unwrap() = to;
    world.token = world.token_of(OWNER, 0);
}

/// The service ticks every ten minutes for so many days.
fn live(world: &mut World, days: i64) {
    let begin = *world.now.lock().unwrap();
    for tick in 0..=days * 144 {
        travel(world, begin + SignedDuration::from_mins(tick * 10));
        let now = *world.now.lock().unwrap();
        let (caller, ids) = (Caller::system(), Uuid::new_v4);
        let cx = Cx::new(&caller, now, &ids);
        tx(&*world.db, "tick", |tx| run_schedule(tx, &cx, BUDGET)).unwrap();
        world.work();
    }
}

/// When the points were made, oldest first, as `day hour:minute` in UTC.
async fn points(world: &World) -> Vec<String> {
    let answer = world.get(&item("web-1", "/recoveryPoints")).await;
    let mut times: Vec<String> = answer.body["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| time_of(&point["properties"]["recoveryPointTime"]))
        .collect();
    times.sort();
    times
}

/// The next runs of the policy, as the API foretells them.
async fn foretold(world: &World) -> Vec<(String, String)> {
    let path = vault("/backupPolicies/hours/simulate");
    let answer = world.call("POST", &path, json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let runs = answer.body["nextRuns"].as_array().unwrap().iter();
    runs.map(|run| (time_of(&run["utc"]), run["offset"].as_str().unwrap().to_owned())).collect()
}

fn time_of(value: &Value) -> String {
    let at: Timestamp = value.as_str().unwrap().parse().unwrap();
    at.strftime("%d %H:%M").to_string()
}

fn hourly(zone: &str, start: &str, every: u8, hours: u8) -> Value {
    json!({
        "backupManagementType": "AzureIaasVM",
        "policyType": "V2",
        "timeZone": zone,
        "schedulePolicy": {
            "schedulePolicyType": "SimpleSchedulePolicyV2",
            "scheduleRunFrequency": "Hourly",
            "hourlySchedule": {
                "interval": every,
                "scheduleWindowStartTime": format!("2020-01-01T{start}:00Z"),
                "scheduleWindowDuration": hours,
            },
        },
        "retentionPolicy": keeps(),
    })
}

fn daily(zone: &str, at: &str) -> Value {
    json!({
        "backupManagementType": "AzureIaasVM",
        "timeZone": zone,
        "schedulePolicy": {
            "schedulePolicyType": "SimpleSchedulePolicy",
            "scheduleRunFrequency": "Daily",
            "scheduleRunTimes": [format!("2020-01-01T{at}:00Z")],
        },
        "retentionPolicy": keeps(),
    })
}

fn keeps() -> Value {
    json!({
        "retentionPolicyType": "LongTermRetentionPolicy",
        "dailySchedule": { "retentionDuration": { "count": 30, "durationType": "Days" } },
    })
}

#[tokio::test]
async fn a_window_is_in_the_zone_of_the_policy_and_moves_with_its_clocks() {
    // Paris goes from +01 to +02 in the night to the 29th.
    let policy = hourly("Romance Standard Time", "08:00", 4, 12);
    let mut world = living("2026-03-28T00:00:00Z", &policy).await;
    let read = world.get(&vault("/backupPolicies/hours")).await.body;
    assert_eq!(read["properties"]["timeZone"], "Romance Standard Time");
    let window = &read["properties"]["schedulePolicy"]["hourlySchedule"];
    assert_eq!(window["scheduleWindowStartTime"].as_str().unwrap()[11..16], *"08:00");
    let runs = foretold(&world).await;
    assert_eq!(runs[0], ("28 07:00".to_owned(), "+01".to_owned()));
    assert_eq!(runs[4], ("29 06:00".to_owned(), "+02".to_owned()));

    live(&mut world, 2);
    let found = points(&world).await;
    let winter = ["28 07:00", "28 11:00", "28 15:00", "28 19:00"];
    let summer = ["29 06:00", "29 10:00", "29 14:00", "29 18:00"];
    assert_eq!(found, [winter, summer].concat());
    let promised: Vec<&String> = runs.iter().map(|(at, _)| at).take(found.len()).collect();
    assert_eq!(promised, found.iter().collect::<Vec<_>>(), "as was foretold");
}

#[tokio::test]
async fn both_kinds_of_zone_names_are_the_same_hours() {
    // New York goes from -04 to -05 in the night to the 1st of November.
    for zone in ["Eastern Standard Time", "America/New_York"] {
        let mut world = living("2026-10-31T04:00:00Z", &hourly(zone, "22:30", 6, 12)).await;
        live(&mut world, 2);
        // The window passes midnight, and with it the change.
        let wanted = ["01 02:30", "01 09:30", "01 15:30", "31 08:30", "31 14:30"];
        let mut found = points(&world).await;
        found.retain(|at| !at.starts_with("02"));
        assert_eq!(found, wanted, "{zone}");
    }
}

#[tokio::test]
async fn an_hour_that_is_left_out_and_one_that_comes_twice_make_one_point_each() {
    let policy = daily("Europe/Paris", "02:30");
    let mut world = living("2026-03-28T00:00:00Z", &policy).await;
    live(&mut world, 3);
    // 02:30 does not exist on the 29th: what follows it is 03:30, which is 01:30 in UTC.
    assert_eq!(points(&world).await, ["28 01:30", "29 01:30", "30 00:30"]);

    let mut world = living("2026-10-24T00:00:00Z", &policy).await;
    live(&mut world, 3);
    // 02:30 comes twice on the 25th: the first counts.
    assert_eq!(points(&world).await, ["24 00:30", "25 00:30", "26 01:30"]);
}

#[tokio::test]
async fn a_fixed_offset_does_not_move() {
    let mut policy = daily("Romance Standard Time", "08:00");
    policy["daylightSaving"] = json!("FixedOffset");
    let mut world = living("2026-03-28T00:00:00Z", &policy).await;
    live(&mut world, 2);
    assert_eq!(points(&world).await, ["28 07:00", "29 07:00"]);
}

#[tokio::test]
async fn a_zone_that_nobody_knows_is_refused_by_its_member() {
    let world = World::new();
    world.call("PUT", &sub("/resourceGroups/rg1"), json!({ "location": "eastus" })).await;
    world.call("PUT", &vault(""), json!({ "location": "eastus" })).await;
    let body = json!({ "properties": hourly("Mars Standard Time", "08:00", 4, 12) });
    let answer = world.call("PUT", &vault("/backupPolicies/hours"), body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
    assert_eq!(answer.body["error"]["target"], "timeZone", "{answer:?}");
    assert!(answer.message().contains("Mars Standard Time"), "{answer:?}");
}
