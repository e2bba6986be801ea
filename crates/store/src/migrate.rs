//! Numbered changes of the schema, each applied once and never edited afterwards.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::open::OpenError;

/// One change of the schema.
struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "start", sql: include_str!("../migration/0001_start.sql") },
    Migration { number: 2, name: "agenda", sql: include_str!("../migration/0002_agenda.sql") },
    Migration { number: 3, name: "record", sql: include_str!("../migration/0003_record.sql") },
    Migration { number: 4, name: "chain", sql: include_str!("../migration/0004_chain.sql") },
    Migration { number: 5, name: "lists", sql: include_str!("../migration/0005_lists.sql") },
];

const BOOK: &str = "CREATE TABLE IF NOT EXISTS migration (
    number INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL
) STRICT";

/// Brings the schema up to date. Refuses a database of a later version, and one whose past
/// differs from ours.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    apply(connection, MIGRATIONS)
}

fn apply(connection: &mut Connection, migrations: &[Migration]) -> Result<(), OpenError> {
    let broken = |source| OpenError::Broken { attempt: "migrate the database", source };
    connection.execute_batch(BOOK).map_err(broken)?;
    let newest: i64 = connection
        .query_row("SELECT coalesce(max(number), 0) FROM migration", [], |row| row.get(0))
        .map_err(broken)?;
    let known = migrations.last().map_or(0, |migration| migration.number);
    if newest > known {
        return Err(OpenError::TooNew { found: newest, known });
    }
    for migration in migrations {
        let checksum = blake3::hash(migration.sql.as_bytes()).to_hex().to_string();
        let tx =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(broken)?;
        let applied: Option<String> = tx
            .query_row(
                "SELECT checksum FROM migration WHERE number = ?1",
                [migration.number],
                |row| row.get(0),
            )
            .optional()
            .map_err(broken)?;
        match applied {
            Some(applied) if applied == checksum => {}
            Some(_) => {
                return Err(OpenError::OtherPast {
                    number: migration.number,
                    name: migration.name,
                });
            }
            None => {
                tx.execute_batch(migration.sql).map_err(broken)?;
                tx.execute(
                    "INSERT INTO migration (number, name, checksum) VALUES (?1, ?2, ?3)",
                    params![migration.number, migration.name, checksum],
                )
                .map_err(broken)?;
            }
        }
        tx.commit().map_err(broken)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(connection: &Connection) -> String {
        let mut statement = connection
            .prepare(
                "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' \
                 ORDER BY tbl_name, type DESC, name",
            )
            .unwrap();
        let parts: Vec<String> = statement
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap()
            .map(|sql| format!("{};\n", sql.unwrap()))
            .collect();
        parts.join("\n")
    }

    #[test]
    fn the_sum_of_the_migrations_is_the_schema() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.sql");
        let expected = std::fs::read_to_string(path).unwrap_or_default();
        let found = schema(&connection);
        assert!(found == expected, "schema.sql should read:\n{found}");
    }

    #[test]
    fn numbers_count_from_one_without_a_gap() {
        for (at, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.number, i64::try_from(at).unwrap() + 1, "{}", migration.name);
        }
    }

    #[test]
    fn migrating_twice_is_migrating_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let once = schema(&connection);
        migrate(&mut connection).unwrap();
        assert_eq!(schema(&connection), once);
    }

    #[test]
    fn a_later_version_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection.execute("INSERT INTO migration VALUES (99, 'future', '')", []).unwrap();
        let error = migrate(&mut connection).unwrap_err();
        assert!(matches!(error, OpenError::TooNew { found: 99, .. }), "{error}");
    }

    #[test]
    fn another_past_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection.execute("UPDATE migration SET checksum = 'x' WHERE number = 1", []).unwrap();
        let error = migrate(&mut connection).unwrap_err();
        assert!(matches!(error, OpenError::OtherPast { number: 1, .. }), "{error}");
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        let bad = Migration { number: 1, name: "bad", sql: "CREATE TABLE a (x); SELECT nonsense;" };
        assert!(apply(&mut connection, &[bad]).is_err());
        let good = Migration { number: 1, name: "good", sql: "CREATE TABLE a (x);" };
        apply(&mut connection, &[good]).unwrap();
    }
}
