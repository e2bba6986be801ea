//! What makes retention shorter, and who may do it: nobody in an immutable vault, two people where
//! a guard stands before it.

use super::approval::second_person;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::model::{Ask, Critical, Immutability, Policy, ProtectedItem, Retention, Vault};
use crate::port::Tx;

/// The part of a policy that keeps points less long, or fewer of them, than another; none when it
/// keeps at least as much.
pub fn what_shrinks(old: &Policy, new: &Policy) -> Option<&'static str> {
    let Retention { daily, weekly, monthly, yearly } = &old.retention;
    let after = &new.retention;
    if new.instant_days < old.instant_days {
        return Some("instantRpRetentionRangeInDays");
    }
    if daily.is_some_and(|old| after.daily.is_none_or(|new| new.days < old.days)) {
        return Some("dailySchedule");
    }
    let shrinks = weekly.as_ref().is_some_and(|old| {
        after.weekly.as_ref().is_none_or(|new| {
            new.weeks < old.weeks || old.days.iter().any(|day| !new.days.contains(day))
        })
    });
    if shrinks {
        return Some("weeklySchedule");
    }
    let shrinks = monthly.as_ref().is_some_and(|old| {
        after.monthly.as_ref().is_none_or(|new| new.months < old.months || new.on != old.on)
    });
    if shrinks {
        return Some("monthlySchedule");
    }
    let shrinks = yearly.as_ref().is_some_and(|old| {
        after.yearly.as_ref().is_none_or(|new| {
            let fewer = old.in_months.iter().any(|month| !new.in_months.contains(month));
            new.years < old.years || new.on != old.on || fewer
        })
    });
    shrinks.then_some("yearlySchedule")
}

/// Refuses a change that would keep points less long: in an immutable vault always, in a guarded
/// one until a second person approved exactly this. `item` is the one that gets another policy;
/// none when the policy itself changes.
pub(crate) fn check_reduction(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: &Vault,
    (old, new): (&Policy, &Policy),
    item: Option<&ProtectedItem>,
) -> Result<(), Refusal> {
    let Some(field) = what_shrinks(old, new) else { return Ok(()) };
    if vault.immutability == Immutability::Disabled {
        return second_person(tx, cx, vault, ask(vault, new, item, field));
    }
    Err(Refusal::new(
        ErrorCode::UserErrorRetentionReductionOnImmutableVault,
        format!(
            "Vault '{}' is immutable: {field} of '{}' would keep recovery points for less time \
             than that of '{}' does. Schedules may change, and retention may grow.",
            vault.name, new.name, old.name
        ),
    )
    .about(field))
}

/// In a guarded vault points that have no end get one only when a second person approved it.
pub(crate) fn check_end(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: &Vault,
    new: &Policy,
    item: &ProtectedItem,
) -> Result<(), Refusal> {
    second_person(tx, cx, vault, ask(vault, new, Some(item), "policyId"))
}

fn ask(vault: &Vault, new: &Policy, item: Option<&ProtectedItem>, field: &str) -> Ask {
    let kept = serde_json::to_string(&(&new.retention, new.instant_days, new.short_retention))
        .expect("retention is JSON");
    let (critical, subject, words) = match item {
        None => (
            Critical::ReducePolicy,
            format!("policy:{}={kept}", new.name.to_ascii_lowercase()),
            format!("keep points of policy '{}' for less time ({field})", new.name),
        ),
        Some(item) => (
            Critical::ReduceProtection,
            format!("item:{}:policy:{}={kept}", item.id, new.name.to_ascii_lowercase()),
            format!(
                "put '{}' under policy '{}', which keeps points for less time",
                item.vm_name, new.name
            ),
        ),
    };
    Ask { vault: vault.id, critical, subject, words }
}
