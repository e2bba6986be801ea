//! Settings: what the service keeps and where, and who may use it.

use askama::Template;
use axum::extract::State;
use coffre_control::Action;
use coffre_control::model::{Region, StorageAccount};
use coffre_control::port::{HypervisorRow as Seen, Search};

use crate::az::AzCommand;
use crate::inventory::region_label;
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
    let (counted, hypervisors, subscriptions, accounts) = app
        .look("portal_settings", view.caller(), |tx, cx| {
            cx.may(Action::Read)?;
            let subscriptions = tx.subscriptions()?;
            let mut accounts = Vec::new();
            for subscription in &subscriptions {
                accounts.extend(tx.storage_accounts(subscription.id)?);
            }
            let mut regions = Vec::new();
            for region in tx.regions()? {
                let name = Some(region.name.clone());
                let vaults = tx.count_vaults(&Search { region: name, ..Search::default() })?;
                regions.push((region, vaults));
            }
            Ok((regions, tx.hypervisors()?, subscriptions, accounts))
        })
        .await?;
    let known: Vec<Region> = counted.iter().map(|(region, _)| region.clone()).collect();
    let label = |name: &str| region_label(&known, name).to_owned();
    let regions = counted.iter().map(|(region, vaults)| RegionRow {
        name: region.name.clone(),
        label: region.display_name.clone(),
        paired: region.paired.as_deref().map(label).unwrap_or_default(),
        store: region.store_url.clone(),
        vaults: view.number(*vaults),
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
        hypervisors: hypervisors.iter().map(|it| hypervisor(&view, &known, it)).collect(),
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

/// A hypervisor that has or had a machine.
fn hypervisor(view: &View, regions: &[Region], seen: &Seen) -> HypervisorRow {
    let state =
        if seen.away { (Tone::Warn, "vm-unreachable") } else { (Tone::Good, "hypervisor-answers") };
    HypervisorRow {
        name: seen.name.clone(),
        region: region_label(regions, &seen.region).to_owned(),
        vms: view.number(seen.vms),
        state: status(view, state),
        seen: view.time(seen.seen),
    }
}
