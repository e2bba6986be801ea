//! Shapes of machines, of their extensions and disks, and of storage accounts.

use serde_json::Value;

use super::shape::{
    Shapes, anything, boolean, exactly, guid, id, list, named, object, one_of, text, time, tracked,
    url, whole, with, word,
};

pub(super) fn all() -> Shapes {
    vec![
        ("VirtualMachine", tracked("Microsoft.Compute/virtualMachines", machine())),
        ("InstanceView", instance_view()),
        ("Extension", tracked("Microsoft.Compute/virtualMachines/extensions", extension())),
        ("GuestLog", object([("path", word()), ("text", text())])),
        ("StorageAccount", account()),
    ]
}

fn machine() -> Value {
    let os_disk = object([
        ("osType", one_of(&["Linux", "Windows"])),
        ("createOption", exactly("Attach")),
        ("caching", exactly("None")),
        ("deleteOption", exactly("Detach")),
        ("name?", text()),
        ("managedDisk?", managed()),
        ("diskSizeGB?", whole()),
    ]);
    let data_disk = object([
        ("lun", whole()),
        ("name", text()),
        ("createOption", exactly("Attach")),
        ("caching", exactly("None")),
        ("deleteOption", exactly("Detach")),
        ("managedDisk", managed()),
        ("diskSizeGB", whole()),
    ]);
    object([
        ("vmId", guid()),
        ("provisioningState", exactly("Succeeded")),
        ("hardwareProfile", object([("vmSize", word())])),
        ("storageProfile", object([("osDisk", os_disk), ("dataDisks", list(data_disk))])),
        ("osProfile", object([("computerName", word())])),
        ("networkProfile", object([("networkInterfaces", list(anything()))])),
        ("timeCreated", time()),
        ("instanceView?", named("InstanceView")),
    ])
}

fn managed() -> Value {
    object([("id", id()), ("storageAccountType", word())])
}

fn status() -> Value {
    object([
        ("code", word()),
        ("level", one_of(&["Info", "Warning", "Error"])),
        ("displayStatus", word()),
        ("message?", text()),
        ("time?", time()),
    ])
}

fn instance_view() -> Value {
    let agent = object([("vmAgentVersion", word()), ("statuses", list(status()))]);
    let disk = object([("name", text()), ("statuses", list(status()))]);
    object([
        ("computerName", word()),
        ("osName", word()),
        ("vmAgent", agent),
        ("disks", list(disk)),
        ("extensions", list(extension_view())),
        ("statuses", list(status())),
    ])
}

fn extension_view() -> Value {
    object([
        ("name", word()),
        ("type", word()),
        ("typeHandlerVersion", word()),
        ("statuses", list(status())),
    ])
}

fn extension() -> Value {
    object([
        ("publisher", word()),
        ("type", word()),
        ("typeHandlerVersion", word()),
        ("autoUpgradeMinorVersion", boolean()),
        ("enableAutomaticUpgrade", boolean()),
        ("provisioningState", one_of(&["Succeeded", "Failed"])),
        ("settings", anything()),
        ("instanceView", extension_view()),
    ])
}

fn account() -> Value {
    let properties = object([
        ("provisioningState", exactly("Succeeded")),
        ("primaryLocation", word()),
        ("statusOfPrimary", exactly("available")),
        ("supportsHttpsTrafficOnly", boolean()),
        ("primaryEndpoints", object([("blob", url())])),
    ]);
    let sku = object([("name", word()), ("tier", word())]);
    let shape = with(tracked("Microsoft.Storage/storageAccounts", properties), "sku", sku);
    with(shape, "kind", exactly("StorageV2"))
}
