//! The extension in the guest of a machine.

use std::sync::Arc;
use std::time::Duration;

use super::machine::{QemuMachine, lock};
use crate::agent::AgentClient;
use crate::extension::{
    Extension, ExtensionState, GuestLog, Installed, deliver, installed, read_log, upgrade_of,
};
use crate::{FabricError, OsType, Result};

/// How long an agent that is alive may take to answer.
const SYNC_TIMEOUT: Duration = Duration::from_secs(3);

/// Whether the extension can hold the guest for a point.
pub(super) enum Offer {
    /// It is in the guest.
    Ready {
        /// What this host offers.
        extension: Arc<Extension>,
        /// What is in the guest; it may be older.
        installed: Box<Installed>,
    },
    /// It cannot; the reason in words, or none when nobody expected it.
    No(Option<String>),
}

impl QemuMachine {
    /// Offers an extension to the guest.
    pub(super) fn offer(&self, extension: Option<Arc<Extension>>) {
        let mut known = lock(&self.extension);
        let first = known.0.is_none() && extension.is_some();
        known.0 = extension;
        if first {
            known.1 = ExtensionState::Absent;
        }
    }

    pub(super) fn offered(&self) -> Option<Arc<Extension>> {
        lock(&self.extension).0.clone()
    }

    pub(super) fn extension_state(&self) -> ExtensionState {
        lock(&self.extension).1.clone()
    }

    pub(super) fn extension_found(&self, version: &str) {
        lock(&self.extension).1 = ExtensionState::Installed { version: version.to_owned() };
    }

    pub(super) fn extension_failed(&self, version: Option<&str>, reason: &str) {
        let (version, reason) = (version.map(str::to_owned), reason.to_owned());
        lock(&self.extension).1 = ExtensionState::Failed { version, reason };
    }

    /// Makes the extension ready for a point; one that is missing is put there. Never an update: a backup runs.
    pub(super) fn ready_extension(&self, ask: bool) -> Offer {
        let Some(extension) = self.offered().filter(|_| ask) else { return Offer::No(None) };
        let Some(mut agent) = self.quick_agent() else { return Offer::No(None) };
        if self.os_type() != OsType::Linux {
            return Offer::No(None);
        }
        let found = match installed(&mut agent) {
            Some(found) => Ok(found),
            None => deliver(&mut agent, &extension),
        };
        match found {
            Ok(installed) => {
                self.extension_found(&installed.version);
                Offer::Ready { extension, installed: Box::new(installed) }
            }
            Err(reason) => {
                self.extension_failed(None, &reason);
                Offer::No(Some(format!("the extension is not there: {reason}")))
            }
        }
    }

    /// Puts the extension there, or a newer one in place of an older one.
    pub(super) fn install_extension(&self) -> ExtensionState {
        let Some(extension) = self.offered() else { return ExtensionState::NotOffered };
        let _channel = self.agent_channel();
        let Some(mut agent) = self.quick_agent() else { return self.extension_state() };
        if self.os_type() != OsType::Linux {
            return ExtensionState::NotOffered;
        }
        let before = installed(&mut agent);
        let result = match before {
            Some(found) if !upgrade_of(&found, &extension) => Ok(found),
            _ => deliver(&mut agent, &extension),
        };
        match result {
            Ok(installed) => self.extension_found(&installed.version),
            Err(reason) => {
                tracing::warn!(machine = self.name(), reason, "no extension in the guest");
                let version = installed(&mut agent).map(|found| found.version);
                self.extension_failed(version.as_deref(), &reason);
            }
        }
        self.extension_state()
    }

    /// What is in the guest, without changing it.
    pub(super) fn look_at_extension(&self, agent: &mut AgentClient) {
        let known = !matches!(self.extension_state(), ExtensionState::Absent);
        if self.offered().is_none() || known {
            return;
        }
        if let Some(found) = installed(agent) {
            self.extension_found(&found.version);
        }
    }

    /// The logs of the guest.
    pub(super) fn read_guest_logs(&self, bytes_max: usize) -> Result<Vec<GuestLog>> {
        let _channel = self.agent_channel();
        let Some(mut agent) = self.quick_agent() else {
            let name = self.name().to_owned();
            return Err(match self.qmp()? {
                Some(_) => FabricError::AgentSilent(name),
                None => FabricError::NotRunning(name),
            });
        };
        let name = installed(&mut agent).map(|found| found.name);
        let name = name.or_else(|| self.offered().map(|extension| extension.name.clone()));
        Ok(read_log(&mut agent, &name.unwrap_or_default(), bytes_max))
    }

    /// Thaws what a service that was killed left to the extension.
    pub(super) fn thaw_extension(&self) {
        let _channel = self.agent_channel();
        let Some(mut agent) = self.quick_agent() else { return };
        if let Some(found) = installed(&mut agent)
            && let Err(reason) = crate::extension::thaw_left(&mut agent, &found)
        {
            tracing::warn!(machine = self.name(), reason, "the extension cannot thaw");
        }
    }

    /// An agent that answers at once.
    fn quick_agent(&self) -> Option<AgentClient> {
        let mut agent = AgentClient::connect(&self.agent_socket()?).ok()?;
        agent.sync(SYNC_TIMEOUT).ok()?;
        Some(agent)
    }
}
