//! *Enable backup* from a virtual machine: a vault of its region, a policy, and if wished the
//! first backup at once. A new vault can be made on the way, beside the VM.

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use coffre_control::id::{VaultId, VmId};
use coffre_control::model::{Region, Vault, Vm};
use coffre_control::port::{Search, Tx};
use coffre_control::usecase::{
    EnableProtection, PolicyView, PutVault, VaultPatch, VmView, backup_now, check_vault_name_free,
    enable_protection, get_vm_by_id, list_policies, list_vaults, put_vault,
};
use coffre_control::{Action, Cx, ErrorCode, Refusal};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::az::AzCommand;
use crate::form::{Fields, first, ticked};
use crate::inventory::region_label;
use crate::page::error::{log, status_of};
use crate::page::parse_id;
use crate::page::prelude::*;
use crate::policy_text;
use crate::preflight::{Preflight, preflight};

/// The choice that makes a vault.
pub(crate) const NEW: &str = "new";
/// The policy that every new vault has.
const DEFAULT_POLICY: &str = "DefaultPolicy";

#[derive(Template)]
#[template(path = "protect.html")]
struct Protect<'a> {
    view: &'a View,
    section: &'static str,
    vm: &'a Vm,
    region: &'a str,
    checks: Preflight,
    refused: Option<Notice>,
    vaults: Vec<VaultChoice>,
    others: Vec<(String, String)>,
    is_new: bool,
    may_make_vault: bool,
    chosen_vault: String,
    new_vault: String,
    wrong_name: Option<String>,
    policies: Vec<PolicyChoice>,
    /// Where a policy for this form is made.
    new_policy: Option<String>,
    start: bool,
    az: AzLines<'a>,
}

struct VaultChoice {
    value: String,
    label: String,
    chosen: bool,
}

/// A policy that can be chosen, as sentences.
pub(crate) struct PolicyChoice {
    pub(crate) name: String,
    pub(crate) schedule: String,
    pub(crate) details: Vec<String>,
    pub(crate) chosen: bool,
}

/// What the form holds.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Wish {
    /// Id of a vault, or `new`; empty = the first that fits.
    #[serde(default)]
    vault: String,
    #[serde(skip)]
    new_vault: String,
    /// Name of a policy of the vault; empty = the default.
    #[serde(default)]
    policy: String,
    #[serde(skip)]
    leave: bool,
}

impl Wish {
    /// A machine in a new vault of this name, under its default policy.
    pub(crate) fn new_vault(name: &str, leave: bool) -> Self {
        Self {
            vault: NEW.to_owned(),
            new_vault: name.to_owned(),
            policy: DEFAULT_POLICY.to_owned(),
            leave,
        }
    }
}

struct Read {
    found: VmView,
    vaults: Vec<Vault>,
    policies: Vec<PolicyView>,
    regions: Vec<Region>,
    chosen: Option<VaultId>,
    suggestion: String,
}

/// `GET /portal/vms/{id}/protect`.
pub(crate) async fn show(
    State(app): State<App>,
    view: View,
    Path(id): Path<String>,
    Query(wish): Query<Wish>,
) -> Answer {
    page(&app, &view, parse_id(&id)?, wish, None).await
}

/// `POST /portal/vms/{id}/protect`.
pub(crate) async fn enable(
    State(app): State<App>,
    view: View,
    Path(id): Path<String>,
    Form(fields): Fields,
) -> Answer {
    let id: VmId = parse_id(&id)?;
    let wish = Wish {
        vault: first(&fields, "vault").to_owned(),
        new_vault: first(&fields, "new_vault").to_owned(),
        policy: first(&fields, "policy").to_owned(),
        leave: !ticked(&fields, "start"),
    };
    let asked = wish.clone();
    let done =
        app.change("portal_enable", view.caller(), move |tx, cx| protect(tx, cx, id, &asked)).await;
    match done {
        Ok(address) => go(address),
        Err(refusal) => page(&app, &view, id, wish, Some(refusal)).await,
    }
}

/// Does all that the form asks for, or nothing; returns where to look at it.
pub(crate) fn protect(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: VmId,
    wish: &Wish,
) -> Result<String, Refusal> {
    let vault = if wish.vault == NEW {
        make_vault(tx, cx, id, &wish.new_vault)?
    } else {
        wish.vault.parse().map_err(|_| {
            Refusal::new(ErrorCode::InvalidRequestContent, "Choose a vault from the list.")
        })?
    };
    let policy = wish.policy.clone();
    let input = EnableProtection { vault, vm: id, policy, disk_selection: None };
    let (item, _) = enable_protection(tx, cx, input, "")?;
    if wish.leave {
        return Ok(format!("/portal/items/{}", item.id));
    }
    let accepted = backup_now(tx, cx, item.id, None, "")?;
    Ok(format!("/portal/jobs/{}", accepted.job.id))
}

