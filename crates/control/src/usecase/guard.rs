//! Resource guards: who holds one, what it stands before, and which vaults it protects.
//!
//! Whoever makes a guard says who holds it. From then on only its holders change it, and what
//! takes protection from a vault that it protects needs one of them who did not ask for it. Owners
//! can give nobody else the secret or the roles of a holder.

use super::approval::{self, second_person};
use super::lock::{self, Change};
use super::{Written, find, names};
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::{PrincipalId, SubscriptionId, VaultId};
use crate::model::{Ask, Critical, GuardRef, Record, RecordKind, ResourceGuard, Vault};
use crate::port::Tx;

/// A guard as asked for.
#[derive(Clone, Debug)]
pub struct PutGuard {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// Its resource group; must exist.
    pub group: String,
    /// Its name: 1 to 80 letters, digits, hyphens, underscores and dots.
    pub name: String,
    /// Its region; none is that of the resource group.
    pub region: Option<String>,
    /// Names of those who hold it; none: whoever makes it, or as it is.
    pub holders: Option<Vec<String>>,
    /// Operations that need no approval.
    pub excluded: Vec<Critical>,
}

/// Makes a guard, or changes one that the caller holds.
pub fn put_guard(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    input: PutGuard,
) -> Result<(ResourceGuard, Written), Refusal> {
    cx.may(Action::WriteGuard)?;
    let group = find::group(tx, input.subscription, &input.group)?;
    let scope = scope_of(input.subscription, &group.name);
    names::check_record_name(&input.name)?;
    if let Some(critical) = input.excluded.iter().find(|it| !it.is_optional()) {
        return Err(Refusal::new(
            ErrorCode::InvalidParameter,
            format!("No guard leaves out '{}': it would guard nothing.", critical.azure()),
        )
        .about("vaultCriticalOperationExclusionList"));
    }
    lock::refuse(tx, cx, &id_of(&scope, &input.name), Change::Write)?;
    let old = tx.record(RecordKind::ResourceGuard, &scope, &input.name)?;
    let guard = match &old {
        Some(row) => {
            let guard = parse(row)?;
            only_holders(tx, cx, &guard)?;
            guard
        }
        None => ResourceGuard {
            name: input.name,
            scope,
            region: group.region,
            holders: vec![cx.caller.principal],
            excluded: Vec::new(),
        },
    };
    let holders = match input.holders {
        Some(named) => holders_named(tx, &named)?,
        None => guard.holders,
    };
    let region = input.region.unwrap_or(guard.region);
    let guard = ResourceGuard { holders, region, excluded: input.excluded, ..guard };
    let mut row = Record {
        kind: RecordKind::ResourceGuard,
        scope: guard.scope.clone(),
        name: guard.name.clone(),
        content: serde_json::to_value(&guard).expect("a guard is JSON"),
        etag: old.as_ref().map_or(0, |row| row.etag),
    };
    tx.put_record(&mut row)?;
    let people = holder_names(tx, &guard)?.join(", ");
    cx.record(tx, Action::WriteGuard, format!("guard {}, held by {people}", guard.name))?;
    Ok((guard, if old.is_some() { Written::Updated } else { Written::Created }))
}

/// One guard.
pub fn get_guard(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    subscription: SubscriptionId,
    group: &str,
    name: &str,
) -> Result<ResourceGuard, Refusal> {
    cx.may(Action::Read)?;
    let at = GuardRef { scope: scope_of(subscription, group), name: name.to_owned() };
    load(tx, &at)
}

/// Guards of a subscription, or of one of its groups.
pub fn list_guards(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    subscription: SubscriptionId,
    group: Option<&str>,
) -> Result<Vec<ResourceGuard>, Refusal> {
    cx.may(Action::Read)?;
    let scope = match group {
        Some(group) => scope_of(subscription, group),
        None => format!("/subscriptions/{subscription}"),
    };
    tx.records_below(RecordKind::ResourceGuard, &scope)?.iter().map(parse).collect()
}

