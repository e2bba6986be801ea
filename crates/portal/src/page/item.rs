//! One backup item: its state, its recovery points, and what can be done with it.

use askama::Template;
use axum::extract::{Path, State};
use coffre_control::id::ItemId;
use coffre_control::model::{ItemState, Job, ProtectedItem, RecoveryPoint};
use coffre_control::port::{JobFilter, PointSearch};
use coffre_control::usecase::{ItemView, get_item_by_id, undelete_item};
use coffre_control::{Action, ErrorCode};

use crate::az::AzCommand;
use crate::chart::{self, Chart};
use crate::inventory::region_label;
use crate::page::parse_id;
use crate::page::prelude::*;
use crate::policy_text;
use crate::table::{ItemMay, JobTable, PointTable, item_may};
use crate::view::TimeElement;
use crate::words;

/// Newest jobs of the item that its page shows.
const JOBS_MAX: u32 = 5;
/// Newest points that the page shows; the count of all is in the heading.
const POINTS_MAX: usize = 100;
/// Newest points that the charts draw: more than a year of daily ones.
const DRAWN_MAX: u32 = 400;

/// What the page shows of the item's points.
struct Points {
    /// Newest first.
    newest: Vec<RecoveryPoint>,
    /// Of all.
    count: u64,
    /// Of all.
    oldest: Option<jiff::Timestamp>,
}

#[derive(Template)]
#[template(path = "item.html")]
struct ItemPage<'a> {
    view: &'a View,
    section: &'static str,
    item: &'a ProtectedItem,
    vault: Vault,
    state: Status,
    notices: Vec<Notice>,
    last_backup: Option<Status>,
    last_time: Option<TimeElement>,
    health: Status,
    policy: Option<Policy>,
    oldest: Option<TimeElement>,
    newest: Option<TimeElement>,
    vm_present: bool,
    may: ItemMay,
    running: Option<String>,
    charts: Vec<Chart>,
    point_count: String,
    points: PointTable<'a>,
    no_points: Empty,
    jobs: JobTable<'a>,
    no_jobs: Empty,
    az: AzLines<'a>,
}

struct Vault {
    id: String,
    name: String,
    region: String,
}

struct Policy {
    name: String,
    /// Where it is changed; none for who may not.
    address: Option<String>,
    schedule: String,
    details: Vec<String>,
}

/// `GET /portal/items/{id}`.
pub(crate) async fn show(State(app): State<App>, view: View, Path(id): Path<String>) -> Answer {
    let id: ItemId = parse_id(&id)?;
    let (found, points, jobs, running, regions) = app
        .look("portal_item", view.caller(), move |tx, cx| {
            let found = get_item_by_id(tx, cx, id)?;
            let filter =
                JobFilter { item: Some(id), limit: Some(JOBS_MAX), ..JobFilter::default() };
            let points = Points {
                newest: tx.search_points(&PointSearch {
                    item: Some(id),
                    limit: DRAWN_MAX,
                    ..PointSearch::default()
                })?,
                count: tx.stored_of_item(id)?.points,
                oldest: tx.oldest_point(id)?,
            };
            Ok((found, points, tx.jobs(&filter)?, tx.running_job(id)?, tx.regions()?))
        })
        .await?;
    let region = region_label(&regions, &found.vault.region);
    html(&page(&view, &found, &points, &jobs, running.as_ref(), region))
}

