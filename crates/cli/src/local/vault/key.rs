//! `coffre vault key …`: passphrases, recovery keys, and what each allows.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use coffre_vault::{Capability, Passphrase, RecoveryKey, SlotKind, Unlock, Vault};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::local::{StoreArgs, first_line};
use crate::say::{self, Column, Format};

/// Keys of a vault in a store: who may do what.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum KeyVerb {
    /// Lists the keys: what opens each, and what it allows.
    List {
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Adds a passphrase that allows only some of it, for a host or a person.
    Add {
        #[command(flatten)]
        store: StoreArgs,
        /// What it allows: put (back up), read (restore, verify), delete (points, and what nothing
        /// needs), admin (keys).
        #[arg(long, required = true, value_enum, value_delimiter = ',')]
        allow: Vec<Allow>,
        /// File with the new passphrase; its first line counts.
        #[arg(long)]
        new_passphrase_file: PathBuf,
        /// For a key that may put and neither delete nor administer: its dedup group, as another
        /// such key was given. Hosts of one group count on each other's blocks; others only after
        /// `coffre vault verify` has read them. Without it: a group of its own.
        #[arg(long)]
        group: Option<u32>,
    },
    /// Removes a key. Who copied the store while it was there can still use it: see `rotate`.
    Remove {
        #[command(flatten)]
        store: StoreArgs,
        /// The key, as `list` names it.
        #[arg(long)]
        key: Uuid,
    },
    /// Changes the passphrase that this command opens the vault with.
    Passphrase {
        #[command(flatten)]
        store: StoreArgs,
        /// File with the new passphrase; its first line counts.
        #[arg(long)]
        new_passphrase_file: PathBuf,
    },
    /// Makes a new recovery key, shown once, in place of those before.
    Recovery {
        #[command(flatten)]
        store: StoreArgs,
        /// Leave the recovery keys before as they are.
        #[arg(long)]
        keep: bool,
    },
    /// After a leak: a new data key, a new passphrase and a new recovery key; all others end.
    ///
    /// What is stored from now on is closed to all who held a key before.
    Rotate {
        #[command(flatten)]
        store: StoreArgs,
        /// File with the new passphrase; its first line counts.
        #[arg(long)]
        new_passphrase_file: PathBuf,
    },
}

/// What a key allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Allow {
    /// Back up, and see which points exist.
    Put,
    /// Restore, mount and verify.
    Read,
    /// Delete points and collect what nothing needs.
    Delete,
    /// Make and remove keys.
    Admin,
}

impl Allow {
    const fn capability(self) -> Capability {
        match self {
            Self::Put => Capability::Put,
            Self::Read => Capability::Read,
            Self::Delete => Capability::Delete,
            Self::Admin => Capability::Admin,
        }
    }
}

impl KeyVerb {
    /// Does it.
    pub(crate) fn run(self, format: Format) -> anyhow::Result<ExitCode> {
        match self {
            Self::List { store } => list(&store.open()?, format)?,
            Self::Add { store, allow, new_passphrase_file, group } => {
                let unlock = Unlock::Passphrase(passphrase(&new_passphrase_file)?);
                let allowed: Vec<_> = allow.into_iter().map(Allow::capability).collect();
                let added = store.open()?.add_key_in_group(&unlock, &allowed, group);
                let (key, group) = added.context("add the key")?;
                match (format, group) {
                    (Format::Json, Some(group)) => {
                        say::data(&json!({ "key": key, "group": group }).to_string())?;
                    }
                    (_, group) => {
                        made(format, key)?;
                        if let Some(group) = group {
                            say::note(&format!("its dedup group is {group}"));
                        }
                    }
                }
            }
            Self::Remove { store, key } => {
                store.open()?.remove_key(key).context("remove the key")?;
            }
            Self::Passphrase { store, new_passphrase_file } => {
                let passphrase = passphrase(&new_passphrase_file)?;
                let changed = store.open()?.change_passphrase(&passphrase);
                made(format, changed.context("change the passphrase")?)?;
            }
            Self::Recovery { store, keep } => recovery(&store.open()?, keep, format)?,
            Self::Rotate { store, new_passphrase_file } => {
                let passphrase = passphrase(&new_passphrase_file)?;
                let rotated = store.open()?.rotate(&passphrase);
                let (_, key) = rotated.context("rotate the keys")?;
                show(format, &key)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn passphrase(path: &Path) -> anyhow::Result<Passphrase> {
    Ok(Passphrase::new(first_line(path)?))
}

fn list(vault: &Vault, format: Format) -> anyhow::Result<()> {
    const COLUMNS: &[Column] =
        &[("Key", "/key"), ("Opens with", "/kind"), ("Allows", "/allows"), ("", "/note")];
    let keys = vault.keys().context("list the keys")?;
    let rows: Vec<Value> = keys
        .iter()
        .map(|key| {
            let kind = match key.kind {
                SlotKind::Passphrase => "passphrase",
                SlotKind::RecoveryKey => "recovery key",
            };
            let allows = json!(key.capabilities);
            let names = allows.as_array().into_iter().flatten().filter_map(Value::as_str);
            match format {
                Format::Json => {
                    json!({"key": key.id, "kind": kind, "allows": allows, "current": key.current})
                }
                Format::Table => json!({
                    "key": key.id,
                    "kind": kind,
                    "allows": names.collect::<Vec<_>>().join(", "),
                    "note": if key.current { "this one" } else { " " },
                }),
            }
        })
        .collect();
    Ok(say::list(format, &rows, COLUMNS)?)
}

fn made(format: Format, key: Uuid) -> anyhow::Result<()> {
    match format {
        Format::Json => say::data(&json!({ "key": key }).to_string())?,
        Format::Table => say::data(&key.to_string())?,
    }
    Ok(())
}

fn recovery(vault: &Vault, keep: bool, format: Format) -> anyhow::Result<()> {
    let before = vault.keys().context("list the keys")?;
    let (_, key) = vault.add_recovery_key().context("add a recovery key")?;
    // Shown before the others go: who is stopped here has one that works.
    show(format, &key)?;
    let old = before.into_iter().filter(|key| key.kind == SlotKind::RecoveryKey && !keep);
    for slot in old {
        vault.remove_key(slot.id).with_context(|| format!("remove the key {}", slot.id))?;
    }
    Ok(())
}

/// Shows a recovery key, this once.
pub(super) fn show(format: Format, key: &RecoveryKey) -> anyhow::Result<()> {
    match format {
        Format::Json => say::data(&json!({ "recovery_key": key.to_string() }).to_string())?,
        Format::Table => {
            say::note(
                "The recovery key opens the vault when the passphrase is lost. It is shown only \
                 now: print it and keep it apart from the store.",
            );
            say::data(&key.to_string())?;
        }
    }
    Ok(())
}
