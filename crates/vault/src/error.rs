//! What can go wrong, by what was attempted.

use std::io;

use uuid::Uuid;

use crate::bucket::BucketError;

/// A failure of a vault operation. The text is a fragment that reads after "failed: "; the cause is in `source()`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The store failed. Whether a write was applied is not known; every operation may be repeated.
    #[error("use of the store")]
    Bucket(#[from] BucketError),
    /// The store breaks a rule that vaults build on; nothing was made.
    #[error("this store cannot hold a vault: {rule} (it does not keep that)")]
    UnfitStore {
        /// The rule.
        rule: &'static str,
    },
    /// There is no vault at this place.
    #[error("the store holds no vault")]
    NotAVault,
    /// `create` met an existing vault; it is untouched.
    #[error("the store already holds a vault")]
    AlreadyAVault,
    /// No key slot opens with this passphrase or recovery key.
    #[error("the passphrase or recovery key opens no key slot of this vault")]
    WrongKey,
    /// The recovery key as typed is not one: wrong length, letter or check digits.
    #[error("this is not a recovery key: {reason}")]
    MalformedRecoveryKey {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The vault asks for something that this version does not know.
    #[error("the vault needs {what}, which this version does not know; use a newer one")]
    Unsupported {
        /// The version or the flag.
        what: String,
    },
    /// The keys at hand do not allow this.
    #[error("the keys at hand do not allow to {what}")]
    MissingKey {
        /// The verb that was refused.
        what: &'static str,
    },
    /// Stored bytes are not what was written.
    #[error("damage in {object} at byte {offset}: {what}")]
    Damaged {
        /// The key of the object.
        object: String,
        /// The first byte of the damaged part; zero when the whole object is meant.
        offset: u64,
        /// What does not hold.
        what: String,
    },
    /// A block that a recovery point needs is nowhere in the vault.
    #[error("block {block} of {disk} at byte {offset} is missing from the vault")]
    MissingBlock {
        /// The identity of the block, in hex.
        block: String,
        /// The disk.
        disk: String,
        /// Its first byte on the disk.
        offset: u64,
    },
    /// No such recovery point, or it is deleted.
    #[error("there is no recovery point {0}")]
    UnknownPoint(Uuid),
    /// The point has no such disk.
    #[error("recovery point {point} has no disk '{disk}'")]
    UnknownDisk {
        /// The point.
        point: Uuid,
        /// The key asked for.
        disk: String,
    },
    /// The point is committed already; nothing was changed.
    #[error("recovery point {0} is committed already")]
    AlreadyCommitted(Uuid),
    /// The id was given up by a cleaner and can never be committed; take a new id.
    #[error("recovery point {0} was given up as abandoned; begin again with a new id")]
    Aborted(Uuid),
    /// The base of an incremental cannot be used; read everything instead.
    #[error("the base cannot be used: {reason}")]
    BaseUnusable {
        /// Why.
        reason: String,
    },
    /// The collector removed blocks that this point had counted on; transfer again, all that is left is reused.
    #[error("stored blocks that this point counted on were collected meanwhile; transfer again")]
    Overtaken,
    /// The source failed.
    #[error("read the source at byte {offset}")]
    Source {
        /// Where.
        offset: u64,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The target of a restore failed.
    #[error("write the target at byte {offset}")]
    Sink {
        /// Where.
        offset: u64,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// The temporary file of a large index failed; nothing on the store is touched by that.
    #[error("use of the temporary file of the index")]
    IndexFile {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// An argument is outside of what the format can hold.
    #[error("{what} is {found}, the limit is {limit}")]
    Limit {
        /// What was given.
        what: &'static str,
        /// How much.
        found: u64,
        /// How much is possible.
        limit: u64,
    },
    /// An argument is wrong in another way.
    #[error("{0}")]
    Invalid(String),
    /// Verification before acknowledging failed: what would have been stored does not decode to what was read. Nothing
    /// was acknowledged. Points at bad memory or a broken codec.
    #[error("a finished pack did not decode to what was read; nothing was acknowledged")]
    VerifyBeforeAck,
    /// The operating system gave no randomness or a cryptographic primitive failed.
    #[error("a cryptographic operation failed: {0}")]
    Crypto(&'static str),
    /// A stop rule of the collector fired; nothing was deleted.
    #[error("collection stopped: {reason}")]
    GcStopped {
        /// The rule and its figures.
        reason: String,
    },
}

impl VaultError {
    /// Whether this is damage of stored data (as opposed to a failure to reach it).
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::MissingBlock { .. })
    }

    /// Whether the store had no room.
    pub fn is_store_full(&self) -> bool {
        matches!(self, Self::Bucket(BucketError::Full { .. }))
    }
}
