//! Deployments: kept from their beginning with what they did. The resources themselves are made by
//! the use-cases of their nouns, in transactions of their own.

use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::model::{Deployment, Record, RecordKind};
use crate::port::{StoreFault, Tx};
use uuid::Uuid;

/// Most deployments that a scope keeps; the oldest is forgotten for the next.
const KEPT: usize = 800;

/// Writes down a deployment that begins, or that ended at once; one of the same name at the same
/// scope is replaced, unless this run of the service still works on it.
pub fn put_deployment(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    mut deployment: Deployment,
    runner: Uuid,
) -> Result<Deployment, Refusal> {
    cx.may(Action::Deploy)?;
    let old = tx.record(RecordKind::Deployment, &deployment.scope, &deployment.name)?;
    match &old {
        None => forget_oldest(tx, &deployment.scope)?,
        Some(old) => refuse_active(&read(old.clone())?, runner)?,
    }
    deployment.etag = old.map_or(0, |it| it.etag);
    write(tx, &mut deployment)?;
    cx.record(
        tx,
        Action::Deploy,
        format!("deployment {} at {}", deployment.name, deployment.scope),
    )?;
    Ok(deployment)
}

fn write(tx: &mut dyn Tx, deployment: &mut Deployment) -> Result<(), Refusal> {
    let mut row = Record {
        kind: RecordKind::Deployment,
        scope: deployment.scope.clone(),
        name: deployment.name.clone(),
        content: serde_json::to_value(&*deployment).map_err(bad_row)?,
        etag: deployment.etag,
    };
    tx.put_record(&mut row)?;
    deployment.etag = row.etag;
    Ok(())
}

fn refuse_active(deployment: &Deployment, runner: Uuid) -> Result<(), Refusal> {
    if deployment.runner != Some(runner) {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorCode::DeploymentActive,
        format!(
            "The deployment '{}' is still running. Wait for its end, or cancel it.",
            deployment.name
        ),
    ))
}

/// Writes down how far a running deployment has come; whether somebody asked for its end comes
/// back in it.
pub fn note_deployment(tx: &mut dyn Tx, mut deployment: Deployment) -> Result<Deployment, Refusal> {
    let kept = find(tx, &deployment.scope, &deployment.name)?;
    deployment.etag = kept.etag;
    // Once ended it says whether it was ended by that.
    deployment.cancelled |= deployment.runner.is_some() && kept.cancelled;
    write(tx, &mut deployment)?;
    Ok(deployment)
}

/// Asks for the end of a deployment; what it has made stays.
pub fn cancel_deployment(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    scope: &str,
    name: &str,
    runner: Uuid,
) -> Result<(), Refusal> {
    cx.may(Action::Deploy)?;
    let mut deployment = find(tx, scope, name)?;
    if deployment.runner != Some(runner) {
        return Err(Refusal::new(
            ErrorCode::DeploymentCannotBeCancelled,
            format!("The deployment '{name}' has ended and can no longer be cancelled."),
        ));
    }
    deployment.cancelled = true;
    write(tx, &mut deployment)?;
    cx.record(tx, Action::Deploy, format!("end of deployment {name} at {scope}"))
}

fn forget_oldest(tx: &mut dyn Tx, scope: &str) -> Result<(), Refusal> {
    let mut all = list(tx, scope)?;
    all.sort_by_key(|it| it.ended);
    let spare = all.len().saturating_sub(KEPT - 1);
    for deployment in &all[..spare] {
        tx.delete_record(RecordKind::Deployment, scope, &deployment.name)?;
    }
    Ok(())
}

fn bad_row(source: serde_json::Error) -> StoreFault {
    StoreFault::BadRow { table: "record", key: "deployment".to_owned(), source: Box::new(source) }
}

fn read(row: Record) -> Result<Deployment, Refusal> {
    let mut deployment: Deployment = serde_json::from_value(row.content).map_err(bad_row)?;
    deployment.etag = row.etag;
    Ok(deployment)
}

fn list(tx: &mut dyn Tx, scope: &str) -> Result<Vec<Deployment>, Refusal> {
    tx.records(RecordKind::Deployment, scope)?.into_iter().map(read).collect()
}

/// Deployments of a scope, newest first.
pub fn list_deployments(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    scope: &str,
) -> Result<Vec<Deployment>, Refusal> {
    cx.may(Action::Read)?;
    let mut all = list(tx, scope)?;
    all.sort_by_key(|it| std::cmp::Reverse(it.ended));
    Ok(all)
}

/// One deployment.
pub fn get_deployment(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    scope: &str,
    name: &str,
) -> Result<Deployment, Refusal> {
    cx.may(Action::Read)?;
    find(tx, scope, name)
}

fn find(tx: &mut dyn Tx, scope: &str, name: &str) -> Result<Deployment, Refusal> {
    let row = tx.record(RecordKind::Deployment, scope, name)?;
    row.map(read).transpose()?.ok_or_else(|| {
        Refusal::new(
            ErrorCode::DeploymentNotFound,
            format!("Deployment '{name}' could not be found. List the deployments to see which there are."),
        )
    })
}

/// Forgets a deployment; what it made stays. Says whether there was one.
pub fn delete_deployment(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    scope: &str,
    name: &str,
    runner: Uuid,
) -> Result<bool, Refusal> {
    cx.may(Action::Deploy)?;
    let Some(row) = tx.record(RecordKind::Deployment, scope, name)? else { return Ok(false) };
    refuse_active(&read(row)?, runner)?;
    tx.delete_record(RecordKind::Deployment, scope, name)?;
    cx.record(tx, Action::Deploy, format!("deletion of deployment {name} at {scope}"))?;
    Ok(true)
}
