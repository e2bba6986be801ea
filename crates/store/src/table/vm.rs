//! Virtual machines.

use coffre_control::model::Vm;
use rusqlite::types::Value;

use crate::row::{Row, Table, text, time};

pub(crate) const ALL: &str =
    "SELECT doc FROM vm WHERE subscription = ?1 ORDER BY resource_group, name";
pub(crate) const ONE: &str = "SELECT doc FROM vm WHERE id = ?1";
pub(crate) const NAMED: &str =
    "SELECT doc FROM vm WHERE subscription = ?1 AND resource_group = ?2 AND name = ?3";

pub(crate) const HYPERVISORS: &str = "SELECT hypervisor, max(region), sum(missing = 0), max(away), \
                                      max(seen) FROM vm GROUP BY hypervisor ORDER BY hypervisor";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ALL, ONE, NAMED, HYPERVISORS];

impl Row for Vm {
    const TABLE: &'static Table = &Table {
        name: "vm",
        noun: "virtual machine",
        columns: &[
            "id",
            "subscription",
            "resource_group",
            "name",
            "region",
            "hypervisor",
            "missing",
            "away",
            "seen",
        ],
        identity: 1,
    };
    fn columns(&self) -> Vec<Value> {
        vec![
            text(self.id),
            text(self.subscription),
            text(&self.group),
            text(&self.name),
            text(&self.region),
            text(&self.hypervisor),
            Value::from(self.missing_since.is_some()),
            Value::from(self.unreachable_since.is_some()),
            time(self.seen),
        ]
    }
    fn etag(&mut self) -> &mut u64 {
        &mut self.etag
    }
}
