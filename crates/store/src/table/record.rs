//! What clients keep beside the resources of backup.

use coffre_control::model::Record;
use rusqlite::types::Value;

use crate::row::{Row, Table, text};

pub(crate) const ALL: &str = "SELECT doc FROM record WHERE kind = ?1 AND scope = ?2 ORDER BY name";
/// `0` is the character after the slash.
pub(crate) const BELOW: &str = "SELECT doc FROM record WHERE kind = ?1 AND (scope = ?2 OR \
                                (scope > ?2 || '/' AND scope < ?2 || '0')) ORDER BY scope, name";
pub(crate) const ONE: &str = "SELECT doc FROM record WHERE kind = ?1 AND scope = ?2 AND name = ?3";
pub(crate) const DELETE_BELOW: &str = "DELETE FROM record WHERE scope = ?1 OR \
                                       (scope > ?1 || '/' AND scope < ?1 || '0')";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ALL, BELOW, ONE, DELETE_BELOW];

impl Row for Record {
    const TABLE: &'static Table =
        &Table { name: "record", noun: "record", columns: &["kind", "scope", "name"], identity: 3 };
    fn columns(&self) -> Vec<Value> {
        vec![text(self.kind.name()), text(&self.scope), text(&self.name)]
    }
    fn etag(&mut self) -> &mut u64 {
        &mut self.etag
    }
}
