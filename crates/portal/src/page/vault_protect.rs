//! *Backup* from a vault: one policy for several virtual machines at once. Those that cannot be
//! chosen are shown with the reason.

use std::collections::BTreeMap;

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use coffre_control::id::{VaultId, VmId};
use coffre_control::model::{Region, Vault, Vm};
use coffre_control::port::{Order, Search, Tx};
use coffre_control::usecase::{
    EnableProtection, PolicyView, VmChoice, backup_now, enable_protection, get_vault_by_id,
    list_policies, vm_choices,
};
use coffre_control::{Action, Cx, ErrorCode, Refusal};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::az::AzCommand;
use crate::form::{Fields, all, first, ticked};
use crate::inventory::vaults_of;
use crate::page::error::{log, status_of};
use crate::page::parse_id;
use crate::page::prelude::*;
use crate::page::protect::{PolicyChoice, enable_command, new_policy, policy_choices};
use crate::preflight::obstacle;
use crate::sort::skipped;
use crate::table::power;

#[derive(Template)]
#[template(path = "vault_protect.html")]
struct VaultProtect<'a> {
    view: &'a View,
    section: &'static str,
    vault: &'a Vault,
    refused: Option<Notice>,
    policies: Vec<PolicyChoice>,
    new_policy: Option<String>,
    vms: Vec<VmRow>,
    any_free: bool,
    find: &'a str,
    searchable: bool,
    pager: Pager<'a>,
    no_vms: Empty,
    start: bool,
    az: AzLines<'a>,
}

/// What the address of the form may say.
#[derive(Deserialize)]
pub(crate) struct Asked {
    /// Name of the policy that is chosen; empty = the default.
    #[serde(default)]
    policy: String,
    /// Part of a machine's name or group.
    #[serde(default)]
    find: String,
    /// Counted from 1.
    #[serde(default)]
    page: String,
}

struct VmRow {
    id: String,
    name: String,
    group: String,
    power: Status,
    obstacle: Option<String>,
    ticked: bool,
}

/// `GET /portal/vaults/{id}/protect`.
pub(crate) async fn show(
    State(app): State<App>,
    view: View,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    let fields = [
        ("start", "yes".to_owned()),
        ("policy", asked.policy),
        ("find", asked.find),
        ("page", asked.page),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value)).to_vec();
    page(&app, &view, parse_id(&id)?, fields, None).await
}

/// `POST /portal/vaults/{id}/protect`.
pub(crate) async fn enable(
    State(app): State<App>,
    view: View,
    Path(id): Path<String>,
    Form(fields): Fields,
) -> Answer {
    let id: VaultId = parse_id(&id)?;
    let vms: Vec<VmId> = all(&fields, "vm").filter_map(|id| id.parse().ok()).collect();
    let policy = first(&fields, "policy").to_owned();
    let start = ticked(&fields, "start");
    let done = app.change("portal_enable_many", view.caller(), move |tx, cx| {
        if vms.is_empty() {
            return Err(Refusal::new(
                ErrorCode::InvalidRequestContent,
                "Choose at least one virtual machine.",
            ));
        }
        // All or none: half a selection would leave it open which half.
        for vm in vms {
            let policy = policy.clone();
            let input = EnableProtection { vault: id, vm, policy, disk_selection: None };
            let (item, _) = enable_protection(tx, cx, input, "")?;
            if start {
                backup_now(tx, cx, item.id, None, "")?;
            }
        }
        Ok(())
    });
    match done.await {
        Ok(()) => go(format!("/portal/vaults/{id}")),
        Err(refusal) => page(&app, &view, id, fields, Some(refusal)).await,
    }
}

/// What the form shows: a page of the machines, who protects them already, and the policies.
struct Read {
    vault: Vault,
    policies: Vec<PolicyView>,
    choices: Vec<VmChoice>,
    count: u64,
    /// By machine, the vault that protects it.
    protected: BTreeMap<VmId, VaultId>,
    others: Vec<Vault>,
    regions: Vec<Region>,
}

