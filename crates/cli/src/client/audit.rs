//! `coffre audit list|verify`: who changed what, and whether anybody tampered with that.

use std::process::ExitCode;

use ureq::http::Method;

use super::Verb;
use super::api::{Api, empty};
use crate::say::{self, Column, Format};

/// The audit of the service.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AuditVerb {
    /// Lists the newest records.
    List,
    /// Follows the chain of digests; ends with 1 when a record was changed or removed.
    Verify,
}

const RECORDS: &[Column] = &[
    ("Time", "/properties/time"),
    ("Who", "/properties/principalName"),
    ("What", "/properties/operation"),
    ("To what", "/properties/target"),
];
const CHAIN: &[Column] = &[
    ("Intact", "/intact"),
    ("Records", "/records"),
    ("Head", "/head"),
    ("Broken at", "/brokenAt"),
];

impl Verb for AuditVerb {
    fn run(self, api: &Api, format: Format) -> anyhow::Result<ExitCode> {
        let root = "/providers/Microsoft.Coffre/audit";
        match self {
            AuditVerb::List => {
                let answer = api.change(&Method::POST, &format!("{root}/list"), Some(&empty()))?;
                let rows = answer["value"].as_array().cloned().unwrap_or_default();
                say::list(format, &rows, RECORDS)?;
                Ok(ExitCode::SUCCESS)
            }
            AuditVerb::Verify => {
                let answer =
                    api.change(&Method::POST, &format!("{root}/verify"), Some(&empty()))?;
                say::one(format, &answer, CHAIN)?;
                let intact = answer["intact"] == true;
                Ok(if intact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
        }
    }
}
