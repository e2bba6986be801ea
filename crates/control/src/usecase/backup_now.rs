//! Starts a backup that a person asked for.

use jiff::{SignedDuration, Timestamp};

use super::accept::{Accepted, accept};
use super::enable_protection::refuse_deleted;
use super::{find, vm};
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::ItemId;
use crate::job::NewJob;
use crate::model::{ItemState, JobKind, OperationEnd};
use crate::port::Tx;

/// How long a point is kept when nobody says, in days.
pub const DEFAULT_RETENTION_DAYS: i64 = 30;

/// The longest time a point can be kept, in days: 99 years of 366 days.
pub const MAX_RETENTION_DAYS: i64 = 99 * 366;

/// Starts a backup. The point is kept until `retain_until`, or for 30 days.
pub fn backup_now(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: ItemId,
    retain_until: Option<Timestamp>,
    scope: &str,
) -> Result<Accepted, Refusal> {
    cx.may(Action::BackupNow)?;
    let item = find::item(tx, id)?;
    super::lock::refuse_item(tx, cx, &item, super::lock::Change::Write)?;
    refuse_deleted(&item)?;
    if matches!(item.state, ItemState::Stopped | ItemState::Suspended) {
        return Err(Refusal::new(
            ErrorCode::BMSUserErrorProtectionStopped,
            format!(
                "Protection of '{}' is stopped. Resume it with a policy, then back up.",
                item.vm_name
            ),
        ));
    }
    let retain_until = check_retention(cx.now, retain_until)?;
    let vm = find::vm(tx, item.vm)?;
    vm::check_reachable(&vm)?;
    find::no_running_job(tx, &item)?;
    vm::check_not_busy(tx, &vm)?;
    let kind =
        JobKind::Backup { point: cx.id(), retain_until: Some(retain_until), scheduled: false };
    let new = NewJob {
        id: cx.id(),
        kind,
        vault: Some(item.vault),
        item: Some(item.id),
        vm: Some(item.vm),
        name: item.vm_name.clone(),
        user_triggered: true,
    };
    let accepted = accept(tx, cx, new, OperationEnd::Accepted, scope)?;
    cx.record(tx, Action::BackupNow, format!("{} until {retain_until:.0}", item.vm_name))?;
    Ok(accepted)
}

fn check_retention(now: Timestamp, asked: Option<Timestamp>) -> Result<Timestamp, Refusal> {
    let in_days = |days: i64| {
        now.checked_add(SignedDuration::from_hours(24 * days))
            .expect("a century from now is within the range of timestamps")
    };
    let Some(until) = asked else { return Ok(in_days(DEFAULT_RETENTION_DAYS)) };
    let latest = in_days(MAX_RETENTION_DAYS);
    if until > now && until <= latest {
        return Ok(until);
    }
    let why = if until <= now { "is not in the future" } else { "is more than 99 years away" };
    Err(Refusal::new(
        ErrorCode::BMSUserErrorInvalidRecoveryPointExpiryTime,
        format!(
            "The recovery point cannot be kept until {until:.0}: that {why}. Choose a time after \
             {now:.0} and not after {latest:.0}."
        ),
    )
    .about("recoveryPointExpiryTimeInUTC"))
}
