//! The first page: counts, what needs a look, and the newest of everything.

use askama::Template;
use axum::extract::State;
use coffre_control::id::{ItemId, VaultId};
use coffre_control::model::{Job, JobStatus, ProtectedItem, RecoveryPoint, Region, Vault, Vm};
use coffre_control::port::{JobFilter, Missing, Need, Order, PointSearch, Search, Tx};
use coffre_control::{Action, Refusal};
use jiff::{SignedDuration, Timestamp};

use crate::az::AzCommand;
use crate::inventory::vaults_of;
use crate::page::prelude::*;
use crate::table::{ItemTable, JobTable, PointTable, VmTable};

/// Rows of each table; the rest is one click away.
const ROWS_MAX: u32 = 8;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview<'a> {
    view: &'a View,
    section: &'static str,
    /// Nothing was set up yet, and the reader may do it.
    is_new: bool,
    tiles: Vec<Tile>,
    vms: VmTable<'a>,
    items: ItemTable<'a>,
    jobs: JobTable<'a>,
    points: PointTable<'a>,
    no_vms: Empty,
    no_items: Empty,
    no_jobs: Empty,
    no_points: Empty,
    az: AzLines<'a>,
}

pub(crate) struct Tile {
    pub(crate) address: String,
    pub(crate) count: String,
    pub(crate) name: String,
    pub(crate) note: String,
}

/// What the tiles count.
struct Counts {
    vaults: u64,
    vms: u64,
    unprotected: u64,
    items: u64,
    attention: u64,
    running: u64,
    failed: u64,
    points: u64,
}

/// The first rows of everything.
struct First {
    counts: Counts,
    regions: Vec<Region>,
    vms: Vec<Vm>,
    /// Items that protect these VMs, and those that are most urgent.
    protecting: Vec<ProtectedItem>,
    items: Vec<ProtectedItem>,
    vaults: Vec<Vault>,
    jobs: Vec<Job>,
    points: Vec<RecoveryPoint>,
    names: Vec<(ItemId, String)>,
}

fn read(tx: &mut dyn Tx, now: Timestamp) -> Result<First, Refusal> {
    let limit = ROWS_MAX;
    // What a hypervisor no longer has is of interest only while there are points to restore.
    let missing = Missing::IfProtected;
    let vms =
        tx.search_vms(&Search { missing, order: Order::Group, limit, ..Search::default() })?;
    let mut protecting = Vec::new();
    for vm in &vms {
        protecting.extend(tx.item_of_vm(vm.id)?);
    }
    let items = tx.search_items(&Search { order: Order::Urgency, limit, ..Search::default() })?;
    let vaults = vaults_of(tx, items.iter().map(|item| item.vault))?;
    let jobs =
        tx.jobs(&JobFilter { of_vaults: true, limit: Some(limit), ..JobFilter::default() })?;
    let points = tx.search_points(&PointSearch { limit, ..PointSearch::default() })?;
    let mut names = Vec::new();
    for point in &points {
        names.extend(tx.item(point.item)?.map(|item| (item.id, item.vm_name)));
    }
    let (counts, regions) = (count(tx, now)?, tx.regions()?);
    Ok(First { counts, regions, vms, protecting, items, vaults, jobs, points, names })
}

fn count(tx: &mut dyn Tx, now: Timestamp) -> Result<Counts, Refusal> {
    let missing = Missing::IfProtected;
    let all = Search::default();
    let unprotected = Search { missing, protected: Some(false), ..Search::default() };
    let (running, failed) = count_jobs(tx, None, now)?;
    Ok(Counts {
        vaults: tx.count_vaults(&all)?,
        vms: tx.count_vms(&Search { missing, ..Search::default() })?,
        unprotected: tx.count_vms(&unprotected)?,
        items: tx.count_items(&all)?,
        attention: tx.count_items(&Search { need: Need::Look, ..Search::default() })?,
        running,
        failed,
        points: tx.stored(None)?.points,
    })
}

/// Jobs of a vault, or of all vaults, that run, and that failed in the last day.
pub(crate) fn count_jobs(
    tx: &mut dyn Tx,
    vault: Option<VaultId>,
    now: Timestamp,
) -> Result<(u64, u64), Refusal> {
    let mut count = |statuses: &[JobStatus], from| {
        let statuses = statuses.to_vec();
        tx.count_jobs(&JobFilter { vault, of_vaults: true, statuses, from, ..JobFilter::default() })
    };
    let running = count(&[JobStatus::InProgress, JobStatus::Cancelling], None)?;
    let failed = count(&[JobStatus::Failed], Some(now - SignedDuration::from_hours(24)))?;
    Ok((running, failed))
}

/// `GET /portal/`.
pub(crate) async fn show(State(app): State<App>, view: View) -> Answer {
    let read = app.look("portal_overview", view.caller(), |tx, cx| {
        cx.may(Action::Read)?;
        read(tx, cx.now)
    });
    let first = read.await?;
    let by_vm = first.protecting.iter().map(|item| (item.vm, item)).collect();
    let vaults = first.vaults.iter().map(|vault| (vault.id, vault.name.as_str())).collect();
    let names = first.names.iter().map(|(id, name)| (*id, name.as_str())).collect();
    html(&Overview {
        view: &view,
        section: "overview",
        is_new: first.counts.vaults == 0 && view.may(Action::WriteVault),
        tiles: tiles(&view, &first.counts),
        vms: VmTable::new(&view, &first.regions, &by_vm, &first.vms),
        items: ItemTable::new(&view, &vaults, &first.items),
        jobs: JobTable::new(&view, &first.jobs),
        points: PointTable::new(&view, &names, &first.points),
        no_vms: empty(&view, "vms-none", "vms-none-text"),
        no_items: empty(&view, "items-none", "items-none-text")
            .leading_to("/portal/vms", view.t("to-vms")),
        no_jobs: empty(&view, "jobs-none", "jobs-none-text"),
        no_points: empty(&view, "points-none", "points-none-text"),
        az: az(
            &view,
            [
                AzCommand::new("vm list").option("--output", "table"),
                AzCommand::new("backup vault list").option("--output", "table"),
            ],
        ),
    })
}

/// What is to be said of so many items, of which some need a look.
pub(crate) fn attention(view: &View, items: u64, attention: u64) -> String {
    if items == 0 {
        return view.t("tile-no-items");
    }
    view.t1("tile-attention", "count", attention)
}

fn tiles(view: &View, counts: &Counts) -> Vec<Tile> {
    let tile = |address: &str, count: u64, name: &str, note: String| Tile {
        address: address.to_owned(),
        count: view.number(count),
        name: view.t(name),
        note,
    };
    vec![
        tile(
            "/portal/vms",
            counts.vms,
            "vms",
            view.t1("tile-unprotected", "count", counts.unprotected),
        ),
        tile(
            "/portal/items",
            counts.items,
            "items",
            attention(view, counts.items, counts.attention),
        ),
        tile(
            "/portal/jobs?status=InProgress",
            counts.running,
            "jobs-in-progress",
            view.t1("tile-failed", "count", counts.failed),
        ),
        tile(
            "/portal/items",
            counts.points,
            "points",
            view.t1("tile-vaults", "count", counts.vaults),
        ),
    ]
}
