//! The end of points: by their policy, by another policy, after a crash in the middle.

use coffre_control::ErrorCode;
use coffre_control::usecase::*;
use jiff::SignedDuration;

use crate::scene::Scene;
use crate::schedule::{live, wanted};

#[test]
fn points_go_when_their_time_is_over_and_the_newest_never_does() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    let days = wanted(&scene, &vault, 7);
    scene.act(|tx, cx| put_policy(tx, cx, vault.id, days)).unwrap();
    scene.at("2026-11-21T22:30:00Z");
    let gone = live(&scene, 20);
    let points = scene.points(item.id);
    assert!((7..=8).contains(&points.len()), "{}", points.len());
    assert_eq!(gone + points.len(), 20);
    assert!(points.iter().all(|point| point.expires.unwrap() > scene.now.get()));

    // Nothing is backed up any more, and everything is over: the newest stays for ever.
    scene.pass(24 * 3600 * 400);
    let mut rounds = 0;
    while scene.points(item.id).len() > 1 {
        scene.expire();
        scene.pass(24 * 3600);
        rounds += 1;
        assert!(rounds < 20);
    }
    assert!(rounds > 1, "the brake lets them go over some days");
    scene.pass(24 * 3600 * 4000);
    assert_eq!(scene.expire(), 0);
    assert_eq!(scene.points(item.id).len(), 1);
}

#[test]
fn an_avalanche_is_braked_and_says_how_many_wait() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    scene.at("2026-11-21T22:30:00Z");
    live(&scene, 30);
    assert_eq!(scene.points(item.id).len(), 30);
    scene.pass(24 * 3600 * 60);
    assert_eq!(scene.expire(), 3);
    assert_eq!(scene.item(item.id).expiry.held, 26);
    assert_eq!(scene.expire(), 0, "the day is not over");
    scene.pass(24 * 3600);
    assert!(scene.expire() > 0);
}

#[test]
fn a_shorter_policy_puts_points_aside_where_they_can_be_brought_back() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    scene.at("2026-11-21T22:30:00Z");
    live(&scene, 25);
    let days = wanted(&scene, &vault, 10);
    scene.act(|tx, cx| put_policy(tx, cx, vault.id, days)).unwrap();
    assert_eq!(scene.expire(), 0, "nothing is gone from the store yet");
    let deleted: Vec<_> =
        scene.points(item.id).into_iter().filter(|point| point.deletion.is_some()).collect();
    assert!((14..=16).contains(&deleted.len()), "{}", deleted.len());
    let deletion = deleted[0].deletion.unwrap();
    assert_eq!(deletion.until, deletion.since + SignedDuration::from_hours(24 * 14));
    scene.pass(24 * 3600 * 15);
    assert_eq!(scene.expire(), deleted.len());
}

#[test]
fn a_longer_policy_keeps_what_is_there_longer() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    scene.at("2026-11-21T22:30:00Z");
    live(&scene, 20);
    let days = wanted(&scene, &vault, 60);
    scene.act(|tx, cx| put_policy(tx, cx, vault.id, days)).unwrap();
    assert_eq!(live(&scene, 38), 0);
    assert_eq!(scene.points(item.id).len(), 58);
}

#[test]
fn a_point_is_not_removed_while_a_job_runs_on_its_item() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    scene.at("2026-11-21T22:30:00Z");
    live(&scene, 3);
    scene.pass(24 * 3600 * 40);
    scene.backup(item.id).unwrap();
    assert_eq!(scene.expire(), 0);
    scene.work();
    scene.pass(700);
    assert!(scene.expire() > 0);
}

#[test]
fn what_a_dead_service_marked_is_removed_by_the_next() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    scene.at("2026-11-21T22:30:00Z");
    live(&scene, 3);
    scene.pass(24 * 3600 * 40);
    let time = scene.time();
    let marked = scene.as_service(|tx, _| mark_expired(tx, item.id, time)).unwrap();
    assert_eq!(marked.points.len(), 2);
    // Nobody comes back to say that they are gone; meanwhile nobody may use them.
    let input = Restore {
        item: item.id,
        point: marked.points[0],
        target: RestoreWish::Disks { account: "restores".into(), luns: None },
    };
    let refused = scene.act(|tx, cx| restore(tx, cx, input, "")).unwrap_err();
    assert_eq!(refused.code, ErrorCode::UserErrorRecoveryPointNotFound);
    scene.pass(3600);
    assert_eq!(scene.expire(), 2);
    assert_eq!(scene.points(item.id).len(), 1);
}

/// Whoever looks right after a stop reads what holds now, not what the next round will write.
#[test]
fn a_stop_and_what_brings_protection_back_settle_the_ends_at_once() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    scene.at("2026-11-21T22:30:00Z");
    live(&scene, 3);
    let ends = || scene.points(item.id).iter().filter(|it| it.expires.is_some()).count();
    assert_eq!(ends(), 3);
    scene.act(|tx, cx| stop_protection(tx, cx, item.id, "")).unwrap();
    assert_eq!(ends(), 0);
    scene.protect(vault.id, 1).unwrap();
    assert_eq!(ends(), 3);
    scene.act(|tx, cx| delete_backup_data(tx, cx, item.id, "")).unwrap();
    assert_eq!(ends(), 3, "the end of their deletion comes before");
    scene.act(|tx, cx| undelete_item(tx, cx, item.id, "")).unwrap();
    assert_eq!(ends(), 0);
}
