//! What has been condemned and what is gone: the one thing that writers and collectors look at on both sides.
//!
//! The epoch of a vault is the set of `gc/done/*`. A pack that is ever deleted is named by a condemned list from before
//! its deletion until a done marker names it, and done markers stay. So whoever reads the condemned lists *first* and
//! the done markers *after* sees every pack that was condemned before the first read.

use std::collections::BTreeMap;

use super::lists::{CONDEMNED, DONE, Packs, read_new};
use crate::VaultError;
use crate::inner::Inner;

/// What a collector knows of condemned and deleted packs.
#[derive(Debug, Clone, Default)]
pub(super) struct Epoch {
    /// By object: what will be deleted.
    pub(super) condemned: BTreeMap<String, Packs>,
    /// By object: what was deleted.
    pub(super) done: BTreeMap<String, Packs>,
}

impl Epoch {
    /// Looks now.
    ///
    /// # Errors
    /// If the store fails or a list is damaged.
    pub(super) fn read(inner: &Inner) -> Result<Self, VaultError> {
        let mut epoch = Self::default();
        epoch.read_again(inner)?;
        Ok(epoch)
    }

    /// Looks again; done markers that are known already are not read twice.
    ///
    /// # Errors
    /// If the store fails or a list is damaged.
    pub(super) fn read_again(&mut self, inner: &Inner) -> Result<(), VaultError> {
        self.condemned.clear();
        read_new(inner, CONDEMNED, &mut self.condemned)?;
        read_new(inner, DONE, &mut self.done)?;
        Ok(())
    }

    /// All packs that are to be deleted.
    pub(super) fn condemned_packs(&self) -> Packs {
        self.condemned.values().flatten().copied().collect()
    }

    /// All packs that were deleted.
    pub(super) fn gone_packs(&self) -> Packs {
        self.done.values().flatten().copied().collect()
    }
}
