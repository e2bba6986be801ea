//! What all tables share: a document beside key columns, and an etag that every write checks.

use coffre_control::port::StoreFault;
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Params, ffi, params_from_iter};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A noun that is stored as a document.
pub(crate) trait Row: Serialize + DeserializeOwned {
    /// Its table.
    const TABLE: &'static Table;
    /// Values of the table's columns, in their order.
    fn columns(&self) -> Vec<Value>;
    /// The etag in the document.
    fn etag(&mut self) -> &mut u64;
}

/// A table of documents.
pub(crate) struct Table {
    /// Its name.
    pub(crate) name: &'static str,
    /// What its rows are called in messages.
    pub(crate) noun: &'static str,
    /// Key columns: first those that say which row it is, then those it is looked up by.
    pub(crate) columns: &'static [&'static str],
    /// How many of the columns say which row it is.
    pub(crate) identity: usize,
}

impl Table {
    /// Inserts a row.
    pub(crate) fn insert(&self) -> String {
        let names = self.columns.join(", ");
        let marks: Vec<String> = (1..=self.columns.len() + 2).map(|at| format!("?{at}")).collect();
        format!("INSERT INTO {} ({names}, etag, doc) VALUES ({})", self.name, marks.join(", "))
    }

    /// Replaces the row that has the etag of the last parameter.
    pub(crate) fn update(&self) -> String {
        let count = self.columns.len();
        let sets: Vec<String> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| format!("{column} = ?{}", at + 1))
            .collect();
        format!(
            "UPDATE {} SET {}, etag = ?{}, doc = ?{} WHERE {} AND etag = ?{}",
            self.name,
            sets.join(", "),
            count + 1,
            count + 2,
            self.identity_matches(),
            count + 3
        )
    }

    /// Deletes one row.
    pub(crate) fn delete(&self) -> String {
        format!("DELETE FROM {} WHERE {}", self.name, self.identity_matches())
    }

    fn identity_matches(&self) -> String {
        let parts: Vec<String> = self.columns[..self.identity]
            .iter()
            .enumerate()
            .map(|(at, column)| format!("{column} = ?{}", at + 1))
            .collect();
        parts.join(" AND ")
    }
}

/// Inserts a row with etag 0, else replaces the one with this etag. The etag grows by one.
pub(crate) fn put<T: Row>(connection: &Connection, row: &mut T) -> Result<(), StoreFault> {
    let old = *row.etag();
    *row.etag() = old + 1;
    let written = write(connection, row, old);
    if written.is_err() {
        *row.etag() = old;
    }
    written
}

fn write<T: Row>(connection: &Connection, row: &mut T, old: u64) -> Result<(), StoreFault> {
    let table = T::TABLE;
    let mut values = row.columns();
    let key = key_of(&values[..table.identity]);
    let doc = serde_json::to_string(row).map_err(|source| StoreFault::BadRow {
        table: table.name,
        key: key.clone(),
        source: Box::new(source),
    })?;
    values.push(number(old + 1));
    values.push(Value::Text(doc));
    let sql = if old == 0 {
        table.insert()
    } else {
        values.push(number(old));
        table.update()
    };
    let changed = connection
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.execute(params_from_iter(values)))
        .map_err(|error| write_fault(table, &key, error))?;
    if changed == 0 {
        return Err(StoreFault::Stale { noun: table.noun, key });
    }
    Ok(())
}

/// Deletes one row; it need not be there.
pub(crate) fn delete(
    connection: &Connection,
    table: &'static Table,
    identity: impl Params,
) -> Result<(), StoreFault> {
    connection
        .prepare_cached(&table.delete())
        .and_then(|mut statement| statement.execute(identity))
        .map_err(|error| fault("delete a row", error))?;
    Ok(())
}

/// All documents that a query yields, in its order.
pub(crate) fn all<T: Row>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
) -> Result<Vec<T>, StoreFault> {
    let mut statement =
        connection.prepare_cached(sql).map_err(|error| fault("prepare a query", error))?;
    let docs = statement
        .query_map(parameters, |row| row.get::<_, String>(0))
        .map_err(|error| fault("query", error))?;
    let mut rows = Vec::new();
    for doc in docs {
        rows.push(parse(&doc.map_err(|error| fault("read a row", error))?)?);
    }
    Ok(rows)
}

/// The document that a query yields, if any.
pub(crate) fn one<T: Row>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
) -> Result<Option<T>, StoreFault> {
    let doc: Option<String> = connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(parameters, |row| row.get(0)).optional())
        .map_err(|error| fault("query", error))?;
    doc.map(|doc| parse(&doc)).transpose()
}

/// The number that a query yields.
pub(crate) fn counted(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
) -> Result<u64, StoreFault> {
    let count: i64 = connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(parameters, |row| row.get(0)))
        .map_err(|error| fault("count rows", error))?;
    Ok(u64::try_from(count).expect("a count is not negative"))
}

fn parse<T: Row>(doc: &str) -> Result<T, StoreFault> {
    serde_json::from_str(doc).map_err(|source| StoreFault::BadRow {
        table: T::TABLE.name,
        key: doc.chars().take(80).collect(),
        source: Box::new(source),
    })
}

/// Microseconds since 1970, rounded down.
pub(crate) fn time(at: Timestamp) -> Value {
    Value::Integer(at.as_microsecond())
}

/// Microseconds since 1970, rounded up: what is due then is not taken too early.
pub(crate) fn time_up(at: Timestamp) -> Value {
    let rest = i64::from(at.subsec_nanosecond() % 1000 != 0);
    Value::Integer(at.as_microsecond() + rest)
}

/// A number that fits.
pub(crate) fn number(value: u64) -> Value {
    Value::Integer(i64::try_from(value).expect("numbers of rows fit 63 bits"))
}

/// A text.
pub(crate) fn text(value: impl ToString) -> Value {
    Value::Text(value.to_string())
}

/// A text or nothing.
pub(crate) fn maybe(value: Option<impl ToString>) -> Value {
    value.map_or(Value::Null, text)
}

fn key_of(identity: &[Value]) -> String {
    let parts: Vec<String> = identity
        .iter()
        .map(|value| match value {
            Value::Text(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Null | Value::Real(_) | Value::Blob(_) => "-".to_owned(),
        })
        .collect();
    parts.join("/")
}

fn write_fault(table: &'static Table, key: &str, error: rusqlite::Error) -> StoreFault {
    if let rusqlite::Error::SqliteFailure(inner, _) = &error {
        let taken = [ffi::SQLITE_CONSTRAINT_UNIQUE, ffi::SQLITE_CONSTRAINT_PRIMARYKEY];
        if taken.contains(&inner.extended_code) {
            return StoreFault::Exists { noun: table.noun, key: key.to_owned() };
        }
    }
    fault("write a row", error)
}

/// Finds the fault for what SQLite says.
pub(crate) fn fault(attempt: &'static str, error: rusqlite::Error) -> StoreFault {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreFault::Busy { attempt },
        Some(ErrorCode::ReadOnly) => StoreFault::ReadOnly { attempt },
        _ => StoreFault::Broken { attempt, source: Box::new(error) },
    }
}
