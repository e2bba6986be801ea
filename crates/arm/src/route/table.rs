//! The one table of all routes. A request that matches no entry is answered 404; nothing else
//! registers a route.

use axum::http::Method;
use coffre_control::Action;

use super::{Handler, Permission, Route};
use crate::handle::{
    audit, deleted_vault, device, discovery, files, generic, group, item, job, life, oauth,
    operation, point, policy, protection, resource_guard, restore, storage, tenancy, vault,
    vault_config, vm,
};

macro_rules! vm {
    ($rest:literal) => {
        concat!(
            "/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{vm}",
            $rest
        )
    };
}

macro_rules! vault {
    ($rest:literal) => {
        concat!(
            "/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.RecoveryServices/vaults/{vault}",
            $rest
        )
    };
}

macro_rules! item {
    ($rest:literal) => {
        concat!(
            "/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.RecoveryServices/vaults/{vault}",
            "/backupFabrics/{fabric}/protectionContainers/{container}/protectedItems/{item}",
            $rest
        )
    };
}

const fn route(
    method: Method,
    pattern: &'static str,
    permission: Permission,
    handler: Handler,
) -> Route {
    Route { method, pattern, permission, handler, lenient: false }
}

/// GET that needs no token.
const fn open(pattern: &'static str, handler: Handler) -> Route {
    route(Method::GET, pattern, Permission::Public, handler)
}

/// POST of a secret.
const fn sign_in(pattern: &'static str, handler: Handler) -> Route {
    route(Method::POST, pattern, Permission::SignIn, handler)
}

const READ: Permission = Permission::May(Action::Read);

pub(super) const fn get(pattern: &'static str, handler: Handler) -> Route {
    route(Method::GET, pattern, READ, handler)
}

pub(super) const fn head(pattern: &'static str, handler: Handler) -> Route {
    route(Method::HEAD, pattern, READ, handler)
}

/// POST that only looks.
pub(super) const fn ask(pattern: &'static str, handler: Handler) -> Route {
    route(Method::POST, pattern, READ, handler)
}

pub(super) const fn put(pattern: &'static str, action: Action, handler: Handler) -> Route {
    route(Method::PUT, pattern, Permission::May(action), handler)
}

pub(super) const fn patch(pattern: &'static str, action: Action, handler: Handler) -> Route {
    route(Method::PATCH, pattern, Permission::May(action), handler)
}

pub(super) const fn delete(pattern: &'static str, action: Action, handler: Handler) -> Route {
    route(Method::DELETE, pattern, Permission::May(action), handler)
}

pub(super) const fn post(pattern: &'static str, action: Action, handler: Handler) -> Route {
    route(Method::POST, pattern, Permission::May(action), handler)
}

