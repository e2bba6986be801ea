//! Resource ids and names as clients write them; how we write them stands in
//! [`coffre_control::resource_id`].

use coffre_control::id::SubscriptionId;
use coffre_control::model::{ProtectedItem, Vault, Vm};
pub(crate) use coffre_control::resource_id::{
    STORAGE_TYPE, VAULT_TYPE, VM_TYPE, container_id, container_name, group_id, item_id, item_name,
    job_id, policy_id, storage_id, vault_id, vm_id, vm_part,
};

use crate::http::path::Segments;
use crate::route;

/// Id of the VM that an item protects; the VM's row, when there is one, knows its casing.
pub(crate) fn source_id(vault: &Vault, item: &ProtectedItem, vm: Option<&Vm>) -> String {
    match vm {
        Some(vm) => vm_id(vm.subscription, &vm.group, &vm.name),
        None => vm_id(vault.subscription, &item.vm_group, &item.vm_name),
    }
}

/// A VM as an id or an item name refers to it; names in any casing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VmRef {
    /// Resource group.
    pub(crate) group: String,
    /// Name.
    pub(crate) name: String,
}

/// Reads the group and the VM from the names of a container and of an item in it. None when
/// either is malformed or they speak of different VMs.
pub(crate) fn parse_item_names(container: &str, item: &str) -> Option<VmRef> {
    let from_container = parse_part(container, "iaasvmcontainer")?;
    let from_item = parse_part(item, "vm")?;
    let same = from_container.group.eq_ignore_ascii_case(&from_item.group)
        && from_container.name.eq_ignore_ascii_case(&from_item.name);
    same.then_some(from_item)
}

fn parse_part(name: &str, prefix: &str) -> Option<VmRef> {
    let parts: Vec<&str> = name.split(';').collect();
    let &[kind, version, group, vm] = parts.as_slice() else { return None };
    let well_formed = kind.eq_ignore_ascii_case(prefix)
        && version.eq_ignore_ascii_case("iaasvmcontainerv2")
        && !group.is_empty()
        && !vm.is_empty();
    well_formed.then(|| VmRef { group: group.to_owned(), name: vm.to_owned() })
}

/// The subscription, the group and the name in the id of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResourceRef {
    /// Subscription, as written.
    pub(crate) subscription: String,
    /// Resource group, as written.
    pub(crate) group: String,
    /// Name, as written.
    pub(crate) name: String,
}

/// Reads the id of a resource of a type such as [`VM_TYPE`]; casing does not matter.
pub(crate) fn parse_resource_id(id: &str, kind: &str) -> Option<ResourceRef> {
    let pattern =
        format!("/subscriptions/{{sub}}/resourceGroups/{{group}}/providers/{kind}/{{name}}");
    let segments = Segments::parse(id).ok()?;
    let found = route::match_pattern(&pattern, segments.as_slice())?;
    let [subscription, group, name] = <[String; 3]>::try_from(found).ok()?;
    Some(ResourceRef { subscription, group, name })
}

/// Id of a deleted vault.
pub(crate) fn deleted_vault_id(vault: &Vault, name: &str) -> String {
    format!(
        "/subscriptions/{}/providers/Microsoft.RecoveryServices/locations/{}/deletedVaults/{name}",
        vault.subscription, vault.region
    )
}

/// Reads the name of a group from its id, or from the name itself. None when it is of another
/// subscription, or neither.
pub(crate) fn parse_group_id(subscription: SubscriptionId, text: &str) -> Option<String> {
    if !text.contains('/') {
        return (!text.is_empty()).then(|| text.to_owned());
    }
    let segments = Segments::parse(text).ok()?;
    let pattern = group_id(subscription, "{group}");
    route::match_pattern(&pattern, segments.as_slice())?.pop()
}

/// Reads the policy's name from the id of a policy of `vault`; none when it belongs elsewhere.
pub(crate) fn parse_policy_id(id: &str, vault: &Vault) -> Option<String> {
    let pattern = format!("{}/backupPolicies/{{name}}", vault_id(vault));
    let segments = Segments::parse(id).ok()?;
    route::match_pattern(&pattern, segments.as_slice())?.pop()
}

/// A region's name as Azure normalises it: no spaces, lower case (`East US` is `eastus`).
pub(crate) fn region_name(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn item_names_are_read_in_either_casing_and_must_agree() {
        let upper = parse_item_names(
            "IaasVMContainer;iaasvmcontainerv2;rg1;vm1",
            "VM;iaasvmcontainerv2;rg1;vm1",
        );
        let lower = parse_item_names(
            "iaasvmcontainer;iaasvmcontainerv2;RG1;vm1",
            "vm;iaasvmcontainerv2;rg1;VM1",
        );
        assert_eq!(upper, Some(VmRef { group: "rg1".into(), name: "vm1".into() }));
        assert!(lower.is_some());
        assert_eq!(
            parse_item_names(
                "IaasVMContainer;iaasvmcontainerv2;rg1;vm1",
                "VM;iaasvmcontainerv2;rg1;vm2"
            ),
            None
        );
        assert_eq!(
            parse_item_names(
                "IaasVMContainer;iaasvmcontainerv2;a;b;vm1",
                "VM;iaasvmcontainerv2;a;b;vm1"
            ),
            None
        );
    }

    #[test]
    fn resource_ids_are_read_in_any_casing() {
        let found = parse_resource_id(
            "/SUBSCRIPTIONS/s/resourcegroups/G/providers/microsoft.compute/VirtualMachines/v",
            VM_TYPE,
        );
        assert_eq!(
            found,
            Some(ResourceRef { subscription: "s".into(), group: "G".into(), name: "v".into() })
        );
        assert_eq!(
            parse_resource_id(
                "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/disks/v",
                VM_TYPE
            ),
            None
        );
    }

    #[test]
    fn regions_lose_spaces_and_capitals() {
        assert_eq!(region_name("East US 2"), "eastus2");
    }

    proptest! {
        #[test]
        fn what_is_built_is_read_back(group in "[a-z0-9._()-]{1,20}", vm in "[a-z0-9-]{1,20}") {
            let read = parse_item_names(&container_name(&group, &vm), &item_name(&group, &vm));
            prop_assert_eq!(read, Some(VmRef { group, name: vm }));
        }

        #[test]
        fn reading_never_panics(a in ".{0,80}", b in ".{0,80}") {
            let _ = parse_item_names(&a, &b);
            let _ = parse_resource_id(&a, VM_TYPE);
        }
    }
}
