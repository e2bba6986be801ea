//! Opening a database file: everything that may be wrong with it is said in words.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use crate::migrate::migrate;

/// How long a writer waits for somebody else's tool (a shell, a copy) to let go of the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "the database {path} is in use by another running service; stop it first, or choose \
         another data folder"
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is no database, or a damaged one.
    #[error(
        "the database {path} is damaged ({found}); put it aside and restore the last copy - the \
         recovery points in the vaults' stores are not touched by this"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// SQLite's locks do not hold on a network folder.
    #[error("the folder of {path} is on a network share (NFS); put the database on a local disk")]
    Network {
        /// The file.
        path: PathBuf,
    },
    /// The file or its folder cannot be used.
    #[error("open the database {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// A later version of the program wrote it.
    #[error(
        "the database has schema {found}, but this program knows schema {known} at most; use a \
         newer program"
    )]
    TooNew {
        /// The newest migration in it.
        found: i64,
        /// The newest migration that we know.
        known: i64,
    },
    /// A migration in it differs from ours.
    #[error("migration {number} ({name}) of the database differs from that of this program")]
    OtherPast {
        /// Its number.
        number: i64,
        /// Its name.
        name: &'static str,
    },
    /// Anything else.
    #[error("{attempt}")]
    Broken {
        /// What was attempted.
        attempt: &'static str,
        /// What happened.
        #[source]
        source: rusqlite::Error,
    },
}

/// An opened file: its writer, and the lock that keeps other processes out while it lives.
pub(crate) struct Opened {
    pub(crate) writer: Connection,
    pub(crate) lock: File,
}

/// Opens or makes the file, checks it, and brings its schema up to date.
pub(crate) fn open_file(path: &Path) -> Result<Opened, OpenError> {
    let file_error = |source| OpenError::File { path: path.to_owned(), source };
    refuse_network(path)?;
    let lock = take_lock(path)?;
    // Made here so that nobody else may read it, whatever the umask; the log beside it inherits
    // the mode.
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(file_error)?;
    let mut writer = connect(path)?;
    check(&writer, path)?;
    migrate(&mut writer).map_err(|error| say(path, error))?;
    Ok(Opened { writer, lock })
}

/// Another connection to a file that is open.
pub(crate) fn connect(path: &Path) -> Result<Connection, OpenError> {
    let connection = Connection::open(path)
        .map_err(|source| OpenError::Broken { attempt: "open the database", source })?;
    configure(&connection).map_err(|error| say(path, error))?;
    Ok(connection)
}

/// Sets what every connection needs.
pub(crate) fn configure(connection: &Connection) -> Result<(), OpenError> {
    let broken = |source| OpenError::Broken { attempt: "configure the database", source };
    connection.busy_timeout(BUSY_TIMEOUT).map_err(broken)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(broken)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(broken)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(broken)?;
    connection.pragma_update(None, "trusted_schema", false).map_err(broken)?;
    // Without this SQLite prepares a statement anew whenever a value is bound that it compared with
    // the condition of an index. What we bind never decides which index is the right one.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(broken)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(())
}

fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let found: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|source| say(path, OpenError::Broken { attempt: "check the database", source }))?;
    if found == "ok" {
        return Ok(());
    }
    Err(OpenError::Damaged { path: path.to_owned(), found })
}

/// Finds the words for what SQLite says.
fn say(path: &Path, error: OpenError) -> OpenError {
    let OpenError::Broken { attempt, source } = error else { return error };
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            OpenError::Damaged { path: path.to_owned(), found: source.to_string() }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            OpenError::InUse { path: path.to_owned() }
        }
        _ => OpenError::Broken { attempt, source },
    }
}

fn take_lock(path: &Path) -> Result<File, OpenError> {
    let file_error = |source| OpenError::File { path: path.to_owned(), source };
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(PathBuf::from(name))
        .map_err(file_error)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(file_error(source)),
    }
}

fn refuse_network(path: &Path) -> Result<(), OpenError> {
    const NFS_SUPER_MAGIC: u64 = 0x6969;
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let found = rustix::fs::statfs(folder)
        .map_err(|source| OpenError::File { path: path.to_owned(), source: source.into() })?;
    if u64::try_from(found.f_type) == Ok(NFS_SUPER_MAGIC) {
        return Err(OpenError::Network { path: path.to_owned() });
    }
    Ok(())
}
