//! Our extension in a machine, as Azure shows extensions.

use coffre_control::model::{ExtensionState, OsType, Vm};
use serde_json::{Value, json};

use super::{put, resource, time};

/// Who publishes it.
const PUBLISHER: &str = "Microsoft.Azure.RecoveryServices";

/// Its type, which is also its name in a machine.
const TYPE: &str = "VMSnapshotLinux";

/// The kind of resource.
const KIND: &str = "Microsoft.Compute/virtualMachines/extensions";

/// How it is with the extension: version, state, words.
struct Found<'a> {
    version: Option<&'a str>,
    state: &'static str,
    words: String,
}

fn found(vm: &Vm) -> Option<Found<'_>> {
    if vm.os_type != OsType::Linux {
        return None;
    }
    match &vm.extension {
        ExtensionState::NotOffered | ExtensionState::Absent => None,
        ExtensionState::Installed { version } => Some(Found {
            version: Some(version),
            state: "Succeeded",
            words: "The extension is ready.".to_owned(),
        }),
        ExtensionState::Failed { version, reason } => Some(Found {
            version: version.as_deref(),
            state: "Failed",
            words: format!("The last use failed: {reason}."),
        }),
    }
}

/// Major and minor number, as resources name a version.
fn short(version: Option<&str>) -> String {
    let parts: Vec<&str> = version.unwrap_or("0.0").split('.').take(2).collect();
    parts.join(".")
}

/// The extensions of a machine; the id of the machine is given. None or one.
pub(crate) fn extensions(vm: &Vm, vm_id: &str) -> Vec<Value> {
    let Some(found) = found(vm) else { return Vec::new() };
    let properties = json!({
        "publisher": PUBLISHER,
        "type": TYPE,
        "typeHandlerVersion": short(found.version),
        // Never while a backup of the machine runs.
        "autoUpgradeMinorVersion": true,
        "enableAutomaticUpgrade": true,
        "provisioningState": found.state,
        "settings": {},
        "instanceView": view(vm, &found),
    });
    let mut body = resource(format!("{vm_id}/extensions/{TYPE}"), TYPE, KIND, properties);
    put(&mut body, "location", Some(json!(vm.region)));
    vec![body]
}

/// What the extensions of a machine say, for its instance view.
pub(super) fn instance_views(vm: &Vm) -> Vec<Value> {
    found(vm).map(|found| view(vm, &found)).into_iter().collect()
}

fn view(vm: &Vm, found: &Found<'_>) -> Value {
    let failed = found.state == "Failed";
    json!({
        "name": TYPE,
        "type": format!("{PUBLISHER}.{TYPE}"),
        "typeHandlerVersion": found.version.unwrap_or("Unknown"),
        "statuses": [{
            "code": format!("ProvisioningState/{}", found.state.to_lowercase()),
            "level": if failed { "Error" } else { "Info" },
            "displayStatus": format!("Provisioning {}", found.state.to_lowercase()),
            "message": found.words,
            "time": time(vm.seen),
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn a_version_is_cut_to_two_numbers() {
        assert_eq!(short(Some("1.0.12.3")), "1.0");
        assert_eq!(short(None), "0.0");
    }
}
