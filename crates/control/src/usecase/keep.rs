//! What clients keep beside the resources of backup: written, found and forgotten, with the
//! permission that the kind needs.

use serde_json::Value;

use super::Written;
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
    tx.delete_record(kind, scope, name)?;
    cx.record(tx, permission(kind), format!("deletion of {} {name} at {scope}", kind.name()))?;
    Ok(Some(row))
}

/// Whether `id` is `scope` or something below it, whatever the case.
pub fn is_at_or_below(id: &str, scope: &str) -> bool {
    let scope = scope.trim_end_matches('/');
    let head = id.get(..scope.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(scope))
        && matches!(id.as_bytes().get(scope.len()), None | Some(b'/'))
}

/// What a request wants to do to a resource, as far as locks care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Make it, change it, or do something with it.
    Write,
    /// Delete it with everything below it.
    Delete,
}

/// The scope of a lock that forbids a change of a resource, if any.
pub fn lock_against(
    tx: &mut dyn Tx,
    subscription: &str,
    resource: &str,
    change: Change,
) -> Result<Option<String>, Refusal> {
    for lock in tx.records_below(RecordKind::Lock, subscription)? {
        let read_only = lock.content["level"].as_str() == Some("ReadOnly");
        let above = is_at_or_below(resource, &lock.scope);
        let below = change == Change::Delete && is_at_or_below(&lock.scope, resource);
        if (above || below) && (read_only || change == Change::Delete) {
            return Ok(Some(lock.scope));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_ends_at_a_slash() {
        assert!(is_at_or_below("/a/B", "/A/b") && is_at_or_below("/a/b/c", "/a/b/"));
        assert!(!is_at_or_below("/a/bc", "/a/b") && !is_at_or_below("/a", "/a/b"));
        assert!(is_at_or_below("/a", "/") && !is_at_or_below("/é", "/a"));
    }
}
