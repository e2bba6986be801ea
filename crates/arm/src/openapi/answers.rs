//! What each operation answers when it succeeds: the statuses, and the shape of the body of each.

use axum::http::Method;

use Body::{Nothing, One, Page};

/// The body of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// None.
    Nothing,
    /// This shape.
    One(&'static str),
    /// A page of a list of this shape.
    Page(&'static str),
}

/// Statuses of success and their bodies.
pub(super) type Answers = &'static [(u16, Body)];

/// Beginnings of patterns and what stands for them in [`ANSWERS`]; longer ones first.
const SHORT: &[(&str, &str)] = &[
    (
        "/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.RecoveryServices/vaults/{vault}/backupFabrics/{fabric}/protectionContainers/{container}/protectedItems/{item}",
        "~I",
    ),
    (
        "/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.RecoveryServices/vaults/{vault}",
        "~V",
    ),
    (
        "/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{vm}",
        "~M",
    ),
    ("/subscriptions/{sub}/resourceGroups/{group}/providers/{namespace}/{kind}/{name}", "~R"),
    ("/subscriptions/{sub}/resourceGroups/{group}", "~G"),
    ("/subscriptions/{sub}", "~S"),
];

/// What an operation answers. What is the same at a subscription, a group and a resource stands in
/// the table once, below `~*`.
pub(super) fn of(method: &Method, pattern: &str) -> Option<Answers> {
    entry(method, pattern).map(|(_, answers)| *answers)
}

fn entry(method: &Method, pattern: &str) -> Option<&'static (&'static str, Answers)> {
    let (sign, rest) = SHORT
        .iter()
        .find_map(|(long, short)| Some((*short, pattern.strip_prefix(long)?)))
        .unwrap_or(("", pattern));
    let named = |sign: &str| {
        let wanted = format!("{method} {sign}{rest}");
        ANSWERS.iter().find(|(key, _)| *key == wanted)
    };
    named(sign).or_else(|| named("~*"))
}

/// The shapes of which there are lists.
pub(super) fn listed() -> impl Iterator<Item = &'static str> {
    let bodies = ANSWERS.iter().flat_map(|(_, answers)| answers.iter());
    bodies.filter_map(|(_, body)| match body {
        Page(name) => Some(*name),
        Nothing | One(_) => None,
    })
}

/// GET that answers 200 with one shape.
macro_rules! one {
    ($shape:literal) => {
        &[(200, One($shape))]
    };
}

/// GET that answers 200 with a page.
macro_rules! page {
    ($shape:literal) => {
        &[(200, Page($shape))]
    };
}

/// PUT: 201 when it is new, else 200.
macro_rules! put {
    ($shape:literal) => {
        &[(200, One($shape)), (201, One($shape))]
    };
}

const GONE: Answers = &[(204, Nothing)];
const ACCEPTED: Answers = &[(202, Nothing)];
const RESULT: Answers = &[(202, Nothing), (204, Nothing)];

