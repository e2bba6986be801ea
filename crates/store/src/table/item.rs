//! Protected items.

use coffre_control::model::ProtectedItem;
use coffre_control::port::{Order, Search};
use rusqlite::types::Value;

use crate::row::{Row, Table, maybe, text};

pub(crate) const ALL: &str = "SELECT doc FROM item WHERE vault = ?1 ORDER BY vm_name, vm_group";
pub(crate) const ONE: &str = "SELECT doc FROM item WHERE id = ?1";
pub(crate) const NAMED: &str =
    "SELECT doc FROM item WHERE vault = ?1 AND vm_group = ?2 AND vm_name = ?3";
pub(crate) const OF_VM: &str = "SELECT doc FROM item WHERE vm = ?1";
pub(crate) const OF_POLICY: &str = "SELECT id FROM item WHERE vault = ?1 AND policy = ?2";
pub(crate) const COUNT_OF_POLICY: &str =
    "SELECT count(*) FROM item WHERE vault = ?1 AND policy = ?2";

/// Condition of a search: part of a name (1). The second value is there for VMs.
const FOUND: &str =
    "(?1 = '' OR instr(lower(vm_name), ?1) OR instr(lower(vm_group), ?1)) AND ?2 = ?2";

/// The rows that a search finds, and their number. The text is made of words of ours only.
pub(crate) fn search(search: &Search) -> [String; 2] {
    let way = if search.backwards { "DESC" } else { "ASC" };
    let order = match search.order {
        Order::Name => format!("vm_name {way}, vm_group {way}, id"),
        Order::Group => format!("vm_group {way}, vm_name {way}, id"),
        Order::Policy => format!("policy {way}, vm_name {way}, id"),
    };
    [
        format!("SELECT doc FROM item WHERE {FOUND} ORDER BY {order} LIMIT ?3 OFFSET ?4"),
        format!("SELECT count(*) FROM item WHERE {FOUND}"),
    ]
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ALL, ONE, NAMED, OF_VM, OF_POLICY, COUNT_OF_POLICY];

impl Row for ProtectedItem {
    const TABLE: &'static Table = &Table {
        name: "item",
        noun: "protected item",
        columns: &["id", "vault", "vm", "vm_group", "vm_name", "policy"],
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
        ]
    }
    fn etag(&mut self) -> &mut u64 {
        &mut self.etag
    }
}
