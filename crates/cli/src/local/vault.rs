//! `coffre vault …`: of the service, or with `--store` of a store with no service.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use coffre_vault::{Passphrase, Vault, VerifyScope};
use serde_json::json;

use super::StoreArgs;
use super::meter::Meter;
use crate::client;
use crate::say::{self, Format};

/// Vaults: of the service, or with --store in a store with no service.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum VaultVerb {
    /// Makes a vault.
    ///
    /// With --store: in an empty store; prints the recovery key, once. Without: in the service.
    Create {
        /// Address of an empty store: file:///folder.
        #[arg(long, requires = "passphrase_file", conflicts_with_all = ["group", "name"])]
        store: Option<String>,
        /// File with the passphrase of the new vault; its first line counts.
        #[arg(long, requires = "store")]
        passphrase_file: Option<PathBuf>,
        /// Resource group of the service; made when it is not there.
        #[arg(short = 'g', long, required_unless_present = "store")]
        group: Option<String>,
        /// Name in the service.
        #[arg(short = 'n', long, required_unless_present = "store")]
        name: Option<String>,
        /// Region of the service.
        #[arg(short = 'l', long, default_value = "local")]
        location: String,
    },
    /// Lists the vaults of the service.
    List,
    /// Shows a vault of the service.
    Show {
        /// Name.
        #[arg(short = 'n', long)]
        name: String,
    },
    /// Reads and checks everything in a store; exit status 3 when damage is found.
    Verify {
        #[command(flatten)]
        store: StoreArgs,
    },
}

/// Does it.
pub(crate) fn run(verb: VaultVerb, format: Format) -> anyhow::Result<ExitCode> {
    match verb {
        VaultVerb::Create { store: Some(store), passphrase_file, .. } => {
            create(&store, &passphrase_file.context("--passphrase-file is missing")?, format)
        }
        VaultVerb::Create { store: None, group, name, location, .. } => {
            let (Some(group), Some(name)) = (group, name) else {
                bail!("give --group and --name, or --store");
            };
            let wanted = client::ArmVaultCreate { group, name, location };
            client::create(&client::Api::from_profile()?, format, &wanted)
        }
        VaultVerb::List => client::vault_list(&client::Api::from_profile()?, format),
        VaultVerb::Show { name } => {
            client::vault_show(&client::Api::from_profile()?, format, &name)
        }
        VaultVerb::Verify { store } => {
            let vault = store.open()?;
            let meter = Meter::begin(format, "verify", 0);
            let report = vault.verify(VerifyScope::All, &meter).context("verify the vault")?;
            meter.end();
            super::report(format, &report)
        }
    }
}

fn create(store: &str, passphrase: &std::path::Path, format: Format) -> anyhow::Result<ExitCode> {
    let passphrase = Passphrase::new(super::first_line(passphrase)?);
    let bucket = coffre_vault::bucket::open(store).context("open the store")?;
    let (vault, key) = Vault::create(bucket, &passphrase).context("create the vault")?;
    match format {
        Format::Json => {
            say::data(&json!({ "vault": vault.id(), "recovery_key": key.to_string() }).to_string())?
        }
        Format::Table => {
            say::note(
                "The recovery key opens the vault when the passphrase is lost. It is shown only \
                 now: print it and keep it apart from the store.",
            );
            say::data(&key.to_string())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
