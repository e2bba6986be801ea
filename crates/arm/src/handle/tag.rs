//! The tags of any resource, apart from the resource itself.

use std::collections::BTreeMap;

use coffre_control::model::RecordKind;
use coffre_control::port::Tx;
use coffre_control::usecase::{PutGroup, VaultPatch, put_group, put_record, update_vault};
use coffre_control::{Cx, Refusal};
use serde_json::{Value, json};

use crate::call::Call;
use crate::handle::group::{checked_tags, tags};
use crate::http::error::ArmError;
use crate::http::reply::Reply;
use crate::names::{STORAGE_TYPE, VAULT_TYPE, VM_TYPE};

/// Name of the record that holds the tags of a resource.
const NAME: &str = "default";

/// Tags by name.
pub(crate) type Tags = BTreeMap<String, String>;

/// The tags that are kept beside a resource, by the id of the resource in lower case.
pub(crate) fn kept(tx: &mut dyn Tx, scope: &str) -> Result<BTreeMap<String, Tags>, Refusal> {
    let rows = tx.records_below(RecordKind::Tags, scope)?;
    Ok(rows.into_iter().map(|it| (it.scope.to_ascii_lowercase(), read(&it.content))).collect())
}

/// The tags that are kept beside each of some resources, by id in lower case.
pub(crate) fn of_each(
    tx: &mut dyn Tx,
    ids: impl IntoIterator<Item = String>,
) -> Result<BTreeMap<String, Tags>, Refusal> {
    let mut found = BTreeMap::new();
    for id in ids {
        if let Some(row) = tx.record(RecordKind::Tags, &id, NAME)? {
            found.insert(id.to_ascii_lowercase(), read(&row.content));
        }
    }
    Ok(found)
}

