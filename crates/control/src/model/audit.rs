//! Audit record: who did what to what, and when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::authz::Action;
use crate::id::{AuditId, PrincipalId};

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
