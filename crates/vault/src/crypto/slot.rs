//! Key slots: a keyring wrapped by a passphrase or by the paper key.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Capability, Keyring, RecoveryKey, SealKey, TAG_BYTES, derive, random};
use crate::VaultError;
use crate::format::hex;

/// Argon2id: 19 MiB, two passes, one lane; OWASP's first recommendation, about 25 ms, so that a short command is not
/// ruled by it. Stored in each slot, so they can be raised without a change of format.
const ARGON2_MEMORY_KIB: u32 = if cfg!(coffre_sim) { 64 } else { 19 * 1024 };
/// The memory that opening a vault by its passphrase takes for a moment.
pub const PASSPHRASE_MEMORY_BYTES: usize = ARGON2_MEMORY_KIB as usize * 1024;
const ARGON2_PASSES: u32 = 2;
const ARGON2_LANES: u32 = 1;
/// What a slot from outside may ask of us: 1 GiB, 64 passes, 16 lanes.
const ARGON2_MEMORY_KIB_MAX: u32 = 1024 * 1024;
const ARGON2_PASSES_MAX: u32 = 64;
const ARGON2_LANES_MAX: u32 = 16;

/// A passphrase as typed. Never shown.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase as it is; callers strip the line end of a file.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Whether it has no characters at all; `Vault::create` refuses that.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// What opens a vault.
#[derive(Debug, Clone)]
pub enum Unlock {
    /// The passphrase.
    Passphrase(Passphrase),
    /// The key on paper.
    RecoveryKey(RecoveryKey),
}

/// What opens a key slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotKind {
    /// A passphrase.
    Passphrase,
    /// A key on paper.
    RecoveryKey,
}

/// How the wrapping key comes about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub(crate) enum Kdf {
    /// From a passphrase.
    Argon2id {
        memory_kib: u32,
        passes: u32,
        lanes: u32,
        #[serde(with = "hex::array")]
        salt: [u8; 32],
    },
    /// From the paper key, which has full entropy.
    RecoveryKey {
        #[serde(with = "hex::array")]
        salt: [u8; 32],
    },
}

/// The JSON of a key slot object (docs/format.md section 3).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SlotFile {
    pub(crate) format: String,
    pub(crate) version: u32,
    pub(crate) vault: Uuid,
    pub(crate) slot: Uuid,
    pub(crate) capabilities: Vec<Capability>,
    pub(crate) kdf: Kdf,
    #[serde(with = "hex::vec")]
    pub(crate) wrapped: Vec<u8>,
    /// Keyed hash of all of the above by the vault's meta key, so that damage of a slot is found without its secret.
    #[serde(with = "hex::array")]
    pub(crate) check: [u8; 32],
}

/// The key of a slot's object.
pub(crate) fn slot_key(slot: Uuid) -> String {
    format!("keys/{}", slot.simple())
}

impl SlotFile {
    /// Wraps a keyring. `root_digest` binds the slot to the root object, so that neither can be swapped alone.
    pub(crate) fn wrap(
        keyring: &Keyring,
        vault: Uuid,
        root_digest: &[u8; 32],
        unlock: &Unlock,
    ) -> Result<Self, VaultError> {
        let salt = random()?;
        let kdf = match unlock {
            Unlock::Passphrase(_) => Kdf::Argon2id {
                memory_kib: ARGON2_MEMORY_KIB,
                passes: ARGON2_PASSES,
                lanes: ARGON2_LANES,
                salt,
            },
            Unlock::RecoveryKey(_) => Kdf::RecoveryKey { salt },
        };
        let mut slot = Self {
            format: "coffre-key".to_owned(),
            version: 1,
            vault,
            slot: Uuid::from_bytes(random()?),
            capabilities: keyring.capabilities().to_vec(),
            kdf,
            wrapped: Vec::new(),
            check: [0; 32],
        };
        let key = slot.wrapping_key(unlock)?.ok_or(VaultError::Crypto("derive a key"))?;
        let plain = Zeroizing::new(
            serde_json::to_vec(keyring).map_err(|_| VaultError::Crypto("write a keyring"))?,
        );
        let mut wrapped = vec![0; plain.len() + TAG_BYTES];
        key.seal(0, &slot.associated(root_digest), &plain, &mut wrapped)?;
        slot.wrapped = wrapped;
        slot.check = slot.checksum(keyring);
        Ok(slot)
    }

    /// What opens it.
    pub(crate) fn kind(&self) -> SlotKind {
        match self.kdf {
            Kdf::Argon2id { .. } => SlotKind::Passphrase,
            Kdf::RecoveryKey { .. } => SlotKind::RecoveryKey,
        }
    }

    /// Whether the slot is as it was written, as far as a holder of any keyring of the vault can tell.
    pub(crate) fn is_whole(&self, keyring: &Keyring) -> bool {
        self.check == self.checksum(keyring)
    }

