//! `coffre vault recover`: for the day when the index is gone, or nobody knows what is left.

use std::process::ExitCode;

use anyhow::Context;
use coffre_vault::{Vault, VerifyScope};
use serde_json::json;

use crate::local::{EXIT_DAMAGE, damage_rows};
use crate::say::{self, Column, Format};

/// Names packs again that no index names, then looks whether all that points need is in its place.
pub(super) fn run(vault: &Vault, format: Format) -> anyhow::Result<ExitCode> {
    const COLUMNS: &[Column] =
        &[("Point", "/point"), ("Name", "/name"), ("Size", "/size_bytes"), ("Whole", "/whole")];
    let packs = vault.rebuild_index().context("make the index anew")?;
    let scope = VerifyScope::Sample { parts_per_million: 0 };
    let report = vault.verify(scope, &coffre_vault::NoProgress).context("look at the vault")?;
    let points: Vec<_> = vault
        .points()
        .context("list the recovery points")?
        .iter()
        .map(|point| {
            let touched = report.damage.iter().any(|damage| damage.points.contains(&point.id));
            json!({
                "point": point.id,
                "name": point.name,
                "size_bytes": point.disks.iter().map(|disk| disk.size_bytes).sum::<u64>(),
                "whole": !touched,
            })
        })
        .collect();
    let damage = damage_rows(&report);
    match format {
        Format::Json => say::json(&json!({
            "packs_indexed": packs,
            "packs_known": report.packs_known,
            "points": points,
            "damage": damage,
        }))?,
        Format::Table => {
            say::note(&format!(
                "{packs} of {} packs were in no index and are now; {} recovery points",
                report.packs_known,
                points.len()
            ));
            say::list(format, &points, COLUMNS)?;
            for found in &report.damage {
                say::note(&format!("{} at byte {}: {}", found.object, found.offset, found.what));
            }
        }
    }
    Ok(if damage.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DAMAGE) })
}
