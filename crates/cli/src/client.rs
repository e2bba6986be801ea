//! Client verbs: the same work as `az`, over the same API, for machines that have no `az`.

mod api;
mod audit;
mod item;
mod job;
mod policy;
mod profile;
mod restore;
mod vault;
mod vm;

pub(crate) use api::Api;
pub(crate) use audit::AuditVerb;
pub(crate) use item::{ItemVerb, PointVerb, ProtectionVerb};
pub(crate) use job::JobVerb;
pub(crate) use policy::{ClockVerb, PolicyVerb};
pub(crate) use profile::{LoginArgs, SERVICE_FILE, ServiceInfo, login};
pub(crate) use restore::RestoreVerb;
pub(crate) use vault::{ArmVaultCreate, create, list as vault_list, show as vault_show};
pub(crate) use vm::{GroupVerb, VmVerb};

use std::process::ExitCode;

use crate::say::Format;

/// Something that a client verb does.
pub(crate) trait Verb {
    /// Does it.
    fn run(self, api: &Api, format: Format) -> anyhow::Result<ExitCode>;
}

/// Signs in with the saved profile and does the verb.
pub(crate) fn run(verb: impl Verb, format: Format) -> anyhow::Result<ExitCode> {
    let api = Api::from_profile()?;
    verb.run(&api, format)
}
