//! What every use-case is given besides its input: who asks, when, and where new ids come from.

use jiff::Timestamp;
use uuid::Uuid;

use crate::authz::{Action, Caller};
use crate::error::Refusal;
use crate::id::AuditId;
use crate::model::AuditRecord;
use crate::port::Tx;

/// Who asks, when, and where new ids come from.
#[derive(Clone, Copy)]
pub struct Cx<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// What time it is.
    pub now: Timestamp,
    /// Gives an id that was never used.
    pub ids: &'a dyn Fn() -> Uuid,
}

impl<'a> Cx<'a> {
    /// Puts the three together.
    pub fn new(caller: &'a Caller, now: Timestamp, ids: &'a dyn Fn() -> Uuid) -> Self {
        Self { caller, now, ids }
    }

    /// Refuses unless the caller may do this.
    pub fn may(&self, action: Action) -> Result<(), Refusal> {
        self.caller.may(action)
    }

    /// A new id.
    pub fn id<T: From<Uuid>>(&self) -> T {
        T::from((self.ids)())
    }

    /// Writes the change into the audit.
    pub(crate) fn record(
        &self,
        tx: &mut dyn Tx,
        action: Action,
        target: impl Into<String>,
    ) -> Result<(), Refusal> {
        tx.put_audit(&AuditRecord {
            id: self.id::<AuditId>(),
            time: self.now,
            principal: self.caller.principal,
            name: self.caller.name.clone(),
            action,
            target: target.into(),
        })?;
        Ok(())
    }
}
