//! What lists join to the rows of a page: names of vaults, of regions.

use std::collections::BTreeSet;

use coffre_control::Refusal;
use coffre_control::id::VaultId;
use coffre_control::model::{Region, Vault};
use coffre_control::port::Tx;

/// The vaults that the rows of a page name, each once.
pub(crate) fn vaults_of(
    tx: &mut dyn Tx,
    ids: impl IntoIterator<Item = VaultId>,
) -> Result<Vec<Vault>, Refusal> {
    let ids: BTreeSet<VaultId> = ids.into_iter().collect();
    let mut vaults = Vec::new();
    for id in ids {
        vaults.extend(tx.vault(id)?);
    }
    Ok(vaults)
}

/// A region's name for people, or the name itself.
pub(crate) fn region_label<'a>(regions: &'a [Region], name: &'a str) -> &'a str {
    regions.iter().find(|region| region.name == name).map_or(name, |it| it.display_name.as_str())
}
