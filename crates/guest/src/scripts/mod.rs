//! Scripts of the administrator before and after a point.
//!
//! A script is opened without following any link, by folders that only root can change, and what was opened is what
//! runs. It runs in a process group of its own, under a runner: a process that takes its output (and throws away what
//! is too much), kills the whole group when the time is over, and does so even if the extension itself is killed. What
//! is owed to a script before the point, namely its counterpart after it, is written down before it starts; whoever
//! comes after a crash pays it ([`recover`]).
//!
//! `docs/guest-freeze.md` shows the configuration.

mod config;
mod execute;
mod owed;
mod runner;
mod trusted;
mod words;
mod workload;

use std::path::PathBuf;

#[cfg(any(test, fuzzing))]
pub(crate) use config::fuzz;
pub use config::{Plugin, Precheck, precheck};
pub use owed::{Owed, recover};
pub use runner::{is_verb, run};
pub(crate) use workload::TEMPLATE;
#[cfg(any(test, fuzzing))]
pub(crate) use workload::fuzz as workload_fuzz;
pub use workload::{Workload, workload};

/// Where things are.
#[derive(Debug, Clone)]
pub struct ScriptFiles {
    /// Settings of the host of plugins; usually there is none. `/etc/azure/VMSnapshotPluginHost.conf`.
    pub host: PathBuf,
    /// Which scripts. `/etc/azure/VMSnapshotScriptPluginConfig.json`.
    pub plugin: PathBuf,
    /// Which database. `/etc/azure/workload.conf`.
    pub workload: PathBuf,
    /// Folder, in memory, for what is owed. After a restart of the machine nothing is.
    pub state: PathBuf,
    /// The program that has the verb `run-script`. This program unless told otherwise.
    pub program: PathBuf,
}

impl Default for ScriptFiles {
    fn default() -> ScriptFiles {
        ScriptFiles {
            host: "/etc/azure/VMSnapshotPluginHost.conf".into(),
            plugin: "/etc/azure/VMSnapshotScriptPluginConfig.json".into(),
            workload: "/etc/azure/workload.conf".into(),
            state: "/run/coffre-guest/scripts".into(),
            program: "/proc/self/exe".into(),
        }
    }
}

/// Why scripts were not run, or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{what}")]
pub struct ScriptFault {
    /// The number that the extension reports: 300 to 317; of a database, 500 to 512.
    pub code: u16,
    /// What happened, with paths; ends with the last line that the script wrote.
    pub what: String,
    /// What the script wrote, at most [`OUTPUT_MAX`] bytes.
    pub output: String,
}

impl ScriptFault {
    fn new(code: u16, what: impl Into<String>) -> ScriptFault {
        ScriptFault { code, what: what.into(), output: String::new() }
    }
}

/// A script that succeeded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ran {
    /// What it wrote, at most [`OUTPUT_MAX`] bytes.
    pub output: String,
    /// How often it was started: one, and one for each retry.
    pub starts: u32,
}

/// Bytes of a script's output that are kept: the first ones. It may write as much as it likes.
pub const OUTPUT_MAX: usize = 64 * 1024;

/// One of the two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Phase {
    Pre,
    Post,
}

impl Phase {
    /// The word in messages and in the script's environment.
    fn name(self) -> &'static str {
        if self == Phase::Pre { "pre" } else { "post" }
    }

    fn code(self, pre: u16, post: u16) -> u16 {
        if self == Phase::Pre { pre } else { post }
    }
}
