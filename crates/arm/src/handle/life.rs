//! What Azure has no address for: a policy lived ahead, a single point deleted and brought back, a
//! job done again, what a vault's items cost, and the word of a person that the clock is right.

use coffre_control::usecase::{
    Simulate, confirm_vault_clock, cost_report, delete_recovery_point, note_operation, retry_job,
    simulate_policy, undelete_recovery_point,
};
use serde_json::json;

use crate::call::Call;
use crate::handle::{item, job, point};
use crate::http::error::ArmError;
use crate::http::reply::Reply;
use crate::names::{item_id, job_id};
use crate::policy_body;
use crate::render::{life as render, point as render_point, time};

/// Days that are lived ahead when nobody says how many.
const DAYS_DEFAULT: i64 = 365;

/// POST ~V/backupPolicies/{policy}/simulate: with `properties` as they would be, or without
pub(crate) fn simulate(call: &Call<'_>) -> Result<Reply, ArmError> {
    let body = call.members()?;
    let name = call.param("policy");
    let proposal = body.has("properties").then(|| policy_body::read(name, &body)).transpose()?;
    let days = body.integer("days")?.unwrap_or(DAYS_DEFAULT);
    let days = u32::try_from(days).unwrap_or(0);
    let found = call.look("simulate policy", |tx, cx| {
        let vault = call.vault(tx)?;
        let name = name.to_owned();
        simulate_policy(tx, cx, Simulate { vault: vault.id, name, proposal, days })
    })?;
    Ok(Reply::ok(render::simulation(&found, call.now)))
}

/// GET ~V/backupCostReport
pub(crate) fn costs(call: &Call<'_>) -> Result<Reply, ArmError> {
    let (vault, report) = call.look("cost report", |tx, cx| {
        let vault = call.vault(tx)?;
        let report = cost_report(tx, cx, vault.id)?;
        Ok((vault, report))
    })?;
    call.page(&report, |instance| render::cost(&vault, instance))
}

/// DELETE ~PI/recoveryPoints/{point}
pub(crate) fn delete_point(call: &Call<'_>) -> Result<Reply, ArmError> {
    let names = call.item_names()?;
    let body = call.write("delete recovery point", |tx, cx| {
        let (vault, item, found) = point::find(call, tx, &names)?;
        let deleted = delete_recovery_point(tx, cx, found.id)?;
        Ok(render_point::point(&vault, &item, &deleted))
    })?;
    Ok(Reply::ok(body))
}

/// POST ~PI/recoveryPoints/{point}/undelete
pub(crate) fn undelete_point(call: &Call<'_>) -> Result<Reply, ArmError> {
    let names = call.item_names()?;
    let body = call.write("undelete recovery point", |tx, cx| {
        let (vault, item, found) = point::find(call, tx, &names)?;
        let back = undelete_recovery_point(tx, cx, found.id)?;
        Ok(render_point::point(&vault, &item, &back))
    })?;
    Ok(Reply::ok(body))
}

/// POST ~V/backupJobs/{job}/retry
pub(crate) fn retry(call: &Call<'_>) -> Result<Reply, ArmError> {
    let (body, scope, operation) = call.write("retry job", |tx, cx| {
        let (vault, first) = job::find(call, tx)?;
        let scope = job_id(&vault, first.id);
        let accepted = retry_job(tx, cx, first.id, &scope)?;
        let operation = note_operation(tx, cx, &scope)?;
        let body = json!({
            "id": job_id(&vault, accepted.job.id),
            "name": accepted.job.id,
            "properties": { "operation": accepted.job.kind.azure(), "retryOf": first.id },
        });
        Ok((body, scope, operation.id))
    })?;
    let url = call.url(&format!("{scope}/operationResults/{operation}"));
    Ok(Reply::ok(body).location(&url))
}

/// POST ~S/providers/Microsoft.RecoveryServices/confirmClock
pub(crate) fn confirm_clock(call: &Call<'_>) -> Result<Reply, ArmError> {
    let confirmed = call.write("confirm clock", |tx, cx| confirm_vault_clock(tx, cx))?;
    Ok(Reply::ok(json!({ "confirmed": time(confirmed) })))
}

/// GET ~PI/nextRun: when the schedule comes to the item
pub(crate) fn next_run(call: &Call<'_>) -> Result<Reply, ArmError> {
    let names = call.item_names()?;
    let (id, entry) = call.read("next run", |tx| {
        let vault = call.vault(tx)?;
        let found = item::find(tx, &vault, &names)?;
        let entry = tx.agenda(coffre_control::model::Task::Backup, found.id.uuid())?;
        Ok((item_id(&vault, &found), entry))
    })?;
    let slot = entry.as_ref().and_then(|entry| entry.slot).map(time);
    let due = entry.as_ref().and_then(|entry| entry.due).map(time);
    Ok(Reply::ok(json!({ "id": id, "slot": slot, "startsAt": due })))
}
