//! Verbs on a store with no service: for images of disks, and for the day when only the store is
//! left.

mod ahead;
mod file;
mod image;
mod meter;
mod vault;

pub(crate) use image::ImageVerb;
pub(crate) use vault::{VaultVerb, run as run_vault};

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use coffre_vault::bucket::Bucket;
use coffre_vault::{PASSPHRASE_MEMORY_BYTES, Passphrase, Unlock, Vault, VerifyReport};
use serde_json::{Value, json};

use crate::say::{self, Column, Format};
use crate::sys;

/// Exit status when damage was found: not a failure of the program, and nothing to overlook.
pub(crate) const EXIT_DAMAGE: u8 = 3;

/// Which store, and the key to it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct StoreArgs {
    /// Address of the store: file:///folder, s3://bucket/prefix or azblob://container/prefix.
    #[arg(long)]
    pub(crate) store: String,
    /// File with the passphrase of the vault; its first line counts.
    #[arg(long, required_unless_present = "recovery_key_file")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// File with the recovery key of the vault, instead of the passphrase.
    #[arg(long, conflicts_with = "passphrase_file")]
    pub(crate) recovery_key_file: Option<PathBuf>,
}

impl StoreArgs {
    /// Opens the vault.
    pub(crate) fn open(&self) -> anyhow::Result<Vault> {
        sys::keep_memory();
        if self.passphrase_file.is_some() {
            sys::take_ahead(PASSPHRASE_MEMORY_BYTES);
        }
        let bucket = open_store(&self.store)?;
        let unlock = match (&self.passphrase_file, &self.recovery_key_file) {
            (Some(path), _) => Unlock::Passphrase(Passphrase::new(first_line(path)?)),
            (None, Some(path)) => Unlock::RecoveryKey(
                first_line(path)?.parse().context("understand the recovery key")?,
            ),
            (None, None) => anyhow::bail!("give --passphrase-file or --recovery-key-file"),
        };
        Vault::open(bucket, &unlock).context("open the vault")
    }
}

/// Opens the store at an address.
pub(crate) fn open_store(url: &str) -> anyhow::Result<Arc<dyn Bucket>> {
    coffre_buckets::open(url).context("open the store")
}

/// The first line of a file that holds a secret.
pub(crate) fn first_line(path: &std::path::Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let line = text.lines().next().unwrap_or_default().trim_end();
    anyhow::ensure!(!line.is_empty(), "{} is empty", path.display());
    Ok(line.to_owned())
}

/// What a verification found, as rows.
fn damage_rows(report: &VerifyReport) -> Vec<Value> {
    let rows = report.damage.iter().map(|found| {
        json!({
            "object": found.object,
            "offset": found.offset,
            "what": found.what,
            "points": found.points,
        })
    });
    rows.collect()
}

/// Prints what a verification found; the exit status says whether there is damage.
fn report(format: Format, report: &VerifyReport) -> anyhow::Result<ExitCode> {
    let damage = damage_rows(report);
    match format {
        Format::Json => say::json(&json!({
            "points": report.points,
            "packs": report.packs,
            "packs_known": report.packs_known,
            "packs_vouched": report.packs_vouched,
            "vouch_refused": report.vouch_refused,
            "blocks": report.blocks,
            "bytes": report.bytes,
            "damage": damage,
        }))?,
        Format::Table => {
            say::note(&format!(
                "checked {} recovery points: {} blocks in {} packs, {}",
                report.points,
                report.blocks,
                report.packs,
                say::bytes(report.bytes)
            ));
            if let Some(why) = &report.vouch_refused {
                say::note(&format!("nothing was signed for, the store did not take it: {why}"));
            }
            if damage.is_empty() {
                say::data("no damage")?;
            } else {
                const COLUMNS: &[Column] = &[
                    ("Object", "/object"),
                    ("Offset", "/offset"),
                    ("Damage", "/what"),
                    ("Points", "/points"),
                ];
                say::list(format, &damage, COLUMNS)?;
            }
        }
    }
    Ok(if damage.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DAMAGE) })
}
