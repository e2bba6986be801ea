//! Resource guards, the vaults under them, and what a second person has to approve.

use coffre_control::id::SubscriptionId;
use coffre_control::model::{Approval, Ask, Critical, GuardRef, ResourceGuard, Vault};
use coffre_control::port::Tx;
use coffre_control::usecase::approval::{deletion_of_data, removal_of_guard};
use coffre_control::usecase::{
    Decision, PutGuard, Written, bind_guard, decide, delete_guard, get_guard, guard_of,
    list_approvals, list_guards, put_guard, unbind_guard, unlock,
};
use coffre_control::{Cx, ErrorCode, Refusal};
use serde_json::{Value, json};
use uuid::Uuid;

use super::item;
use crate::call::Call;
use crate::http::error::ArmError;
use crate::http::path::Segments;
use crate::http::query::clip;
use crate::http::reply::Reply;
use crate::names::{VmRef, group_id, parse_item_names, parse_resource_id, region_name, vault_id};
use crate::render::{resource, time};

const KIND: &str = "Microsoft.DataProtection/resourceGuards";
const PROXIES: &str = "Microsoft.RecoveryServices/vaults/backupResourceGuardProxies";
/// The only name that the guard of a vault has.
const PROXY: &str = "VaultProxy";

fn guard_id(guard: &ResourceGuard) -> String {
    format!("{}/providers/{KIND}/{}", guard.scope, guard.name)
}

/// The kind of request that stands for an operation in the id of a guard.
fn requests(critical: Critical) -> &'static str {
    match critical {
        Critical::DisableSoftDelete => "disableSoftDeleteRequests",
        Critical::RemoveGuard => "deleteResourceGuardProxyRequests",
        Critical::ReducePolicy => "updateProtectionPolicyRequests",
        Critical::ReduceProtection => "updateProtectedItemRequests",
        Critical::DeleteData => "deleteProtectedItemRequests",
        Critical::DisableImmutability => "reduceImmutabilityStateRequests",
        Critical::ConfirmClock => "confirmClockRequests",
    }
}

fn body(guard: &ResourceGuard) -> Value {
    let operations = Critical::ALL.iter().filter(|it| guard.covers(**it)).map(|it| {
        json!({
            "vaultCriticalOperation": it.azure(),
            "requestResourceType": format!("{KIND}/{}", requests(*it)),
        })
    });
    let excluded: Vec<&str> = guard.excluded.iter().map(|it| it.azure()).collect();
    let properties = json!({
        "provisioningState": "Succeeded",
        "allowAutoApprovals": false,
        "resourceGuardOperations": operations.collect::<Vec<_>>(),
        "vaultCriticalOperationExclusionList": excluded,
        "holders": guard.holders,
    });
    let mut body = resource(guard_id(guard), &guard.name, KIND, properties);
    body["location"] = json!(guard.region);
    body
}

/// GET the guards of a subscription or a group
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, ArmError> {
    let id = call.subscription_id()?;
    let group = call.group.as_ref().map(|it| it.name.as_str());
    let all = call.look("list guards", |tx, cx| list_guards(tx, cx, id, group))?;
    call.page(&all, body)
}

/// GET one guard
pub(crate) fn show(call: &Call<'_>) -> Result<Reply, ArmError> {
    let (id, group) = (call.subscription_id()?, &call.group()?.name);
    let guard = call.look("show guard", |tx, cx| {
        get_guard(tx, cx, id, group, call.param("guard")).map_err(|it| here(call, it))
    })?;
    Ok(Reply::ok(body(&guard)))
}

/// The usual words for what is not in the group of the path.
fn here(call: &Call<'_>, refusal: Refusal) -> Refusal {
    if refusal.code == ErrorCode::ResourceNotFound {
        return call.no_resource(KIND, call.param("guard"));
    }
    refusal
}

/// PUT a guard: 201 when it is new, else 200
pub(crate) fn put(call: &Call<'_>) -> Result<Reply, ArmError> {
    let members = call.members()?;
    let properties = members.object("properties")?;
    let mut excluded = Vec::new();
    for name in texts(properties.list("vaultCriticalOperationExclusionList")?)? {
        excluded.push(Critical::from_azure(&name).ok_or_else(|| {
            let known: Vec<&str> = Critical::ALL.iter().map(|it| it.azure()).collect();
            let message = format!(
                "'{}' is no operation that a guard knows; it knows {}.",
                clip(&name),
                known.join(", ")
            );
            ArmError::bad_body(message).target("properties.vaultCriticalOperationExclusionList")
        })?);
    }
    let holders = match properties.list("holders")? {
        None => None,
        some => Some(texts(some)?),
    };
    let input = PutGuard {
        subscription: call.subscription_id()?,
        group: call.group()?.name.clone(),
        name: call.param("guard").to_owned(),
        region: members.text("location")?.map(region_name),
        holders,
        excluded,
    };
    let (guard, written) = call.write("put guard", |tx, cx| put_guard(tx, cx, input))?;
    Ok(match written {
        Written::Created => Reply::created(body(&guard)),
        Written::Updated => Reply::ok(body(&guard)),
    })
}

