//! Backup policies.

use coffre_control::model::{Policy, Vault};
use coffre_control::port::Tx;
use coffre_control::usecase::{delete_policy, put_policy};
use coffre_control::{ErrorCode, Refusal};

use crate::call::Call;
use crate::handle::item::asks_for_vms;
use crate::http::error::ArmError;
use crate::http::query::clip;
use crate::http::reply::Reply;
use crate::policy_body;
use crate::render;

fn followers(tx: &mut dyn Tx, policy: &Policy) -> Result<usize, Refusal> {
    Ok(tx.count_items_of_policy(policy.vault, &policy.name)? as usize)
}

/// GET ~V/backupPolicies, also with a slash at the end
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, ArmError> {
    let filter = call.filter()?;
    let window = call.window()?;
    let limit = if asks_for_vms(&filter) { window.limit() } else { 0 };
    let (vault, policies) = call.read("list policies", |tx| {
        let vault = call.vault(tx)?;
        let mut policies = Vec::new();
        for policy in tx.search_policies(vault.id, window.skip(), limit)? {
            let items = followers(tx, &policy)?;
            policies.push((policy, items));
        }
        Ok((vault, policies))
    })?;
    call.page_of(&policies, |(it, items)| render::policy::policy(&vault, it, *items))
}

/// 404 of a policy.
pub(crate) fn unknown(vault: &Vault, name: &str) -> Refusal {
    Refusal::new(
        ErrorCode::BMSUserErrorPolicyNotFound,
        format!("Vault '{}' has no backup policy '{}'.", vault.name, clip(name)),
    )
}

/// GET ~V/backupPolicies/{policy}
pub(crate) fn show(call: &Call<'_>) -> Result<Reply, ArmError> {
    let name = call.param("policy");
    let body = call.read("show policy", |tx| {
        let vault = call.vault(tx)?;
        let policy = tx.policy(vault.id, name)?.ok_or_else(|| unknown(&vault, name))?;
        let items = followers(tx, &policy)?;
        Ok(render::policy::policy(&vault, &policy, items))
    })?;
    Ok(Reply::ok(body))
}

/// PUT ~V/backupPolicies/{policy}: 200 with the stored policy, new or not
pub(crate) fn put(call: &Call<'_>) -> Result<Reply, ArmError> {
    let input = policy_body::read(call.param("policy"), &call.members()?)?;
    let body = call.write("put policy", |tx, cx| {
        let vault = call.vault(tx)?;
        let (view, _) = put_policy(tx, cx, vault.id, input)?;
        Ok(render::policy::policy(&vault, &view.policy, view.items as usize))
    })?;
    Ok(Reply::ok(body))
}

/// DELETE ~V/backupPolicies/{policy}: 204, also when there is none
pub(crate) fn delete(call: &Call<'_>) -> Result<Reply, ArmError> {
    let name = call.param("policy");
    call.write("delete policy", |tx, cx| {
        let vault = call.vault(tx)?;
        match tx.policy(vault.id, name)? {
            Some(_) => delete_policy(tx, cx, vault.id, name),
            None => Ok(()),
        }
    })?;
    Ok(Reply::no_content())
}
