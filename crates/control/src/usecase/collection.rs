//! Collections: when the store of a vault is freed of what no point needs.

use jiff::{SignedDuration, Timestamp};

use crate::error::Refusal;
use crate::id::VaultId;
use crate::model::{Agenda, Task, Vault};
use crate::port::{DueFilter, Tx};

/// Pause between two collections of a vault when nothing asks for one sooner.
const EVERY: SignedDuration = SignedDuration::from_hours(24);

/// Pause before a collection that a deletion asked for: others may follow it.
const SOON: SignedDuration = SignedDuration::from_mins(30);

/// Plans the next collection of a vault, a day from now.
pub fn plan_collection(tx: &mut dyn Tx, vault: VaultId, now: Timestamp) -> Result<(), Refusal> {
    put(tx, vault, now.saturating_add(EVERY).unwrap_or(now))
}

/// Something was deleted: the vault is collected soon.
pub(crate) fn collect_soon(tx: &mut dyn Tx, vault: VaultId, now: Timestamp) -> Result<(), Refusal> {
    let soon = now.saturating_add(SOON).unwrap_or(now);
    match tx.agenda(Task::Collection, vault.uuid())?.and_then(|entry| entry.due) {
        Some(due) if due <= soon => Ok(()),
        _ => put(tx, vault, soon),
    }
}

/// Vaults whose collection is due, each with the number of points that it must have.
pub fn due_collections(tx: &mut dyn Tx, now: Timestamp) -> Result<Vec<(Vault, u64)>, Refusal> {
    let filter = DueFilter {
        task: Task::Collection,
        now,
        not_hosts: Vec::new(),
        not_vaults: Vec::new(),
        limit: 100,
    };
    let mut vaults = Vec::new();
    for entry in tx.due(&filter)? {
        let Some(vault) = tx.vault(entry.vault)? else { continue };
        let mut points = 0;
        for item in tx.items(vault.id)? {
            let known = tx.points(item.id)?;
            points += known.iter().filter(|point| point.removing.is_none()).count();
        }
        vaults.push((vault, u64::try_from(points).unwrap_or(u64::MAX)));
    }
    Ok(vaults)
}

fn put(tx: &mut dyn Tx, vault: VaultId, due: Timestamp) -> Result<(), Refusal> {
    tx.put_agenda(&Agenda {
        task: Task::Collection,
        subject: vault.uuid(),
        due: Some(due),
        slot: None,
        vault,
        host: String::new(),
    })?;
    Ok(())
}