/// A vault beside the VM: same subscription, resource group and region.
fn make_vault(tx: &mut dyn Tx, cx: &Cx<'_>, vm: VmId, name: &str) -> Result<VaultId, Refusal> {
    let vm = get_vm_by_id(tx, cx, vm)?.vm;
    check_vault_name_free(tx, cx, vm.subscription, name)?;
    let input = PutVault {
        subscription: vm.subscription,
        group: vm.group,
        name: name.to_owned(),
        region: vm.region,
        settings: VaultPatch::default(),
    };
    Ok(put_vault(tx, cx, input)?.0.id)
}

fn read(tx: &mut dyn Tx, cx: &Cx<'_>, id: VmId, wish: &Wish) -> Result<Read, Refusal> {
    let found = get_vm_by_id(tx, cx, id)?;
    let vaults = list_vaults(tx, cx, found.vm.subscription, None)?;
    let chosen = match wish.vault.as_str() {
        NEW => None,
        id => match id.parse().ok() {
            Some(id) => vaults.iter().find(|vault| vault.id == id).map(|vault| vault.id),
            None => busiest(tx, vaults.iter().filter(|vault| vault.region == found.vm.region))?,
        },
    };
    let policies = match chosen {
        Some(vault) => list_policies(tx, cx, vault)?,
        None => Vec::new(),
    };
    let suggestion = suggestion(tx, cx, &found.vm)?;
    Ok(Read { found, policies, regions: tx.regions()?, chosen, vaults, suggestion })
}

/// The vault that protects most already: the next machine most likely goes there too. The first
/// of equals.
fn busiest<'a>(
    tx: &mut dyn Tx,
    vaults: impl Iterator<Item = &'a Vault>,
) -> Result<Option<VaultId>, Refusal> {
    let mut best = None;
    for vault in vaults {
        let items = tx.count_items(&Search { vault: Some(vault.id), ..Search::default() })?;
        if best.is_none_or(|(most, _)| items > most) {
            best = Some((items, vault.id));
        }
    }
    Ok(best.map(|(_, id)| id))
}

/// A free vault name made from the region's.
pub(crate) fn suggestion(tx: &mut dyn Tx, cx: &Cx<'_>, vm: &Vm) -> Result<String, Refusal> {
    let region: String = vm.region.chars().filter(char::is_ascii_alphanumeric).take(30).collect();
    for number in 1..100 {
        let name = match number {
            1 => format!("vault-{region}"),
            number => format!("vault-{region}-{number}"),
        };
        if check_vault_name_free(tx, cx, vm.subscription, &name).is_ok() {
            return Ok(name);
        }
    }
    Ok(String::new())
}

async fn page(app: &App, view: &View, id: VmId, wish: Wish, refusal: Option<Refusal>) -> Answer {
    let asked = wish.clone();
    let read =
        app.look("portal_protect", view.caller(), move |tx, cx| read(tx, cx, id, &asked)).await?;
    if let (Some((_, item)), None) = (&read.found.protection, &refusal) {
        return go(format!("/portal/items/{}", item.id));
    }
    let vm = &read.found.vm;
    let may_make_vault = view.may(Action::WriteVault);
    let is_new = read.chosen.is_none();
    let about_name = wish.vault == NEW
        && refusal.as_ref().is_some_and(|refusal| {
            matches!(
                refusal.code,
                ErrorCode::InvalidResourceName | ErrorCode::VaultNameAlreadyInUse
            )
        });
    let refused =
        refusal.as_ref().filter(|_| !about_name).map(|refusal| Notice::refusal(view, refusal));
    let status = refusal.as_ref().map_or(StatusCode::OK, |refusal| {
        log(refusal);
        status_of(refusal)
    });
    let (here, elsewhere): (Vec<&Vault>, Vec<&Vault>) =
        read.vaults.iter().partition(|vault| vault.region == vm.region);
    html_with(
        status,
        &Protect {
            view,
            section: "vms",
            vm,
            region: region_label(&read.regions, &vm.region),
            checks: preflight(view, vm),
            refused,
            vaults: vault_choices(view, &here, read.chosen, may_make_vault),
            others: elsewhere
                .iter()
                .map(|vault| other_region(view, vault, &read.regions))
                .collect(),
            is_new,
            may_make_vault,
            chosen_vault: read.chosen.map_or_else(|| NEW.to_owned(), |id| id.to_string()),
            new_vault: if wish.new_vault.is_empty() && !about_name {
                read.suggestion.clone()
            } else {
                wish.new_vault.clone()
            },
            wrong_name: refusal
                .as_ref()
                .filter(|_| about_name)
                .map(|refusal| format!("{} ({})", view.say(&refusal.message), refusal.code)),
            policies: policy_choices(view, &read.policies, &wish.policy),
            new_policy: read.chosen.filter(|_| view.may(Action::WritePolicy)).map(|vault| {
                new_policy(vault, &format!("/portal/vms/{}/protect?vault={vault}", vm.id))
            }),
            start: !wish.leave,
            az: az(view, commands(vm, &read)),
        },
    )
}

