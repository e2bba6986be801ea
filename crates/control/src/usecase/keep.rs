//! What clients keep beside the resources of backup: written, found and forgotten, with the
//! permission that the kind needs.

use serde_json::Value;

use super::Written;
use super::lock::{self, Change};
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::Refusal;
use crate::model::{Record, RecordKind};
use crate::port::Tx;

/// What a caller needs to change records of a kind.
fn permission(kind: RecordKind) -> Action {
    match kind {
        RecordKind::Deployment => Action::Deploy,
        RecordKind::Tags => Action::WriteTags,
        RecordKind::Lock | RecordKind::RoleAssignment | RecordKind::RoleDefinition => {
            Action::WriteAccess
        }
        RecordKind::ResourceGuard => Action::WriteGuard,
        RecordKind::Approval => Action::Approve,
        RecordKind::DeletedVault => Action::DeleteVault,
        RecordKind::LocalCopy => Action::DeleteBackupData,
        RecordKind::Resource => Action::WriteResource,
    }
}

/// Writes a record; one that is there is replaced.
pub fn put_record(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    kind: RecordKind,
    scope: &str,
    name: &str,
    content: Value,
) -> Result<(Record, Written), Refusal> {
    cx.may(permission(kind))?;
    refuse_locked(tx, cx, kind, scope, name, Change::Write)?;
    let old = tx.record(kind, scope, name)?;
    let written = if old.is_some() { Written::Updated } else { Written::Created };
    let mut row = Record {
        kind,
        scope: old.as_ref().map_or(scope, |it| &it.scope).to_owned(),
        name: old.as_ref().map_or(name, |it| &it.name).to_owned(),
        content,
        etag: old.map_or(0, |it| it.etag),
    };
    tx.put_record(&mut row)?;
    cx.record(tx, permission(kind), format!("{} {name} at {scope}", kind.name()))?;
    Ok((row, written))
}

/// One record, when it is there.
pub fn find_record(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    kind: RecordKind,
    scope: &str,
    name: &str,
) -> Result<Option<Record>, Refusal> {
    cx.may(Action::Read)?;
    Ok(tx.record(kind, scope, name)?)
}

/// Records of a kind at a scope and below it.
pub fn list_records(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    kind: RecordKind,
    scope: &str,
) -> Result<Vec<Record>, Refusal> {
    cx.may(Action::Read)?;
    Ok(tx.records_below(kind, scope)?)
}

/// Forgets a record; says which one it was.
pub fn delete_record(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    kind: RecordKind,
    scope: &str,
    name: &str,
) -> Result<Option<Record>, Refusal> {
    cx.may(permission(kind))?;
    let Some(row) = tx.record(kind, scope, name)? else { return Ok(None) };
    refuse_locked(tx, cx, kind, scope, name, Change::Delete)?;
    tx.delete_record(kind, scope, name)?;
    cx.record(tx, permission(kind), format!("deletion of {} {name} at {scope}", kind.name()))?;
    Ok(Some(row))
}

/// Locks and roles themselves can always be changed by who may; a deployment changes nothing but
/// through the resources that it makes.
fn refuse_locked(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    kind: RecordKind,
    scope: &str,
    name: &str,
    change: Change,
) -> Result<(), Refusal> {
    match kind {
        RecordKind::Tags => lock::refuse(tx, cx, scope, Change::Write),
        RecordKind::Resource => lock::refuse(tx, cx, &format!("{scope}/providers/{name}"), change),
        RecordKind::Lock
        | RecordKind::RoleAssignment
        | RecordKind::RoleDefinition
        | RecordKind::ResourceGuard
        | RecordKind::Approval
        | RecordKind::DeletedVault
        | RecordKind::LocalCopy
        | RecordKind::Deployment => Ok(()),
    }
}
