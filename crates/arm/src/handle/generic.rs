//! Resources that backups only name: networks, disks, cloud services. They are kept as they came;
//! nothing here acts by their content.

use coffre_control::model::{Record, RecordKind};
use coffre_control::port::{Missing, Order, Search};
use coffre_control::usecase::{Written, delete_record, find_record, list_records, put_record};
use serde_json::{Value, json};

use crate::call::Call;
use crate::http::error::ArmError;
use crate::http::query::clip;
use crate::http::reply::Reply;
use crate::names::{group_id, region_name, vm_id};
use crate::render;

/// Types that are kept.
pub(crate) const KINDS: &[&str] = &[
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Network/networkInterfaces",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.Compute/disks",
    "Microsoft.Compute/snapshots",
    "Microsoft.Compute/availabilitySets",
    "Microsoft.ClassicCompute/domainNames",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
];

/// Types whose PUT answers 200 also when it made something: the clients accept nothing else.
const NEVER_CREATED: &[&str] = &["Microsoft.Compute/disks", "Microsoft.Compute/snapshots"];

/// The type in the path, spelt as it should be.
fn kind(call: &Call<'_>) -> Result<&'static str, ArmError> {
    served(&call.kind().unwrap_or_default())
}

/// A type that is kept, spelt as it should be.
pub(crate) fn served(wanted: &str) -> Result<&'static str, ArmError> {
    KINDS.iter().copied().find(|it| it.eq_ignore_ascii_case(wanted)).ok_or_else(|| {
        ArmError::not_found(
            "InvalidResourceType",
            format!(
                "The resource type '{}' is not served here. Served besides vaults, virtual machines and storage accounts: {}.",
                clip(wanted),
                KINDS.join(", ")
            ),
        )
    })
}

fn row_name(kind: &str, name: &str) -> String {
    format!("{kind}/{name}")
}

/// The type and the name in the name of a row.
pub(crate) fn split(row: &Record) -> (&str, &str) {
    row.name.rsplit_once('/').unwrap_or((&row.name, ""))
}

/// A resource as it is shown.
pub(crate) fn body(row: &Record) -> Value {
    row.content.clone()
}

/// GET the resources of a type in a group
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, ArmError> {
    let kind = kind(call)?;
    let scope = match &call.group {
        Some(group) => group_id(call.subscription_id()?, &group.name),
        None => format!("/subscriptions/{}", call.subscription_id()?),
    };
    let all =
        call.look("list resources", |tx, cx| list_records(tx, cx, RecordKind::Resource, &scope))?;
    let mut shown: Vec<Value> =
        all.iter().filter(|it| split(it).0.eq_ignore_ascii_case(kind)).map(body).collect();
    if kind == "Microsoft.Compute/disks" {
        shown.extend(attached_disks(call)?);
    }
    call.page(shown, |it| it)
}

/// The disks of the machines, which nobody made here.
fn attached_disks(call: &Call<'_>) -> Result<Vec<Value>, ArmError> {
    let id = call.subscription_id()?;
    let search = Search {
        subscription: Some(id),
        group: call.group.as_ref().map(|it| it.name.clone()),
        missing: Missing::LeftOut,
        order: Order::Group,
        limit: u32::MAX,
        ..Search::default()
    };
    let vms = call.read("list disks", |tx| Ok(tx.search_vms(&search)?))?;
    Ok(vms.iter()
        .flat_map(|vm| vm.disks.iter().map(move |disk| (vm, disk)))
        .map(|(vm, disk)| {
            let name = render::vm::disk_name(vm, disk);
            let mut body = json!({
                "id": format!("{}/providers/Microsoft.Compute/disks/{name}", group_id(vm.subscription, &vm.group)),
                "name": name,
                "type": "Microsoft.Compute/disks",
                "location": vm.region,
                "managedBy": vm_id(vm.subscription, &vm.group, &vm.name),
                "sku": { "name": "Standard_LRS", "tier": "Standard" },
                "properties": {
                    "creationData": { "createOption": "Attach" },
                    "diskSizeGB": disk.size_bytes.div_ceil(1 << 30),
                    "diskSizeBytes": disk.size_bytes,
                    "diskState": "Attached",
                    "provisioningState": "Succeeded",
                },
            });
            if disk.lun.is_none() {
                body["properties"]["osType"] = json!(vm.os_type.azure());
            }
            body
        })
        .collect())
}

