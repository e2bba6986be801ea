//! Recovery points.

use coffre_control::model::RecoveryPoint;
use rusqlite::types::Value;

use crate::row::{Row, Table, number, text, time};

pub(crate) const ALL: &str = "SELECT doc FROM point WHERE item = ?1 ORDER BY time DESC, id";
pub(crate) const ONE: &str = "SELECT doc FROM point WHERE id = ?1";
pub(crate) const NUMBERED: &str = "SELECT doc FROM point WHERE item = ?1 AND number = ?2";
pub(crate) const OLDEST: &str = "SELECT min(time) FROM point WHERE item = ?1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ALL, ONE, NUMBERED, OLDEST];

impl Row for RecoveryPoint {
    const TABLE: &'static Table = &Table {
        name: "point",
        noun: "recovery point",
        columns: &["id", "item", "number", "time", "slot"],
        identity: 1,
    };
    fn columns(&self) -> Vec<Value> {
        vec![
            text(self.id),
            text(self.item),
            number(self.number),
            time(self.time),
            self.slot.map_or(Value::Null, time),
        ]
    }
    fn etag(&mut self) -> &mut u64 {
        &mut self.etag
    }
}
