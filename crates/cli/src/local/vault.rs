//! `coffre vault …`: of the service, or with `--store` of a store with no service.

mod key;
mod recover;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use coffre_vault::{CollectOptions, CollectPlan, Passphrase, Vault, VerifyScope};
use serde_json::{Value, json};

use super::StoreArgs;
use super::meter::Meter;
use crate::client;
use crate::say::{self, Column, Format};

/// Vaults: of the service, or with --store in a store with no service.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum VaultVerb {
    /// Makes a vault.
    ///
    /// With --store: in an empty store; prints the recovery key, once. Without: in the service.
    Create {
        /// Address of an empty store: file:///folder, s3://bucket/prefix, azblob://container/prefix.
        #[arg(long, requires = "passphrase_file", conflicts_with_all = ["group", "name"])]
        store: Option<String>,
        /// File with the passphrase of the new vault; its first line counts.
        #[arg(long, requires = "store")]
        passphrase_file: Option<PathBuf>,
        /// Lock what each recovery point needs on the store for so many days after it was made, so
        /// that nobody can delete it sooner, whatever keys they hold; 1 to 3653, for ever the same.
        /// Refused where the store does not really keep its locks.
        #[arg(long, requires = "store", value_name = "DAYS")]
        lock_days: Option<u32>,
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
        /// Read only about this share of the data, drawn anew each time, as 5% or 0.1%; records and
        /// maps are read in full, and no pack may be missing.
        #[arg(long, value_parser = share, conflicts_with = "point")]
        sample: Option<u32>,
        /// Only what this recovery point needs.
        #[arg(long)]
        point: Option<uuid::Uuid>,
    },
    /// Looks whether a store keeps the rules that a vault builds on, refusals included; makes
    /// objects below `probe/` and removes them.
    Probe {
        /// Address of the store: file:///folder, s3://bucket/prefix or azblob://container/prefix.
        #[arg(long)]
        store: String,
        /// Look as well whether it really keeps what is locked. Leaves one object of a few bytes
        /// there for some minutes, locked.
        #[arg(long)]
        locks: bool,
    },
    /// Makes a lost index anew from the packs and says which recovery points can be restored.
    ///
    /// Needs the store and the passphrase or the recovery key, nothing else. Exit status 3 when
    /// something that a point needs is not there any more.
    Recover {
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Keys of a vault in a store: who may do what.
    #[command(subcommand)]
    Key(key::KeyVerb),
    /// Frees what no recovery point of a store needs. Backups may go on meanwhile.
    Gc {
        #[command(flatten)]
        store: StoreArgs,
        /// Only say what would be freed.
        #[arg(long)]
        dry_run: bool,
        /// Leave alone what was written in the last so many hours. With 0 a backup that is just
        /// being written may have to begin again; nothing is lost.
        #[arg(long, default_value_t = 0)]
        spare_hours: u64,
        /// Give up backups that were begun so many hours ago and never finished. One that is still
        /// running has to begin again.
        #[arg(long, default_value_t = 168)]
        abandon_hours: u64,
    },
    /// Counts what is in a store.
    Stats {
        #[command(flatten)]
        store: StoreArgs,
    },
}

