//! `coffre policy …`, and the word that the clock is right.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use jiff::civil::Date;
use serde_json::{Value, json};
use ureq::http::Method;

use super::Verb;
use super::api::{Api, part};
use super::vault::find;
use super::vm::id;
use crate::say::{self, Column, Format};

/// Backup policies.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum PolicyVerb {
    /// Lists the policies of a vault.
    List {
        /// The vault.
        #[arg(short = 'v', long)]
        vault: String,
    },
    /// Shows what a policy would keep and in which tier, and what a change of it would delete.
    ///
    /// A point is in the vault and, for the days of the operational tier, a snapshot beside the disks
    /// of its VM too, where one can be taken. Changes nothing.
    Simulate {
        /// The vault.
        #[arg(short = 'v', long)]
        vault: String,
        /// The policy; with --file it need not exist.
        #[arg(short = 'n', long)]
        name: String,
        /// The policy as it would be: JSON, as `az backup policy show` prints it.
        #[arg(long)]
        file: Option<PathBuf>,
        /// How many days to live ahead.
        #[arg(long, default_value_t = 365)]
        days: u32,
    },
}

/// The service's clock.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ClockVerb {
    /// Says that the clock of the service's machine is right, after a jump stopped all deletion.
    Confirm,
}

const POLICY_COLUMNS: &[Column] = &[
    ("Name", "/name"),
    ("Type", "/properties/policyType"),
    ("Schedule", "/properties/schedulePolicy/scheduleRunFrequency"),
    ("Days kept", "/properties/retentionPolicy/dailySchedule/retentionDuration/count"),
    ("Items", "/properties/protectedItemsCount"),
];
const RUN_COLUMNS: &[Column] = &[("Next runs", "/local"), ("Offset", "/offset"), ("UTC", "/utc")];
const COUNT_COLUMNS: &[Column] = &[
    ("Kept at", "/date"),
    ("Points", "/points"),
    ("Snapshot and vault", "/snapshotAndVault"),
    ("Vault", "/vaultOnly"),
    ("Instant", "/Instant"),
    ("Daily", "/Daily"),
    ("Weekly", "/Weekly"),
    ("Monthly", "/Monthly"),
    ("Yearly", "/Yearly"),
];
const SNAPSHOT_COLUMNS: &[Column] = &[
    ("Recovery point", "/recoveryPointTime"),
    ("Tier", "/tier"),
    ("Snapshot until", "/snapshotUntil"),
];
const CHANGE_COLUMNS: &[Column] = &[
    ("Recovery point", "/recoveryPointTime"),
    ("Expires now", "/expiresNow"),
    ("Would expire", "/wouldExpire"),
];

impl Verb for PolicyVerb {
    fn run(self, api: &Api, format: Format) -> anyhow::Result<ExitCode> {
        match self {
            PolicyVerb::List { vault } => {
                let vault = find(api, &vault)?;
                let rows = api.list(&format!("{}/backupPolicies", id(&vault)))?;
                say::list(format, &rows, POLICY_COLUMNS)?;
            }
            PolicyVerb::Simulate { vault, name, file, days } => {
                let mut body = json!({ "days": days });
                if let Some(file) = file {
                    body["properties"] = read_policy(&file)?;
                }
                let vault = find(api, &vault)?;
                let path = format!("{}/backupPolicies/{}/simulate", id(&vault), part(&name));
                let found = api.change(&Method::POST, &path, Some(&body))?;
                show(format, &found)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Verb for ClockVerb {
    fn run(self, api: &Api, format: Format) -> anyhow::Result<ExitCode> {
        let ClockVerb::Confirm = self;
        let path = format!(
            "{}/providers/Microsoft.RecoveryServices/confirmClock",
            api.subscription_path()
        );
        let said = api.change(&Method::POST, &path, Some(&json!({})))?;
        say::one(format, &said, &[("Confirmed", "/confirmed")])?;
        Ok(ExitCode::SUCCESS)
    }
}

fn read_policy(file: &std::path::Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let mut policy: Value =
        serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))?;
    // Both the whole policy and its properties alone are taken.
    Ok(if policy["properties"].is_object() { policy["properties"].take() } else { policy })
}

fn show(format: Format, found: &Value) -> anyhow::Result<()> {
    if format == Format::Json {
        say::json(found)?;
        return Ok(());
    }
    let rows = |value: &Value| value.as_array().cloned().unwrap_or_default();
    say::list(format, &rows(&found["nextRuns"]), RUN_COLUMNS)?;
    say::data("")?;
    say::list(format, &rows(&found["counts"]), COUNT_COLUMNS)?;
    say::data(&calendar(&rows(&found["calendar"])))?;
    let mut snapshots = rows(&found["snapshots"]);
    if !snapshots.is_empty() {
        snapshots.iter_mut().for_each(|it| it["tier"] = tier(it).into());
        say::data("\nIn the operational tier at the end:")?;
        say::list(format, &snapshots, SNAPSHOT_COLUMNS)?;
    }
    for item in rows(&found["changes"]) {
        let name = item["virtualMachine"].as_str().unwrap_or_default();
        for (kind, words) in [("deletes", "would lose"), ("shortens", "would keep less long")] {
            let points = rows(&item[kind]);
            if !points.is_empty() {
                say::data(&format!("\n{name} {words} {} points:", points.len()))?;
                say::list(format, &points, CHANGE_COLUMNS)?;
            }
        }
    }
    Ok(())
}

/// Where a point, or one of a day, is kept.
fn tier(row: &Value) -> &'static str {
    let mut tiers = row["tiers"].as_array().into_iter().flatten();
    if tiers.any(|it| it == "InstantRP") { "snapshot and vault" } else { "vault" }
}

/// A picture of the months that have points: a letter for the strongest rule of each day.
fn calendar(days: &[Value]) -> String {
    let mut months: BTreeMap<(i16, i8), BTreeMap<i8, char>> = BTreeMap::new();
    for day in days {
        let date = day["date"].as_str().and_then(|text| text.parse::<Date>().ok());
        let letter = day["tag"].as_str().and_then(|tag| tag.chars().next()).unwrap_or('?');
        let letter = if tier(day) == "vault" { letter } else { letter.to_ascii_lowercase() };
        if let Some(date) = date {
            months.entry((date.year(), date.month())).or_default().insert(date.day(), letter);
        }
    }
    let mut text = String::from(
        "\nDays with a point at the end (I instant, D daily, W weekly, M monthly, Y yearly, \
         N newest; small letters: a snapshot too):",
    );
    for ((year, month), kept) in months {
        let Ok(first) = Date::new(year, month, 1) else { continue };
        let line: String =
            (1..=first.days_in_month()).map(|day| kept.get(&day).copied().unwrap_or('.')).collect();
        let _ = write!(text, "\n{year}-{month:02}  {line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendar_shows_a_letter_for_each_day_that_has_a_point() {
        let days = [
            json!({ "date": "2026-02-01", "tag": "Monthly", "tiers": ["HardenedRP"] }),
            json!({ "date": "2026-02-26", "tag": "Daily", "tiers": ["HardenedRP"] }),
            json!({ "date": "2026-02-27", "tag": "Daily", "tiers": ["InstantRP", "HardenedRP"] }),
            // As a service of before says it.
            json!({ "date": "2026-02-28", "tag": "Newest" }),
        ];
        let text = calendar(&days);
        assert!(text.ends_with("2026-02  M........................DdN"), "{text}");
    }
}
