//! The audit: rows are only ever added.

use coffre_control::model::AuditRecord;
use coffre_control::port::StoreFault;
use rusqlite::{Connection, params};

use crate::row::fault;

const ADD: &str = "INSERT INTO audit (id, time, doc) VALUES (?1, ?2, ?3)";
const NEWEST: &str = "SELECT id, doc FROM audit ORDER BY sequence DESC LIMIT ?1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ADD, NEWEST];

pub(crate) fn add(connection: &Connection, row: &AuditRecord) -> Result<(), StoreFault> {
    let bad = |source| bad_row(row.id.to_string(), source);
    let doc = serde_json::to_string(row).map_err(bad)?;
    connection
        .prepare_cached(ADD)
        .and_then(|mut statement| {
            statement.execute(params![row.id.to_string(), row.time.as_microsecond(), doc])
        })
        .map_err(|error| fault("write an audit record", error))?;
    Ok(())
}

pub(crate) fn newest(connection: &Connection, limit: u32) -> Result<Vec<AuditRecord>, StoreFault> {
    let broken = |error| fault("read the audit", error);
    let mut statement = connection.prepare_cached(NEWEST).map_err(broken)?;
    let found = statement
        .query_map([limit], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
        .map_err(broken)?;
    let mut records = Vec::new();
    for row in found {
        let (id, doc) = row.map_err(broken)?;
        records.push(serde_json::from_str(&doc).map_err(|source| bad_row(id, source))?);
    }
    Ok(records)
}

fn bad_row(key: String, source: serde_json::Error) -> StoreFault {
    StoreFault::BadRow { table: "audit", key, source: Box::new(source) }
}