fn read(content: &Value) -> Tags {
    let pairs = content.as_object().into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// Adds tags to a body that shows a resource.
pub(crate) fn show_on(body: &mut Value, tags: Option<&Tags>) {
    if let Some(tags) = tags.filter(|it| !it.is_empty()) {
        body["tags"] = json!(tags);
    }
}

/// What the tags belong to.
enum Holder {
    Group,
    Vault,
    /// A resource whose tags are kept beside it.
    Other,
}

fn holder(call: &Call<'_>, tx: &mut dyn Tx) -> Result<Holder, Refusal> {
    let Some(kind) = call.kind() else { return Ok(Holder::Group) };
    let name = call.param("name");
    let group = call.param("group");
    let is = |known: &str| kind.eq_ignore_ascii_case(known);
    let Some(subscription) = call.subscription.as_ref().map(|it| it.id) else {
        return Err(call.no_resource(&kind, name));
    };
    if is(VAULT_TYPE) {
        let found = tx.vault_named(subscription, name)?;
        return match found.filter(|it| it.group.eq_ignore_ascii_case(group)) {
            Some(_) => Ok(Holder::Vault),
            None => Err(call.no_resource(VAULT_TYPE, name)),
        };
    }
    let there = if is(VM_TYPE) {
        tx.vm_named(subscription, group, name)?.is_some()
    } else if is(STORAGE_TYPE) {
        tx.storage_account(subscription, name)?.is_some()
    } else {
        let scope = format!("/subscriptions/{subscription}/resourceGroups/{group}");
        tx.record(RecordKind::Resource, &scope, &format!("{kind}/{name}"))?.is_some()
    };
    if there { Ok(Holder::Other) } else { Err(call.no_resource(&kind, name)) }
}

fn current(call: &Call<'_>, tx: &mut dyn Tx, holder: &Holder) -> Result<Tags, Refusal> {
    match holder {
        Holder::Group => Ok(call.group.as_ref().map(|it| it.tags.clone()).unwrap_or_default()),
        Holder::Vault => {
            let Some(subscription) = call.subscription.as_ref() else { return Ok(Tags::new()) };
            let vault = tx.vault_named(subscription.id, call.param("name"))?;
            Ok(vault.map(|it| it.tags).unwrap_or_default())
        }
        Holder::Other => {
            let scope = call.resource_scope();
            let row = tx.record(RecordKind::Tags, &scope, NAME)?;
            Ok(row.map(|it| read(&it.content)).unwrap_or_default())
        }
    }
}

fn store(
    call: &Call<'_>,
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    holder: &Holder,
    tags: Tags,
) -> Result<(), Refusal> {
    match holder {
        Holder::Group => {
            let Some(group) = &call.group else { return Ok(()) };
            let input = PutGroup {
                subscription: group.subscription,
                name: group.name.clone(),
                region: group.region.clone(),
                tags,
            };
            put_group(tx, cx, input).map(|_| ())
        }
        Holder::Vault => {
            let Some(subscription) = call.subscription.as_ref() else { return Ok(()) };
            let vault = tx.vault_named(subscription.id, call.param("name"))?;
            let Some(vault) = vault else { return Ok(()) };
            let patch = VaultPatch { tags: Some(tags), ..VaultPatch::default() };
            update_vault(tx, cx, vault.id, patch).map(|_| ())
        }
        Holder::Other => keep(tx, cx, &call.resource_scope(), tags),
    }
}

/// Keeps tags beside a resource.
pub(crate) fn keep(tx: &mut dyn Tx, cx: &Cx<'_>, scope: &str, tags: Tags) -> Result<(), Refusal> {
    put_record(tx, cx, RecordKind::Tags, scope, NAME, json!(tags)).map(|_| ())
}

fn reply(call: &Call<'_>, tags: &Tags) -> Reply {
    Reply::ok(json!({
        "id": format!("{}/providers/Microsoft.Resources/tags/default", call.resource_scope()),
        "name": NAME,
        "type": "Microsoft.Resources/tags",
        "properties": { "tags": tags },
    }))
}

/// GET the tags of a scope
pub(crate) fn show(call: &Call<'_>) -> Result<Reply, ArmError> {
    let tags = call.read("show tags", |tx| {
        let holder = holder(call, tx)?;
        current(call, tx, &holder)
    })?;
    Ok(reply(call, &tags))
}

/// PUT the tags of a scope: they replace all
pub(crate) fn put(call: &Call<'_>) -> Result<Reply, ArmError> {
    change(call, "Replace")
}

/// PATCH the tags of a scope: `operation` is Merge, Replace or Delete
pub(crate) fn patch(call: &Call<'_>) -> Result<Reply, ArmError> {
    let members = call.members()?;
    change(call, members.text("operation")?.unwrap_or("Merge"))
}

/// DELETE all tags of a scope
pub(crate) fn delete(call: &Call<'_>) -> Result<Reply, ArmError> {
    call.write("delete tags", |tx, cx| {
        let holder = holder(call, tx)?;
        store(call, tx, cx, &holder, Tags::new())
    })?;
    Ok(Reply::ok(json!({})))
}

fn change(call: &Call<'_>, operation: &str) -> Result<Reply, ArmError> {
    let wanted = tags(&call.members()?.object("properties")?)?.unwrap_or_default();
    let operation = operation.to_ascii_lowercase();
    if !["replace", "merge", "delete"].contains(&operation.as_str()) {
        return Err(
            ArmError::bad_body("The operation is Replace, Merge or Delete.").target("operation")
        );
    }
    let made = call.read("show tags", |tx| {
        let holder = holder(call, tx)?;
        current(call, tx, &holder)
    })?;
    let made = match operation.as_str() {
        "replace" => wanted,
        "merge" => made.into_iter().chain(wanted).collect(),
        _ => made.into_iter().filter(|(name, value)| wanted.get(name) != Some(value)).collect(),
    };
    checked_tags(&made)?;
    call.write("put tags", |tx, cx| {
        let holder = holder(call, tx)?;
        store(call, tx, cx, &holder, made.clone())
    })?;
    Ok(reply(call, &made))
}
