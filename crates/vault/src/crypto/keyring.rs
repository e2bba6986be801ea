//! The secrets of a vault, and which of them a role holds.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::hpke::public_of_secret;
use super::{derive, random};
use crate::VaultError;
use crate::format::hex;

/// What a holder of keys may do. Roles nest in the keys they hold, not in each other: deleting needs no right to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Write recovery points and see which exist. Cannot read stored disks back.
    Put,
    /// Read stored disks and the metadata of points.
    Read,
    /// Delete points and collect what nothing needs.
    Delete,
    /// Make and remove key slots, rotate keys.
    Admin,
}

/// One generation of the key pair that data is sealed to.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct DataGeneration {
    pub(crate) number: u32,
    #[serde(with = "hex::array")]
    pub(crate) public: [u8; 32],
    #[serde(with = "hex::option", default, skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<[u8; 32]>,
}

/// The secrets that a slot opens. What a role lacks is `None`.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Keyring {
    /// Makes the identities of blocks and nodes.
    #[serde(with = "hex::array")]
    identity: [u8; 32],
    /// Seals maps, index, directories and records: all but the data itself.
    #[serde(with = "hex::array")]
    meta: [u8; 32],
    /// Newest last. Packs say which generation they are sealed to.
    data: Vec<DataGeneration>,
    /// Seed of the Ed25519 key that signs deletions.
    #[serde(with = "hex::option", default, skip_serializing_if = "Option::is_none")]
    delete_seed: Option<[u8; 32]>,
    /// The dedup group of a writer without the delete key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<GroupKey>,
    capabilities: Vec<Capability>,
}

/// What a dedup group vouches with.
#[derive(Clone, Serialize, Deserialize)]
struct GroupKey {
    /// Not zero.
    number: u32,
    /// Seed of an Ed25519 key.
    #[serde(with = "hex::array")]
    seed: [u8; 32],
}

impl Drop for Keyring {
    fn drop(&mut self) {
        self.identity.zeroize();
        self.meta.zeroize();
        self.delete_seed.zeroize();
        if let Some(group) = &mut self.group {
            group.seed.zeroize();
        }
        for generation in &mut self.data {
            generation.secret.zeroize();
        }
    }
}

impl Keyring {
    /// New secrets for a new vault, with every capability.
    pub(crate) fn generate() -> Result<Self, VaultError> {
        let secret = random()?;
        let public = public_of_secret(&secret)?;
        Ok(Self {
            identity: random()?,
            meta: random()?,
            data: vec![DataGeneration { number: 1, public, secret: Some(secret) }],
            delete_seed: Some(random()?),
            group: None,
            capabilities: vec![
                Capability::Put,
                Capability::Read,
                Capability::Delete,
                Capability::Admin,
            ],
        })
    }

    /// The same keyring with only what these capabilities need.
    pub(crate) fn restrict(&self, capabilities: &[Capability]) -> Self {
        let mut kept = self.clone();
        kept.capabilities.retain(|capability| capabilities.contains(capability));
        if !kept.may(Capability::Read) && !kept.may(Capability::Admin) {
            for generation in &mut kept.data {
                generation.secret.zeroize();
            }
        }
        if !kept.may(Capability::Delete) && !kept.may(Capability::Admin) {
            kept.delete_seed.zeroize();
        }
        kept
    }

