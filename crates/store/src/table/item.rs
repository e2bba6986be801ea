//! Protected items.

use coffre_control::model::{ItemState, ProtectedItem};
use rusqlite::types::Value;

use crate::row::{Row, Table, maybe, number, text};

pub(crate) const ALL: &str = "SELECT doc FROM item WHERE vault = ?1 ORDER BY vm_name, vm_group";
pub(crate) const ONE: &str = "SELECT doc FROM item WHERE id = ?1";
pub(crate) const NAMED: &str =
    "SELECT doc FROM item WHERE vault = ?1 AND vm_group = ?2 AND vm_name = ?3";
pub(crate) const OF_VM: &str = "SELECT doc FROM item WHERE vm = ?1";
pub(crate) const OF_POLICY: &str = "SELECT id FROM item WHERE vault = ?1 AND policy = ?2";
pub(crate) const COUNT_OF_POLICY: &str =
    "SELECT count(*) FROM item WHERE vault = ?1 AND policy = ?2";

/// Points and bytes of one item, which the points keep themselves.
pub(crate) const STORED_OF_ITEM: &str = "SELECT points, stored FROM item WHERE id = ?1";
pub(crate) const STORED_OF_VAULT: &str =
    "SELECT coalesce(sum(points), 0), coalesce(sum(stored), 0) FROM item WHERE vault = ?1";
pub(crate) const STORED: &str =
    "SELECT coalesce(sum(points), 0), coalesce(sum(stored), 0) FROM item";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[ALL, ONE, NAMED, OF_VM, OF_POLICY, COUNT_OF_POLICY, STORED_OF_ITEM, STORED_OF_VAULT, STORED];

impl Row for ProtectedItem {
    const TABLE: &'static Table = &Table {
        name: "item",
        noun: "protected item",
        columns: &[
            "id", "vault", "vm", "vm_group", "vm_name", "policy", "urgency", "alert", "deleted",
        ],
        identity: 1,
    };
    fn columns(&self) -> Vec<Value> {
        vec![
            text(self.id),
            text(self.vault),
            text(self.vm),
            text(&self.vm_group),
            text(&self.vm_name),
            maybe(self.policy.as_ref()),
            number(u64::from(self.urgency())),
            Value::from(self.has_alert()),
            Value::from(matches!(self.state, ItemState::SoftDeleted { .. })),
        ]
    }
    fn etag(&mut self) -> &mut u64 {
        &mut self.etag
    }
}
