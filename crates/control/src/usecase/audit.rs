//! The audit, as its readers see it.

use crate::authz::Action;
use crate::cx::Cx;
use crate::error::Refusal;
use crate::model::{AuditChain, AuditRecord};
use crate::port::Tx;

/// Most records of one answer.
const SHOWN_MAX: u32 = 1000;

/// The newest records, newest first; at most `limit`, and at most a thousand.
pub fn list_audit(tx: &mut dyn Tx, cx: &Cx<'_>, limit: u32) -> Result<Vec<AuditRecord>, Refusal> {
    cx.may(Action::WriteAccess)?;
    Ok(tx.search_audit("", 0, limit.min(SHOWN_MAX))?)
}

/// Follows the chain of the audit from its first record to its last.
pub fn verify_audit(tx: &mut dyn Tx, cx: &Cx<'_>) -> Result<AuditChain, Refusal> {
    cx.may(Action::WriteAccess)?;
    Ok(tx.audit_chain()?)
}