fn vault_choices(
    view: &View,
    vaults: &[&Vault],
    chosen: Option<VaultId>,
    may_make_vault: bool,
) -> Vec<VaultChoice> {
    let mut choices: Vec<VaultChoice> = vaults
        .iter()
        .map(|vault| VaultChoice {
            value: vault.id.to_string(),
            label: format!("{} ({})", vault.name, vault.group),
            chosen: chosen == Some(vault.id),
        })
        .collect();
    if may_make_vault {
        choices.push(VaultChoice {
            value: NEW.to_owned(),
            label: view.t("create-new"),
            chosen: chosen.is_none(),
        });
    }
    choices
}

/// A vault that cannot be chosen, and why.
fn other_region(view: &View, vault: &Vault, regions: &[Region]) -> (String, String) {
    let region = region_label(regions, &vault.region);
    (vault.name.clone(), view.t1("protect-other-region", "region", region))
}

/// Where a policy is made for a form, to which it then leads back.
pub(crate) fn new_policy(vault: VaultId, back_to: &str) -> String {
    let next = utf8_percent_encode(back_to, NON_ALPHANUMERIC);
    format!("/portal/vaults/{vault}/policy-new?next={next}")
}

/// The policies of a vault; the wished one is chosen, else the default, else the first.
pub(crate) fn policy_choices(
    view: &View,
    policies: &[PolicyView],
    wished: &str,
) -> Vec<PolicyChoice> {
    let named = |name: &str| policies.iter().position(|it| it.policy.name == name);
    let chosen = named(wished).or_else(|| named(DEFAULT_POLICY)).unwrap_or(0);
    policies
        .iter()
        .enumerate()
        .map(|(at, found)| PolicyChoice {
            name: found.policy.name.clone(),
            schedule: policy_text::schedule(view, &found.policy),
            details: policy_text::details(view, &found.policy),
            chosen: at == chosen,
        })
        .collect()
}

fn commands(vm: &Vm, read: &Read) -> Vec<AzCommand> {
    let vault = read.vaults.iter().find(|vault| Some(vault.id) == read.chosen);
    let Some(vault) = vault else {
        let (group, name) = (&vm.group, &read.suggestion);
        return vec![
            AzCommand::new("backup vault create")
                .option("--resource-group", group)
                .option("--name", name)
                .option("--location", &vm.region),
            enable_command(group, name, vm),
        ];
    };
    let mut commands = vec![enable_command(&vault.group, &vault.name, vm)];
    commands.push(
        AzCommand::new("backup protection backup-now")
            .option("--resource-group", &vault.group)
            .option("--vault-name", &vault.name)
            .option("--container-name", &vm.name)
            .option("--item-name", &vm.name)
            .option("--backup-management-type", "AzureIaasVM"),
    );
    commands
}

/// `az backup protection enable-for-vm`. The VM is named by its id when its group is not the
/// vault's.
pub(crate) fn enable_command(group: &str, vault: &str, vm: &Vm) -> AzCommand {
    let name = if vm.group.eq_ignore_ascii_case(group) {
        vm.name.clone()
    } else {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/virtualMachines/{}",
            vm.subscription, vm.group, vm.name
        )
    };
    AzCommand::new("backup protection enable-for-vm")
        .option("--resource-group", group)
        .option("--vault-name", vault)
        .option("--vm", &name)
        .option("--policy-name", DEFAULT_POLICY)
}
