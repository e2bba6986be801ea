//! The database: one writer, readers beside it.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use coffre_control::port::{Db, Rollback, StoreFault, Tx};
use rusqlite::{Connection, TransactionBehavior};

use crate::migrate::migrate;
use crate::open::{OpenError, configure, connect, open_file};
use crate::row::fault;
use crate::tx::SqliteTx;

/// Idle readers that are kept; more are made when more read at the same time.
const KEPT_READERS: usize = 4;

/// A SQLite database. Work in a transaction must not start another one: writers wait for each
/// other.
pub struct SqliteDb {
    writer: Mutex<Connection>,
    /// None: in memory, where there is only one connection.
    file: Option<Opened>,
}

struct Opened {
    path: PathBuf,
    readers: Mutex<Vec<Connection>>,
    /// Held, never used: other processes keep away while it lives.
    _lock: File,
}

impl SqliteDb {
    /// Opens or makes a database file. Its folder must exist.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let opened = open_file(path)?;
        Ok(Self {
            writer: Mutex::new(opened.writer),
            file: Some(Opened {
                path: path.to_owned(),
                readers: Mutex::new(Vec::new()),
                _lock: opened.lock,
            }),
        })
    }

    /// A database that is gone when it is dropped. Readers wait for writers.
    pub fn memory() -> Result<Self, OpenError> {
        let mut writer = Connection::open_in_memory()
            .map_err(|source| OpenError::Broken { attempt: "open a database in memory", source })?;
        configure(&writer)?;
        migrate(&mut writer)?;
        Ok(Self { writer: Mutex::new(writer), file: None })
    }

    fn reader(&self, file: &Opened) -> Result<Connection, StoreFault> {
        if let Some(reader) = locked(&file.readers).pop() {
            return Ok(reader);
        }
        let reader = connect(&file.path).map_err(|error| StoreFault::Broken {
            attempt: "open a connection for reading",
            source: Box::new(error),
        })?;
        only_read(&reader, true)?;
        Ok(reader)
    }
}

impl Db for SqliteDb {
    fn run(
        &self,
        name: &'static str,
        work: &mut dyn FnMut(&mut dyn Tx) -> Result<(), Rollback>,
    ) -> Result<(), StoreFault> {
        // A panic in a use-case rolled its transaction back; the connection is as good as before.
        let mut writer = locked(&self.writer);
        transact(&mut writer, TransactionBehavior::Immediate, name, work)
    }

    fn run_reading(
        &self,
        name: &'static str,
        work: &mut dyn FnMut(&mut dyn Tx) -> Result<(), Rollback>,
    ) -> Result<(), StoreFault> {
        let Some(file) = &self.file else {
            let mut writer = locked(&self.writer);
            only_read(&writer, true)?;
            let ran = transact(&mut writer, TransactionBehavior::Deferred, name, work);
            only_read(&writer, false)?;
            return ran;
        };
        let mut reader = self.reader(file)?;
        let ran = transact(&mut reader, TransactionBehavior::Deferred, name, work);
        let mut readers = locked(&file.readers);
        if readers.len() < KEPT_READERS {
            readers.push(reader);
        }
        ran
    }
}

impl fmt::Debug for SqliteDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.file.as_ref().map_or(Path::new(":memory:"), |file| &file.path);
        f.debug_struct("SqliteDb").field("path", &path).finish_non_exhaustive()
    }
}

fn transact(
    connection: &mut Connection,
    behavior: TransactionBehavior,
    name: &'static str,
    work: &mut dyn FnMut(&mut dyn Tx) -> Result<(), Rollback>,
) -> Result<(), StoreFault> {
    let tx = connection.transaction_with_behavior(behavior).map_err(|error| fault(name, error))?;
    match work(&mut SqliteTx::new(&tx)) {
        Ok(()) => tx.commit().map_err(|error| fault(name, error)),
        Err(Rollback) => tx.rollback().map_err(|error| fault(name, error)),
    }
}

fn only_read(connection: &Connection, only: bool) -> Result<(), StoreFault> {
    connection
        .pragma_update(None, "query_only", only)
        .map_err(|error| fault("switch between reading and writing", error))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
