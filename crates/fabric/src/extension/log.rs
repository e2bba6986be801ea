//! The logs of a guest, read through its agent.

use serde::{Deserialize, Serialize};

use crate::agent::AgentClient;

/// Folder of the extension's log in a guest, before the handler's name.
const LOGS: &str = "/var/log/azure";

/// Name of the extension's log.
pub const EXTENSION_LOG: &str = "extension.log";

/// Log of the agent of Azure, where there is one.
const WAAGENT_LOG: &str = "/var/log/waagent.log";

/// One log of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestLog {
    /// Where it is in the guest.
    pub path: String,
    /// Its end, as text.
    pub text: String,
}

/// The ends of the logs that are there, this many bytes of each at most.
pub(crate) fn read_log(agent: &mut AgentClient, handler: &str, bytes_max: usize) -> Vec<GuestLog> {
    let paths = [format!("{LOGS}/{handler}/{EXTENSION_LOG}"), WAAGENT_LOG.to_owned()];
    let read = paths.into_iter().filter_map(|path| {
        // One that is not there is no error: most guests have only one of them.
        let bytes = agent.read_file_end(&path, bytes_max).ok()?;
        Some(GuestLog { path, text: String::from_utf8_lossy(&bytes).into_owned() })
    });
    read.collect()
}