#[rustfmt::skip] // A table; one line is one operation.
static ANSWERS: &[(&str, Answers)] = &[
    ("GET /metadata/endpoints", one!("CloudMetadata")),
    ("GET /metadata/images", one!("ImageAliases")),
    ("GET /adfs/.well-known/openid-configuration", one!("OpenIdConfiguration")),
    ("GET /{tenant}/v2.0/.well-known/openid-configuration", one!("OpenIdConfiguration")),
    ("GET /adfs/discovery/keys", one!("Keys")),
    ("GET /discovery/v2.0/keys", one!("Keys")),
    ("GET /common/userrealm/{user}", one!("UserRealm")),
    ("POST /adfs/oauth2/token", one!("Token")),
    ("POST /{tenant}/oauth2/v2.0/token", one!("Token")),
    ("POST /adfs/oauth2/devicecode", one!("DeviceCode")),
    ("POST /{tenant}/oauth2/v2.0/devicecode", one!("DeviceCode")),
    // Tenants, subscriptions, groups, resources.
    ("GET /tenants", page!("Tenant")),
    ("GET /subscriptions", one!("Subscriptions")),
    ("GET /providers/Microsoft.RecoveryServices/operations", page!("Empty")),
    ("GET ~S", one!("Subscription")),
    ("GET ~S/locations", page!("Region")),
    ("GET ~S/providers", page!("Provider")),
    ("GET ~S/providers/{namespace}", one!("Provider")),
    ("POST ~S/providers/{namespace}/register", one!("Provider")),
    ("GET ~*/resources", page!("Listed")),
    ("GET ~S/resourceGroups", page!("Group")),
    ("GET ~G", one!("Group")),
    ("HEAD ~G", GONE),
    ("PUT ~G", put!("Group")),
    ("PATCH ~G", one!("Group")),
    ("DELETE ~G", one!("Empty")),
    ("GET ~*/providers/{namespace}/{kind}", page!("Kept")),
    ("GET ~R", one!("Kept")),
    ("PUT ~R", put!("Kept")),
    ("DELETE ~R", GONE),
    ("GET ~R/{part}/{child}", one!("Part")),
    // Machines and accounts.
    ("GET ~*/providers/Microsoft.Compute/virtualMachines", page!("VirtualMachine")),
    ("GET ~S/providers/Microsoft.Compute/locations/{location}/virtualMachines", page!("VirtualMachine")),
    ("GET ~S/providers/Microsoft.Compute/locations/{location}/operations/{operation}", &[(200, One("PowerOperation")), (202, Nothing)]),
    ("GET ~M", one!("VirtualMachine")),
    ("PUT ~M", one!("VirtualMachine")),
    ("PATCH ~M", one!("VirtualMachine")),
    ("GET ~M/instanceView", one!("InstanceView")),
    ("GET ~M/extensions", page!("Extension")),
    ("GET ~M/extensions/{extension}", one!("Extension")),
    ("GET ~M/extensions/{extension}/logs", page!("GuestLog")),
    ("POST ~M/start", ACCEPTED),
    ("POST ~M/deallocate", ACCEPTED),
    ("POST ~M/powerOff", ACCEPTED),
    ("GET ~*/providers/Microsoft.Storage/storageAccounts", page!("StorageAccount")),
    ("GET ~G/providers/Microsoft.Storage/storageAccounts/{account}", one!("StorageAccount")),
    // Never there, so that the commands look for the other kind of account.
    ("GET ~G/providers/Microsoft.ClassicStorage/storageAccounts/{account}", &[]),
    // Vaults.
    ("GET ~*/providers/Microsoft.RecoveryServices/vaults", page!("Vault")),
    ("POST ~S/providers/Microsoft.RecoveryServices/locations/{location}/backupStatus", one!("BackupStatus")),
    ("POST ~S/providers/Microsoft.RecoveryServices/locations/{location}/backupValidateFeatures", one!("FeatureSupport")),
    ("GET ~S/providers/Microsoft.RecoveryServices/locations/{location}/deletedVaults", page!("DeletedVault")),
    ("GET ~S/providers/Microsoft.RecoveryServices/locations/{location}/deletedVaults/{deleted}", one!("DeletedVault")),
    ("POST ~S/providers/Microsoft.RecoveryServices/locations/{location}/deletedVaults/{deleted}/undelete", ACCEPTED),
    ("GET ~S/providers/Microsoft.RecoveryServices/locations/{location}/deletedVaults/{deleted}/operations/{operation}", one!("Operation")),
    ("POST ~S/providers/Microsoft.RecoveryServices/confirmClock", one!("ClockConfirmed")),
    ("POST ~G/providers/Microsoft.RecoveryServices/locations/{location}/checkNameAvailability", one!("NameAvailability")),
    ("GET ~V", one!("Vault")),
    ("PUT ~V", put!("Vault")),
    ("PATCH ~V", one!("Vault")),
    ("DELETE ~V", GONE),
    ("GET ~V/usages", page!("Usage")),
    ("GET ~V/backupUsageSummaries", page!("Usage")),
    ("GET ~V/replicationUsages", page!("Empty")),
    ("GET ~V/backupstorageconfig/vaultstorageconfig", one!("StorageConfig")),
    ("PUT ~V/backupstorageconfig/vaultstorageconfig", one!("StorageConfig")),
    ("PATCH ~V/backupstorageconfig/vaultstorageconfig", GONE),
    ("GET ~V/backupconfig/vaultconfig", one!("VaultConfig")),
    ("PUT ~V/backupconfig/vaultconfig", one!("VaultConfig")),
    ("PATCH ~V/backupconfig/vaultconfig", one!("VaultConfig")),
    ("GET ~V/backupEncryptionConfigs/backupResourceEncryptionConfig", one!("EncryptionConfig")),
    ("GET ~V/backupCostReport", page!("Cost")),
    // Guards.
    ("GET ~V/backupResourceGuardProxies", page!("GuardProxy")),
    ("GET ~V/backupResourceGuardProxies/{proxy}", one!("GuardProxy")),
    ("PUT ~V/backupResourceGuardProxies/{proxy}", one!("GuardProxy")),
    ("DELETE ~V/backupResourceGuardProxies/{proxy}", &[(200, One("Empty")), (204, Nothing)]),
    ("POST ~V/backupResourceGuardProxies/{proxy}/unlockDelete", one!("UnlockDelete")),
    ("GET ~V/backupApprovals", page!("Approval")),
    ("POST ~V/backupApprovals/{approval}/grant", one!("Approval")),
    ("POST ~V/backupApprovals/{approval}/refuse", one!("Approval")),
    ("GET ~*/providers/Microsoft.DataProtection/resourceGuards", page!("ResourceGuard")),
    ("GET ~G/providers/Microsoft.DataProtection/resourceGuards/{guard}", one!("ResourceGuard")),
    ("PUT ~G/providers/Microsoft.DataProtection/resourceGuards/{guard}", put!("ResourceGuard")),
    ("DELETE ~G/providers/Microsoft.DataProtection/resourceGuards/{guard}", one!("Empty")),
    // Policies.
    ("GET ~V/backupPolicies", page!("Policy")),
    ("GET ~V/backupPolicies/{policy}", one!("Policy")),
    ("PUT ~V/backupPolicies/{policy}", one!("Policy")),
    ("DELETE ~V/backupPolicies/{policy}", GONE),
    ("POST ~V/backupPolicies/{policy}/simulate", one!("Simulation")),
    // Containers and items.
    ("GET ~V/backupProtectableItems", page!("ProtectableItem")),
    ("GET ~V/backupProtectionContainers", page!("Container")),
    ("GET ~V/backupDeletedProtectionContainers", page!("Container")),
    ("POST ~V/backupFabrics/{fabric}/refreshContainers", ACCEPTED),
    ("GET ~V/backupFabrics/{fabric}/operationResults/{operation}", RESULT),
    ("GET ~V/backupFabrics/{fabric}/protectionContainers/{container}", one!("Container")),
    ("GET ~V/backupProtectedItems", page!("ProtectedItem")),
    ("GET ~I", one!("ProtectedItem")),
    ("PUT ~I", ACCEPTED),
    ("DELETE ~I", RESULT),
    ("POST ~I/backup", ACCEPTED),
    ("GET ~I/operationsStatus/{operation}", one!("Operation")),
    ("GET ~I/operationResults/{operation}", &[(200, One("ProtectedItem")), (202, Nothing), (204, Nothing)]),
    ("GET ~I/nextRun", one!("NextRun")),
    // Points.
    ("POST ~I/recoveryPointsRecommendedForMove", page!("RecoveryPoint")),
    ("GET ~I/recoveryPoints", page!("RecoveryPoint")),
    ("GET ~I/recoveryPoints/{point}", one!("RecoveryPoint")),
    ("DELETE ~I/recoveryPoints/{point}", one!("RecoveryPoint")),
    ("POST ~I/recoveryPoints/{point}/undelete", one!("RecoveryPoint")),
    ("POST ~I/recoveryPoints/{point}/restore", ACCEPTED),
    ("POST ~I/recoveryPoints/{point}/provisionInstantItemRecovery", ACCEPTED),
    ("POST ~I/recoveryPoints/{point}/listInstantItemRecoveryOperationResult", one!("FileScripts")),
    ("POST ~I/recoveryPoints/{point}/revokeInstantItemRecovery", ACCEPTED),
    // Jobs and operations.
    ("GET ~V/backupJobs", page!("Job")),
    ("GET ~V/backupJobs/{job}", one!("JobDetail")),
    ("POST ~V/backupJobs/{job}/retry", one!("Retry")),
    ("POST ~V/backupJobs/{job}/cancel", ACCEPTED),
    ("GET ~V/backupJobs/{job}/operationResults/{operation}", RESULT),
    ("GET ~V/backupOperations/{operation}", one!("Operation")),
    ("GET ~V/backupOperationResults/{operation}", RESULT),
    ("GET ~V/operationStatus/{operation}", one!("Operation")),
    ("GET ~V/operationResults/{operation}", RESULT),
    // The audit.
    ("POST /providers/Microsoft.Coffre/audit/list", page!("AuditRecord")),
    ("POST /providers/Microsoft.Coffre/audit/verify", one!("AuditChain")),
    // Deployments.
    ("GET ~*/providers/Microsoft.Resources/deployments", page!("Deployment")),
    ("GET ~*/providers/Microsoft.Resources/deployments/{deployment}", one!("Deployment")),
    ("HEAD ~*/providers/Microsoft.Resources/deployments/{deployment}", GONE),
    ("PUT ~*/providers/Microsoft.Resources/deployments/{deployment}", put!("Deployment")),
    ("DELETE ~*/providers/Microsoft.Resources/deployments/{deployment}", GONE),
    ("POST ~*/providers/Microsoft.Resources/deployments/{deployment}/validate", one!("DeploymentValidation")),
    ("POST ~*/providers/Microsoft.Resources/deployments/{deployment}/whatIf", one!("WhatIf")),
    ("POST ~*/providers/Microsoft.Resources/deployments/{deployment}/cancel", GONE),
    ("POST ~*/providers/Microsoft.Resources/deployments/{deployment}/exportTemplate", one!("DeploymentTemplate")),
    ("GET ~*/providers/Microsoft.Resources/deployments/{deployment}/operationStatuses/{operation}", one!("DeploymentStatus")),
    ("GET ~*/providers/Microsoft.Resources/deployments/{deployment}/operations", page!("DeploymentOperation")),
    ("GET ~*/providers/Microsoft.Resources/deployments/{deployment}/operations/{operation}", one!("DeploymentOperation")),
    ("GET ~*/deployments/{deployment}/operations", page!("DeploymentOperation")),
    ("GET ~*/deployments/{deployment}/operations/{operation}", one!("DeploymentOperation")),
    // Tags, locks, roles.
    ("GET ~*/providers/Microsoft.Resources/tags/default", one!("TagsOfScope")),
    ("PUT ~*/providers/Microsoft.Resources/tags/default", one!("TagsOfScope")),
    ("PATCH ~*/providers/Microsoft.Resources/tags/default", one!("TagsOfScope")),
    ("DELETE ~*/providers/Microsoft.Resources/tags/default", one!("Empty")),
    ("GET ~*/providers/Microsoft.Authorization/locks", page!("Lock")),
    ("GET ~*/providers/Microsoft.Authorization/locks/{lock}", one!("Lock")),
    ("PUT ~*/providers/Microsoft.Authorization/locks/{lock}", put!("Lock")),
    ("DELETE ~*/providers/Microsoft.Authorization/locks/{lock}", &[(200, One("Empty")), (204, Nothing)]),
    ("GET ~*/providers/Microsoft.Authorization/roleAssignments", page!("RoleAssignment")),
    ("GET ~*/providers/Microsoft.Authorization/roleAssignments/{assignment}", one!("RoleAssignment")),
    ("PUT ~*/providers/Microsoft.Authorization/roleAssignments/{assignment}", put!("RoleAssignment")),
    ("DELETE ~*/providers/Microsoft.Authorization/roleAssignments/{assignment}", &[(200, One("RoleAssignment")), (204, Nothing)]),
    ("GET ~*/providers/Microsoft.Authorization/roleDefinitions", page!("RoleDefinition")),
    ("GET ~*/providers/Microsoft.Authorization/roleDefinitions/{definition}", one!("RoleDefinition")),
    ("PUT ~*/providers/Microsoft.Authorization/roleDefinitions/{definition}", &[(201, One("RoleDefinition"))]),
    ("DELETE ~*/providers/Microsoft.Authorization/roleDefinitions/{definition}", &[(200, One("RoleDefinition")), (204, Nothing)]),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::route::routes;

    #[test]
    fn every_operation_says_what_it_answers_and_no_answer_is_of_nothing() {
        let mut used = BTreeSet::new();
        for route in routes() {
            let found = entry(&route.method, route.pattern);
            let (key, found) = found.unwrap_or_else(|| {
                panic!("{} {} is missing in ANSWERS", route.method, route.pattern)
            });
            used.insert(*key);
            let statuses: BTreeSet<u16> = found.iter().map(|(status, _)| *status).collect();
            assert_eq!(statuses.len(), found.len(), "{}", route.pattern);
        }
        let keys: BTreeSet<&str> = ANSWERS.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys.len(), ANSWERS.len(), "an operation stands in ANSWERS twice");
        let left: Vec<_> = keys.difference(&used).collect();
        assert!(left.is_empty(), "served no more: {left:?}");
    }

    #[test]
    fn every_shape_that_an_answer_names_is_there() {
        let shapes: BTreeSet<&str> = super::super::shapes().into_iter().map(|it| it.0).collect();
        for (key, answers) in ANSWERS {
            for (_, body) in *answers {
                if let One(name) | Page(name) = body {
                    assert!(shapes.contains(name), "{key} names {name}, which has no shape");
                }
            }
        }
    }
}
