//! One vault: its settings, its policies, its items and its jobs. Replication can be chosen until
//! the first item is protected, an empty vault can be deleted.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use coffre_control::id::VaultId;
use coffre_control::model::{JobStatus, ProtectedItem, Redundancy, Vault};
use coffre_control::port::{JobFilter, Tx};
use coffre_control::usecase::vault::{delete_vault, get_vault_by_id, update_vault};
use coffre_control::usecase::{PolicyView, VaultPatch, list_policies};
use coffre_control::{Action, Cx, Refusal};
use jiff::SignedDuration;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::az::AzCommand;
use crate::inventory::{is_backup_job, region_label};
use crate::page::error::{log, status_of};
use crate::page::overview::{Tile, urgency};
use crate::page::parse_id;
use crate::page::prelude::*;
use crate::policy_text;
use crate::table::{ItemTable, JobTable};
use crate::view::TimeElement;
use crate::words;

/// Newest jobs of the vault that its page shows.
const JOBS_MAX: u32 = 10;

#[derive(Template)]
#[template(path = "vault.html")]
struct VaultPage<'a> {
    view: &'a View,
    section: &'static str,
    vault: &'a Vault,
    region: String,
    redundancy: String,
    soft_delete: String,
    immutability: String,
    created: TimeElement,
    tiles: Vec<Tile>,
    refused: Option<Notice>,
    may_change: bool,
    may_protect: bool,
    may_delete: bool,
    may_write_policy: bool,
    redundancies: Vec<RedundancyChoice>,
    policies: Vec<PolicyRow>,
    items: ItemTable<'a>,
    no_items: Empty,
    jobs: JobTable<'a>,
    no_jobs: Empty,
    az: AzLines<'a>,
}

/// A kind of replication that can be chosen.
pub(crate) struct RedundancyChoice {
    pub(crate) value: &'static str,
    pub(crate) label: String,
    pub(crate) detail: String,
    pub(crate) chosen: bool,
}

struct PolicyRow {
    address: String,
    name: String,
    schedule: String,
    details: Vec<String>,
    items: String,
}

/// The kinds of replication, with what each is good for.
pub(crate) fn redundancy_choices(view: &View, chosen: Redundancy) -> Vec<RedundancyChoice> {
    let choice = |redundancy, detail| RedundancyChoice {
        value: Redundancy::azure(redundancy),
        label: view.t(words::redundancy(redundancy)),
        detail: view.t(detail),
        chosen: redundancy == chosen,
    };
    vec![
        choice(Redundancy::Geo, "redundancy-geo-text"),
        choice(Redundancy::Local, "redundancy-local-text"),
        choice(Redundancy::Zone, "redundancy-zone-text"),
    ]
}

/// `GET /portal/vaults/{id}`.
pub(crate) async fn show(State(app): State<App>, view: View, Path(id): Path<String>) -> Answer {
    page(&app, &view, parse_id(&id)?, None).await
}

#[derive(Deserialize)]
pub(crate) struct RedundancyForm {
    #[serde(default)]
    redundancy: String,
}

/// `POST /portal/vaults/{id}/redundancy`.
pub(crate) async fn set_redundancy(
    State(app): State<App>,
    view: View,
    Path(id): Path<String>,
    Form(form): Form<RedundancyForm>,
) -> Answer {
    let id: VaultId = parse_id(&id)?;
    let patch = VaultPatch {
        redundancy: Redundancy::from_azure(&form.redundancy),
        ..VaultPatch::default()
    };
    let done = app
        .change("portal_redundancy", view.caller(), move |tx, cx| update_vault(tx, cx, id, patch));
    match done.await {
        Ok(_) => go(format!("/portal/vaults/{id}")),
        Err(refusal) => page(&app, &view, id, Some(refusal)).await,
    }
}

/// `POST /portal/vaults/{id}/delete`.
pub(crate) async fn delete(State(app): State<App>, view: View, Path(id): Path<String>) -> Answer {
    let id: VaultId = parse_id(&id)?;
    let done =
        app.change("portal_delete_vault", view.caller(), move |tx, cx| delete_vault(tx, cx, id));
    match done.await {
        Ok(()) => go("/portal/vaults"),
        Err(refusal) => page(&app, &view, id, Some(refusal)).await,
    }
}

