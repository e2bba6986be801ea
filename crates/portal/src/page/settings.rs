//! Settings: what the service keeps and where, and who may use it.

use askama::Template;
use axum::extract::State;
use coffre_control::Action;
use coffre_control::model::{StorageAccount, Vm};
use std::collections::BTreeMap;

use crate::az::AzCommand;
use crate::inventory::{Inventory, region_label};
use crate::page::prelude::*;
use crate::view::TimeElement;

#[derive(Template)]
#[template(path = "settings.html")]
struct Settings<'a> {
    view: &'a View,
    section: &'static str,
    may_access: bool,
    regions: Vec<RegionRow>,
    hypervisors: Vec<HypervisorRow>,
    accounts: Vec<AccountRow>,
    subscriptions: Vec<(String, String, String)>,
    az: AzLines<'a>,
}

struct RegionRow {
    name: String,
    label: String,
    paired: String,
    store: String,
    vaults: String,
}

struct HypervisorRow {
    name: String,
    region: String,
    vms: String,
    state: Status,
    seen: TimeElement,
}

struct AccountRow {
    name: String,
    group: String,
    region: String,
    folder: String,
}

/// `GET /portal/settings`.
pub(crate) async fn show(State(app): State<App>, view: View) -> Answer {
    let (inventory, subscriptions, accounts) = app
        .look("portal_settings", view.caller(), |tx, cx| {
            cx.may(Action::Read)?;
            let subscriptions = tx.subscriptions()?;
            let mut accounts = Vec::new();
            for subscription in &subscriptions {
                accounts.extend(tx.storage_accounts(subscription.id)?);
            }
            Ok((Inventory::read(tx)?, subscriptions, accounts))
        })
        .await?;
    let label = |name: &str| region_label(&inventory.regions, name).to_owned();
    let regions = inventory.regions.iter().map(|region| RegionRow {
        name: region.name.clone(),
        label: region.display_name.clone(),
        paired: region.paired.as_deref().map(label).unwrap_or_default(),
        store: region.store_url.clone(),
        vaults: view.number(inventory.vaults.iter().filter(|it| it.region == region.name).count()),
    });
    let account = |it: &StorageAccount| AccountRow {
        name: it.name.clone(),
        group: it.group.clone(),
        region: label(&it.region),
        folder: it.folder.clone(),
    };
    html(&Settings {
        view: &view,
        section: "settings",
        may_access: view.may(Action::WriteAccess),
        regions: regions.collect(),
        hypervisors: hypervisors(&view, &inventory),
        accounts: accounts.iter().map(account).collect(),
        subscriptions: subscriptions
            .iter()
            .map(|it| (it.name.clone(), it.id.to_string(), it.tenant.to_string()))
            .collect(),
        az: az(
            &view,
            [
                AzCommand::new("account list").option("--output", "table"),
                AzCommand::new("account list-locations").option("--output", "table"),
                AzCommand::new("storage account list").option("--output", "table"),
            ],
        ),
    })
}

/// The hypervisors that have or had a machine, by name.
fn hypervisors(view: &View, inventory: &Inventory) -> Vec<HypervisorRow> {
    let mut by_name: BTreeMap<&str, Vec<&Vm>> = BTreeMap::new();
    for vm in &inventory.vms {
        by_name.entry(&vm.hypervisor).or_default().push(vm);
    }
    let row = |(name, vms): (&&str, &Vec<&Vm>)| {
        let newest = vms.iter().max_by_key(|vm| vm.seen)?;
        let away = vms.iter().any(|vm| vm.unreachable_since.is_some());
        let here = vms.iter().filter(|vm| vm.missing_since.is_none()).count();
        let state =
            if away { (Tone::Warn, "vm-unreachable") } else { (Tone::Good, "hypervisor-answers") };
        Some(HypervisorRow {
            name: (*name).to_owned(),
            region: region_label(&inventory.regions, &newest.region).to_owned(),
            vms: view.number(here),
            state: status(view, state),
            seen: view.time(newest.seen),
        })
    };
    by_name.iter().filter_map(row).collect()
}
