//! Tenants, subscriptions, regions, providers, and the list of all resources.

use std::collections::BTreeSet;

use coffre_control::id::SubscriptionId;
use coffre_control::model::{RecordKind, Subscription};
use coffre_control::port::{Missing, Order, Search};
use serde_json::{Value, json};

use crate::call::Call;
use crate::handle::tag;
use crate::http::error::ArmError;
use crate::http::filter::Filter;
use crate::http::query::clip;
use crate::http::reply::Reply;
use crate::names::{VAULT_TYPE, VM_TYPE, region_name};
use crate::render::resource::{self, Listed};

/// API version that the providers list names; every well-formed one is served.
const STABLE_VERSION: &str = "2024-11-01";

/// Namespaces and the types below them that this service answers for.
const PROVIDERS: &[(&str, &[&str])] = &[
    (
        "Microsoft.RecoveryServices",
        &["vaults", "vaults/backupPolicies", "vaults/backupJobs", "operations"],
    ),
    (
        "Microsoft.Compute",
        &[
            "virtualMachines",
            "virtualMachines/extensions",
            "disks",
            "snapshots",
            "availabilitySets",
        ],
    ),
    ("Microsoft.ClassicCompute", &["domainNames"]),
    ("Microsoft.DataProtection", &["resourceGuards"]),
    ("Microsoft.Storage", &["storageAccounts"]),
    (
        "Microsoft.Network",
        &["virtualNetworks", "networkInterfaces", "networkSecurityGroups", "publicIPAddresses"],
    ),
    ("Microsoft.ManagedIdentity", &["userAssignedIdentities"]),
    ("Microsoft.Authorization", &["locks", "roleAssignments", "roleDefinitions"]),
    (
        "Microsoft.Resources",
        &["resourceGroups", "subscriptions", "deployments", "tags", "resources"],
    ),
];

/// GET /tenants
pub(crate) fn tenants(call: &Call<'_>) -> Result<Reply, ArmError> {
    let subscriptions = call.read("list tenants", |tx| Ok(tx.subscriptions()?))?;
    let tenants: BTreeSet<_> = subscriptions.iter().map(|it| it.tenant).collect();
    Ok(Reply::list(tenants.into_iter().map(|id| resource::tenant(id, "Coffre")).collect()))
}

/// GET /subscriptions
pub(crate) fn subscriptions(call: &Call<'_>) -> Result<Reply, ArmError> {
    let found = call.read("list subscriptions", |tx| Ok(tx.subscriptions()?))?;
    let values: Vec<Value> = found.iter().map(resource::subscription).collect();
    let count = json!({ "type": "Total", "value": values.len() });
    Ok(Reply::ok(json!({ "value": values, "count": count })))
}

/// GET one subscription
pub(crate) fn subscription(call: &Call<'_>) -> Result<Reply, ArmError> {
    Ok(Reply::ok(resource::subscription(call.subscription()?)))
}

/// GET the regions of a subscription
pub(crate) fn locations(call: &Call<'_>) -> Result<Reply, ArmError> {
    let subscription = call.subscription()?;
    let regions = call.read("list regions", |tx| Ok(tx.regions()?))?;
    Ok(Reply::list(regions.iter().map(|it| resource::region(subscription, it)).collect()))
}

/// GET all providers
pub(crate) fn providers(call: &Call<'_>) -> Result<Reply, ArmError> {
    let regions = region_labels(call)?;
    let subscription = call.subscription()?;
    let all =
        PROVIDERS.iter().map(|(name, types)| provider_body(subscription, name, types, &regions));
    Ok(Reply::list(all.collect()))
}

/// GET one provider; POST …/register and …/unregister answer the same.
pub(crate) fn provider(call: &Call<'_>) -> Result<Reply, ArmError> {
    let wanted = call.param("namespace");
    let found = PROVIDERS.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let Some((name, types)) = found else {
        return Err(ArmError::not_found(
            "InvalidResourceNamespace",
            format!("The resource namespace '{}' is invalid.", clip(wanted)),
        ));
    };
    let regions = region_labels(call)?;
    Ok(Reply::ok(provider_body(call.subscription()?, name, types, &regions)))
}

fn region_labels(call: &Call<'_>) -> Result<Vec<String>, ArmError> {
    let regions = call.read("list regions", |tx| Ok(tx.regions()?))?;
    Ok(regions.into_iter().map(|it| it.display_name).collect())
}

fn provider_body(
    subscription: &Subscription,
    name: &str,
    types: &[&str],
    regions: &[String],
) -> Value {
    let kinds = types.iter().map(|kind| {
        json!({
            "resourceType": kind,
            "locations": regions,
            "apiVersions": [STABLE_VERSION],
            "defaultApiVersion": STABLE_VERSION,
            "capabilities": "SupportsTags, SupportsLocation",
        })
    });
    json!({
        "id": format!("/subscriptions/{}/providers/{name}", subscription.id),
        "namespace": name,
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationFree",
        "resourceTypes": kinds.collect::<Vec<_>>(),
    })
}

/// GET all resources of a subscription, or of a group
pub(crate) fn resources(call: &Call<'_>) -> Result<Reply, ArmError> {
    let filter = call.filter()?;
    let id = call.subscription_id()?;
    if filter.text("tagname").is_none() {
        return untagged(call, &filter);
    }
    let mut listed = everything(call, id)?;
    if let Some(group) = &call.group {
        listed.retain(|it| it.group.eq_ignore_ascii_case(&group.name));
    }
    listed.retain(|it| wanted(it, &filter));
    call.page(listed, |it| it.body)
}