fn texts(list: Option<&[Value]>) -> Result<Vec<String>, ArmError> {
    let texts = list.unwrap_or_default().iter().map(|it| it.as_str().map(str::to_owned));
    texts
        .collect::<Option<_>>()
        .ok_or_else(|| ArmError::bad_body("Holders and operations of a guard are lists of texts."))
}

/// DELETE a guard
pub(crate) fn delete(call: &Call<'_>) -> Result<Reply, ArmError> {
    let (id, group) = (call.subscription_id()?, &call.group()?.name);
    call.write("delete guard", |tx, cx| {
        delete_guard(tx, cx, id, group, call.param("guard")).map_err(|it| here(call, it))
    })?;
    Ok(Reply::ok(json!({})))
}

fn proxy_body(vault: &Vault, guard: &ResourceGuard) -> Value {
    let details = Critical::ALL.iter().filter(|it| guard.covers(**it)).map(|it| {
        json!({
            "vaultCriticalOperation": it.azure(),
            "defaultResourceRequest": format!("{}/{}/default", guard_id(guard), requests(*it)),
        })
    });
    let id = format!("{}/backupResourceGuardProxies/{PROXY}", vault_id(vault));
    let properties = json!({
        "resourceGuardResourceId": guard_id(guard),
        "resourceGuardOperationDetails": details.collect::<Vec<_>>(),
        "lastUpdatedTime": time(vault.changed),
    });
    resource(id, PROXY, PROXIES, properties)
}

fn bound(call: &Call<'_>) -> Result<Option<Value>, ArmError> {
    call.look("show the guard of a vault", |tx, cx| {
        let vault = call.vault(tx)?;
        Ok(guard_of(tx, cx, vault.id)?.map(|guard| proxy_body(&vault, &guard)))
    })
}

/// GET ~V/backupResourceGuardProxies
pub(crate) fn proxies(call: &Call<'_>) -> Result<Reply, ArmError> {
    Ok(Reply::list(bound(call)?.into_iter().collect()))
}

fn check_proxy(call: &Call<'_>) -> Result<(), ArmError> {
    if call.param("proxy").eq_ignore_ascii_case(PROXY) {
        return Ok(());
    }
    let message = format!("A vault has one guard; in its path it is called {PROXY}.");
    Err(ArmError::not_found("ResourceNotFound", message))
}

/// GET ~V/backupResourceGuardProxies/VaultProxy
pub(crate) fn proxy(call: &Call<'_>) -> Result<Reply, ArmError> {
    check_proxy(call)?;
    bound(call)?.map(Reply::ok).ok_or_else(|| call.no_resource(PROXIES, PROXY).into())
}

/// PUT ~V/backupResourceGuardProxies/VaultProxy: puts the vault under a guard
pub(crate) fn put_proxy(call: &Call<'_>) -> Result<Reply, ArmError> {
    check_proxy(call)?;
    let members = call.members()?.object("properties")?;
    let id = members.required_text("resourceGuardResourceId")?;
    let at = parse_resource_id(id, KIND).and_then(|found| {
        let subscription: SubscriptionId = found.subscription.parse().ok()?;
        Some(GuardRef { scope: group_id(subscription, &found.group), name: found.name })
    });
    let at = at.ok_or_else(|| {
        ArmError::bad_body(format!("'{}' is no id of a resource guard.", clip(id)))
            .target("properties.resourceGuardResourceId")
    })?;
    let body = call.write("bind guard", |tx, cx| {
        let vault = call.vault(tx)?;
        let guard = bind_guard(tx, cx, vault.id, &at)?;
        Ok(proxy_body(&vault, &guard))
    })?;
    Ok(Reply::ok(body))
}