fn page<'a>(
    view: &'a View,
    found: &'a ItemView,
    points: &'a Points,
    jobs: &'a [Job],
    running: Option<&Job>,
    region: &str,
) -> ItemPage<'a> {
    let item = &found.item;
    let may = item_may(view, item, running.is_some());
    let restorable = may.restore;
    let names = [(item.id, item.vm_name.as_str())].into();
    ItemPage {
        view,
        section: "items",
        item,
        vault: Vault {
            id: found.vault.id.to_string(),
            name: found.vault.name.clone(),
            region: region.to_owned(),
        },
        state: status(view, words::item(item)),
        notices: notices(view, item, points.count),
        last_backup: words::last_backup(item).map(|last| status(view, last)),
        last_time: item.last_backup.as_ref().map(|last| view.time(last.time)),
        health: status(view, words::health(&item.health)),
        policy: found.policy.as_ref().map(|policy| Policy {
            name: policy.name.clone(),
            address: view
                .may(Action::WritePolicy)
                .then(|| policy_text::address(found.vault.id, &policy.name)),
            schedule: policy_text::schedule(view, policy),
            details: policy_text::details(view, policy),
        }),
        oldest: points.oldest.map(|time| view.time(time)),
        newest: points.newest.first().map(|point| view.time(point.time)),
        vm_present: found.vm.is_some(),
        may,
        running: running.map(|job| job.id.to_string()),
        charts: [
            chart::points(view, &points.newest),
            chart::freezes(view, &points.newest),
            chart::churn(view, &points.newest),
        ]
        .into_iter()
        .flatten()
        .collect(),
        point_count: view.t1("count-points", "count", points.count),
        points: PointTable::new(view, &names, points.newest.iter().take(POINTS_MAX))
            .of_one_item(restorable),
        no_points: empty(view, "points-none", "item-points-none-text"),
        jobs: JobTable::new(view, jobs),
        no_jobs: empty(view, "jobs-none", "jobs-none-text"),
        az: az(view, commands(found)),
    }
}

fn is_deleted(item: &ProtectedItem) -> bool {
    matches!(item.state, ItemState::SoftDeleted { .. })
}

fn notices(view: &View, item: &ProtectedItem, points: u64) -> Vec<Notice> {
    let mut notices = Vec::new();
    match item.state {
        ItemState::IrPending => notices.push(
            Notice::new(Tone::Warn, [view.t("item-initial-pending-text")])
                .titled(view.t("item-initial-pending")),
        ),
        ItemState::SoftDeleted { until, .. } => {
            let until = view.time(until);
            let text = view.t2("item-deleted-text", "count", points, "time", until.text());
            notices.push(Notice::new(Tone::Bad, [text]).titled(view.t("item-deleted")));
        }
        ItemState::Stopped => {
            let text = view.t1("item-stopped-text", "count", points);
            notices.push(Notice::new(Tone::Info, [text]).titled(view.t("item-stopped")));
        }
        ItemState::Protected | ItemState::Suspended => {}
    }
    let error = item.last_backup.as_ref().and_then(|last| last.error.as_ref());
    if let Some(error) = error {
        let (failed, why) = (view.t("item-last-failed"), view.error(error.code).0);
        let title = format!("{failed}{} {why}", view.colon());
        notices.push(Notice::job_error(view, error).titled(title));
    }
    // What made the last backup fail is often what the pre-check says too.
    let said = |code: &str| error.is_some_and(|error| error.code.azure() == code);
    for detail in item.health.details().iter().filter(|detail| !said(&detail.code)) {
        let (title, action) = match ErrorCode::from_azure(&detail.code) {
            Some(code) => view.error(code),
            None => (detail.title.clone(), view.say(&detail.recommendation)),
        };
        notices.push(Notice::new(Tone::Warn, [view.say(&detail.message), action]).titled(title));
    }
    notices
}

fn commands(found: &ItemView) -> Vec<AzCommand> {
    let item = &found.item;
    let of_item = |verbs| {
        AzCommand::new(verbs)
            .option("--resource-group", &found.vault.group)
            .option("--vault-name", &found.vault.name)
            .option("--backup-management-type", "AzureIaasVM")
            .option("--container-name", &item.vm_name)
    };
    let mut commands = vec![
        of_item("backup item show").option("--workload-type", "VM").option("--name", &item.vm_name),
        of_item("backup recoverypoint list")
            .option("--item-name", &item.vm_name)
            .option("--output", "table"),
    ];
    if is_deleted(item) {
        commands.push(
            of_item("backup protection undelete")
                .option("--workload-type", "VM")
                .option("--item-name", &item.vm_name),
        );
    }
    commands
}

/// `POST /portal/items/{id}/undelete`.
pub(crate) async fn undelete(State(app): State<App>, view: View, Path(id): Path<String>) -> Answer {
    let id: ItemId = parse_id(&id)?;
    app.change("portal_undelete", view.caller(), move |tx, cx| undelete_item(tx, cx, id, ""))
        .await?;
    go(format!("/portal/items/{id}"))
}