    fn checksum(&self, keyring: &Keyring) -> [u8; 32] {
        let open = Self { check: [0; 32], ..self.clone() };
        *blake3::keyed_hash(&keyring.slot_check_key(), &open.to_bytes()).as_bytes()
    }

    /// The bytes of the object: compact JSON, fields in the order of the struct.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        // Holds: the struct has no map with other than string keys, so it always serialises.
        serde_json::to_vec(self).expect("a slot serialises")
    }

    /// Unwraps the keyring; `None` if this is not the slot's passphrase or paper key, or the slot was tampered with.
    pub(crate) fn unwrap(
        &self,
        root_digest: &[u8; 32],
        unlock: &Unlock,
    ) -> Result<Option<Keyring>, VaultError> {
        let Some(key) = self.wrapping_key(unlock)? else { return Ok(None) };
        let Some(length) = self.wrapped.len().checked_sub(TAG_BYTES) else { return Ok(None) };
        let mut plain = Zeroizing::new(vec![0; length]);
        if !key.open(0, &self.associated(root_digest), &self.wrapped, &mut plain) {
            return Ok(None);
        }
        let keyring = serde_json::from_slice(&plain);
        keyring
            .map(Some)
            .map_err(|_| VaultError::Unsupported { what: "another kind of keyring".to_owned() })
    }

    /// `None` if the unlock is of the other kind.
    fn wrapping_key(&self, unlock: &Unlock) -> Result<Option<SealKey>, VaultError> {
        match (&self.kdf, unlock) {
            (Kdf::Argon2id { memory_kib, passes, lanes, salt }, Unlock::Passphrase(passphrase)) => {
                let known = *memory_kib <= ARGON2_MEMORY_KIB_MAX
                    && *passes <= ARGON2_PASSES_MAX
                    && *lanes <= ARGON2_LANES_MAX;
                let params =
                    Params::new(*memory_kib, *passes, *lanes, Some(32)).ok().filter(|_| known);
                let params = params.ok_or_else(|| VaultError::Unsupported {
                    what: "key derivation this costly".to_owned(),
                })?;
                let mut key = Zeroizing::new([0u8; 32]);
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into(passphrase.0.as_bytes(), salt, key.as_mut())
                    .map_err(|_| VaultError::Crypto("derive a key from the passphrase"))?;
                Ok(Some(SealKey::new(&key)))
            }
            (Kdf::RecoveryKey { salt }, Unlock::RecoveryKey(recovery)) => Ok(Some(SealKey::new(
                &derive("coffre v1 recovery key slot", recovery.secret(), salt),
            ))),
            (Kdf::Argon2id { .. }, Unlock::RecoveryKey(_))
            | (Kdf::RecoveryKey { .. }, Unlock::Passphrase(_)) => Ok(None),
        }
    }

    /// All of the slot but the wrapped keyring, and the root: whatever is changed, the slot no longer opens.
    fn associated(&self, root_digest: &[u8; 32]) -> Vec<u8> {
        let open = Self { wrapped: Vec::new(), check: [0; 32], ..self.clone() };
        let mut text = b"coffre v1 key slot".to_vec();
        text.extend_from_slice(root_digest);
        text.extend(open.to_bytes());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_opens_with_its_own_secret_only_and_not_when_touched() {
        let keyring = Keyring::generate().unwrap();
        let passphrase = Unlock::Passphrase(Passphrase::new("correct horse"));
        let slot = SlotFile::wrap(&keyring, Uuid::from_u128(1), &[3; 32], &passphrase).unwrap();
        let slot: SlotFile = serde_json::from_slice(&slot.to_bytes()).unwrap();
        assert!(slot.is_whole(&keyring));
        let opened = slot.unwrap(&[3; 32], &passphrase).unwrap().unwrap();
        assert_eq!(opened.block_identity_key(), keyring.block_identity_key());
        assert!(slot.unwrap(&[4; 32], &passphrase).unwrap().is_none());
        let wrong = Unlock::Passphrase(Passphrase::new("wrong"));
        assert!(slot.unwrap(&[3; 32], &wrong).unwrap().is_none());
        let paper = Unlock::RecoveryKey(RecoveryKey::generate().unwrap());
        assert!(slot.unwrap(&[3; 32], &paper).unwrap().is_none());
        let mut touched = slot.clone();
        touched.capabilities.pop();
        assert!(touched.unwrap(&[3; 32], &passphrase).unwrap().is_none());
    }

    #[test]
    fn a_slot_that_asks_for_too_much_memory_is_refused_before_it_is_tried() {
        let keyring = Keyring::generate().unwrap();
        let passphrase = Unlock::Passphrase(Passphrase::new("x"));
        let mut slot = SlotFile::wrap(&keyring, Uuid::nil(), &[0; 32], &passphrase).unwrap();
        slot.kdf = Kdf::Argon2id { memory_kib: u32::MAX, passes: 1, lanes: 1, salt: [0; 32] };
        assert!(matches!(slot.unwrap(&[0; 32], &passphrase), Err(VaultError::Unsupported { .. })));
    }
}
