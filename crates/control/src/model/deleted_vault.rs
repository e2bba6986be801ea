//! What is kept of a vault that was deleted.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::policy::Policy;
use super::vault::Vault;

/// A deleted vault, until its time is over. It was empty when it was deleted: no point is kept
/// with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeletedVault {
    /// The vault as it was.
    pub vault: Vault,
    /// Its policies as they were.
    pub policies: Vec<Policy>,
    /// When it was deleted.
    pub deleted: Timestamp,
    /// When it goes for good.
    pub until: Timestamp,
}

impl DeletedVault {
    /// Its name among the deleted ones: no vault of the same name that is deleted later has it.
    pub fn name(&self) -> String {
        format!("{}_{}", self.vault.group, self.vault.id)
    }
}
