//! Audit record: who did what to what, and when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::authz::Action;
use crate::id::{AuditId, PrincipalId};

/// What a walk along the audit found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditChain {
    /// Records in all.
    pub records: u64,
    /// Records from before there was a chain; they stand in front of it.
    pub older: u64,
    /// Digest of the last record; empty when there is none. Whoever keeps it elsewhere notices also
    /// that the newest records were cut off.
    pub head: String,
    /// The first record that does not follow from the one before it.
    pub broken_at: Option<String>,
}

/// One change that somebody made. Written in the transaction of the change itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Identity.
    pub id: AuditId,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub principal: PrincipalId,
    /// Their name at that time.
    pub name: String,
    /// What was done.
    pub action: Action,
    /// To what, in words that a person can follow (`vault shop in group prod`).
    pub target: String,
}