fn read(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: VaultId,
    find: String,
    number: &str,
) -> Result<Read, Refusal> {
    let vault = get_vault_by_id(tx, cx, id)?;
    let policies = list_policies(tx, cx, id)?;
    let search = Search {
        subscription: Some(vault.subscription),
        find,
        order: Order::Group,
        limit: PAGE_ROWS as u32,
        ..Search::default()
    };
    let count = tx.count_vms(&search)?;
    let vms = tx.search_vms(&Search { skip: skipped(number, count), ..search })?;
    let mut protected = BTreeMap::new();
    for vm in &vms {
        if let Some(item) = tx.item_of_vm(vm.id)? {
            protected.insert(vm.id, item.vault);
        }
    }
    let others = vaults_of(tx, protected.values().copied())?;
    let choices = vm_choices(tx, cx, &vault, vms)?;
    Ok(Read { vault, policies, choices, count, protected, others, regions: tx.regions()? })
}

async fn page(
    app: &App,
    view: &View,
    id: VaultId,
    fields: Vec<(String, String)>,
    refusal: Option<Refusal>,
) -> Answer {
    let field = |name| first(&fields, name).trim().to_owned();
    let (find, number) = (field("find"), field("page"));
    let asked = app
        .look("portal_vault_protect", view.caller(), move |tx, cx| read(tx, cx, id, find, &number));
    let Read { vault, policies, choices, count, protected, others, regions } = asked.await?;
    let words = |vm: &Vm| {
        let other = protected.get(&vm.id);
        let other = other.and_then(|id| others.iter().find(|vault| vault.id == *id));
        obstacle(view, &vault, vm, other, &regions)
    };
    let free: Vec<&Vm> =
        choices.iter().filter(|it| it.obstacle.is_none()).map(|it| &it.vm).collect();
    let status = refusal.as_ref().map_or(StatusCode::OK, |refusal| {
        log(refusal);
        status_of(refusal)
    });
    let mut vms: Vec<VmRow> = choices
        .iter()
        .map(|choice| {
            let id = choice.vm.id.to_string();
            VmRow {
                name: choice.vm.name.clone(),
                group: choice.vm.group.clone(),
                power: power(view, &choice.vm),
                obstacle: choice
                    .obstacle
                    .as_ref()
                    .map(|said| words(&choice.vm).unwrap_or_else(|| said.clone())),
                ticked: choice.obstacle.is_none() && all(&fields, "vm").any(|it| it == id),
                id,
            }
        })
        .collect();
    vms.sort_by_key(|row| row.obstacle.is_some());
    html_with(
        status,
        &VaultProtect {
            view,
            section: "vaults",
            vault: &vault,
            refused: refusal.as_ref().map(|refusal| Notice::refusal(view, refusal)),
            policies: policy_choices(view, &policies, first(&fields, "policy")),
            new_policy: view
                .may(Action::WritePolicy)
                .then(|| new_policy(id, &format!("/portal/vaults/{id}/protect"))),
            vms,
            any_free: !free.is_empty(),
            find: first(&fields, "find"),
            searchable: count > PAGE_ROWS as u64 || !first(&fields, "find").is_empty(),
            pager: Pager::new(
                view,
                address(id, &fields),
                first(&fields, "page"),
                usize::try_from(count).unwrap_or(usize::MAX),
            ),
            no_vms: empty(view, "vms-none", "vms-none-text"),
            start: ticked(&fields, "start"),
            az: az(view, commands(&vault, &free)),
        },
    )
}

/// The list as it is narrowed, ready for `page=…`.
fn address(id: VaultId, fields: &[(String, String)]) -> String {
    let word = |name| utf8_percent_encode(first(fields, name), NON_ALPHANUMERIC).to_string();
    format!("/portal/vaults/{id}/protect?policy={}&find={}&", word("policy"), word("find"))
}

fn commands(vault: &Vault, free: &[&Vm]) -> Vec<AzCommand> {
    let mut commands = vec![
        AzCommand::new("backup protectable-item list")
            .option("--resource-group", &vault.group)
            .option("--vault-name", &vault.name)
            .option("--backup-management-type", "AzureIaasVM"),
    ];
    commands.extend(free.iter().take(10).map(|vm| enable_command(&vault.group, &vault.name, vm)));
    commands
}
