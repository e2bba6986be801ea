//! Virtual machines.

use coffre_control::model::Vm;
use coffre_control::port::{Order, Search};
use rusqlite::types::Value;

use crate::row::{Row, Table, text};

pub(crate) const ALL: &str =
    "SELECT doc FROM vm WHERE subscription = ?1 ORDER BY resource_group, name";
pub(crate) const ONE: &str = "SELECT doc FROM vm WHERE id = ?1";
pub(crate) const NAMED: &str =
    "SELECT doc FROM vm WHERE subscription = ?1 AND resource_group = ?2 AND name = ?3";

/// Condition of a search: part of a name (1), protected or not (2; -1 = either).
const FOUND: &str = "(?1 = '' OR instr(lower(name), ?1) OR instr(lower(resource_group), ?1)) \
    AND (?2 < 0 OR ?2 = EXISTS (SELECT 1 FROM item WHERE item.vm = vm.id))";

/// The rows that a search finds, and their number. The text is made of words of ours only.
pub(crate) fn search(search: &Search) -> [String; 2] {
    let way = if search.backwards { "DESC" } else { "ASC" };
    let order = match search.order {
        Order::Name | Order::Policy => format!("name {way}, resource_group {way}, id"),
        Order::Group => format!("resource_group {way}, name {way}, id"),
    };
    [
        format!("SELECT doc FROM vm WHERE {FOUND} ORDER BY {order} LIMIT ?3 OFFSET ?4"),
        format!("SELECT count(*) FROM vm WHERE {FOUND}"),
    ]
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ALL, ONE, NAMED];

impl Row for Vm {
    const TABLE: &'static Table = &Table {
        name: "vm",
        noun: "virtual machine",
        columns: &["id", "subscription", "resource_group", "name"],
        identity: 1,
    };
    fn columns(&self) -> Vec<Value> {
        vec![text(self.id), text(self.subscription), text(&self.group), text(&self.name)]
    }
    fn etag(&mut self) -> &mut u64 {
        &mut self.etag
    }
}
