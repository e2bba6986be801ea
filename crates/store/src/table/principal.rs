//! Principals.

use coffre_control::model::Principal;
use rusqlite::types::Value;

use crate::row::{Row, Table, text};

pub(crate) const ALL: &str = "SELECT doc FROM principal ORDER BY name";
pub(crate) const ONE: &str = "SELECT doc FROM principal WHERE id = ?1";
pub(crate) const NAMED: &str = "SELECT doc FROM principal WHERE name = ?1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ALL, ONE, NAMED];

impl Row for Principal {
    const TABLE: &'static Table =
        &Table { name: "principal", noun: "principal", columns: &["id", "name"], identity: 1 };
    fn columns(&self) -> Vec<Value> {
        vec![text(self.id), text(&self.name)]
    }
    fn etag(&mut self) -> &mut u64 {
        &mut self.etag
    }
}
