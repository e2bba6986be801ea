//! What a policy would keep, and what a change of it would delete. Changes nothing.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::expiry::rules_of;
use super::plan::later;
use super::policy::{PutPolicy, stored};
use super::{find, policy_rules};
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::VaultId;
use crate::model::RecoveryPoint;
use crate::port::Tx;
use crate::retention::Rules;
use crate::retention::simulate::{self, Change, Count, Day};

/// The longest time that is lived ahead, in days: 99 years.
const DAYS_MAX: u32 = 99 * 366;

/// Next runs that are listed.
const RUNS: usize = 10;

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Simulate {
    /// The vault.
    pub vault: VaultId,
    /// One of its policies, or a name for the proposal.
    pub name: String,
    /// The policy as it would be; none = as it is.
    pub proposal: Option<PutPolicy>,
    /// How many days to live ahead.
    pub days: u32,
}

/// A run to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// When.
    pub time: Timestamp,
    /// What the wall shows there (`2026-11-21T22:00:00`).
    pub local: String,
    /// The offset from UTC there.
    pub offset: String,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// The next runs.
    pub runs: Vec<Run>,
    /// The day at whose end is looked.
    pub end: Timestamp,
    /// What is there at the end of each month on the way, and at the end.
    pub counts: Vec<(Timestamp, Count)>,
    /// The days that have a point at the end.
    pub calendar: BTreeMap<Date, Day>,
    /// The points that have a snapshot beside the disks at the end, where one can be taken: when
    /// each is made, and until when its snapshot stays.
    pub snapshots: Vec<(Timestamp, Timestamp)>,
    /// What the proposal changes for the points that are there, by item.
    pub changes: Vec<(String, Vec<Change>)>,
}

/// Lives a policy ahead.
pub fn simulate_policy(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    input: Simulate,
) -> Result<Simulation, Refusal> {
    cx.may(Action::Read)?;
    let vault = find::vault(tx, input.vault)?;
    if input.days == 0 || input.days > DAYS_MAX {
        return Err(Refusal::new(
            ErrorCode::InvalidParameter,
            format!("{} days cannot be simulated. Choose 1 to {DAYS_MAX} days.", input.days),
        )
        .about("days"));
    }
    let current = tx.policy(vault.id, &input.name)?;
    let policy = match input.proposal {
        Some(proposal) => {
            policy_rules::check(&proposal)?;
            stored(vault.id, proposal, None)
        }
        None => find::policy(tx, &vault, &input.name)?,
    };
    let rules = Rules::of(&policy).map_err(|unknown| {
        Refusal::new(ErrorCode::BMSUserErrorInvalidPolicyInput, format!("{unknown}."))
    })?;
    let end = later(cx.now, SignedDuration::from_hours(24 * i64::from(input.days)));
    let life = simulate::live(&rules, &[], cx.now, end);
    let changes = match current {
        Some(current) => changes(tx, vault.id, &current.name, &rules)?,
        None => Vec::new(),
    };
    Ok(Simulation {
        runs: runs(&rules, cx.now),
        end,
        counts: counts(&life, cx.now, end),
        calendar: simulate::calendar(&rules, &life, end),
        snapshots: life
            .iter()
            .filter(|point| point.has_snapshot(end))
            .map(|point| (point.entry.time, point.snapshot_until))
            .collect(),
        changes,
    })
}

fn runs(rules: &Rules, now: Timestamp) -> Vec<Run> {
    let table = &rules.timetable;
    let slots = table.after(now).take(RUNS);
    slots
        .map(|time| Run { time, local: table.local(time).to_string(), offset: table.offset(time) })
        .collect()
}

/// At the end of every thirty days, and at the end.
fn counts(life: &[simulate::Lived], now: Timestamp, end: Timestamp) -> Vec<(Timestamp, Count)> {
    let mut moments = Vec::new();
    let mut at = now;
    loop {
        at = later(at, SignedDuration::from_hours(24 * 30));
        if at >= end || moments.len() == 60 {
            break;
        }
        moments.push(at);
    }
    moments.push(end);
    moments.into_iter().map(|at| (at, simulate::count(life, at))).collect()
}

fn changes(
    tx: &mut dyn Tx,
    vault: VaultId,
    policy: &str,
    after: &Rules,
) -> Result<Vec<(String, Vec<Change>)>, Refusal> {
    let mut all = Vec::new();
    for id in tx.items_of_policy(vault, policy)? {
        let item = find::item(tx, id)?;
        let before = rules_of(tx, &item)?;
        let entries: Vec<_> = tx
            .points(item.id)?
            .iter()
            .filter(|point| point.is_usable())
            .map(RecoveryPoint::entry)
            .collect();
        let mut changes = simulate::compare(before.as_ref(), Some(after), &entries);
        changes.retain(|change| change.before != change.after);
        all.push((item.vm_name, changes));
    }
    Ok(all)
}
