//! Vaults.

use coffre_control::model::Vault;
use rusqlite::types::Value;

use crate::row::{Row, Table, text};

pub(crate) const ALL: &str = "SELECT doc FROM vault WHERE subscription = ?1 ORDER BY name";
pub(crate) const ONE: &str = "SELECT doc FROM vault WHERE id = ?1";
pub(crate) const NAMED: &str = "SELECT doc FROM vault WHERE subscription = ?1 AND name = ?2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ALL, ONE, NAMED];

impl Row for Vault {
    const TABLE: &'static Table = &Table {
        name: "vault",
        noun: "vault",
        columns: &["id", "subscription", "resource_group", "name", "region"],
        identity: 1,
    };
    fn columns(&self) -> Vec<Value> {
        vec![
            text(self.id),
            text(self.subscription),
            text(&self.group),
            text(&self.name),
            text(&self.region),
        ]
    }
    fn etag(&mut self) -> &mut u64 {
        &mut self.etag
    }
}
