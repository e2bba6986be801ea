//! Keys and seals.
//!
//! Key lineage (docs/format.md, section 3): a passphrase or the paper key opens a slot; the slot holds a keyring; from
//! the keyring's secrets every other key is derived or sealed. No key ever seals two different plaintexts under one
//! nonce: each pack and each record has a key of its own, fresh from the system's randomness.

mod aead;
mod hpke;
mod keyring;
#[cfg(coffre_sim)]
mod memo;
mod recovery;
mod slot;

#[cfg(coffre_sim)]
pub use aead::seed_chance;
pub(crate) use aead::{SealKey, TAG_BYTES, derive, random};
pub(crate) use hpke::{HPKE_ENC_BYTES, hpke_open, hpke_seal};
pub use keyring::Capability;
pub(crate) use keyring::{Keyring, deletion_is_signed};
pub use recovery::RecoveryKey;
pub use slot::{PASSPHRASE_MEMORY_BYTES, Passphrase, SlotKind, Unlock};
pub(crate) use slot::{SlotFile, slot_key};