/// Deletes a guard that protects no vault.
pub fn delete_guard(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    subscription: SubscriptionId,
    group: &str,
    name: &str,
) -> Result<(), Refusal> {
    cx.may(Action::WriteGuard)?;
    let at = GuardRef { scope: scope_of(subscription, group), name: name.to_owned() };
    let guard = load(tx, &at)?;
    lock::refuse(tx, cx, &id_of(&guard.scope, &guard.name), Change::Delete)?;
    only_holders(tx, cx, &guard)?;
    let mut held = Vec::new();
    for other in tx.subscriptions()? {
        let vaults = tx.vaults(other.id)?.into_iter();
        held.extend(vaults.filter(|it| is_of(it, &guard)).map(|it| format!("'{}'", it.name)));
    }
    if !held.is_empty() {
        return Err(Refusal::new(
            ErrorCode::ResourceGuardInUse,
            format!("Resource guard '{}' protects vault {}.", guard.name, held.join(", ")),
        )
        .about(guard.name));
    }
    tx.delete_record(RecordKind::ResourceGuard, &guard.scope, &guard.name)?;
    cx.record(tx, Action::WriteGuard, format!("deletion of guard {}", guard.name))
}

/// The guard of a vault.
pub fn guard_of(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: VaultId,
) -> Result<Option<ResourceGuard>, Refusal> {
    cx.may(Action::Read)?;
    let vault = find::vault(tx, vault)?;
    vault.guard.map(|at| load(tx, &at)).transpose()
}

/// Puts a vault under a guard. In the place of another one, the holders of that one have to agree.
pub fn bind_guard(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: VaultId,
    at: &GuardRef,
) -> Result<ResourceGuard, Refusal> {
    cx.may(Action::WriteVault)?;
    let mut vault = find::vault(tx, vault)?;
    lock::refuse_vault(tx, cx, &vault, Change::Write)?;
    let guard = load(tx, at)?;
    if is_of(&vault, &guard) {
        return Ok(guard);
    }
    if vault.guard.is_some() {
        removal(tx, cx, &vault)?;
    }
    vault.guard = Some(GuardRef { scope: guard.scope.clone(), name: guard.name.clone() });
    vault.changed = cx.now;
    tx.put_vault(&mut vault)?;
    cx.record(tx, Action::WriteVault, format!("guard {} for vault {}", guard.name, vault.name))?;
    Ok(guard)
}

/// Takes the guard from a vault. Says whether there was one.
pub fn unbind_guard(tx: &mut dyn Tx, cx: &Cx<'_>, vault: VaultId) -> Result<bool, Refusal> {
    cx.may(Action::WriteVault)?;
    let mut vault = find::vault(tx, vault)?;
    lock::refuse_vault(tx, cx, &vault, Change::Write)?;
    if vault.guard.is_none() {
        return Ok(false);
    }
    removal(tx, cx, &vault)?;
    vault.guard = None;
    vault.changed = cx.now;
    tx.put_vault(&mut vault)?;
    cx.record(tx, Action::WriteVault, format!("no guard for vault {}", vault.name))?;
    Ok(true)
}

fn removal(tx: &mut dyn Tx, cx: &Cx<'_>, vault: &Vault) -> Result<(), Refusal> {
    let ask = approval::removal_of_guard(vault);
    second_person(tx, cx, vault, ask)
}

/// The guard that protects a vault from an operation; none when one person may do it.
pub(crate) fn standing_before(
    tx: &mut dyn Tx,
    vault: &Vault,
    ask: &Ask,
) -> Result<Option<ResourceGuard>, Refusal> {
    let Some(at) = &vault.guard else { return Ok(None) };
    Ok(Some(load(tx, at)?).filter(|guard| guard.covers(ask.critical)))
}

/// Refuses when somebody holds a guard: their secret and their roles are theirs.
pub(crate) fn refuse_for_holder(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    principal: PrincipalId,
) -> Result<(), Refusal> {
    if principal == cx.caller.principal {
        return Ok(());
    }
    for subscription in tx.subscriptions()? {
        let scope = format!("/subscriptions/{}", subscription.id);
        for row in tx.records_below(RecordKind::ResourceGuard, &scope)? {
            let guard = parse(&row)?;
            if guard.holders.contains(&principal) && !guard.holders.contains(&cx.caller.principal) {
                return Err(held(tx, &guard)?);
            }
        }
    }
    Ok(())
}

