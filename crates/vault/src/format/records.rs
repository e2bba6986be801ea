//! The JSON inside of sealed records (docs/format.md, section 7).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::hex;
use crate::DiskStats;

/// A disk of a point as its decision and intent name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DiskRecord {
    pub(crate) key: String,
    pub(crate) size_bytes: u64,
    /// The root node of the block map; absent when the whole disk is zeros.
    #[serde(with = "hex::option", default, skip_serializing_if = "Option::is_none")]
    pub(crate) root: Option<[u8; 32]>,
    pub(crate) stats: DiskStats,
}

/// `active/<point>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ActiveRecord {
    pub(crate) point: Uuid,
    pub(crate) name: String,
}

/// `pending/<point>`: the intent. Names identities, never packs: a rescued copy would otherwise die with its pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingRecord {
    pub(crate) point: Uuid,
    pub(crate) disks: Vec<DiskRecord>,
}

/// The point before this one in the history of its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PreviousPoint {
    pub(crate) point: Uuid,
    /// Plain BLAKE3 of its decision object: a removed or replaced point is seen by its successor.
    #[serde(with = "hex::array")]
    pub(crate) digest: [u8; 32],
}

/// Metadata of a point, sealed to the newest data key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SealedMetadata {
    pub(crate) generation: u32,
    #[serde(with = "hex::array")]
    pub(crate) enc: [u8; 32],
    #[serde(with = "hex::vec")]
    pub(crate) sealed: Vec<u8>,
}

/// A committed point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CommittedRecord {
    pub(crate) point: Uuid,
    pub(crate) name: String,
    pub(crate) time_unix_ms: i64,
    pub(crate) disks: Vec<DiskRecord>,
    pub(crate) metadata: SealedMetadata,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<PreviousPoint>,
    /// Who wrote it; absent in a vault without dedup groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) voucher: Option<PointVoucher>,
    /// All that it needs is locked on the store until then, in milliseconds since 1970; absent in a vault without locks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) locked_until_unix_ms: Option<i64>,
}

/// Who wrote a point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PointVoucher {
    /// The group; zero: the holder of the delete key.
    pub(crate) group: u32,
    /// Ed25519 over the text of [`point_text`].
    #[serde(with = "hex::array")]
    pub(crate) signature: [u8; 64],
}

/// `groups/<number>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupRecord {
    pub(crate) group: u32,
    #[serde(with = "hex::array")]
    pub(crate) public: [u8; 32],
    /// Ed25519 by the delete key over the text of [`group_text`].
    #[serde(with = "hex::array")]
    pub(crate) signature: [u8; 64],
}

/// `rp/<point>`: written once, by whoever comes first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "kebab-case")]
pub(crate) enum DecisionRecord {
    /// The point exists.
    Committed(Box<CommittedRecord>),
    /// The point will never exist.
    Aborted { point: Uuid },
}

/// `rp-seen/<point>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReceiptRecord {
    pub(crate) point: Uuid,
    /// Plain BLAKE3 of the decision object.
    #[serde(with = "hex::array")]
    pub(crate) digest: [u8; 32],
}

/// `rp-deleted/<point>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeletionRecord {
    pub(crate) point: Uuid,
    /// Ed25519 over the text of [`deletion_text`].
    #[serde(with = "hex::array")]
    pub(crate) signature: [u8; 64],
}

/// `gc/condemned/<run>` and `gc/done/<run>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PackListRecord {
    pub(crate) run: Uuid,
    /// Pack names, 16 bytes each, one after the other.
    #[serde(with = "hex::vec")]
    pub(crate) packs: Vec<u8>,
    /// Ed25519 over the text of [`collection_text`].
    #[serde(with = "hex::array")]
    pub(crate) signature: [u8; 64],
}

/// What a deletion signs.
pub(crate) fn deletion_text(vault: &[u8; 16], point: Uuid) -> Vec<u8> {
    [b"coffre v1 deletion".as_slice(), vault, point.as_bytes()].concat()
}

/// What the entry of a dedup group signs.
pub(crate) fn group_text(vault: &[u8; 16], group: u32, public: &[u8; 32]) -> Vec<u8> {
    [b"coffre v1 group".as_slice(), vault, &group.to_le_bytes(), public].concat()
}

/// What the voucher of a segment signs; `object` is its key, `body` BLAKE3 of what is before the voucher.
pub(crate) fn segment_text(vault: &[u8; 16], group: u32, body: &[u8; 32], object: &str) -> Vec<u8> {
    let group = group.to_le_bytes();
    [b"coffre v1 segment".as_slice(), vault, &group, body, object.as_bytes()].concat()
}

/// What the voucher of a point signs: its name and its disks without their counts.
pub(crate) fn point_text(
    vault: &[u8; 16],
    group: u32,
    point: Uuid,
    name: &str,
    disks: &[DiskRecord],
) -> Vec<u8> {
    let mut said = blake3::Hasher::new();
    let mut say = |bytes: &[u8]| {
        said.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    };
    say(name.as_bytes());
    for disk in disks {
        say(disk.key.as_bytes());
        say(&disk.size_bytes.to_le_bytes());
        say(disk.root.as_ref().map_or(&[], <[u8; 32]>::as_slice));
    }
    let (group, said) = (group.to_le_bytes(), *said.finalize().as_bytes());
    [b"coffre v1 point".as_slice(), vault, &group, point.as_bytes(), &said].concat()
}

/// What a list of the collector signs; `object` is its key.
pub(crate) fn collection_text(vault: &[u8; 16], object: &str, packs: &[u8]) -> Vec<u8> {
    [b"coffre v1 collection".as_slice(), vault, blake3::hash(packs).as_bytes(), object.as_bytes()]
        .concat()
}
