//! The keys of a vault: who may do what, and how that changes.
//!
//! A new slot is always there before an old one goes, so that no crash locks anybody out.

use std::sync::Arc;

use uuid::Uuid;

use crate::crypto::{
    Capability, Keyring, Passphrase, RecoveryKey, SlotFile, SlotKind, Unlock, slot_key,
};
use crate::inner::{Inner, create_new, parse_json};
use crate::vault::get_small;
use crate::{Vault, VaultError};

/// A key slot of a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySlot {
    /// Its id.
    pub id: Uuid,
    /// What opens it.
    pub kind: SlotKind,
    /// What it allows.
    pub capabilities: Vec<Capability>,
    /// Whether this handle was opened by it.
    pub current: bool,
}

impl Vault {
    /// Adds a key slot that opens with `unlock` and allows only `capabilities`. Returns its id. One that may put and does
    /// not hold the delete key becomes a dedup group of its own ([`Vault::add_key_in_group`]).
    ///
    /// # Errors
    /// [`VaultError::MissingKey`] without the admin capability; [`VaultError::Invalid`] for no capability or an empty
    /// passphrase.
    pub fn add_key(
        &self,
        unlock: &Unlock,
        capabilities: &[Capability],
    ) -> Result<Uuid, VaultError> {
        self.add_key_in_group(unlock, capabilities, None).map(|(slot, _)| slot)
    }

    /// The same as a member of a dedup group, of a new one with `None`. Members count on each other's blocks, nobody else
    /// does before a verification has read them; so a group is hosts of which one is as good as the other. Gives the slot
    /// and the group; `None` for who needs none, because it stores nothing or holds the delete key.
    ///
    /// # Errors
    /// As [`Vault::add_key`].
    pub fn add_key_in_group(
        &self,
        unlock: &Unlock,
        capabilities: &[Capability],
        group: Option<u32>,
    ) -> Result<(Uuid, Option<u32>), VaultError> {
        self.inner.keyring.require(Capability::Admin, "add key slots")?;
        if capabilities.is_empty() {
            return Err(VaultError::Invalid("a key that allows nothing is of no use".to_owned()));
        }
        let all =
            capabilities.contains(&Capability::Delete) || capabilities.contains(&Capability::Admin);
        if all || !capabilities.contains(&Capability::Put) {
            return Ok((self.wrap(unlock, capabilities)?, None));
        }
        // The entry comes first: a writer of a group that nobody knows is believed by nobody.
        let group = self.inner.make_group(group)?;
        let keyring = self.inner.keyring.restrict_to_group(capabilities, group)?;
        Ok((self.wrap_keyring(unlock, &keyring)?, Some(group)))
    }

    /// The dedup group of this handle's keys, `None` for who holds the delete key or may not put.
    pub fn dedup_group(&self) -> Option<u32> {
        self.inner.keyring.group()
    }

    /// Adds a slot with a new recovery key that allows everything this handle may. The key is shown to nobody again.
    ///
    /// # Errors
    /// [`VaultError::MissingKey`] without the admin capability.
    pub fn add_recovery_key(&self) -> Result<(Uuid, RecoveryKey), VaultError> {
        self.inner.keyring.require(Capability::Admin, "add key slots")?;
        let key = RecoveryKey::generate()?;
        let slot = self.wrap(&Unlock::RecoveryKey(key.clone()), self.capabilities())?;
        Ok((slot, key))
    }

    /// Makes `passphrase` open what the passphrase that this handle was opened with opened; the old one opens nothing
    /// any more. Anybody may do this with their own. Returns the id of the new slot.
    ///
    /// # Errors
    /// [`VaultError::Invalid`] if the handle was not opened by a passphrase, or for an empty one.
    pub fn change_passphrase(&self, passphrase: &Passphrase) -> Result<Uuid, VaultError> {
        let own = self.keys()?.into_iter().find(|slot| slot.current);
        let own = own.filter(|slot| slot.kind == SlotKind::Passphrase).ok_or_else(|| {
            let what = "only who opened the vault with a passphrase can change it";
            VaultError::Invalid(what.to_owned())
        })?;
        let slot = self.wrap(&Unlock::Passphrase(passphrase.clone()), &own.capabilities)?;
        self.inner.bucket.delete(&slot_key(own.id))?;
        Ok(slot)
    }

