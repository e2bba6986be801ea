//! The first page: counts, what needs a look, and the newest of everything.

use askama::Template;
use axum::extract::State;
use coffre_control::model::{BackupOutcome, ItemState, JobStatus, ProtectedItem};
use coffre_control::port::{JobFilter, Tx};
use coffre_control::{Action, Refusal};
use jiff::{SignedDuration, Timestamp};

use crate::az::AzCommand;
use crate::inventory::{Inventory, is_backup_job, newest_points};
use crate::page::prelude::*;
use crate::table::{ItemTable, JobTable, PointTable, VmTable};

/// Rows of each table; the rest is one click away.
const ROWS_MAX: usize = 8;

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

struct Counts {
    running: usize,
    failed: usize,
}

/// `GET /portal/`.
pub(crate) async fn show(State(app): State<App>, view: View) -> Answer {
    let read = app
        .look("portal_overview", view.caller(), |tx, cx| {
            let inventory = Inventory::read(tx)?;
            let counts = count_jobs(tx, cx.now)?;
            let filter = JobFilter { limit: Some(4 * ROWS_MAX as u32), ..JobFilter::default() };
            let mut jobs = tx.jobs(&filter)?;
            jobs.retain(is_backup_job);
            jobs.truncate(ROWS_MAX);
            let (count, points) = newest_points(tx, &inventory.items, ROWS_MAX)?;
            Ok((inventory, counts, jobs, count, points))
        })
        .await?;
    let (inventory, counts, jobs, point_count, points) = read;
    let tiles = tiles(&view, &inventory, &counts, point_count);
    html(&Overview {
        view: &view,
        section: "overview",
        is_new: inventory.vaults.is_empty() && view.may(Action::WriteVault),
        tiles,
        vms: VmTable::new(
            &view,
            &inventory.regions,
            &inventory.items_by_vm(),
            inventory.vms.iter().take(ROWS_MAX),
        ),
        items: ItemTable::new(
            &view,
            &inventory.vault_names(),
            by_urgency(&inventory.items).into_iter().take(ROWS_MAX),
        ),
        jobs: JobTable::new(&view, &jobs),
        points: PointTable::new(&view, &inventory.item_names(), &points),
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

fn count_jobs(tx: &mut dyn Tx, now: Timestamp) -> Result<Counts, Refusal> {
    let mut count = |statuses: &[JobStatus], from| -> Result<usize, Refusal> {
        let filter = JobFilter { statuses: statuses.to_vec(), from, ..JobFilter::default() };
        Ok(tx.jobs(&filter)?.iter().filter(|job| is_backup_job(job)).count())
    };
    Ok(Counts {
        running: count(&[JobStatus::InProgress, JobStatus::Cancelling], None)?,
        failed: count(&[JobStatus::Failed], Some(now - SignedDuration::from_hours(24)))?,
    })
}

fn tiles(view: &View, inventory: &Inventory, counts: &Counts, points: usize) -> Vec<Tile> {
    let protected = inventory.items_by_vm();
    let unprotected = inventory.vms.iter().filter(|vm| !protected.contains_key(&vm.id)).count();
    let attention = inventory.items.iter().filter(|item| urgency(item) < 2).count();
    let tile = |address: &str, count: usize, name: &str, note: String| Tile {
        address: address.to_owned(),
        count: view.number(count),
        name: view.t(name),
        note,
    };
    vec![
        tile(
            "/portal/vms",
            inventory.vms.len(),
            "vms",
            view.t1("tile-unprotected", "count", unprotected),
        ),
        tile(
            "/portal/items",
            inventory.items.len(),
            "items",
            view.t1("tile-attention", "count", attention),
        ),
        tile(
            "/portal/jobs?status=InProgress",
            counts.running,
            "jobs-in-progress",
            view.t1("tile-failed", "count", counts.failed),
        ),
        tile(
            "/portal/items",
            points,
            "points",
            view.t1("tile-vaults", "count", inventory.vaults.len()),
        ),
    ]
}

/// 0 = act, 1 = look, 2 = all is well.
pub(crate) fn urgency(item: &ProtectedItem) -> u8 {
    match item.state {
        ItemState::Protected => match item.last_backup.as_ref().map(|last| last.outcome) {
            Some(BackupOutcome::Failed) => 0,
            Some(BackupOutcome::CompletedWithWarnings) => 1,
            Some(BackupOutcome::Completed | BackupOutcome::Cancelled) | None => 2,
        },
        ItemState::IrPending => 1,
        ItemState::Stopped | ItemState::Suspended | ItemState::SoftDeleted { .. } => 2,
    }
}

fn by_urgency(items: &[ProtectedItem]) -> Vec<&ProtectedItem> {
    let mut sorted: Vec<_> = items.iter().collect();
    sorted.sort_by_key(|item| urgency(item));
    sorted
}
