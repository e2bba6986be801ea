//! `coffre user list|codes-off`: who can sign in, and help for who lost the device with their codes.
//!
//! These verbs work on the data folder, for when nobody can sign in any more to do it in the
//! portal.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use coffre_control::model::PrincipalKind;
use coffre_control::usecase::{factor_of, list_principals, remove_factor};
use coffre_control::{Caller, Cx, port};
use coffre_store::SqliteDb;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::say::{self, Column, Format};
use crate::serve::data_dir::DataDir;

/// People and programs that can sign in.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum UserVerb {
    /// Lists who can sign in, and at whose sign-in codes are asked for.
    List {
        /// Data folder [default: ~/.local/share/coffre].
        #[arg(long, env = "COFFRE_DATA")]
        data: Option<PathBuf>,
    },
    /// Asks for no more codes at the sign-in of somebody who lost their device.
    CodesOff {
        /// Name of the person.
        name: String,
        /// Data folder [default: ~/.local/share/coffre].
        #[arg(long, env = "COFFRE_DATA")]
        data: Option<PathBuf>,
    },
}

const USERS: &[Column] =
    &[("Name", "/name"), ("Kind", "/kind"), ("Roles", "/roles"), ("Codes", "/codes")];

/// Does it, on a data folder that no service uses.
pub(crate) fn run(verb: &UserVerb, format: Format) -> anyhow::Result<ExitCode> {
    let (UserVerb::List { data } | UserVerb::CodesOff { data, .. }) = verb;
    let root = data.clone().map_or_else(DataDir::default_path, Ok)?;
    // Held until the end: no service begins meanwhile.
    let data = DataDir::open(&root)?;
    let database = data.database();
    anyhow::ensure!(database.exists(), "there was no first start on {}", root.display());
    let db = SqliteDb::open(&database).with_context(|| format!("open {}", database.display()))?;
    let system = Caller::system();
    let cx = Cx::new(&system, Timestamp::now(), &Uuid::now_v7);
    match verb {
        UserVerb::List { .. } => {
            let users = port::read(&db, "list users", |tx| users(tx, &cx))?;
            say::list(format, &users, USERS)?;
        }
        UserVerb::CodesOff { name, .. } => {
            let found = port::tx(&db, "codes off", |tx| {
                let Some(principal) = tx.principal_named(name)? else { return Ok(None) };
                let had = factor_of(tx, principal.id)?.is_on();
                remove_factor(tx, &cx, principal.id)?;
                Ok(Some(had))
            })?;
            let had = found.with_context(|| format!("nobody named '{name}' can sign in"))?;
            say::note(match had {
                true => "Codes are off: the password is enough.",
                false => "There were no codes.",
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn users(tx: &mut dyn port::Tx, cx: &Cx<'_>) -> Result<Vec<Value>, coffre_control::Refusal> {
    let mut users = Vec::new();
    for it in list_principals(tx, cx)? {
        let roles: Vec<&str> = it.roles.iter().map(|role| role.azure()).collect();
        users.push(json!({
            "name": it.name,
            "id": it.id,
            "kind": match it.kind {
                PrincipalKind::User => "person",
                PrincipalKind::ServicePrincipal => "program",
            },
            "roles": roles.join(", "),
            "codes": factor_of(tx, it.id)?.is_on(),
        }));
    }
    Ok(users)
}