/// All resources of a subscription with their tags.
pub(crate) fn everything(call: &Call<'_>, id: SubscriptionId) -> Result<Vec<Listed>, ArmError> {
    call.read("list resources", |tx| {
        let vaults = tx.vaults(id)?;
        let accounts = tx.storage_accounts(id)?;
        let vms = tx.vms(id)?;
        let vms = vms.iter().filter(|vm| vm.missing_since.is_none()).map(Listed::vm);
        let scope = format!("/subscriptions/{id}");
        let kept = tx.records_below(RecordKind::Resource, &scope)?;
        let rest = accounts.iter().map(Listed::storage_account).chain(vms);
        let rest = rest.chain(kept.iter().filter_map(Listed::kept));
        let mut all: Vec<Listed> = vaults.iter().map(Listed::vault).chain(rest).collect();
        let tags = tag::kept(tx, &scope)?;
        all.iter_mut().for_each(|it| it.add_tags(&tags));
        Ok(all)
    })
}

/// The list of resources when nothing is asked of their tags: one kind after the other, each cut
/// by the store.
fn untagged(call: &Call<'_>, filter: &Filter) -> Result<Reply, ArmError> {
    let window = call.window()?;
    let subscription = call.subscription_id()?;
    let group = filter.text("resourceGroup").map(str::to_owned);
    let search = Search {
        subscription: Some(subscription),
        group: call.group.as_ref().map(|it| it.name.clone()).or(group),
        region: filter.text("location").map(region_name),
        name: filter.text("name").map(str::to_owned),
        missing: Missing::LeftOut,
        order: Order::Group,
        ..Search::default()
    };
    let here = call.group.as_ref().is_none_or(|it| filter.allows("resourceGroup", &it.name));
    let asked = |kind: &str| here && filter.allows("resourceType", kind);
    let listed = call.read("list resources", |tx| {
        let mut part = Part { skip: window.skip(), left: window.limit(), listed: Vec::new() };
        if asked(VAULT_TYPE) {
            let count = tx.count_vaults(&search)?;
            let rows = tx.search_vaults(&part.of(&search))?;
            part.take(count, rows.iter().map(Listed::vault));
        }
        let scope = format!("/subscriptions/{subscription}");
        let passes = |it: &Listed| {
            here && wanted(it, filter)
                && search.group.as_ref().is_none_or(|group| group.eq_ignore_ascii_case(&it.group))
        };
        let accounts = tx.storage_accounts(subscription)?;
        let accounts = accounts.iter().map(Listed::storage_account).filter(passes).collect();
        part.take_all(accounts);
        if asked(VM_TYPE) {
            let count = tx.count_vms(&search)?;
            let rows = tx.search_vms(&part.of(&search))?;
            part.take(count, rows.iter().map(Listed::vm));
        }
        let kept = tx.records_below(RecordKind::Resource, &scope)?;
        part.take_all(kept.iter().filter_map(Listed::kept).filter(passes).collect());
        let ids = part.listed.iter().filter_map(|it| it.body["id"].as_str().map(str::to_owned));
        let tags = tag::of_each(tx, ids.collect::<Vec<_>>())?;
        part.listed.iter_mut().for_each(|it| it.add_tags(&tags));
        Ok(part.listed)
    })?;
    call.page_of(listed, |it| it.body)
}

/// A page that is filled from several lists, one after the other.
struct Part {
    /// Entries that are still left out.
    skip: u64,
    /// Entries that still find room.
    left: u32,
    listed: Vec<Listed>,
}

impl Part {
    /// What is read of the next list.
    fn of(&self, search: &Search) -> Search {
        Search { skip: self.skip, limit: self.left, ..search.clone() }
    }

    /// Takes what was read of a list of so many.
    fn take(&mut self, count: u64, rows: impl Iterator<Item = Listed>) {
        let before = self.listed.len();
        self.listed.extend(rows.take(self.left as usize));
        self.left -= (self.listed.len() - before) as u32;
        self.skip = self.skip.saturating_sub(count);
    }

    /// Takes its part of a whole list.
    fn take_all(&mut self, rows: Vec<Listed>) {
        let count = rows.len() as u64;
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX);
        self.take(count, rows.into_iter().skip(skipped));
    }
}

fn wanted(listed: &Listed, filter: &Filter) -> bool {
    let tag = match (filter.text("tagname"), filter.text("tagvalue")) {
        (None, _) => true,
        (Some(name), value) => listed.tags.iter().any(|(key, actual)| {
            key.eq_ignore_ascii_case(name) && value.is_none_or(|wanted| wanted == actual)
        }),
    };
    let region = filter.text("location").is_none_or(|it| region_name(it) == listed.region);
    tag && region
        && filter.allows("resourceGroup", &listed.group)
        && filter.allows("resourceType", &listed.kind)
        && filter.allows("name", &listed.name)
}

/// GET the operations that clients may discover; none is listed.
pub(crate) fn operations(_call: &Call<'_>) -> Result<Reply, ArmError> {
    Ok(Reply::list(Vec::new()))
}
