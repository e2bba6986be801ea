//! Protected items, containers and protectable items, to look at.

use std::collections::HashMap;

use coffre_control::model::{FreezeWindows, PolicyKind, ProtectedItem, Vault, Vm};
use coffre_control::port::{Missing, Order, PointSearch, Search, Tx};
use coffre_control::{ErrorCode, Refusal};
use serde_json::Value;

use crate::call::Call;
use crate::http::error::ArmError;
use crate::http::filter::Filter;
use crate::http::reply::Reply;
use crate::names::{VmRef, container_name, item_name};
use crate::render::container;
use crate::render::item::{self, ItemContext};

/// Newest recovery points over which the freeze windows of an item are told.
const FREEZES_MAX: u32 = 100;

/// Whether a filter asks for virtual machines at all, or for things that no vault here has.
pub(crate) fn asks_for_vms(filter: &Filter) -> bool {
    filter.allows("backupManagementType", "AzureIaasVM")
        && filter.allows("workloadType", "VM")
        && filter.allows("itemType", "VM")
}

/// A page of items with what belongs to each, and one more behind it.
struct Rows {
    vault: Vault,
    items: Vec<ItemRow>,
}

struct ItemRow {
    item: ProtectedItem,
    vm: Option<Vm>,
    kind: Option<PolicyKind>,
}

fn rows(call: &Call<'_>, tx: &mut dyn Tx, narrowed: Option<Search>) -> Result<Rows, Refusal> {
    let vault = call.vault(tx)?;
    let Some(search) = narrowed else { return Ok(Rows { vault, items: Vec::new() }) };
    let search = Search { vault: Some(vault.id), ..search };
    let mut kinds: HashMap<String, Option<PolicyKind>> = HashMap::new();
    let mut items = Vec::new();
    for item in tx.search_items(&search)? {
        let vm = tx.vm(item.vm)?;
        let kind = match &item.policy {
            None => None,
            Some(name) => match kinds.get(name) {
                Some(kind) => *kind,
                None => {
                    let kind = tx.policy(vault.id, name)?.map(|policy| policy.kind);
                    kinds.insert(name.clone(), kind);
                    kind
                }
            },
        };
        items.push(ItemRow { item, vm, kind });
    }
    Ok(Rows { vault, items })
}

impl Rows {
    fn context<'a>(&'a self, row: &'a ItemRow, call: &Call<'_>) -> ItemContext<'a> {
        ItemContext {
            vault: &self.vault,
            vm: row.vm.as_ref(),
            kind: row.kind,
            points: None,
            freezes: None,
            now: call.now,
        }
    }
}

/// Group and name that a native name of an item or a container is made of.
fn parts(text: &str, made: fn(&str, &str) -> String) -> Option<(String, String)> {
    let (rest, name) = text.rsplit_once(';')?;
    let (_, group) = rest.rsplit_once(';')?;
    made(group, name).eq_ignore_ascii_case(text).then(|| (group.to_owned(), name.to_owned()))
}

/// The items that a filter lets through; none when there can be none.
fn narrowed(call: &Call<'_>, filter: &Filter) -> Result<Option<Search>, ArmError> {
    let mut search = call.window()?.search();
    if !asks_for_vms(filter) {
        return Ok(None);
    }
    search.name = filter.text("friendlyName").map(str::to_owned);
    search.policy = filter.text("policyName").map(str::to_owned);
    let native = [
        filter.text("itemName").map(|text| parts(text, item_name)),
        filter.text("containerName").map(|text| parts(text, container_name)),
    ];
    for named in native.into_iter().flatten() {
        let Some((group, name)) = named else { return Ok(None) };
        let differs = |old: &Option<String>, new: &str| {
            old.as_ref().is_some_and(|old| !old.eq_ignore_ascii_case(new))
        };
        if differs(&search.group, &group) || differs(&search.name, &name) {
            return Ok(None);
        }
        (search.group, search.name) = (Some(group), Some(name));
    }
    Ok(Some(search))
}

/// GET ~V/backupProtectedItems
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, ArmError> {
    let narrowed = narrowed(call, &call.filter()?)?;
    let rows = call.read("list items", |tx| rows(call, tx, narrowed))?;
    call.page_of(&rows.items, |it| item::item(&it.item, rows.context(it, call)))
}

