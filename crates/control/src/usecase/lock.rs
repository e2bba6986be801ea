//! Locks: whoever changes a resource asks here first, whichever surface the wish came through. The
//! service itself is not bound: what a schedule and a policy say goes on under a lock.

use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::model::{ProtectedItem, RecordKind, Vault, Vm};
use crate::port::Tx;
use crate::resource_id::{group_id, item_id, policy_id, vault_id, vm_id};

use super::find;

/// What somebody wants to do to a resource, as far as locks care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Make it, change it, or do something with it.
    Write,
    /// Delete it with everything below it.
    Delete,
}

/// Refuses what a lock at the resource, above it or (for a deletion) below it forbids.
pub(crate) fn refuse(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: &str,
    change: Change,
) -> Result<(), Refusal> {
    if cx.caller.is_system() {
        return Ok(());
    }
    // Locks stand at a subscription or below it: `/subscriptions/{id}`.
    let subscription: String = id.split('/').take(3).collect::<Vec<_>>().join("/");
    for lock in tx.records_below(RecordKind::Lock, &subscription)? {
        let read_only = lock.content["level"].as_str() == Some("ReadOnly");
        let above = is_at_or_below(id, &lock.scope);
        let below = change == Change::Delete && is_at_or_below(&lock.scope, id);
        if (above || below) && (read_only || change == Change::Delete) {
            return Err(locked(id, &lock.scope, change));
        }
    }
    Ok(())
}

fn locked(id: &str, scope: &str, change: Change) -> Refusal {
    let verb = match change {
        Change::Write => "write",
        Change::Delete => "delete",
    };
    Refusal::new(
        ErrorCode::ScopeLocked,
        format!(
            "The scope '{id}' cannot perform {verb} operation because following scope(s) are \
             locked: '{scope}'. Please remove the lock and try again."
        ),
    )
    .about(scope)
}

pub(crate) fn refuse_group(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    subscription: crate::id::SubscriptionId,
    name: &str,
    change: Change,
) -> Result<(), Refusal> {
    refuse(tx, cx, &group_id(subscription, name), change)
}

pub(crate) fn refuse_vault(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: &Vault,
    change: Change,
) -> Result<(), Refusal> {
    refuse(tx, cx, &vault_id(vault), change)
}

pub(crate) fn refuse_policy(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: &Vault,
    name: &str,
    change: Change,
) -> Result<(), Refusal> {
    refuse(tx, cx, &policy_id(vault, name), change)
}

pub(crate) fn refuse_item(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    item: &ProtectedItem,
    change: Change,
) -> Result<(), Refusal> {
    let vault = find::vault(tx, item.vault)?;
    refuse(tx, cx, &item_id(&vault, item), change)
}

pub(crate) fn refuse_vm(tx: &mut dyn Tx, cx: &Cx<'_>, vm: &Vm) -> Result<(), Refusal> {
    refuse(tx, cx, &vm_id(vm.subscription, &vm.group, &vm.name), Change::Write)
}

/// Whether `id` is `scope` or something below it, whatever the case.
pub fn is_at_or_below(id: &str, scope: &str) -> bool {
    let scope = scope.trim_end_matches('/');
    let head = id.get(..scope.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(scope))
        && matches!(id.as_bytes().get(scope.len()), None | Some(b'/'))
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
