//! Subscriptions, groups, regions, storage accounts, and entries of the list of resources.

use std::collections::BTreeMap;

use coffre_control::model::{
    Record, Region, ResourceGroup, StorageAccount, Subscription, Vault, Vm,
};
use serde_json::{Value, json};

use super::{put, resource};
use crate::names::{STORAGE_TYPE, VAULT_TYPE, VM_TYPE, group_id, storage_id, vault_id, vm_id};

/// A subscription.
pub(crate) fn subscription(subscription: &Subscription) -> Value {
    json!({
        "id": format!("/subscriptions/{}", subscription.id),
        "subscriptionId": subscription.id,
        "displayName": subscription.name,
        "state": "Enabled",
        "tenantId": subscription.tenant,
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "Internal_2014-09-01",
            "spendingLimit": "Off",
        },
    })
}

/// A tenant.
pub(crate) fn tenant(id: impl std::fmt::Display, name: &str) -> Value {
    json!({
        "id": format!("/tenants/{id}"),
        "tenantId": id.to_string(),
        "displayName": name,
        "defaultDomain": "coffre.local",
        "domains": ["coffre.local"],
        "tenantCategory": "Home",
        "tenantType": "AAD",
        "countryCode": "",
    })
}

/// A resource group.
pub(crate) fn group(group: &ResourceGroup) -> Value {
    let mut body = resource(
        group_id(group.subscription, &group.name),
        &group.name,
        "Microsoft.Resources/resourceGroups",
        json!({ "provisioningState": "Succeeded" }),
    );
    put(&mut body, "location", Some(json!(group.region)));
    put(&mut body, "tags", (!group.tags.is_empty()).then(|| json!(group.tags)));
    body
}

/// A region.
pub(crate) fn region(subscription: &Subscription, region: &Region) -> Value {
    let id = format!("/subscriptions/{}/locations/{}", subscription.id, region.name);
    let paired = region.paired.iter().map(|name| {
        json!({ "name": name, "id": format!("/subscriptions/{}/locations/{name}", subscription.id) })
    });
    json!({
        "id": id,
        "name": region.name,
        "type": "Region",
        "displayName": region.display_name,
        "regionalDisplayName": region.display_name,
        "metadata": {
            "regionType": "Physical",
            "regionCategory": "Recommended",
            "geographyGroup": "Local",
            "pairedRegion": paired.collect::<Vec<_>>(),
        },
    })
}

/// A storage account; `public_url` is where its (unused) endpoints would be.
pub(crate) fn storage_account(account: &StorageAccount, public_url: &str) -> Value {
    let mut body = resource(
        storage_id(account.subscription, &account.group, &account.name),
        &account.name,
        STORAGE_TYPE,
        json!({
            "provisioningState": "Succeeded",
            "primaryLocation": account.region,
            "statusOfPrimary": "available",
            "supportsHttpsTrafficOnly": true,
            "primaryEndpoints": { "blob": format!("{public_url}/storage/{}/", account.name) },
        }),
    );
    put(&mut body, "location", Some(json!(account.region)));
    put(&mut body, "kind", Some(json!("StorageV2")));
    put(&mut body, "sku", Some(json!({ "name": "Standard_LRS", "tier": "Standard" })));
    body
}

/// An entry of the list of all resources, with what a filter may ask about it.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    /// The resource group.
    pub(crate) group: String,
    /// The full type.
    pub(crate) kind: String,
    /// The name.
    pub(crate) name: String,
    /// The region.
    pub(crate) region: String,
    /// Tags by name.
    pub(crate) tags: Vec<(String, String)>,
    /// The entry.
    pub(crate) body: Value,
}

impl Listed {
    /// A vault.
    pub(crate) fn vault(vault: &Vault) -> Listed {
        let tags = vault.tags.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut listed = Listed::new(
            vault_id(vault),
            &vault.group,
            VAULT_TYPE,
            &vault.name,
            &vault.region,
            tags,
        );
        put(&mut listed.body, "sku", Some(json!({ "name": "Standard" })));
        listed
    }

    /// A VM.
    pub(crate) fn vm(vm: &Vm) -> Listed {
        let id = vm_id(vm.subscription, &vm.group, &vm.name);
        Listed::new(id, &vm.group, VM_TYPE, &vm.name, &vm.region, Vec::new())
    }

    /// A storage account.
    pub(crate) fn storage_account(account: &StorageAccount) -> Listed {
        let id = storage_id(account.subscription, &account.group, &account.name);
        let (group, name) = (&account.group, &account.name);
        Listed::new(id, group, STORAGE_TYPE, name, &account.region, Vec::new())
    }

    /// A resource that is kept as it came.
    pub(crate) fn kept(record: &Record) -> Option<Listed> {
        let content = &record.content;
        let (kind, name) = record.name.rsplit_once('/')?;
        let group = record.scope.rsplit('/').next()?;
        let tags = content["tags"].as_object().into_iter().flatten();
        let tags = tags.filter_map(|(name, it)| Some((name.clone(), it.as_str()?.to_owned())));
        let id = content["id"].as_str()?.to_owned();
        let region = content["location"].as_str().unwrap_or_default();
        Some(Listed::new(id, group, kind, name, region, tags.collect()))
    }

    /// Adds the tags that are kept beside the resource.
    pub(crate) fn add_tags(&mut self, kept: &BTreeMap<String, BTreeMap<String, String>>) {
        let id = self.body["id"].as_str().unwrap_or_default().to_ascii_lowercase();
        if let Some(tags) = kept.get(&id).filter(|it| !it.is_empty()) {
            self.tags = tags.iter().map(|(name, it)| (name.clone(), it.clone())).collect();
            self.body["tags"] = json!(tags);
        }
    }

    fn new(
        id: String,
        group: &str,
        kind: &str,
        name: &str,
        region: &str,
        tags: Vec<(String, String)>,
    ) -> Listed {
        let mut body = json!({ "id": id, "name": name, "type": kind, "location": region });
        let map: serde_json::Map<_, _> =
            tags.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        put(&mut body, "tags", (!map.is_empty()).then_some(Value::Object(map)));
        Listed {
            group: group.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            region: region.to_owned(),
            tags,
            body,
        }
    }
}
