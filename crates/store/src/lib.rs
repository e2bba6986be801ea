//! Persistence of `control` behind its port: SQLite.
//!
//! One connection writes, one transaction after the other; readers see the last committed state
//! and wait for nobody. Every noun is a JSON document beside the columns it is looked up by.
//!
//! * [`SqliteDb`] – opening a database, and what may be wrong with it
//! * `migrate` – numbered changes of the schema
//! * `search` – the long lists, cut into pages
//! * `tx` – the port's transaction; `table` – one file per noun; `row` – what they share

mod db;
mod migrate;
mod open;
mod row;
mod search;
mod table;
mod tx;

pub use db::SqliteDb;
pub use open::OpenError;