/// The item that the path names.
pub(crate) fn find(
    tx: &mut dyn Tx,
    vault: &Vault,
    names: &VmRef,
) -> Result<ProtectedItem, Refusal> {
    tx.item_named(vault.id, &names.group, &names.name)?.ok_or_else(|| {
        Refusal::new(
            ErrorCode::ProtectedItemNotFound,
            format!(
                "Vault '{}' protects no virtual machine '{}' of resource group '{}'.",
                vault.name, names.name, names.group
            ),
        )
    })
}

/// The item as GET answers it.
pub(crate) fn body(call: &Call<'_>, names: &VmRef) -> Result<Value, ArmError> {
    call.read("show item", |tx| {
        let vault = call.vault(tx)?;
        let found = find(tx, &vault, names)?;
        let vm = tx.vm(found.vm)?;
        let kind = match &found.policy {
            Some(name) => tx.policy(vault.id, name)?.map(|policy| policy.kind),
            None => None,
        };
        let search =
            PointSearch { item: Some(found.id), limit: FREEZES_MAX, ..PointSearch::default() };
        let freezes = FreezeWindows::of(&tx.search_points(&search)?);
        let count = usize::try_from(tx.stored_of_item(found.id)?.points).unwrap_or(usize::MAX);
        let (points, vm) = (Some((count, tx.oldest_point(found.id)?)), vm.as_ref());
        let context = ItemContext { vault: &vault, vm, kind, points, freezes, now: call.now };
        Ok(item::item(&found, context))
    })
}

/// GET ~PI
pub(crate) fn show(call: &Call<'_>) -> Result<Reply, ArmError> {
    Ok(Reply::ok(body(call, &call.item_names()?)?))
}

fn container_list(call: &Call<'_>, deleted: bool) -> Result<Reply, ArmError> {
    let filter = call.filter()?;
    let wanted = Search {
        name: filter.text("friendlyName").map(str::to_owned),
        deleted: deleted.then_some(true),
        ..call.window()?.search()
    };
    let narrowed =
        (asks_for_vms(&filter) && filter.allows("status", "Registered")).then_some(wanted);
    let rows = call.read("list containers", |tx| rows(call, tx, narrowed))?;
    call.page_of(&rows.items, |it| container::container(&rows.vault, &it.item, it.vm.as_ref()))
}

/// GET ~V/backupProtectionContainers
pub(crate) fn containers(call: &Call<'_>) -> Result<Reply, ArmError> {
    container_list(call, false)
}

/// GET ~V/backupDeletedProtectionContainers
pub(crate) fn deleted_containers(call: &Call<'_>) -> Result<Reply, ArmError> {
    container_list(call, true)
}

/// GET ~C
pub(crate) fn show_container(call: &Call<'_>) -> Result<Reply, ArmError> {
    let wanted = call.param("container");
    let found = call.read("show container", |tx| {
        let vault = call.vault(tx)?;
        let item = match parts(wanted, container_name) {
            Some((group, name)) => tx.item_named(vault.id, &group, &name)?,
            None => None,
        };
        let Some(item) = item else { return Ok(None) };
        let vm = tx.vm(item.vm)?;
        Ok(Some(container::container(&vault, &item, vm.as_ref())))
    })?;
    found.map(Reply::ok).ok_or_else(|| {
        call.no_resource(
            "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers",
            wanted,
        )
        .into()
    })
}

/// GET ~V/backupProtectableItems
pub(crate) fn protectable(call: &Call<'_>) -> Result<Reply, ArmError> {
    let filter = call.filter()?;
    let wanted = Search {
        name: filter.text("friendlyName").map(str::to_owned),
        protected: Some(false),
        missing: Missing::LeftOut,
        order: Order::Group,
        ..call.window()?.search()
    };
    let (vault, vms) = call.read("list protectable items", |tx| {
        let vault = call.vault(tx)?;
        if !asks_for_vms(&filter) {
            return Ok((vault, Vec::new()));
        }
        let subscription = Some(vault.subscription);
        let region = Some(vault.region.clone());
        let vms = tx.search_vms(&Search { subscription, region, ..wanted })?;
        Ok((vault, vms))
    })?;
    call.page_of(&vms, |vm| container::protectable(&vault, vm))
}
