//! Long-running operations.

use coffre_control::model::Operation;
use rusqlite::types::Value;

use crate::row::{Row, Table, text, time};

pub(crate) const ONE: &str = "SELECT doc FROM operation WHERE id = ?1";
pub(crate) const DELETE_BEFORE: &str = "DELETE FROM operation WHERE created < ?1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ONE, DELETE_BEFORE];

impl Row for Operation {
    const TABLE: &'static Table =
        &Table { name: "operation", noun: "operation", columns: &["id", "created"], identity: 1 };
    fn columns(&self) -> Vec<Value> {
        vec![text(self.id), time(self.created)]
    }
    fn etag(&mut self) -> &mut u64 {
        &mut self.etag
    }
}
