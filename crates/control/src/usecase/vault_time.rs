//! Vault time: the time that deletion goes by, as the store remembers it.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::approval::second_person;
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::model::{Ask, Critical, Setting, Vault};
use crate::port::Tx;
use crate::retention::clock::{Reading, VaultClock};

/// Key of the setting that holds it.
const KEY: &str = "vault.clock";

/// Key of the setting that holds what a person said of the wall clock.
const CONFIRMED: &str = "vault.clock.confirmed";

/// What a person said of the wall clock holds for so long.
const CONFIRMED_FOR: SignedDuration = SignedDuration::from_mins(10);

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
        Some(clock) if is_confirmed(tx, reading)? => clock.confirm(reading),
        Some(clock) => clock.advance(reading),
        None => VaultClock::start(reading),
    };
    store(tx, &clock)?;
    Ok(clock)
}

/// A person says that the wall clock is right, after vault time stopped because nobody could vouch
/// for it. It holds from the next reading on, if the clock then still shows about the same. Deletion
/// in every vault goes by it: each guard that stands before one wants a second person.
pub fn confirm_vault_clock(tx: &mut dyn Tx, cx: &Cx<'_>) -> Result<Timestamp, Refusal> {
    cx.may(Action::DeleteBackupData)?;
    for vault in one_vault_of_each_guard(tx)? {
        second_person(tx, cx, &vault, confirmation(&vault, cx.now))?;
    }
    tx.put_setting(&Setting { key: CONFIRMED.to_owned(), value: cx.now.to_string() })?;
    cx.record(tx, Action::DeleteBackupData, format!("vault time confirmed at {:.0}", cx.now))?;
    Ok(cx.now)
}

/// The first vault, by name, of each guard: there its holders are asked.
fn one_vault_of_each_guard(tx: &mut dyn Tx) -> Result<Vec<Vault>, Refusal> {
    let mut vaults: Vec<Vault> = Vec::new();
    for subscription in tx.subscriptions()? {
        vaults.extend(tx.vaults(subscription.id)?.into_iter().filter(|it| it.guard.is_some()));
    }
    vaults.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    let mut asked: Vec<(String, String)> = Vec::new();
    vaults.retain(|vault| {
        let Some(guard) = &vault.guard else { return false };
        let key = (guard.scope.to_ascii_lowercase(), guard.name.to_ascii_lowercase());
        let new = !asked.contains(&key);
        asked.push(key);
        new
    });
    Ok(vaults)
}

/// Whoever approves sees the day that the clock shows, and approves it for this day only.
fn confirmation(vault: &Vault, now: Timestamp) -> Ask {
    let day = now.to_zoned(TimeZone::UTC).date();
    Ask {
        vault: vault.id,
        critical: Critical::ConfirmClock,
        subject: format!("clock {day}"),
        words: format!("confirm that the clock of the service is right: today is {day}"),
    }
}

/// Whether somebody said of about this time that it is right. What was said counts once.
fn is_confirmed(tx: &mut dyn Tx, reading: Reading) -> Result<bool, Refusal> {
    let Some(setting) = tx.setting(CONFIRMED)?.filter(|setting| !setting.value.is_empty()) else {
        return Ok(false);
    };
    tx.put_setting(&Setting { key: CONFIRMED.to_owned(), value: String::new() })?;
    let said: Option<Timestamp> = setting.value.parse().ok();
    Ok(said.is_some_and(|said| reading.wall.duration_since(said).abs() <= CONFIRMED_FOR))
}

fn store(tx: &mut dyn Tx, clock: &VaultClock) -> Result<(), Refusal> {
    let value = serde_json::to_string(clock).expect("times and numbers are JSON");
    tx.put_setting(&Setting { key: KEY.to_owned(), value })?;
    Ok(())
}