/// Does it.
pub(crate) fn run(verb: VaultVerb, format: Format) -> anyhow::Result<ExitCode> {
    match verb {
        VaultVerb::Create { store: Some(store), passphrase_file, lock_days, .. } => {
            let passphrase = passphrase_file.context("--passphrase-file is missing")?;
            create(&store, &passphrase, lock_days, format)
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
        VaultVerb::Verify { store, sample, point } => {
            let scope = match (sample, point) {
                (Some(parts_per_million), _) => VerifyScope::Sample { parts_per_million },
                (None, Some(point)) => VerifyScope::Point(point),
                (None, None) => VerifyScope::All,
            };
            verify(&store.open()?, scope, format)
        }
        VaultVerb::Probe { store, locks } => probe(&store, locks, format),
        VaultVerb::Recover { store } => recover::run(&store.open()?, format),
        VaultVerb::Key(verb) => verb.run(format),
        VaultVerb::Gc { store, dry_run, spare_hours, abandon_hours } => {
            let options = CollectOptions {
                spare_younger_ms: spare_hours.saturating_mul(3_600_000),
                abandon_older_ms: abandon_hours.saturating_mul(3_600_000),
                ..CollectOptions::at(jiff::Timestamp::now().as_millisecond())
            };
            let vault = store.open()?;
            if dry_run { plan(&vault, &options, format) } else { collect(&vault, &options, format) }
        }
        VaultVerb::Stats { store } => stats(&store.open()?, format),
    }
}

/// A share in percent, as parts of a million.
fn share(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    let percent: f64 = number.parse().map_err(|_| "give a share as 5%".to_owned())?;
    if !(0.0..=100.0).contains(&percent) {
        return Err("a share is from 0% to 100%".to_owned());
    }
    // At most a million: no digit of it is lost.
    Ok((percent * 10_000.0).ceil() as u32)
}

fn verify(vault: &Vault, scope: VerifyScope, format: Format) -> anyhow::Result<ExitCode> {
    let total = match scope {
        VerifyScope::All => vault.stats().context("count what is in the store")?.pack_bytes,
        VerifyScope::Point(_) | VerifyScope::Sample { .. } => 0,
    };
    let meter = Meter::begin(format, "verify", total);
    let report = vault.verify(scope, &meter).context("verify the vault")?;
    meter.end();
    super::report(format, &report)
}

fn probe(store: &str, locks: bool, format: Format) -> anyhow::Result<ExitCode> {
    let bucket = super::open_store(store)?;
    let mut kept = coffre_vault::bucket::probe(&*bucket, uuid::Uuid::new_v4())
        .context("this store cannot hold a vault")?;
    if locks {
        let now = jiff::Timestamp::now().as_millisecond();
        let more = coffre_vault::bucket::probe_locks(&*bucket, uuid::Uuid::new_v4(), now);
        kept.extend(more.context("this store cannot hold a vault with locks")?);
    }
    match format {
        Format::Json => say::data(&json!({ "fit": true, "rules": kept }).to_string())?,
        Format::Table => {
            kept.iter().try_for_each(|rule| say::data(&format!("yes  {rule}")))?;
            say::note("the store can hold a vault");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn plan(vault: &Vault, options: &CollectOptions, format: Format) -> anyhow::Result<ExitCode> {
    let plan = vault.collect_plan(options).context("plan the collection")?;
    match format {
        Format::Json => say::data(&plan_json(&plan).to_string())?,
        Format::Table => say::data(&format!(
            "would free {} packs and rewrite {}: {} of {}, {} copied first",
            plan.dead_packs,
            plan.sparse_packs,
            say::bytes(plan.condemned_bytes),
            say::bytes(plan.stored_bytes),
            say::bytes(plan.rescue_bytes)
        ))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn collect(vault: &Vault, options: &CollectOptions, format: Format) -> anyhow::Result<ExitCode> {
    let report = vault.collect(options).context("collect")?;
    match format {
        Format::Json => say::data(
            &json!({
                "run": report.run,
                "packs_deleted": report.packs_deleted,
                "bytes_deleted": report.bytes_deleted,
                "bytes_rescued": report.bytes_rescued,
                "points_abandoned": report.points_abandoned,
                "plan": plan_json(&report.plan),
            })
            .to_string(),
        )?,
        Format::Table => say::data(&format!(
            "freed {} in {} packs, copied {}",
            say::bytes(report.bytes_deleted),
            report.packs_deleted,
            say::bytes(report.bytes_rescued)
        ))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn plan_json(plan: &CollectPlan) -> Value {
    json!({
        "live_points": plan.live_points,
        "deleted_points": plan.deleted_points,
        "stored_bytes": plan.stored_bytes,
        "dead_packs": plan.dead_packs,
        "sparse_packs": plan.sparse_packs,
        "condemned_bytes": plan.condemned_bytes,
        "rescue_bytes": plan.rescue_bytes,
        "unfinished_packs": plan.unfinished_packs,
    })
}

fn stats(vault: &Vault, format: Format) -> anyhow::Result<ExitCode> {
    const COLUMNS: &[Column] = &[
        ("Points", "/points"),
        ("Objects", "/objects"),
        ("Bytes", "/stored_bytes"),
        ("Packs", "/packs"),
        ("Bytes in packs", "/pack_bytes"),
    ];
    let stats = vault.stats().context("count what is in the store")?;
    let found = json!({
        "points": stats.points,
        "objects": stats.objects,
        "stored_bytes": stats.stored_bytes,
        "packs": stats.packs,
        "pack_bytes": stats.pack_bytes,
    });
    say::one(format, &found, COLUMNS)?;
    Ok(ExitCode::SUCCESS)
}

fn create(
    store: &str,
    passphrase: &std::path::Path,
    lock_days: Option<u32>,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let passphrase = Passphrase::new(super::first_line(passphrase)?);
    let bucket = super::open_store(store)?;
    let created = match lock_days {
        Some(days) => Vault::create_locked(bucket, &passphrase, days),
        None => Vault::create(bucket, &passphrase),
    };
    let (vault, key) = created.context("create the vault")?;
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
