//! Settings.

use coffre_control::model::Setting;
use coffre_control::port::StoreFault;
use rusqlite::{Connection, OptionalExtension};

use crate::row::fault;

const ONE: &str = "SELECT value FROM setting WHERE key = ?1";
const PUT: &str = "INSERT INTO setting (key, value) VALUES (?1, ?2) \
                   ON CONFLICT (key) DO UPDATE SET value = excluded.value";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ONE, PUT];

pub(crate) fn get(connection: &Connection, key: &str) -> Result<Option<Setting>, StoreFault> {
    let value: Option<String> = connection
        .prepare_cached(ONE)
        .and_then(|mut statement| statement.query_row([key], |row| row.get(0)).optional())
        .map_err(|error| fault("read a setting", error))?;
    Ok(value.map(|value| Setting { key: key.to_owned(), value }))
}

pub(crate) fn put(connection: &Connection, row: &Setting) -> Result<(), StoreFault> {
    connection
        .prepare_cached(PUT)
        .and_then(|mut statement| statement.execute([&row.key, &row.value]))
        .map_err(|error| fault("write a setting", error))?;
    Ok(())
}
