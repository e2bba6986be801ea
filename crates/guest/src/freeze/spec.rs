//! What is asked of a freeze.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::result::{FreezeCause, FreezeFailure};

/// Nobody may ask for a longer freeze: after that, software in the machine takes itself for dead.
pub const CEILING_MAX: Duration = Duration::from_secs(60);

/// Where the state of freezes is kept. In memory, and gone after a restart of the machine, just as a freeze is.
pub const STATE_FOLDER: &str = "/run/coffre-guest";

/// What to freeze, and for how long at most.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreezeSpec {
    /// Longest time from the first freeze to the thaw, whatever anybody does. 10 s unless told otherwise; more than
    /// zero, at most [`CEILING_MAX`].
    pub ceiling: Duration,
    /// Longest time for what comes before the first freeze: opening the directories, and writing out what is in memory.
    /// 60 s unless told otherwise.
    pub prepare: Duration,
    /// Mount points whose file systems are left alone. Exact paths; `/` is possible.
    pub skip: Vec<PathBuf>,
    /// When given, only what is mounted below this folder is frozen. For tests on a machine that must live on.
    pub only: Option<PathBuf>,
    /// Folder for the state, on a file system in memory. [`STATE_FOLDER`] unless told otherwise.
    pub state: PathBuf,
    /// The program that has the verb `freezer`. This program unless told otherwise.
    pub program: PathBuf,
}

impl Default for FreezeSpec {
    fn default() -> FreezeSpec {
        FreezeSpec {
            ceiling: Duration::from_secs(10),
            prepare: Duration::from_secs(60),
            skip: Vec::new(),
            only: None,
            state: STATE_FOLDER.into(),
            // Leads to this program even after an update has replaced the file.
            program: "/proc/self/exe".into(),
        }
    }
}

impl FreezeSpec {
    pub(super) fn check(&self) -> Result<(), FreezeFailure> {
        if self.ceiling.is_zero() || self.ceiling > CEILING_MAX {
            let what = format!("a ceiling of {:?} is not within 60 s", self.ceiling);
            return Err(FreezeFailure::new(FreezeCause::Failed, what));
        }
        Ok(())
    }
}
