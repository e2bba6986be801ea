//! Ends what points of ended jobs left in a machine.

use coffre_fabric::{Machine, Release};
use coffre_vault::Vault;
use uuid::Uuid;

use crate::Failure;

/// What was cleaned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaned {
    /// The point that had left something.
    pub point: Uuid,
    /// Whether it is in the vault, so that its change map was kept as the newest one.
    pub committed: bool,
}

/// Releases every point that has something left in the machine, save those in `keep`, whose jobs
/// still run. The vault says how each ended; without one nothing was committed.
///
/// # Errors
/// What the machine or the vault met first; calling again goes on from there.
pub fn clean(
    machine: &dyn Machine,
    vault: Option<&Vault>,
    keep: &[Uuid],
) -> Result<Vec<Cleaned>, Failure> {
    let doing = "look for leftovers of earlier backups";
    let left = machine.leftovers().map_err(|error| Failure::fabric(doing, &error))?;
    let mut cleaned = Vec::new();
    for point in left.into_iter().filter(|point| !keep.contains(point)) {
        let committed = match vault {
            None => false,
            Some(vault) => {
                vault.point(point).map_err(|error| Failure::vault(doing, &error))?.is_some()
            }
        };
        let how = if committed { Release::Committed } else { Release::Abandoned };
        machine
            .release(point, how)
            .map_err(|error| Failure::fabric("end a snapshot that was left behind", &error))?;
        tracing::info!(point.id = %point, committed, "ended a snapshot that was left behind");
        cleaned.push(Cleaned { point, committed });
    }
    Ok(cleaned)
}
