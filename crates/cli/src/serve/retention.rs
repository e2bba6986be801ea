//! The end of things: points that had their time, items that were deleted, blocks that no point
//! needs. Every round compares what should be with what is; none of it is remembered between.

use std::time::{Duration, Instant};

use coffre_control::id::ItemId;
use coffre_control::model::Vault as VaultRow;
use coffre_control::retention::clock::VaultClock;
use coffre_control::usecase::{
    ExpiryTime, ToRemove, advance_vault_clock, due_collections, due_items, forget_points,
    mark_expired, plan_collection, plan_forgotten, purge_deleted_items, purge_deleted_vaults,
};
use coffre_control::{Caller, Cx, Refusal};
use coffre_engine::Failure;
use coffre_vault::CollectOptions;
use jiff::SignedDuration;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::clocks;
use super::discovery::sleep;
use super::service::Service;

/// Pause between two rounds.
const PAUSE: Duration = Duration::from_secs(60);
/// Items that one transaction plans or one round looks at before the clock is read again.
const BATCH: u32 = 200;
/// Pause between two alarms about a clock that nobody can vouch for.
const ALARM_PAUSE: Duration = Duration::from_secs(3600);

/// Rounds until the service stops.
pub(crate) fn run(service: &Service, grace: SignedDuration) {
    let mut alarmed: Option<Instant> = None;
    while !service.is_stopping() {
        let heard = service.bell.heard();
        match round(service, grace) {
            Ok(clock) if clock.halted => {
                if alarmed.is_none_or(|at| at.elapsed() > ALARM_PAUSE) {
                    alarmed = Some(Instant::now());
                    error!(
                        vault.time = %clock.time, wall = %clock.last.wall,
                        "the wall clock is further ahead than anybody can vouch for: nothing is \
                         deleted until it is confirmed with 'coffre clock confirm'"
                    );
                }
            }
            Ok(_) => alarmed = None,
            Err(refusal) => report("look for what has had its time", &refusal),
        }
        sleep(service, heard, PAUSE);
    }
}

fn round(service: &Service, grace: SignedDuration) -> Result<VaultClock, Refusal> {
    let reading = clocks::read();
    let clock = service.tx("vault time", |tx| advance_vault_clock(tx, reading))?;
    let wall = clock.last.wall;
    while service.tx("plan", |tx| plan_forgotten(tx, wall, BATCH))? > 0 && !service.is_stopping() {}
    if clock.halted {
        return Ok(clock);
    }
    let time = ExpiryTime { now: clock.time, grace };
    expire(service, time)?;
    purge(service, time)?;
    collect(service)?;
    Ok(clock)
}

fn expire(service: &Service, time: ExpiryTime) -> Result<(), Refusal> {
    loop {
        let due = service.read("due points", |tx| due_items(tx, time, BATCH))?;
        let last = due.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
        for item in due {
            if service.is_stopping() {
                return Ok(());
            }
            expire_item(service, item, time)?;
        }
        if last {
            return Ok(());
        }
    }
}

fn expire_item(service: &Service, item: ItemId, time: ExpiryTime) -> Result<(), Refusal> {
    let marked = service.tx("mark expired", |tx| mark_expired(tx, item, time))?;
    let Some(wanted) = marked else { return Ok(()) };
    match remove(service, &wanted) {
        Ok(()) => {
            let wall = service.now();
            service.tx("forget points", |tx| {
                forget_points(tx, wanted.item, &wanted.points, time, wall)
            })?;
            info!(vm = %wanted.name, points = wanted.points.len(), "removed expired points");
        }
        // They stay marked; the agenda comes back to the item.
        Err(failure) => warn!(vm = %wanted.name, %failure, "cannot remove expired points"),
    }
    Ok(())
}

fn remove(service: &Service, wanted: &ToRemove) -> Result<(), Failure> {
    let store = service.stores.open(&wanted.vault)?;
    for point in &wanted.points {
        coffre_engine::forget(&store, point.uuid())?;
    }
    Ok(())
}

fn purge(service: &Service, time: ExpiryTime) -> Result<(), Refusal> {
    let caller = Caller::system();
    let ids = Uuid::now_v7;
    let cx = Cx::new(&caller, service.now(), &ids);
    let started = service.tx("purge", |tx| purge_deleted_items(tx, &cx, time))?;
    if started > 0 {
        info!(items = started, "removing items whose deletion is due");
        service.bell.ring();
    }
    let vaults = service.tx("purge vaults", |tx| purge_deleted_vaults(tx, time))?;
    if vaults > 0 {
        info!(vaults, "forgot deleted vaults whose time is over");
    }
    Ok(())
}

fn collect(service: &Service) -> Result<(), Refusal> {
    let now = service.now();
    for (vault, points) in service.read("due collections", |tx| due_collections(tx, now))? {
        if service.is_stopping() {
            return Ok(());
        }
        collect_vault(service, &vault, points);
        let now = service.now();
        service.tx("plan collection", |tx| plan_collection(tx, vault.id, now))?;
    }
    Ok(())
}

fn collect_vault(service: &Service, vault: &VaultRow, points_known: u64) {
    let store = match service.stores.open(vault) {
        Ok(store) => store,
        Err(failure) => {
            warn!(vault.name = %vault.name, %failure, "cannot collect");
            return;
        }
    };
    let options =
        CollectOptions { points_known, ..CollectOptions::at(service.now().as_millisecond()) };
    match store.collect(&options) {
        Ok(report) => info!(
            vault.name = %vault.name, packs = report.packs_deleted, bytes = report.bytes_deleted,
            rescued = report.bytes_rescued, "collected what no point needs"
        ),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            warn!(vault.name = %vault.name, error, "cannot collect");
        }
    }
}

fn report(doing: &str, refusal: &Refusal) {
    let fault = refusal.fault.as_deref().map(|fault| fault as &dyn std::error::Error);
    error!(%refusal, fault, "cannot {doing}");
}
