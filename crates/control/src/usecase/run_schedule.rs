//! The schedule's tick: starts the backups that are due.
//!
//! A job and the item's next slot are written in one transaction, so that a slot is neither lost
//! nor taken twice, whenever the service dies. Slots that passed while nobody was there are made
//! up for by one backup, for the last of them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::plan::{self, Timetables};
use super::vault_time::vault_clock;
use crate::cx::Cx;
use crate::error::Refusal;
use crate::id::VaultId;
use crate::job::{self, NewJob};
use crate::model::{Agenda, Job, JobKind, JobStatus, ProtectedItem, Task};
use crate::port::{DueFilter, JobFilter, Tx};

/// An item on which something else runs is looked at again after this.
const BUSY_PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// How much may run at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Backups on one hypervisor.
    pub per_hypervisor: usize,
    /// Backups into one vault's store.
    pub per_store: usize,
    /// Entries of the agenda that one tick looks at.
    pub batch: u32,
}

/// What a tick did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticked {
    /// Backups that were started.
    pub started: usize,
    /// Items that are due and have to wait: something else runs on them.
    pub busy: usize,
    /// Slots that nobody could serve in time and that one backup makes up for.
    pub made_up_for: usize,
    /// There is more that is due and has room.
    pub more: bool,
}

/// Backups that run, by hypervisor and by vault.
struct Load {
    hosts: BTreeMap<String, usize>,
    vaults: BTreeMap<VaultId, usize>,
    budget: Budget,
}

impl Load {
    fn now(tx: &mut dyn Tx, budget: Budget) -> Result<Self, Refusal> {
        let filter = JobFilter {
            statuses: vec![JobStatus::InProgress, JobStatus::Cancelling],
            operation: Some("Backup".to_owned()),
            ..JobFilter::default()
        };
        let mut load = Self { hosts: BTreeMap::new(), vaults: BTreeMap::new(), budget };
        for running in tx.jobs(&filter)? {
            let host = match running.vm {
                Some(vm) => tx.vm(vm)?.map(|vm| vm.hypervisor),
                None => None,
            };
            load.add(&host.unwrap_or_default(), running.vault);
        }
        Ok(load)
    }

    fn add(&mut self, host: &str, vault: Option<VaultId>) {
        *self.hosts.entry(host.to_owned()).or_default() += 1;
        if let Some(vault) = vault {
            *self.vaults.entry(vault).or_default() += 1;
        }
    }

    fn has_room(&self, entry: &Agenda) -> bool {
        self.hosts.get(&entry.host).is_none_or(|count| *count < self.budget.per_hypervisor)
            && self.vaults.get(&entry.vault).is_none_or(|count| *count < self.budget.per_store)
    }

    fn filter(&self, now: Timestamp) -> DueFilter {
        let full_hosts = self.hosts.iter().filter(|(_, n)| **n >= self.budget.per_hypervisor);
        let full_vaults = self.vaults.iter().filter(|(_, n)| **n >= self.budget.per_store);
        DueFilter {
            task: Task::Backup,
            now,
            not_hosts: full_hosts.map(|(host, _)| host.clone()).collect(),
            not_vaults: full_vaults.map(|(vault, _)| *vault).collect(),
            limit: self.budget.batch,
        }
    }
}

/// Starts what is due and has room.
pub fn run_schedule(tx: &mut dyn Tx, cx: &Cx<'_>, budget: Budget) -> Result<Ticked, Refusal> {
    let mut done = Ticked::default();
    let mut load = Load::now(tx, budget)?;
    let mut tables = Timetables::default();
    let behind = vault_clock(tx)?.is_some_and(|clock| clock.is_behind());
    let due = tx.due(&load.filter(cx.now))?;
    done.more = due.len() == usize::try_from(budget.batch).unwrap_or(usize::MAX);
    for entry in due {
        if !load.has_room(&entry) {
            continue;
        }
        let Some(item) = tx.item(entry.item())? else {
            tx.delete_agenda(entry.subject)?;
            continue;
        };
        if is_busy(tx, &item)? {
            let due = Some(cx.now.saturating_add(BUSY_PAUSE).unwrap_or(cx.now));
            tx.put_agenda(&Agenda { due, ..entry })?;
            done.busy += 1;
            continue;
        }
        let slot = slot_to_serve(tx, &item, &entry, &mut tables, cx.now, &mut done)?;
        if let Some(slot) = slot
            && let Some(slot) = free_slot(tx, &item, slot, behind)?
        {
            start(tx, cx, &item, slot)?;
            load.add(&entry.host, Some(entry.vault));
            done.started += 1;
        }
        plan::plan_backup(tx, &item, &mut tables, cx.now)?;
    }
    Ok(done)
}

fn is_busy(tx: &mut dyn Tx, item: &ProtectedItem) -> Result<bool, Refusal> {
    Ok(tx.running_job(item.id)?.is_some() || tx.running_job_of_vm(item.vm)?.is_some())
}

/// The last slot that is over, if the item is still to be backed up by itself.
fn slot_to_serve(
    tx: &mut dyn Tx,
    item: &ProtectedItem,
    entry: &Agenda,
    tables: &mut Timetables,
    now: Timestamp,
    done: &mut Ticked,
) -> Result<Option<Timestamp>, Refusal> {
    let (true, Some(policy), Some(planned)) = (item.state.is_active(), &item.policy, entry.slot)
    else {
        return Ok(None);
    };
    let Some((table, _)) = tables.get(tx, item.vault, policy)? else { return Ok(None) };
    let latest = table.latest(now).unwrap_or(planned).max(planned);
    done.made_up_for += table.after(planned).take_while(|slot| *slot <= latest).take(100).count();
    Ok(Some(latest))
}

/// The slot, unless a job had it. `Some(None)`: the clock went back so far that slots come again;
/// the backup is made without one.
fn free_slot(
    tx: &mut dyn Tx,
    item: &ProtectedItem,
    slot: Timestamp,
    behind: bool,
) -> Result<Option<Option<Timestamp>>, Refusal> {
    match tx.job_of_slot(item.id, slot)? {
        None => Ok(Some(Some(slot))),
        Some(_) if behind => Ok(Some(None)),
        Some(_) => Ok(None),
    }
}

fn start(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    item: &ProtectedItem,
    slot: Option<Timestamp>,
) -> Result<(), Refusal> {
    let new = NewJob {
        id: cx.id(),
        kind: JobKind::Backup { point: cx.id(), retain_until: None, scheduled: true },
        vault: Some(item.vault),
        item: Some(item.id),
        vm: Some(item.vm),
        name: item.vm_name.clone(),
        user_triggered: false,
    };
    let mut job = Job { slot, ..job::create(new, cx.now) };
    tx.put_job(&mut job)?;
    Ok(())
}

/// When the schedule has something to do next; none when nothing is planned.
pub fn next_scheduled(tx: &mut dyn Tx) -> Result<Option<Timestamp>, Refusal> {
    Ok(tx.next_due(Task::Backup)?)
}