/// DELETE ~V/backupResourceGuardProxies/VaultProxy
pub(crate) fn delete_proxy(call: &Call<'_>) -> Result<Reply, ArmError> {
    check_proxy(call)?;
    let was = call.write("unbind guard", |tx, cx| {
        let vault = call.vault(tx)?;
        unbind_guard(tx, cx, vault.id)
    })?;
    Ok(if was { Reply::ok(json!({})) } else { Reply::no_content() })
}

/// POST ~V/backupResourceGuardProxies/VaultProxy/unlockDelete: whether a deletion was approved;
/// where it was not, this asks for it
pub(crate) fn unlock_delete(call: &Call<'_>) -> Result<Reply, ArmError> {
    check_proxy(call)?;
    let members = call.members()?;
    let wanted = texts(members.list("resourceGuardOperationRequests")?)?;
    let target = members.text("resourceToBeDeleted")?.map(str::to_owned);
    let until = call.write("unlock delete", |tx, cx| {
        let vault = call.vault(tx)?;
        let ask = unlocked(tx, &vault, &wanted, target.as_deref())?;
        unlock(tx, cx, vault.id, ask)
    })?;
    Ok(Reply::ok(json!({ "unlockDeleteExpiryTime": time(until) })))
}

fn unlocked(
    tx: &mut dyn Tx,
    vault: &Vault,
    wanted: &[String],
    target: Option<&str>,
) -> Result<Ask, Refusal> {
    let of = |critical| {
        let part = format!("/{}/", requests(critical)).to_ascii_lowercase();
        wanted.iter().any(|it| it.to_ascii_lowercase().contains(&part))
    };
    if of(Critical::RemoveGuard) {
        return Ok(removal_of_guard(vault));
    }
    if of(Critical::DeleteData)
        && let Some(names) = target.and_then(item_in)
    {
        return Ok(deletion_of_data(&item::find(tx, vault, &names)?));
    }
    Err(Refusal::new(
        ErrorCode::InvalidRequestContent,
        "Give one of the guard's requests for deletion in resourceGuardOperationRequests, and the \
         id of a protected item in resourceToBeDeleted.",
    )
    .about("resourceGuardOperationRequests"))
}

/// The machine whose item an id names; names in ids may be encoded.
fn item_in(id: &str) -> Option<VmRef> {
    let segments = Segments::parse(id).ok()?;
    match segments.as_slice() {
        [.., container, _, item] => parse_item_names(container, item),
        _ => None,
    }
}

fn approval_body(vault: &Vault, approval: &Approval, now: jiff::Timestamp) -> Value {
    let kind = "Microsoft.RecoveryServices/vaults/backupApprovals";
    let name = approval.id.to_string();
    let properties = json!({
        "operation": approval.ask.critical.azure(),
        "request": approval.ask.words,
        "exactly": approval.ask.subject,
        "requestedBy": approval.asked_by.name,
        "requestedTime": time(approval.asked),
        "state": format!("{:?}", approval.state(now)),
        "decidedBy": approval.decided_by.as_ref().map(|it| &it.name),
        "expiryTime": time(approval.until),
    });
    resource(format!("{}/backupApprovals/{name}", vault_id(vault)), &name, kind, properties)
}

/// GET ~V/backupApprovals
pub(crate) fn approvals(call: &Call<'_>) -> Result<Reply, ArmError> {
    let (vault, all) = call.look("list approvals", |tx, cx| {
        let vault = call.vault(tx)?;
        let all = list_approvals(tx, cx, Some(vault.id))?;
        Ok((vault, all))
    })?;
    call.page(&all, |it| approval_body(&vault, it, call.now))
}

fn decided(call: &Call<'_>, decision: Decision) -> Result<Reply, ArmError> {
    let name = call.param("approval");
    let work = |tx: &mut dyn Tx, cx: &Cx<'_>| {
        let vault = call.vault(tx)?;
        let id: Uuid = name.parse().map_err(|_| {
            let message = format!("Vault '{}' has no request '{}'.", vault.name, clip(name));
            Refusal::new(ErrorCode::ResourceNotFound, message)
        })?;
        let approval = decide(tx, cx, vault.id, id, decision)?;
        Ok(approval_body(&vault, &approval, call.now))
    };
    Ok(Reply::ok(call.write("decide about a request", work)?))
}

/// POST ~V/backupApprovals/{approval}/grant
pub(crate) fn grant(call: &Call<'_>) -> Result<Reply, ArmError> {
    decided(call, Decision::Grant)
}

/// POST ~V/backupApprovals/{approval}/refuse
pub(crate) fn refuse(call: &Call<'_>) -> Result<Reply, ArmError> {
    decided(call, Decision::Refuse)
}
