//! One vault: its settings, its policies, its items and its jobs. Replication can be chosen until
//! the first item is protected, an empty vault can be deleted.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use coffre_control::id::VaultId;
use coffre_control::model::{Redundancy, Vault};
use coffre_control::port::{JobFilter, Need, Search, Stored, Tx};
use coffre_control::usecase::vault::{delete_vault, get_vault_by_id, update_vault};
use coffre_control::usecase::{PolicyView, VaultPatch, list_policies};
use coffre_control::{Action, Cx, Refusal};
use serde::Deserialize;

use crate::az::AzCommand;
use crate::inventory::region_label;
use crate::page::error::{log, status_of};
use crate::page::overview::{Tile, attention, count_jobs};
use crate::page::parse_id;
use crate::page::prelude::*;
use crate::policy_text;
use crate::sort::skipped;
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
    redundancy_saved: bool,
    may_change: bool,
    may_protect: bool,
    may_delete: bool,
    may_write_policy: bool,
    redundancies: Vec<RedundancyChoice>,
    policies: Vec<PolicyRow>,
    items: ItemTable<'a>,
    pager: Pager<'a>,
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
pub(crate) async fn show(
    State(app): State<App>,
    view: View,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    let shown = Shown {
        number: asked.page,
        redundancy_saved: asked.saved == "redundancy",
        ..Shown::default()
    };
    page(&app, &view, parse_id(&id)?, shown).await
}

/// Which part of the items is shown.
#[derive(Deserialize)]
pub(crate) struct Asked {
    /// Counted from 1.
    #[serde(default)]
    page: String,
    /// What was changed just now.
    #[serde(default)]
    saved: String,
}

/// What the page says beside what the vault is.
#[derive(Default)]
struct Shown {
    /// Page of the items, counted from 1.
    number: String,
    refusal: Option<Refusal>,
    redundancy_saved: bool,
}

impl Shown {
    fn refusal(refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), ..Self::default() }
    }
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
        // The form is at the end of the page, and so is what became of it.
        Ok(_) => go(format!("/portal/vaults/{id}?saved=redundancy#redundancy")),
        Err(refusal) => page(&app, &view, id, Shown::refusal(refusal)).await,
    }
}

/// `POST /portal/vaults/{id}/delete`.
pub(crate) async fn delete(State(app): State<App>, view: View, Path(id): Path<String>) -> Answer {
    let id: VaultId = parse_id(&id)?;
    let done =
        app.change("portal_delete_vault", view.caller(), move |tx, cx| delete_vault(tx, cx, id));
    match done.await {
        Ok(()) => go("/portal/vaults"),
        Err(refusal) => page(&app, &view, id, Shown::refusal(refusal)).await,
    }
}

async fn page(
    app: &App,
    view: &View,
    id: VaultId,
    Shown { number, refusal, redundancy_saved }: Shown,
) -> Result<Response, Problem> {
    let asked = number.clone();
    let read = app.look("portal_vault", view.caller(), move |tx, cx| {
        let vault = get_vault_by_id(tx, cx, id)?;
        let filter = JobFilter { vault: Some(id), limit: Some(JOBS_MAX), ..JobFilter::default() };
        let policies = list_policies(tx, cx, id)?;
        let counts = Counts::of(tx, cx, id)?;
        let search = Search {
            vault: Some(id),
            skip: skipped(&asked, counts.items),
            limit: PAGE_ROWS as u32,
            ..Search::default()
        };
        let items = tx.search_items(&search)?;
        Ok((vault, policies, items, counts, tx.jobs(&filter)?, tx.regions()?))
    });
    let (vault, policies, items, counts, jobs, regions) = read.await?;
    let count = usize::try_from(counts.items).unwrap_or(usize::MAX);
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
            tiles: tiles(view, id, &counts),
            refused: refusal.as_ref().map(|refusal| Notice::refusal(view, refusal)),
            redundancy_saved,
            may_change: view.may(Action::WriteVault),
            may_protect,
            may_delete: view.may(Action::DeleteVault) && items.is_empty(),
            may_write_policy: view.may(Action::WritePolicy),
            redundancies: redundancy_choices(view, vault.redundancy),
            policies: policies.iter().map(|policy| policy_row(view, policy)).collect(),
            items: ItemTable::new(view, &names, &items).of_one_vault(),
            pager: Pager::new(view, format!("/portal/vaults/{id}?"), &number, count),
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
    items: u64,
    attention: u64,
    alerts: u64,
    running: u64,
    failed: u64,
    stored: Stored,
}

impl Counts {
    fn of(tx: &mut dyn Tx, cx: &Cx<'_>, vault: VaultId) -> Result<Self, Refusal> {
        let (running, failed) = count_jobs(tx, Some(vault), cx.now)?;
        let mut items =
            |need| tx.count_items(&Search { vault: Some(vault), need, ..Search::default() });
        let (all, attention, alerts) = (items(Need::Any)?, items(Need::Look)?, items(Need::Alert)?);
        let stored = tx.stored(Some(vault))?;
        Ok(Self { items: all, attention, alerts, running, failed, stored })
    }
}

fn tiles(view: &View, id: VaultId, counts: &Counts) -> Vec<Tile> {
    let tile = |address: &str, count: String, name: &str, note: String| Tile {
        address: address.to_owned(),
        count,
        name: view.t(name),
        note,
    };
    vec![
        tile(
            "#items",
            view.number(counts.items),
            "items",
            attention(view, counts.items, counts.attention),
        ),
        tile(
            "/portal/jobs?status=InProgress",
            view.number(counts.running),
            "jobs-in-progress",
            view.t1("tile-failed", "count", counts.failed),
        ),
        tile("#items", view.number(counts.alerts), "tile-alerts", view.t("tile-alerts-note")),
        tile(
            &format!("/portal/vaults/{id}/costs"),
            view.bytes(counts.stored.bytes),
            "tile-stored",
            view.t1("tile-points", "count", counts.stored.points),
        ),
    ]
}

fn policy_row(view: &View, found: &PolicyView) -> PolicyRow {
    PolicyRow {
        address: policy_text::address(found.policy.vault, &found.policy.name),
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
