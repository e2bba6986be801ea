//! The root object `vault` (docs/format.md, section 2): who this vault is and what a reader must understand.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::hex;

/// The key of the root object.
pub(crate) const ROOT_KEY: &str = "vault";
/// The suite of this version: keyed BLAKE3, zstd, AES-256-GCM, HPKE with X25519.
const SUITE: &str = "blake3-zstd-aes256gcm-x25519";

/// A writer must know: what is stored is locked.
const LOCKS: &str = "object-lock";

/// The JSON of the root object, compact, fields in this order, no others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RootFile {
    pub(crate) format: String,
    pub(crate) version: u32,
    pub(crate) vault: Uuid,
    pub(crate) suite: String,
    pub(crate) block_bytes: u32,
    /// Features that a reader must know.
    pub(crate) required_to_read: Vec<String>,
    /// Features that a writer must know.
    pub(crate) required_to_write: Vec<String>,
    /// Ed25519 key that deletions are signed with.
    #[serde(with = "hex::array")]
    pub(crate) delete_public: [u8; 32],
    /// Days that what is stored is locked on the store; absent: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lock_days: Option<u32>,
}

impl RootFile {
    pub(crate) fn new(vault: Uuid, delete_public: [u8; 32]) -> Self {
        Self {
            format: "coffre-vault".to_owned(),
            version: 1,
            vault,
            suite: SUITE.to_owned(),
            block_bytes: u32::try_from(super::BLOCK_BYTES).expect("a block is 64 KiB"),
            required_to_read: Vec::new(),
            required_to_write: Vec::new(),
            delete_public,
            lock_days: None,
        }
    }

    /// The same for a vault whose objects are locked; only writers who know of that may write.
    pub(crate) fn locked(self, days: u32) -> Self {
        Self { required_to_write: vec![LOCKS.to_owned()], lock_days: Some(days), ..self }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a root serialises")
    }

    /// What this version does not know of the vault, `None` if it knows all it needs to read it.
    pub(crate) fn unknown_to_readers(&self) -> Option<String> {
        if self.version != 1 {
            return Some(format!("format version {}", self.version));
        }
        if self.suite != SUITE || self.block_bytes as usize != super::BLOCK_BYTES {
            return Some(format!("suite '{}' with blocks of {}", self.suite, self.block_bytes));
        }
        self.required_to_read.first().map(|feature| format!("feature '{feature}'"))
    }

    /// The same for writers.
    pub(crate) fn unknown_to_writers(&self) -> Option<String> {
        let unknown = self.required_to_write.iter().find(|feature| *feature != LOCKS);
        let feature = unknown.map(|feature| format!("feature '{feature}'"));
        self.unknown_to_readers().or(feature)
    }
}