fn only_holders(tx: &mut dyn Tx, cx: &Cx<'_>, guard: &ResourceGuard) -> Result<(), Refusal> {
    if guard.holders.contains(&cx.caller.principal) {
        return Ok(());
    }
    Err(held(tx, guard)?)
}

fn held(tx: &mut dyn Tx, guard: &ResourceGuard) -> Result<Refusal, Refusal> {
    let people = holder_names(tx, guard)?.join(", ");
    let message =
        format!("Resource guard '{}' is held by {people}; nobody else may do this.", guard.name);
    Ok(Refusal::new(ErrorCode::UserErrorResourceGuardHeld, message).about(guard.name.clone()))
}

/// Names of those who hold a guard.
pub(crate) fn holder_names(tx: &mut dyn Tx, guard: &ResourceGuard) -> Result<Vec<String>, Refusal> {
    let mut names = Vec::new();
    for &id in &guard.holders {
        names.push(match tx.principal(id)? {
            Some(principal) => format!("'{}'", principal.name),
            None => format!("somebody who is gone ({id})"),
        });
    }
    Ok(names)
}

/// Names of those who hold a guard, as a form takes them; who is gone is there by id.
pub fn guard_holders(tx: &mut dyn Tx, guard: &ResourceGuard) -> Result<Vec<String>, Refusal> {
    let mut names = Vec::new();
    for &id in &guard.holders {
        names.push(tx.principal(id)?.map_or_else(|| id.to_string(), |it| it.name));
    }
    Ok(names)
}

fn holders_named(tx: &mut dyn Tx, named: &[String]) -> Result<Vec<PrincipalId>, Refusal> {
    let mut holders = Vec::new();
    for name in named {
        let found = match name.parse::<PrincipalId>() {
            Ok(id) => tx.principal(id)?,
            Err(_) => tx.principal_named(name)?,
        };
        let principal = found.ok_or_else(|| {
            let message = format!("Nobody named '{name}' can sign in.");
            Refusal::new(ErrorCode::InvalidParameter, message).about("holders")
        })?;
        if !holders.contains(&principal.id) {
            holders.push(principal.id);
        }
    }
    if holders.is_empty() {
        let message = "A guard that nobody holds could never be opened. Name at least one holder.";
        return Err(Refusal::new(ErrorCode::InvalidParameter, message).about("holders"));
    }
    Ok(holders)
}

pub(crate) fn load(tx: &mut dyn Tx, at: &GuardRef) -> Result<ResourceGuard, Refusal> {
    let row = tx.record(RecordKind::ResourceGuard, &at.scope, &at.name)?.ok_or_else(|| {
        Refusal::new(
            ErrorCode::ResourceNotFound,
            format!(
                "The Resource 'Microsoft.DataProtection/resourceGuards/{}' was not found.",
                at.name
            ),
        )
    })?;
    parse(&row)
}

fn parse(row: &Record) -> Result<ResourceGuard, Refusal> {
    serde_json::from_value(row.content.clone()).map_err(|error| {
        Refusal::new(
            ErrorCode::InternalServerError,
            format!("Resource guard '{}' cannot be read: {error}.", row.name),
        )
    })
}

fn is_of(vault: &Vault, guard: &ResourceGuard) -> bool {
    vault.guard.as_ref().is_some_and(|at| {
        at.scope.eq_ignore_ascii_case(&guard.scope) && at.name.eq_ignore_ascii_case(&guard.name)
    })
}

fn id_of(scope: &str, name: &str) -> String {
    format!("{scope}/providers/Microsoft.DataProtection/resourceGuards/{name}")
}

fn scope_of(subscription: SubscriptionId, group: &str) -> String {
    format!("/subscriptions/{subscription}/resourceGroups/{group}")
}
