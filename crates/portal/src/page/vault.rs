//! One vault: its settings, its policies, its items and its jobs. Replication can be chosen until
//! the first item is protected, an empty vault can be deleted.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use coffre_control::id::VaultId;
use coffre_control::model::{Redundancy, Vault};
use coffre_control::port::JobFilter;
use coffre_control::usecase::vault::{delete_vault, get_vault_by_id, update_vault};
use coffre_control::usecase::{PolicyView, VaultPatch, list_policies};
use coffre_control::{Action, Refusal};
use serde::Deserialize;

use crate::az::AzCommand;
use crate::inventory::{is_backup_job, region_label};
use crate::page::error::{log, status_of};
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
    refused: Option<Notice>,
    may_change: bool,
    may_protect: bool,
    may_delete: bool,
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
        Ok((vault, policies, tx.items(id)?, tx.jobs(&filter)?, tx.regions()?))
    });
    let (vault, policies, items, mut jobs, regions) = read.await?;
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
            refused: refusal.as_ref().map(|refusal| Notice::refusal(view, refusal)),
            may_change: view.may(Action::WriteVault),
            may_protect,
            may_delete: view.may(Action::DeleteVault) && items.is_empty(),
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

fn policy_row(view: &View, found: &PolicyView) -> PolicyRow {
    PolicyRow {
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
