//! What makes retention shorter, and who may do it: nobody in an immutable vault.

use crate::error::{ErrorCode, Refusal};
use crate::model::{Immutability, Policy, Retention, Vault};

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

/// Refuses a change that would keep points less long in an immutable vault.
pub(crate) fn check_reduction(vault: &Vault, old: &Policy, new: &Policy) -> Result<(), Refusal> {
    if vault.immutability == Immutability::Disabled {
        return Ok(());
    }
    let Some(field) = what_shrinks(old, new) else { return Ok(()) };
    Err(Refusal::new(
        ErrorCode::UserErrorRetentionReductionOnImmutableVault,
        format!(
            "Vault '{}' is immutable: {field} of '{}' would keep recovery points less long than \
             that of '{}' does. Schedules may change, and retention may grow.",
            vault.name, new.name, old.name
        ),
    )
    .about(field))
}