fn found(call: &Call<'_>) -> Result<Value, ArmError> {
    let (kind, name) = (kind(call)?, call.param("name"));
    let scope = group_id(call.subscription_id()?, &call.group()?.name);
    let row = call.look("show resource", |tx, cx| {
        find_record(tx, cx, RecordKind::Resource, &scope, &row_name(kind, name))
    })?;
    if let Some(row) = row {
        return Ok(body(&row));
    }
    let disks = if kind == "Microsoft.Compute/disks" { attached_disks(call)? } else { Vec::new() };
    let disk = disks
        .into_iter()
        .find(|it| it["name"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(name)));
    disk.ok_or_else(|| call.no_resource(kind, name).into())
}

/// GET one resource
pub(crate) fn show(call: &Call<'_>) -> Result<Reply, ArmError> {
    found(call).map(Reply::ok)
}

/// GET a part of a resource that stands in a list of its properties: a subnet
pub(crate) fn show_part(call: &Call<'_>) -> Result<Reply, ArmError> {
    let whole = found(call)?;
    let (list, name) = (call.param("part"), call.param("child"));
    let parts = whole["properties"].as_object().into_iter().flatten();
    let found = parts
        .filter(|(member, _)| member.eq_ignore_ascii_case(list))
        .flat_map(|(_, value)| value.as_array().into_iter().flatten())
        .find(|it| it["name"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(name)));
    match found {
        Some(part) => Ok(Reply::ok(part.clone())),
        None => {
            let kind = format!("{}/{}/{list}", kind(call)?, call.param("name"));
            Err(call.no_resource(&kind, name).into())
        }
    }
}

/// PUT a resource
pub(crate) fn put(call: &Call<'_>) -> Result<Reply, ArmError> {
    let (kind, name) = (kind(call)?, call.param("name"));
    let members = call.members()?;
    let scope = group_id(call.subscription_id()?, &call.group()?.name);
    let id = format!("{scope}/providers/{kind}/{name}");
    let mut content = json!({
        "id": id,
        "name": name,
        "type": kind,
        "location": region_name(members.text("location")?.unwrap_or(&call.group()?.region)),
    });
    for member in ["sku", "kind", "zones", "identity", "extendedLocation"] {
        render::put(&mut content, member, members.value(member).cloned());
    }
    let tags = crate::handle::group::tags(&members)?.unwrap_or_default();
    crate::handle::tag::show_on(&mut content, Some(&tags));
    let mut properties = match members.value("properties") {
        Some(it @ Value::Object(_)) => it.clone(),
        Some(_) => return Err(ArmError::bad_body("The member 'properties' must be an object.")),
        None => json!({}),
    };
    properties["provisioningState"] = json!("Succeeded");
    name_subnets(&id, &mut properties);
    content["properties"] = properties;
    let (row, written) = call.write("put resource", |tx, cx| {
        put_record(tx, cx, RecordKind::Resource, &scope, &row_name(kind, name), content)
    })?;
    Ok(match written {
        Written::Created if !NEVER_CREATED.contains(&kind) => Reply::created(body(&row)),
        Written::Created | Written::Updated => Reply::ok(body(&row)),
    })
}

/// Each subnet of a network has an id of its own.
fn name_subnets(id: &str, properties: &mut Value) {
    let subnets = properties.get_mut("subnets").and_then(Value::as_array_mut);
    for subnet in subnets.into_iter().flatten().filter(|it| it.is_object()) {
        let name = subnet["name"].as_str().unwrap_or("default").to_owned();
        subnet["id"] = json!(format!("{id}/subnets/{name}"));
        subnet["name"] = json!(name);
    }
}

/// DELETE a resource: 204, also when there is none
pub(crate) fn delete(call: &Call<'_>) -> Result<Reply, ArmError> {
    let (kind, name) = (kind(call)?, call.param("name"));
    let scope = group_id(call.subscription_id()?, &call.group()?.name);
    call.write("delete resource", |tx, cx| {
        delete_record(tx, cx, RecordKind::Resource, &scope, &row_name(kind, name))
    })?;
    Ok(Reply::no_content())
}