    /// The key slots.
    ///
    /// # Errors
    /// If the store fails or a slot is damaged.
    pub fn keys(&self) -> Result<Vec<KeySlot>, VaultError> {
        let mut slots = Vec::new();
        for object in self.inner.bucket.list("keys/")? {
            let slot: SlotFile =
                parse_json(&object.key, &get_small(&*self.inner.bucket, &object.key)?)?;
            if slot.vault == self.id() {
                slots.push(KeySlot {
                    id: slot.slot,
                    kind: slot.kind(),
                    current: self.inner.opened_by == Some(slot.slot),
                    capabilities: slot.capabilities,
                });
            }
        }
        Ok(slots)
    }

    /// Removes a key slot. Who copied the store before can still use it: then rotate what it protected.
    ///
    /// # Errors
    /// [`VaultError::MissingKey`] without the admin capability; [`VaultError::Invalid`] if there is no such slot, or it
    /// is the last one with that capability.
    pub fn remove_key(&self, slot: Uuid) -> Result<(), VaultError> {
        self.inner.keyring.require(Capability::Admin, "remove key slots")?;
        let slots = self.keys()?;
        if !slots.iter().any(|known| known.id == slot) {
            return Err(VaultError::Invalid(format!("there is no key slot {slot}")));
        }
        let admin = |known: &KeySlot| known.capabilities.contains(&Capability::Admin);
        if !slots.iter().any(|known| known.id != slot && admin(known)) {
            return Err(VaultError::Invalid(
                "the last key slot that can administer the vault stays".to_owned(),
            ));
        }
        Ok(self.inner.bucket.delete(&slot_key(slot))?)
    }

    /// Makes a new generation of the data key, a slot for `passphrase` and a new recovery key, and removes every other
    /// slot: what is stored from now on is closed to all who held a key before; what is stored already stays open to
    /// who copied it. Roles need new slots ([`Vault::add_key`] on the vault returned).
    ///
    /// # Errors
    /// [`VaultError::MissingKey`] without the admin and read capabilities. Stopped half way, old slots may be left;
    /// rotate again.
    pub fn rotate(&self, passphrase: &Passphrase) -> Result<(Self, RecoveryKey), VaultError> {
        self.inner.keyring.require(Capability::Admin, "rotate keys")?;
        self.inner.keyring.require(Capability::Read, "rotate keys")?;
        refuse_empty(passphrase)?;
        let old = self.keys()?;
        let keyring = self.inner.keyring.with_new_generation()?;
        let recovery = RecoveryKey::generate()?;
        let unlocks =
            [Unlock::RecoveryKey(recovery.clone()), Unlock::Passphrase(passphrase.clone())];
        let mut opened_by = None;
        for unlock in unlocks {
            let slot = SlotFile::wrap(&keyring, self.id(), &self.inner.root_digest, &unlock)?;
            create_new(&*self.inner.bucket, &slot_key(slot.slot), &slot.to_bytes())?;
            opened_by = Some(slot.slot);
        }
        for slot in old {
            self.inner.bucket.delete(&slot_key(slot.id))?;
        }
        let (bucket, root) = (Arc::clone(&self.inner.bucket), self.inner.root.clone());
        let mut inner = Inner::new(bucket, keyring, root, self.inner.root_digest);
        inner.threads = self.inner.threads;
        inner.opened_by = opened_by;
        Ok((Self { inner: Arc::new(inner) }, recovery))
    }

    fn wrap(&self, unlock: &Unlock, capabilities: &[Capability]) -> Result<Uuid, VaultError> {
        self.wrap_keyring(unlock, &self.inner.keyring.restrict(capabilities))
    }

    fn wrap_keyring(&self, unlock: &Unlock, keyring: &Keyring) -> Result<Uuid, VaultError> {
        if let Unlock::Passphrase(passphrase) = unlock {
            refuse_empty(passphrase)?;
        }
        let slot = SlotFile::wrap(keyring, self.id(), &self.inner.root_digest, unlock)?;
        create_new(&*self.inner.bucket, &slot_key(slot.slot), &slot.to_bytes())?;
        Ok(slot.slot)
    }
}

fn refuse_empty(passphrase: &Passphrase) -> Result<(), VaultError> {
    if passphrase.is_empty() {
        return Err(VaultError::Invalid("an empty passphrase protects nothing".to_owned()));
    }
    Ok(())
}
