//! Virtual machines.

use std::collections::BTreeMap;

use coffre_control::port::{Missing, Order, Search};
use coffre_control::usecase::{Power, power_vm};
use coffre_control::{ErrorCode, Refusal};
use serde_json::{Value, json};

use crate::call::Call;
use crate::handle::group::tags;
use crate::handle::tag::{self, Tags};
use crate::http::error::ArmError;
use crate::http::reply::Reply;
use crate::names::{VM_TYPE, region_name, vm_id};
use crate::render;

fn wants_instance_view(call: &Call<'_>) -> bool {
    let expand = call.query.get("$expand").unwrap_or_default();
    expand.split(',').any(|word| word.trim().eq_ignore_ascii_case("instanceView"))
}

fn page(call: &Call<'_>, narrowed: Search) -> Result<Reply, ArmError> {
    let window = call.window()?;
    let search = Search {
        subscription: Some(call.subscription_id()?),
        missing: Missing::LeftOut,
        order: Order::Group,
        skip: window.skip(),
        limit: window.limit(),
        ..narrowed
    };
    let (vms, tags) = call.read("list virtual machines", |tx| {
        let vms = tx.search_vms(&search)?;
        let ids = vms.iter().map(|vm| vm_id(vm.subscription, &vm.group, &vm.name));
        let tags = tag::of_each(tx, ids)?;
        Ok((vms, tags))
    })?;
    // `statusOnly=true` asks for the instance view of all machines in one call.
    let status_only =
        call.query.get("statusonly").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    let view = status_only || wants_instance_view(call);
    call.page_of(&vms, |vm| tagged(render::vm::vm(vm, view), &tags))
}

fn tagged(mut body: Value, tags: &BTreeMap<String, Tags>) -> Value {
    let id = body["id"].as_str().unwrap_or_default().to_ascii_lowercase();
    tag::show_on(&mut body, tags.get(&id));
    body
}

/// GET the VMs of a subscription
pub(crate) fn list_all(call: &Call<'_>) -> Result<Reply, ArmError> {
    page(call, Search::default())
}

/// GET the VMs of a group
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, ArmError> {
    let group = Some(call.group()?.name.clone());
    page(call, Search { group, ..Search::default() })
}

/// GET the VMs of a region
pub(crate) fn list_in_region(call: &Call<'_>) -> Result<Reply, ArmError> {
    let region = Some(region_name(call.param("location")));
    page(call, Search { region, ..Search::default() })
}

/// GET one VM
pub(crate) fn show(call: &Call<'_>) -> Result<Reply, ArmError> {
    let (vm, tags) = call.read("show virtual machine", |tx| {
        let vm = call.vm(tx)?;
        let tags = tag::kept(tx, &vm_id(vm.subscription, &vm.group, &vm.name))?;
        Ok((vm, tags))
    })?;
    Ok(Reply::ok(tagged(render::vm::vm(&vm, wants_instance_view(call)), &tags)))
}

/// PUT and PATCH of a machine that is there: only its tags can be changed here.
pub(crate) fn write(call: &Call<'_>) -> Result<Reply, ArmError> {
    let members = call.members()?;
    let replaces = call.method == axum::http::Method::PUT;
    let wanted = match (tags(&members)?, replaces) {
        (None, true) => Some(Tags::new()),
        (wanted, _) => wanted,
    };
    let region = members.text("location")?.map(region_name);
    call.write("tag virtual machine", |tx, cx| {
        let vm = call.vm(tx)?;
        if region.as_ref().is_some_and(|it| *it != vm.region) {
            return Err(Refusal::new(
                ErrorCode::InvalidResourceLocation,
                format!(
                    "Virtual machine '{}' is in region '{}' and stays there.",
                    vm.name, vm.region
                ),
            )
            .about("location"));
        }
        match wanted {
            Some(tags) => tag::keep(tx, cx, &vm_id(vm.subscription, &vm.group, &vm.name), tags),
            None => Ok(()),
        }
    })?;
    show(call)
}

/// GET the instance view of one VM
pub(crate) fn instance_view(call: &Call<'_>) -> Result<Reply, ArmError> {
    let vm = call.read("show virtual machine", |tx| call.vm(tx))?;
    Ok(Reply::ok(render::vm::instance_view(&vm)))
}

fn power(call: &Call<'_>, power: Power) -> Result<Reply, ArmError> {
    let (operation, region) = call.write("power virtual machine", |tx, cx| {
        let vm = call.vm(tx)?;
        let scope = vm_id(vm.subscription, &vm.group, &vm.name);
        let accepted = power_vm(tx, cx, vm.id, power, &scope)?;
        Ok((accepted.operation, vm.region))
    })?;
    let path = format!(
        "/subscriptions/{}/providers/Microsoft.Compute/locations/{region}/operations/{}",
        call.subscription_id()?,
        operation.id
    );
    let url = call.url(&path);
    Ok(Reply::accepted().async_operation(&url).location(&format!("{url}&monitor=true")))
}

/// POST …/start
pub(crate) fn start(call: &Call<'_>) -> Result<Reply, ArmError> {
    power(call, Power::Start)
}

/// POST …/deallocate and …/powerOff: the guest is asked first, unless the client says
/// `skipShutdown=true`.
pub(crate) fn stop(call: &Call<'_>) -> Result<Reply, ArmError> {
    let skip = call.query.get("skipshutdown").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    power(call, Power::Stop { graceful: !skip })
}

/// GET the extensions of one VM: ours, when it is there.
pub(crate) fn extensions(call: &Call<'_>) -> Result<Reply, ArmError> {
    let vm = call.read("show virtual machine", |tx| call.vm(tx))?;
    let id = vm_id(vm.subscription, &vm.group, &vm.name);
    Ok(Reply::list(render::extension::extensions(&vm, &id)))
}

/// GET one extension
pub(crate) fn show_extension(call: &Call<'_>) -> Result<Reply, ArmError> {
    let vm = call.read("show virtual machine", |tx| call.vm(tx))?;
    let id = vm_id(vm.subscription, &vm.group, &vm.name);
    let wanted = call.param("extension");
    let is_wanted =
        |body: &Value| body["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
    match render::extension::extensions(&vm, &id).into_iter().find(is_wanted) {
        Some(body) => Ok(Reply::ok(body)),
        None => {
            let kind = format!("{VM_TYPE}/{}/extensions", call.param("vm"));
            Err(call.no_resource(&kind, wanted).into())
        }
    }
}

/// GET the logs of the guest, read at this moment through its agent
pub(crate) fn extension_logs(call: &Call<'_>) -> Result<Reply, ArmError> {
    let vm = call.read("show virtual machine", |tx| call.vm(tx))?;
    let logs = (call.state.guest_logs)(vm.id).into_iter();
    let logs = logs.map(|log| json!({ "path": log.path, "text": log.text }));
    Ok(Reply::list(logs.collect()))
}
