//! Backup policies.

use coffre_control::model::Policy;
use rusqlite::types::Value;

use crate::row::{Row, Table, text};

pub(crate) const ALL: &str = "SELECT doc FROM policy WHERE vault = ?1 ORDER BY name";
pub(crate) const ONE: &str = "SELECT doc FROM policy WHERE vault = ?1 AND name = ?2";
pub(crate) const PAGE: &str =
    "SELECT doc FROM policy WHERE vault = ?1 ORDER BY name LIMIT ?2 OFFSET ?3";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ALL, ONE, PAGE];

impl Row for Policy {
    const TABLE: &'static Table =
        &Table { name: "policy", noun: "policy", columns: &["vault", "name"], identity: 2 };
    fn columns(&self) -> Vec<Value> {
        vec![text(self.vault), text(&self.name)]
    }
    fn etag(&mut self) -> &mut u64 {
        &mut self.etag
    }
}