    pub(crate) fn may(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// Fails with a clear error unless the capability is held.
    pub(crate) fn require(
        &self,
        capability: Capability,
        what: &'static str,
    ) -> Result<(), VaultError> {
        if self.may(capability) { Ok(()) } else { Err(VaultError::MissingKey { what }) }
    }

    /// The capabilities of this keyring.
    pub(crate) fn capabilities(&self) -> &[Capability] {
        &self.capabilities
    }

    /// The keyed-hash key of block identities.
    pub(crate) fn block_identity_key(&self) -> [u8; 32] {
        derive("coffre v1 block identity", &self.identity, &[])
    }

    /// The keyed-hash key of node identities.
    pub(crate) fn node_identity_key(&self) -> [u8; 32] {
        derive("coffre v1 node identity", &self.identity, &[])
    }

    /// The key of one record, by its random salt.
    pub(crate) fn record_key(&self, salt: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(derive("coffre v1 record", &self.meta, salt))
    }

    /// The key of one pack of map nodes, by its random salt.
    pub(crate) fn node_pack_key(&self, salt: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(derive("coffre v1 node pack", &self.meta, salt))
    }

    /// The key of one pack's directory, by its random salt.
    pub(crate) fn directory_key(&self, salt: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(derive("coffre v1 directory", &self.meta, salt))
    }

    /// The key that checks key slots.
    pub(crate) fn slot_check_key(&self) -> [u8; 32] {
        derive("coffre v1 key slot check", &self.meta, &[])
    }

    /// The same keyring with a new generation, which new packs are sealed to.
    pub(crate) fn with_new_generation(&self) -> Result<Self, VaultError> {
        let mut keyring = self.clone();
        let newest = self.data.iter().map(|generation| generation.number).max().unwrap_or(0);
        let secret = random()?;
        let public = public_of_secret(&secret)?;
        keyring.data.push(DataGeneration {
            number: newest.saturating_add(1),
            public,
            secret: Some(secret),
        });
        Ok(keyring)
    }

    /// The generation that new packs are sealed to.
    pub(crate) fn newest_generation(&self) -> Result<&DataGeneration, VaultError> {
        self.data.last().ok_or(VaultError::MissingKey { what: "write data" })
    }

    /// The secret of a generation.
    pub(crate) fn data_secret(&self, number: u32) -> Result<&[u8; 32], VaultError> {
        let generation = self.data.iter().find(|generation| generation.number == number);
        generation
            .and_then(|found| found.secret.as_ref())
            .ok_or(VaultError::MissingKey { what: "read data" })
    }

    /// The public key that deletions are checked with; known to its holder only through the root object.
    pub(crate) fn delete_public(&self) -> Result<[u8; 32], VaultError> {
        public_of(&self.delete_pair()?)
    }

    /// Signs a deletion.
    pub(crate) fn sign_deletion(&self, text: &[u8]) -> Result<[u8; 64], VaultError> {
        let signature = self.delete_pair()?.sign(text);
        signature.as_ref().try_into().map_err(|_| VaultError::Crypto("sign"))
    }

    /// Whether it can sign for the whole vault.
    pub(crate) fn holds_delete_key(&self) -> bool {
        self.delete_seed.is_some()
    }

    /// The dedup group of this writer: `None` for who holds the delete key, or a key from before there were groups.
    pub(crate) fn group(&self) -> Option<u32> {
        let group = self.group.as_ref().filter(|_| !self.holds_delete_key());
        group.map(|group| group.number)
    }

    /// The seed of a group's key. It follows from the delete key, so that a second host of a group gets the same.
    fn group_seed(&self, number: u32) -> Result<[u8; 32], VaultError> {
        let seed =
            self.delete_seed.as_ref().ok_or(VaultError::MissingKey { what: "make a group" })?;
        Ok(derive("coffre v1 dedup group", seed, &number.to_le_bytes()))
    }

    /// The public key of a group, for the holder of the delete key.
    pub(crate) fn group_public(&self, number: u32) -> Result<[u8; 32], VaultError> {
        public_of(&signing_pair(&self.group_seed(number)?)?)
    }

    /// This keyring restricted, as a member of a group.
    pub(crate) fn restrict_to_group(
        &self,
        capabilities: &[Capability],
        number: u32,
    ) -> Result<Self, VaultError> {
        let seed = self.group_seed(number)?;
        let mut kept = self.restrict(capabilities);
        kept.group = Some(GroupKey { number, seed });
        Ok(kept)
    }

    /// Signs what `text` makes of the number of the group, or of zero with the delete key; `None` with neither.
    pub(crate) fn vouch(
        &self,
        text: impl FnOnce(u32) -> Vec<u8>,
    ) -> Result<Option<(u32, [u8; 64])>, VaultError> {
        if self.holds_delete_key() {
            return Ok(Some((0, self.sign_deletion(&text(0))?)));
        }
        let Some(group) = &self.group else { return Ok(None) };
        let signature = signing_pair(&group.seed)?.sign(&text(group.number));
        let signature = signature.as_ref().try_into().map_err(|_| VaultError::Crypto("sign"))?;
        Ok(Some((group.number, signature)))
    }

    fn delete_pair(&self) -> Result<Ed25519KeyPair, VaultError> {
        let seed = self.delete_seed.as_ref().ok_or(VaultError::MissingKey { what: "delete" })?;
        signing_pair(seed)
    }
}

fn signing_pair(seed: &[u8; 32]) -> Result<Ed25519KeyPair, VaultError> {
    Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| VaultError::Crypto("read a signing key"))
}

fn public_of(pair: &Ed25519KeyPair) -> Result<[u8; 32], VaultError> {
    let public = pair.public_key().as_ref().try_into();
    public.map_err(|_| VaultError::Crypto("read a signing key"))
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").field("capabilities", &self.capabilities).finish_non_exhaustive()
    }
}

/// Whether `signature` is a deletion signed by the holder of the delete key.
pub(crate) fn deletion_is_signed(public: &[u8; 32], text: &[u8], signature: &[u8]) -> bool {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    let check = || {
        UnparsedPublicKey::new(&ED25519, public)
            .verify(text, signature)
            .ok()
            .map(|()| Vec::<u8>::new())
    };
    #[cfg(coffre_sim)]
    let check = || super::memo::remember("deletion", &[public, text, signature], check);
    check().is_some()
}
