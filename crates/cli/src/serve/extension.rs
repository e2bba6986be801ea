//! The extension for guests: read once, verified before it is unpacked, and kept current in guests that nobody backs up
//! just now.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use coffre_control::id::VmId;
use coffre_control::model::{AgentState, ExtensionState, OsType, PowerState};
use coffre_fabric::extension::{Extension, ExtensionFile, GuestLog, Handler};
use coffre_guest::package::{Content, Package, TrustedKey};
use tracing::{info, warn};

use super::config;
use super::discovery;
use super::service::Service;

/// Between two looks at what guests have.
const PAUSE: Duration = Duration::from_secs(20);

/// The end of a guest's log that is read, in bytes.
const LOG_BYTES_MAX: usize = 256 << 10;

/// A guest that could not have it is not bothered again so soon.
const AGAIN: Duration = Duration::from_secs(15 * 60);

/// Reads the package of the configuration. A package that is unsigned or changed is refused, and the service with it.
pub(crate) fn load(wanted: &config::Extension) -> anyhow::Result<Arc<Extension>> {
    let path = &wanted.package;
    let bytes =
        std::fs::read(path).with_context(|| format!("read the extension {}", path.display()))?;
    let keys: Result<Vec<TrustedKey>, _> = wanted.trust.iter().map(|text| text.parse()).collect();
    let keys = keys.context("understand extension.trust")?;
    ensure!(!keys.is_empty(), "extension.trust names no key");
    let package = Package::verify(&bytes, &keys)
        .with_context(|| format!("refused the extension {}", path.display()))?;
    let contents = package.contents().with_context(|| format!("unpack {}", path.display()))?;
    let files: Vec<ExtensionFile> = contents
        .into_iter()
        .map(|Content { path, sha256, bytes }| ExtensionFile { path, sha256, bytes: bytes.into() })
        .collect();
    let manifest = files.iter().find(|file| file.path == "HandlerManifest.json");
    let handler = manifest.and_then(|file| Handler::parse(&file.bytes));
    let handler = handler.context("the extension has no usable HandlerManifest.json")?;
    info!(
        name = package.manifest.name,
        version = package.manifest.version,
        "offering the extension"
    );
    Ok(Arc::new(Extension {
        name: package.manifest.name.clone(),
        version: package.manifest.version.clone(),
        digest: package.digest(),
        handler,
        files,
        seal: Arc::new(|plain, certificate| {
            coffre_guest::cms::seal(plain, certificate.as_bytes())
                .map_err(|error| error.to_string())
        }),
    }))
}

/// Puts the extension into guests of protected machines that run, and newer versions in place of older ones, until the
/// service stops. A machine that is being backed up is left alone: it says itself that it is busy.
pub(crate) fn run(service: &Service, version: &str) {
    let mut tried: HashMap<VmId, Instant> = HashMap::new();
    while !service.is_stopping() {
        let heard = service.bell.heard();
        for (vm, name) in wanting(service, version) {
            if tried.get(&vm).is_some_and(|at| at.elapsed() < AGAIN) || service.is_stopping() {
                continue;
            }
            tried.insert(vm, Instant::now());
            let machine = service.hypervisors.machine(vm.uuid());
            match machine.and_then(|machine| machine.prepare_extension()) {
                Ok(state) => info!(vm = name, ?state, "looked after the extension"),
                Err(error) => warn!(vm = name, %error, "cannot look after the extension"),
            }
        }
        discovery::sleep(service, heard, PAUSE);
    }
}

/// The logs of a guest, as they are now, or why they cannot be read.
pub(crate) fn guest_logs(service: &Service, vm: VmId) -> Result<Vec<GuestLog>, String> {
    let machine = service.hypervisors.machine(vm.uuid());
    machine.and_then(|machine| machine.guest_logs(LOG_BYTES_MAX)).map_err(|error| {
        warn!(%error, "cannot read the logs of a guest");
        error.to_string()
    })
}

/// Protected machines that run, have no job, and lack this version.
fn wanting(service: &Service, version: &str) -> Vec<(VmId, String)> {
    let found = service.read("machines that want the extension", |tx| {
        let mut wanting = Vec::new();
        for subscription in tx.subscriptions()? {
            for vm in tx.vms(subscription.id)? {
                let current = matches!(&vm.extension, ExtensionState::Installed { version: found } if found == version);
                let able = vm.os_type == OsType::Linux
                    && vm.power == PowerState::Running
                    && matches!(vm.agent, AgentState::Ready { .. });
                if current || !able {
                    continue;
                }
                if let Some(item) = tx.item_of_vm(vm.id)?
                    && tx.running_job(item.id)?.is_none()
                {
                    wanting.push((vm.id, vm.name));
                }
            }
        }
        Ok(wanting)
    });
    found.unwrap_or_else(|refusal| {
        warn!(%refusal, "cannot list the machines");
        Vec::new()
    })
}
