//! Backup policies: list, get, put, delete.

use super::plan::plan_policy;
use super::reduction::check_reduction;
use super::{Written, find, names, policy_rules};
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::VaultId;
use crate::model::{
    DaylightSaving, Policy, PolicyKind, Retention, Schedule, SnapshotConsistency, Tiering, Vault,
};
use crate::port::{Search, Tx};

/// Items that a refusal names.
const NAMED_MAX: u32 = 10;

/// A policy with the number of items under it.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyView {
    /// The policy.
    pub policy: Policy,
    /// How many items are under it.
    pub items: u32,
}

/// A policy as asked for.
#[derive(Clone, Debug)]
pub struct PutPolicy {
    /// Its name.
    pub name: String,
    /// Standard or Enhanced.
    pub kind: PolicyKind,
    /// When backups run.
    pub schedule: Schedule,
    /// How long points are kept.
    pub retention: Retention,
    /// Days in the operational tier.
    pub instant_days: u16,
    /// Zone of the schedule.
    pub time_zone: String,
    /// Archive.
    pub tiering: Option<Tiering>,
    /// Consistency.
    pub consistency: SnapshotConsistency,
    /// What happens when clocks change.
    pub daylight_saving: DaylightSaving,
    /// Whether a daily range below 7 days is wanted on purpose.
    pub short_retention: bool,
}

/// Policies of a vault, by name.
pub fn list_policies(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: VaultId,
) -> Result<Vec<PolicyView>, Refusal> {
    cx.may(Action::Read)?;
    let vault = find::vault(tx, vault)?;
    let policies = tx.policies(vault.id)?;
    policies.into_iter().map(|policy| view(tx, policy)).collect()
}

/// One policy.
pub fn get_policy(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: VaultId,
    name: &str,
) -> Result<PolicyView, Refusal> {
    cx.may(Action::Read)?;
    let vault = find::vault(tx, vault)?;
    let policy = find::policy(tx, &vault, name)?;
    view(tx, policy)
}

/// Makes or replaces a policy. Items under it follow the new rules at once, and so do the points
/// that they have: a point that a shorter policy ends is put aside first, and can be brought back
/// while the vault keeps deleted data.
pub fn put_policy(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: VaultId,
    input: PutPolicy,
) -> Result<(PolicyView, Written), Refusal> {
    cx.may(Action::WritePolicy)?;
    let vault = find::vault(tx, vault)?;
    names::check_policy_name(&input.name)?;
    super::lock::refuse_policy(tx, cx, &vault, &input.name, super::lock::Change::Write)?;
    policy_rules::check(&input)?;
    let old = tx.policy(vault.id, &input.name)?;
    if let Some(old) = &old {
        keep_enhanced(old, &input)?;
    }
    let written = if old.is_some() { Written::Updated } else { Written::Created };
    let mut policy = stored(vault.id, input, old.as_ref());
    if let Some(old) = &old {
        check_reduction(tx, cx, &vault, (old, &policy), None)?;
    }
    tx.put_policy(&mut policy)?;
    plan_policy(tx, &policy, cx.now)?;
    cx.record(tx, Action::WritePolicy, target(&policy.name, &vault))?;
    Ok((view(tx, policy)?, written))
}

/// The row of a policy, new or in the place of an old one.
pub(crate) fn stored(vault: VaultId, input: PutPolicy, old: Option<&Policy>) -> Policy {
    Policy {
        vault,
        name: old.map_or(input.name, |old| old.name.clone()),
        kind: input.kind,
        schedule: input.schedule,
        retention: input.retention,
        instant_days: input.instant_days,
        time_zone: input.time_zone,
        tiering: input.tiering,
        consistency: input.consistency,
        daylight_saving: input.daylight_saving,
        short_retention: input.short_retention,
        etag: old.map_or(0, |old| old.etag),
    }
}

/// Deletes a policy that no item is under.
pub fn delete_policy(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: VaultId,
    name: &str,
) -> Result<(), Refusal> {
    cx.may(Action::DeletePolicy)?;
    let vault = find::vault(tx, vault)?;
    let policy = find::policy(tx, &vault, name)?;
    let under = Search {
        vault: Some(vault.id),
        policy: Some(policy.name.clone()),
        limit: NAMED_MAX,
        ..Search::default()
    };
    let count = tx.count_items(&under)?;
    if count > 0 {
        let mut named: Vec<String> =
            tx.search_items(&under)?.iter().map(|item| format!("'{}'", item.vm_name)).collect();
        if count > u64::from(NAMED_MAX) {
            named.push(String::from('…'));
        }
        return Err(Refusal::new(
            ErrorCode::BMSUserErrorPolicyInUse,
            format!(
                "Policy '{}' protects {}. Put these items under another policy first.",
                policy.name,
                named.join(", ")
            ),
        )
        .about(policy.name));
    }
    super::lock::refuse_policy(tx, cx, &vault, &policy.name, super::lock::Change::Delete)?;
    tx.delete_policy(vault.id, &policy.name)?;
    cx.record(tx, Action::DeletePolicy, target(&policy.name, &vault))
}

/// Once enhanced, never back: its points may lie closer together than a standard policy allows.
fn keep_enhanced(old: &Policy, new: &PutPolicy) -> Result<(), Refusal> {
    if old.kind == PolicyKind::Enhanced && new.kind == PolicyKind::Standard {
        return Err(Refusal::new(
            ErrorCode::BMSUserErrorInvalidPolicyInput,
            format!(
                "Policy '{}' is an Enhanced policy (V2) and cannot become a Standard one (V1). \
                 Create another policy.",
                old.name
            ),
        )
        .about("policyType"));
    }
    Ok(())
}

fn view(tx: &mut dyn Tx, policy: Policy) -> Result<PolicyView, Refusal> {
    let under = tx.count_items_of_policy(policy.vault, &policy.name)?;
    Ok(PolicyView { policy, items: u32::try_from(under).unwrap_or(u32::MAX) })
}

fn target(name: &str, vault: &Vault) -> String {
    format!("policy {name} of vault {}", vault.name)
}