/// All routes, in the order in which they are tried.
pub(crate) static ROUTES: &[Route] = &[
    open("/metadata/endpoints", oauth::metadata),
    open("/metadata/images", oauth::image_aliases),
    open("/adfs/.well-known/openid-configuration", oauth::openid_configuration),
    open("/adfs/discovery/keys", oauth::keys),
    sign_in("/adfs/oauth2/token", oauth::token),
    sign_in("/adfs/oauth2/devicecode", device::begin),
    open("/discovery/v2.0/keys", oauth::keys),
    open("/common/userrealm/{user}", oauth::user_realm),
    open("/{tenant}/v2.0/.well-known/openid-configuration", oauth::openid_configuration),
    sign_in("/{tenant}/oauth2/v2.0/token", oauth::token),
    sign_in("/{tenant}/oauth2/v2.0/devicecode", device::begin),
    // Tenants, subscriptions, regions, providers.
    get("/tenants", tenancy::tenants),
    get("/subscriptions", tenancy::subscriptions),
    get("/providers/Microsoft.RecoveryServices/operations", tenancy::operations),
    get(sub!(""), tenancy::subscription),
    get(sub!("/locations"), tenancy::locations),
    get(sub!("/providers"), tenancy::providers),
    get(sub!("/providers/{namespace}"), tenancy::provider),
    ask(sub!("/providers/{namespace}/register"), tenancy::provider),
    get(sub!("/resources"), tenancy::resources),
    get(group!("/resources"), tenancy::resources),
    // Resource groups.
    get(sub!("/resourceGroups"), group::list),
    get(group!(""), group::show),
    head(group!(""), group::exists),
    put(group!(""), Action::WriteGroup, group::put),
    patch(group!(""), Action::WriteGroup, group::patch),
    delete(group!(""), Action::DeleteGroup, group::delete),
    // Virtual machines.
    get(sub!("/providers/Microsoft.Compute/virtualMachines"), vm::list_all),
    get(
        sub!("/providers/Microsoft.Compute/locations/{location}/virtualMachines"),
        vm::list_in_region,
    ),
    get(
        sub!("/providers/Microsoft.Compute/locations/{location}/operations/{operation}"),
        operation::of_compute,
    ),
    get(group!("/providers/Microsoft.Compute/virtualMachines"), vm::list),
    get(vm!(""), vm::show),
    put(vm!(""), Action::WriteTags, vm::write),
    patch(vm!(""), Action::WriteTags, vm::write),
    get(vm!("/instanceView"), vm::instance_view),
    get(vm!("/extensions"), vm::extensions),
    get(vm!("/extensions/{extension}"), vm::show_extension),
    get(vm!("/extensions/{extension}/logs"), vm::extension_logs),
    post(vm!("/start"), Action::PowerVm, vm::start),
    post(vm!("/deallocate"), Action::PowerVm, vm::stop),
    post(vm!("/powerOff"), Action::PowerVm, vm::stop),
    // Storage accounts.
    get(sub!("/providers/Microsoft.Storage/storageAccounts"), storage::list_all),
    get(group!("/providers/Microsoft.Storage/storageAccounts"), storage::list),
    get(group!("/providers/Microsoft.Storage/storageAccounts/{account}"), storage::show),
    get(
        group!("/providers/Microsoft.ClassicStorage/storageAccounts/{account}"),
        storage::show_classic,
    ),
    // What is asked of the backup service outside of any vault.
    get(sub!("/providers/Microsoft.RecoveryServices/vaults"), vault::list),
    ask(
        sub!("/providers/Microsoft.RecoveryServices/locations/{location}/backupStatus"),
        discovery::backup_status,
    ),
    ask(
        sub!("/providers/Microsoft.RecoveryServices/locations/{location}/backupValidateFeatures"),
        discovery::validate_features,
    ),
    get(
        sub!("/providers/Microsoft.RecoveryServices/locations/{location}/deletedVaults"),
        deleted_vault::list,
    ),
    get(
        sub!("/providers/Microsoft.RecoveryServices/locations/{location}/deletedVaults/{deleted}"),
        deleted_vault::show,
    ),
    post(
        sub!(
            "/providers/Microsoft.RecoveryServices/locations/{location}/deletedVaults/{deleted}/undelete"
        ),
        Action::WriteVault,
        deleted_vault::undelete,
    ),
    get(
        sub!(
            "/providers/Microsoft.RecoveryServices/locations/{location}/deletedVaults/{deleted}/operations/{operation}"
        ),
        operation::of_deleted_vault,
    ),
    post(
        sub!("/providers/Microsoft.RecoveryServices/confirmClock"),
        Action::DeleteBackupData,
        life::confirm_clock,
    ),
    ask(
        group!("/providers/Microsoft.RecoveryServices/locations/{location}/checkNameAvailability"),
        vault::check_name,
    ),
    // Vaults and their configuration.
    get(group!("/providers/Microsoft.RecoveryServices/vaults"), vault::list),
    get(vault!(""), vault::show),
    put(vault!(""), Action::WriteVault, vault::put),
    patch(vault!(""), Action::WriteVault, vault::patch),
    delete(vault!(""), Action::DeleteVault, vault::delete),
    get(vault!("/usages"), vault_config::usages),
    get(vault!("/backupUsageSummaries"), vault_config::usages),
    get(vault!("/replicationUsages"), vault::replication_usages),
    get(vault!("/backupstorageconfig/vaultstorageconfig"), vault_config::storage),
    put(
        vault!("/backupstorageconfig/vaultstorageconfig"),
        Action::WriteVault,
        vault_config::put_storage,
    ),
    patch(
        vault!("/backupstorageconfig/vaultstorageconfig"),
        Action::WriteVault,
        vault_config::patch_storage,
    ),
    get(vault!("/backupconfig/vaultconfig"), vault_config::vault),
    put(vault!("/backupconfig/vaultconfig"), Action::WriteVault, vault_config::put_vault),
    patch(vault!("/backupconfig/vaultconfig"), Action::WriteVault, vault_config::put_vault),
    get(
        vault!("/backupEncryptionConfigs/backupResourceEncryptionConfig"),
        vault_config::encryption,
    ),
    // Resource guards, and what their holders decide.
    get(vault!("/backupResourceGuardProxies"), resource_guard::proxies),
    get(vault!("/backupResourceGuardProxies/{proxy}"), resource_guard::proxy),
    put(
        vault!("/backupResourceGuardProxies/{proxy}"),
        Action::WriteVault,
        resource_guard::put_proxy,
    ),
    delete(
        vault!("/backupResourceGuardProxies/{proxy}"),
        Action::WriteVault,
        resource_guard::delete_proxy,
    ),
    post(
        vault!("/backupResourceGuardProxies/{proxy}/unlockDelete"),
        Action::DeleteBackupData,
        resource_guard::unlock_delete,
    ),
    get(vault!("/backupApprovals"), resource_guard::approvals),
    post(vault!("/backupApprovals/{approval}/grant"), Action::Approve, resource_guard::grant),
    post(vault!("/backupApprovals/{approval}/refuse"), Action::Approve, resource_guard::refuse),
    get(sub!("/providers/Microsoft.DataProtection/resourceGuards"), resource_guard::list),
    get(group!("/providers/Microsoft.DataProtection/resourceGuards"), resource_guard::list),
    get(group!("/providers/Microsoft.DataProtection/resourceGuards/{guard}"), resource_guard::show),
    put(
        group!("/providers/Microsoft.DataProtection/resourceGuards/{guard}"),
        Action::WriteGuard,
        resource_guard::put,
    ),
    delete(
        group!("/providers/Microsoft.DataProtection/resourceGuards/{guard}"),
        Action::WriteGuard,
        resource_guard::delete,
    ),
    get(vault!("/backupCostReport"), life::costs),
    // Policies.
    get(vault!("/backupPolicies"), policy::list),
    get(vault!("/backupPolicies/{policy}"), policy::show),
    put(vault!("/backupPolicies/{policy}"), Action::WritePolicy, policy::put),
    delete(vault!("/backupPolicies/{policy}"), Action::DeletePolicy, policy::delete),
    ask(vault!("/backupPolicies/{policy}/simulate"), life::simulate),
    // Discovery and containers.
    get(vault!("/backupProtectableItems"), item::protectable),
    get(vault!("/backupProtectionContainers"), item::containers),
    get(vault!("/backupDeletedProtectionContainers"), item::deleted_containers),
    post(
        vault!("/backupFabrics/{fabric}/refreshContainers"),
        Action::RefreshContainers,
        discovery::refresh,
    ),
    get(vault!("/backupFabrics/{fabric}/operationResults/{operation}"), operation::result_of_vault),
    get(vault!("/backupFabrics/{fabric}/protectionContainers/{container}"), item::show_container),
    // Protected items. A PUT protects, changes, stops or brings back; the use-case of each asks
    // for its own permission on top of this one.
    get(vault!("/backupProtectedItems"), item::list),
    get(item!(""), item::show),
    put(item!(""), Action::EnableProtection, protection::put),
    delete(item!(""), Action::DeleteBackupData, protection::delete),
    post(item!("/backup"), Action::BackupNow, protection::backup),
    get(item!("/operationsStatus/{operation}"), operation::of_item),
    get(item!("/operationResults/{operation}"), operation::result_of_item),
    ask(item!("/recoveryPointsRecommendedForMove"), point::recommended_for_move),
    get(item!("/recoveryPoints"), point::list),
    get(item!("/recoveryPoints/{point}"), point::show),
    delete(item!("/recoveryPoints/{point}"), Action::DeleteBackupData, life::delete_point),
    post(item!("/recoveryPoints/{point}/undelete"), Action::Undelete, life::undelete_point),
    get(item!("/nextRun"), life::next_run),
    post(item!("/recoveryPoints/{point}/restore"), Action::Restore, restore::start),
    post(
        item!("/recoveryPoints/{point}/provisionInstantItemRecovery"),
        Action::Restore,
        files::provision,
    ),
    post(
        item!("/recoveryPoints/{point}/listInstantItemRecoveryOperationResult"),
        Action::Restore,
        files::result,
    ),
    post(
        item!("/recoveryPoints/{point}/revokeInstantItemRecovery"),
        Action::Restore,
        files::revoke,
    ),
    // Jobs and operations.
    get(vault!("/backupJobs"), job::list),
    get(vault!("/backupJobs/{job}"), job::show),
    post(vault!("/backupJobs/{job}/retry"), Action::BackupNow, life::retry),
    post(vault!("/backupJobs/{job}/cancel"), Action::CancelJob, job::cancel),
    get(vault!("/backupJobs/{job}/operationResults/{operation}"), operation::result_of_vault),
    get(vault!("/backupOperations/{operation}"), operation::of_vault),
    get(vault!("/backupOperationResults/{operation}"), operation::result_of_vault),
    get(vault!("/operationStatus/{operation}"), operation::of_vault),
    get(vault!("/operationResults/{operation}"), operation::result_of_vault),
    // The audit.
    post("/providers/Microsoft.Coffre/audit/list", Action::WriteAccess, audit::list),
    post("/providers/Microsoft.Coffre/audit/verify", Action::WriteAccess, audit::verify),
    // Resources that backups only name. Last, since they match what nothing above did.
    get(sub!("/providers/{namespace}/{kind}"), generic::list),
    get(group!("/providers/{namespace}/{kind}"), generic::list),
    get(any!(""), generic::show),
    put(any!(""), Action::WriteResource, generic::put),
    delete(any!(""), Action::WriteResource, generic::delete),
    get(any!("/{part}/{child}"), generic::show_part),
];
