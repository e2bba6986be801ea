//! What weakens a vault, and what leads to its end.

use super::approval::second_person;
use super::vault::VaultPatch;
use crate::cx::Cx;
use crate::error::Refusal;
use crate::model::{Ask, Critical, Immutability, SoftDeleteState, Vault};
use crate::port::Tx;

/// What weakens a vault needs a second person, when a guard protects it.
pub(crate) fn check_second_person(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: &Vault,
    patch: &VaultPatch,
) -> Result<(), Refusal> {
    if let Some(wanted) = patch.soft_delete {
        let off = wanted.state == SoftDeleteState::Disabled;
        let was_on = vault.soft_delete.state != SoftDeleteState::Disabled;
        if was_on && (off || wanted.days < vault.soft_delete.days) {
            let (subject, words) = if off {
                ("off".to_owned(), format!("switch soft delete off in vault '{}'", vault.name))
            } else {
                let words = format!(
                    "keep deleted data for {} days only in vault '{}'",
                    wanted.days, vault.name
                );
                (format!("days:{}", wanted.days), words)
            };
            let critical = Critical::DisableSoftDelete;
            let ask = Ask { vault: vault.id, critical, subject, words };
            second_person(tx, cx, vault, ask)?;
        }
    }
    if vault.immutability == Immutability::Unlocked
        && patch.immutability == Some(Immutability::Disabled)
    {
        let ask = Ask {
            vault: vault.id,
            critical: Critical::DisableImmutability,
            subject: "immutability".to_owned(),
            words: format!("switch immutability of vault '{}' off", vault.name),
        };
        second_person(tx, cx, vault, ask)?;
    }
    Ok(())
}

/// How a vault gets empty.
pub(crate) fn way_out(vault: &Vault) -> &'static str {
    match (vault.immutability, vault.soft_delete.state) {
        (Immutability::Locked, _) => {
            "The vault is immutable for ever: stop protection with retention as the policy says, \
             and delete the vault when the last recovery point has had its time."
        }
        (Immutability::Unlocked, _) => {
            "Switch immutability off first; then stop protection of each with deletion of its data."
        }
        (_, SoftDeleteState::AlwaysOn) => {
            "Stop protection of each with deletion of its data; soft delete of this vault is \
             always on, so that deleted items go when their time is over and not before."
        }
        (_, SoftDeleteState::Enabled) => {
            "Stop protection of each with deletion of its data. Deleted items go when their time \
             is over; to be rid of them at once, switch soft delete off and delete their data \
             again."
        }
        (_, SoftDeleteState::Disabled) => {
            "Stop protection of each with deletion of its data; delete the data of deleted items \
             again to be rid of them at once."
        }
    }
}
