//! Vault time: the time that deletion goes by, as the store remembers it.

use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::model::Setting;
use crate::port::Tx;
use crate::retention::clock::{Reading, VaultClock};

/// Key of the setting that holds it.
const KEY: &str = "vault.clock";

/// Vault time as it was last; none before the first reading.
pub fn vault_clock(tx: &mut dyn Tx) -> Result<Option<VaultClock>, Refusal> {
    let Some(setting) = tx.setting(KEY)? else { return Ok(None) };
    serde_json::from_str(&setting.value).map(Some).map_err(|error| {
        Refusal::new(
            ErrorCode::InternalServerError,
            format!("The stored vault time cannot be read: {error}."),
        )
    })
}

/// Takes a reading of the machine's clocks.
pub fn advance_vault_clock(tx: &mut dyn Tx, reading: Reading) -> Result<VaultClock, Refusal> {
    let clock = match vault_clock(tx)? {
        Some(clock) => clock.advance(reading),
        None => VaultClock::start(reading),
    };
    store(tx, &clock)?;
    Ok(clock)
}

/// A person says that the wall clock is right, after vault time stopped because nobody could vouch
/// for it.
pub fn confirm_vault_clock(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    reading: Reading,
) -> Result<VaultClock, Refusal> {
    cx.may(Action::DeleteBackupData)?;
    let clock = match vault_clock(tx)? {
        Some(clock) => clock.confirm(reading),
        None => VaultClock::start(reading),
    };
    store(tx, &clock)?;
    cx.record(tx, Action::DeleteBackupData, format!("vault time set to {:.0}", clock.time))?;
    Ok(clock)
}

fn store(tx: &mut dyn Tx, clock: &VaultClock) -> Result<(), Refusal> {
    let value = serde_json::to_string(clock).expect("times and numbers are JSON");
    tx.put_setting(&Setting { key: KEY.to_owned(), value })?;
    Ok(())
}
