//! The audit: rows are only ever added.

use coffre_control::model::{AuditChain, AuditRecord};
use coffre_control::port::StoreFault;
use rusqlite::{Connection, OptionalExtension, params};

use crate::row::{counted, fault};

const ADD: &str = "INSERT INTO audit (id, time, doc, digest, who, target) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const LAST: &str = "SELECT coalesce(digest, '') FROM audit ORDER BY sequence DESC LIMIT 1";
const CHAIN: &str = "SELECT id, doc, digest FROM audit ORDER BY sequence";
const NEWEST: &str = "SELECT id, doc FROM audit ORDER BY sequence DESC LIMIT ?1 OFFSET ?2";
const FOUND: &str = "SELECT id, doc FROM audit \
                     WHERE instr(lower(who), ?3) OR instr(lower(target), ?3) \
                     ORDER BY sequence DESC LIMIT ?1 OFFSET ?2";
const COUNT: &str = "SELECT count(*) FROM audit";
const COUNT_FOUND: &str =
    "SELECT count(*) FROM audit WHERE instr(lower(who), ?1) OR instr(lower(target), ?1)";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[ADD, LAST, NEWEST, FOUND, COUNT, COUNT_FOUND];

pub(crate) fn add(connection: &Connection, row: &AuditRecord) -> Result<(), StoreFault> {
    let bad = |source| bad_row(row.id.to_string(), source);
    let doc = serde_json::to_string(row).map_err(bad)?;
    let last: Option<String> = connection
        .prepare_cached(LAST)
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)).optional())
        .map_err(|error| fault("read the audit", error))?;
    let digest = digest(&last.unwrap_or_default(), &doc);
    connection
        .prepare_cached(ADD)
        .and_then(|mut statement| {
            statement.execute(params![
                row.id.to_string(),
                row.time.as_microsecond(),
                doc,
                digest,
                row.name,
                row.target
            ])
        })
        .map_err(|error| fault("write an audit record", error))?;
    Ok(())
}

/// Digest of a record behind another one.
fn digest(last: &str, doc: &str) -> String {
    blake3::hash(format!("{last}\n{doc}").as_bytes()).to_hex().to_string()
}

/// Follows the chain from its first record to its last.
pub(crate) fn chain(connection: &Connection) -> Result<AuditChain, StoreFault> {
    let broken = |error| fault("read the audit", error);
    let mut statement = connection.prepare_cached(CHAIN).map_err(broken)?;
    let mut rows = statement.query([]).map_err(broken)?;
    let mut found = AuditChain { records: 0, older: 0, head: String::new(), broken_at: None };
    while let Some(row) = rows.next().map_err(broken)? {
        let id: String = row.get(0).map_err(broken)?;
        let doc: String = row.get(1).map_err(broken)?;
        let kept: Option<String> = row.get(2).map_err(broken)?;
        found.records += 1;
        match kept {
            // Records from before the chain stand in front of it, and nowhere else.
            None if found.head.is_empty() => found.older += 1,
            Some(kept) if kept == digest(&found.head, &doc) => found.head = kept,
            Some(_) | None => {
                found.broken_at.get_or_insert(id);
            }
        }
    }
    Ok(found)
}

/// Records that a text finds, newest first.
pub(crate) fn search(
    connection: &Connection,
    find: &str,
    skip: u64,
    limit: u32,
) -> Result<Vec<AuditRecord>, StoreFault> {
    let broken = |error| fault("read the audit", error);
    let skip = i64::try_from(skip).unwrap_or(i64::MAX);
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
    let sql = if find.is_empty() { NEWEST } else { FOUND };
    let mut statement = connection.prepare_cached(sql).map_err(broken)?;
    let found = if find.is_empty() {
        statement.query_map(params![limit, skip], read)
    } else {
        statement.query_map(params![limit, skip, find.to_ascii_lowercase()], read)
    };
    let mut records = Vec::new();
    for row in found.map_err(broken)? {
        let (id, doc) = row.map_err(broken)?;
        records.push(serde_json::from_str(&doc).map_err(|source| bad_row(id, source))?);
    }
    Ok(records)
}

/// How many records a text finds.
pub(crate) fn count(connection: &Connection, find: &str) -> Result<u64, StoreFault> {
    if find.is_empty() {
        return counted(connection, COUNT, []);
    }
    counted(connection, COUNT_FOUND, [find.to_ascii_lowercase()])
}

fn bad_row(key: String, source: serde_json::Error) -> StoreFault {
    StoreFault::BadRow { table: "audit", key, source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use coffre_control::Action;
    use coffre_control::id::{AuditId, PrincipalId};
    use uuid::Uuid;

    use super::*;
    use crate::migrate::migrate;

    fn with_records(count: u128) -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        for n in 0..count {
            let record = AuditRecord {
                id: AuditId(Uuid::from_u128(n)),
                time: jiff::Timestamp::UNIX_EPOCH,
                principal: PrincipalId(Uuid::nil()),
                name: "ann".to_owned(),
                action: Action::WriteVault,
                target: format!("vault {n}"),
            };
            add(&connection, &record).unwrap();
        }
        connection
    }

    #[test]
    fn whatever_is_changed_or_removed_breaks_the_chain() {
        let intact = chain(&with_records(5)).unwrap();
        assert_eq!((intact.records, intact.older, intact.broken_at), (5, 0, None));
        assert_eq!(intact.head.len(), 64);
        for harm in [
            "UPDATE audit SET doc = replace(doc, 'ann', 'bob') WHERE sequence = 3",
            "UPDATE audit SET digest = NULL WHERE sequence = 3",
            "UPDATE audit SET digest = 'x' WHERE sequence = 5",
            "DELETE FROM audit WHERE sequence = 1",
            "DELETE FROM audit WHERE sequence = 3",
            "UPDATE audit SET sequence = 9 WHERE sequence = 2",
        ] {
            let connection = with_records(5);
            connection.execute(harm, []).unwrap();
            assert!(chain(&connection).unwrap().broken_at.is_some(), "{harm}");
        }
    }

    #[test]
    fn records_cut_off_at_the_end_change_the_head() {
        let connection = with_records(5);
        let head = chain(&connection).unwrap().head;
        connection.execute("DELETE FROM audit WHERE sequence = 5", []).unwrap();
        assert_ne!(chain(&connection).unwrap().head, head);
    }

    #[test]
    fn records_from_before_the_chain_may_only_stand_in_front() {
        let connection = with_records(3);
        connection.execute("UPDATE audit SET digest = NULL", []).unwrap();
        let found = chain(&connection).unwrap();
        assert_eq!((found.older, found.broken_at), (3, None));
        assert_eq!(chain(&with_records(0)).unwrap().head, "");
    }
}