async fn page(
    app: &App,
    view: &View,
    id: VaultId,
    refusal: Option<Refusal>,
) -> Result<Response, Problem> {
    let read = app.look("portal_vault", view.caller(), move |tx, cx| {
        let vault = get_vault_by_id(tx, cx, id)?;
        let filter = JobFilter { vault: Some(id), limit: Some(JOBS_MAX), ..JobFilter::default() };
        let policies = list_policies(tx, cx, id)?;
        let items = tx.items(id)?;
        let counts = Counts::of(tx, cx, id, &items)?;
        Ok((vault, policies, items, counts, tx.jobs(&filter)?, tx.regions()?))
    });
    let (vault, policies, items, counts, mut jobs, regions) = read.await?;
    jobs.retain(is_backup_job);
    let status = refusal.as_ref().map_or(axum::http::StatusCode::OK, |refusal| {
        log(refusal);
        status_of(refusal)
    });
    let names = [(vault.id, vault.name.as_str())].into();
    let may_protect = view.may(Action::EnableProtection);
    let no_items = empty(view, "items-none", "vault-items-none-text");
    html_with(
        status,
        &VaultPage {
            view,
            section: "vaults",
            vault: &vault,
            region: region_label(&regions, &vault.region).to_owned(),
            redundancy: view.t(words::redundancy(vault.redundancy)),
            soft_delete: view.t1(
                words::soft_delete(vault.soft_delete.state),
                "count",
                u64::from(vault.soft_delete.days),
            ),
            immutability: view.t(words::immutability(vault.immutability)),
            created: view.time(vault.created),
            tiles: tiles(view, id, &items, &counts),
            refused: refusal.as_ref().map(|refusal| Notice::refusal(view, refusal)),
            may_change: view.may(Action::WriteVault),
            may_protect,
            may_delete: view.may(Action::DeleteVault) && items.is_empty(),
            may_write_policy: view.may(Action::WritePolicy),
            redundancies: redundancy_choices(view, vault.redundancy),
            policies: policies.iter().map(|policy| policy_row(view, policy)).collect(),
            items: ItemTable::new(view, &names, &items).of_one_vault(),
            no_items: if may_protect {
                no_items.leading_to(format!("/portal/vaults/{id}/protect"), view.t("vault-back-up"))
            } else {
                no_items
            },
            jobs: JobTable::new(view, &jobs),
            no_jobs: empty(view, "jobs-none", "jobs-none-text"),
            az: az(view, commands(&vault, items.is_empty())),
        },
    )
}

/// What the tiles count.
struct Counts {
    running: usize,
    failed: usize,
    points: u64,
    stored: u64,
}

/// Items whose points are counted; a vault with more is counted in its cost report, page by page.
const COUNTED_MAX: usize = 200;

impl Counts {
    fn of(
        tx: &mut dyn Tx,
        cx: &Cx<'_>,
        vault: VaultId,
        items: &[ProtectedItem],
    ) -> Result<Self, Refusal> {
        let mut jobs = |statuses: &[JobStatus], from| -> Result<usize, Refusal> {
            let vault = Some(vault);
            let filter =
                JobFilter { vault, statuses: statuses.to_vec(), from, ..JobFilter::default() };
            Ok(tx.jobs(&filter)?.iter().filter(|job| is_backup_job(job)).count())
        };
        let running = jobs(&[JobStatus::InProgress, JobStatus::Cancelling], None)?;
        let failed = jobs(&[JobStatus::Failed], Some(cx.now - SignedDuration::from_hours(24)))?;
        let (mut points, mut stored) = (0, 0);
        for item in items.iter().take(COUNTED_MAX) {
            for point in tx.points(item.id)? {
                points += 1;
                stored += point.stats.stored_bytes;
            }
        }
        Ok(Self { running, failed, points, stored })
    }
}

fn tiles(view: &View, id: VaultId, items: &[ProtectedItem], counts: &Counts) -> Vec<Tile> {
    let attention = items.iter().filter(|item| urgency(item) < 2).count();
    let alerts =
        items.iter().filter(|item| urgency(item) == 0 || !item.health.details().is_empty()).count();
    let tile = |address: &str, count: String, name: &str, note: String| Tile {
        address: address.to_owned(),
        count,
        name: view.t(name),
        note,
    };
    vec![
        tile(
            "#items",
            view.number(items.len()),
            "items",
            view.t1("tile-attention", "count", attention),
        ),
        tile(
            "/portal/jobs?status=InProgress",
            view.number(counts.running),
            "jobs-in-progress",
            view.t1("tile-failed", "count", counts.failed),
        ),
        tile("#items", view.number(alerts), "tile-alerts", view.t("tile-alerts-note")),
        tile(
            &format!("/portal/vaults/{id}/costs"),
            view.bytes(counts.stored),
            "tile-stored",
            view.t1("tile-points", "count", counts.points),
        ),
    ]
}

fn policy_row(view: &View, found: &PolicyView) -> PolicyRow {
    let name = utf8_percent_encode(&found.policy.name, NON_ALPHANUMERIC);
    PolicyRow {
        address: format!("/portal/vaults/{}/policies/{name}", found.policy.vault),
        name: found.policy.name.clone(),
        schedule: policy_text::schedule(view, &found.policy),
        details: policy_text::details(view, &found.policy),
        items: view.number(found.items),
    }
}

fn commands(vault: &Vault, empty: bool) -> Vec<AzCommand> {
    let of_vault = |verbs| {
        AzCommand::new(verbs)
            .option("--resource-group", &vault.group)
            .option("--vault-name", &vault.name)
            .option("--output", "table")
    };
    let named = |verbs| {
        AzCommand::new(verbs).option("--resource-group", &vault.group).option("--name", &vault.name)
    };
    let mut commands = vec![
        named("backup vault show"),
        of_vault("backup policy list"),
        of_vault("backup item list"),
        of_vault("backup job list"),
    ];
    if !vault.redundancy_locked {
        commands.push(
            named("backup vault backup-properties set")
                .option("--backup-storage-redundancy", vault.redundancy.azure()),
        );
    }
    if empty {
        commands.push(named("backup vault delete"));
    }
    commands
}
