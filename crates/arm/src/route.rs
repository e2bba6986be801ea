//! The one table of all routes: method, pattern, permission, handler.
//!
//! A request that matches no entry is answered 404; nothing else registers a route. Literal
//! segments match in any case, `{name}` matches any one segment. The first entry that matches
//! wins.

use axum::http::Method;
use coffre_control::Action;

use crate::call::Call;
use crate::handle;
use crate::http::error::ArmError;
use crate::http::reply::Reply;

/// What a caller needs before a handler runs. There is no default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    /// Nothing: what a client must read before it can sign in.
    Public,
    /// Nothing, but few at a time, since a check of a secret costs much on purpose.
    SignIn,
    /// A valid token whose principal may do this.
    May(Action),
}

/// What runs when a route matches and the caller may use it.
pub(crate) type Handler = fn(&Call<'_>) -> Result<Reply, ArmError>;

/// One route.
pub(crate) struct Route {
    /// Method.
    pub(crate) method: Method,
    /// Pattern of the path.
    pub(crate) pattern: &'static str,
    /// Needed permission.
    pub(crate) permission: Permission,
    /// The handler.
    pub(crate) handler: Handler,
}

impl Route {
    /// Whether the route needs no token.
    pub(crate) fn is_open(&self) -> bool {
        match self.permission {
            Permission::Public | Permission::SignIn => true,
            Permission::May(_) => false,
        }
    }
}

/// Values of the `{name}` segments of a pattern.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Vec<(&'static str, String)>);

impl Params {
    /// The value of a parameter; empty when the pattern has none of this name.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// The value of a parameter, when the pattern has it.
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }
}

/// What the table says about a request.
pub(crate) enum Found {
    /// This route, with its parameters.
    Route(&'static Route, Params),
    /// The path is known, but not with this method.
    OtherMethod,
    /// The path is unknown.
    Nothing,
}

/// Looks a request up.
pub(crate) fn find(method: &Method, segments: &[String]) -> Found {
    let mut path_is_known = false;
    for route in ROUTES {
        let Some(values) = match_pattern(route.pattern, segments) else { continue };
        if route.method == *method {
            let names = route.pattern.split('/').filter_map(parameter);
            return Found::Route(route, Params(names.zip(values).collect()));
        }
        path_is_known = true;
    }
    if path_is_known { Found::OtherMethod } else { Found::Nothing }
}

/// The values of the parameters when the segments match the pattern, in its order.
pub(crate) fn match_pattern(pattern: &str, segments: &[String]) -> Option<Vec<String>> {
    let mut values = Vec::new();
    let mut rest = segments.iter();
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let segment = rest.next()?;
        if parameter(part).is_some() {
            values.push(segment.clone());
        } else if !part.eq_ignore_ascii_case(segment) {
            return None;
        }
    }
    rest.next().is_none().then_some(values)
}

fn parameter(part: &str) -> Option<&str> {
    part.strip_prefix('{')?.strip_suffix('}')
}

macro_rules! sub {
    ($rest:literal) => {
        concat!("/subscriptions/{sub}", $rest)
    };
}

macro_rules! group {
    ($rest:literal) => {
        concat!("/subscriptions/{sub}/resourceGroups/{group}", $rest)
    };
}

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
    Route { method, pattern, permission, handler }
}

const fn may(action: Action) -> Permission {
    Permission::May(action)
}

const READ: Permission = may(Action::Read);

/// All routes.
pub(crate) static ROUTES: &[Route] = &[
    route(Method::GET, "/metadata/endpoints", Permission::Public, handle::oauth::metadata),
    route(Method::GET, "/metadata/images", Permission::Public, handle::oauth::image_aliases),
    route(
        Method::GET,
        "/adfs/.well-known/openid-configuration",
        Permission::Public,
        handle::oauth::openid_configuration,
    ),
    route(Method::GET, "/adfs/discovery/keys", Permission::Public, handle::oauth::keys),
    route(Method::POST, "/adfs/oauth2/token", Permission::SignIn, handle::oauth::token),
    route(Method::GET, "/discovery/v2.0/keys", Permission::Public, handle::oauth::keys),
    route(Method::GET, "/common/userrealm/{user}", Permission::Public, handle::oauth::user_realm),
    route(
        Method::GET,
        "/{tenant}/v2.0/.well-known/openid-configuration",
        Permission::Public,
        handle::oauth::openid_configuration,
    ),
    route(Method::POST, "/{tenant}/oauth2/v2.0/token", Permission::SignIn, handle::oauth::token),
    // Tenants, subscriptions, regions, providers.
    route(Method::GET, "/tenants", READ, handle::tenancy::tenants),
    route(Method::GET, "/subscriptions", READ, handle::tenancy::subscriptions),
    route(
        Method::GET,
        "/providers/Microsoft.RecoveryServices/operations",
        READ,
        handle::tenancy::operations,
    ),
    route(Method::GET, sub!(""), READ, handle::tenancy::subscription),
    route(Method::GET, sub!("/locations"), READ, handle::tenancy::locations),
    route(Method::GET, sub!("/providers"), READ, handle::tenancy::providers),
    route(Method::GET, sub!("/providers/{namespace}"), READ, handle::tenancy::provider),
    route(Method::POST, sub!("/providers/{namespace}/register"), READ, handle::tenancy::provider),
    route(Method::GET, sub!("/resources"), READ, handle::tenancy::resources),
    route(Method::GET, group!("/resources"), READ, handle::tenancy::resources),
    // Resource groups.
    route(Method::GET, sub!("/resourceGroups"), READ, handle::group::list),
    route(Method::GET, group!(""), READ, handle::group::show),
    route(Method::HEAD, group!(""), READ, handle::group::exists),
    route(Method::PUT, group!(""), may(Action::WriteGroup), handle::group::put),
    route(Method::PATCH, group!(""), may(Action::WriteGroup), handle::group::patch),
    route(Method::DELETE, group!(""), may(Action::DeleteGroup), handle::group::delete),
    // Virtual machines.
    route(
        Method::GET,
        sub!("/providers/Microsoft.Compute/virtualMachines"),
        READ,
        handle::vm::list_all,
    ),
    route(
        Method::GET,
        sub!("/providers/Microsoft.Compute/locations/{location}/virtualMachines"),
        READ,
        handle::vm::list_in_region,
    ),
    route(
        Method::GET,
        sub!("/providers/Microsoft.Compute/locations/{location}/operations/{operation}"),
        READ,
        handle::operation::of_compute,
    ),
    route(
        Method::GET,
        group!("/providers/Microsoft.Compute/virtualMachines"),
        READ,
        handle::vm::list,
    ),
    route(Method::GET, vm!(""), READ, handle::vm::show),
    route(Method::GET, vm!("/instanceView"), READ, handle::vm::instance_view),
    route(Method::POST, vm!("/start"), may(Action::PowerVm), handle::vm::start),
    route(Method::POST, vm!("/deallocate"), may(Action::PowerVm), handle::vm::stop),
    route(Method::POST, vm!("/powerOff"), may(Action::PowerVm), handle::vm::stop),
    // Storage accounts.
    route(
        Method::GET,
        sub!("/providers/Microsoft.Storage/storageAccounts"),
        READ,
        handle::storage::list_all,
    ),
    route(
        Method::GET,
        group!("/providers/Microsoft.Storage/storageAccounts"),
        READ,
        handle::storage::list,
    ),
    route(
        Method::GET,
        group!("/providers/Microsoft.Storage/storageAccounts/{account}"),
        READ,
        handle::storage::show,
    ),
    route(
        Method::GET,
        group!("/providers/Microsoft.ClassicStorage/storageAccounts/{account}"),
        READ,
        handle::storage::show_classic,
    ),
    // What is asked of the backup service outside of any vault.
    route(
        Method::GET,
        sub!("/providers/Microsoft.RecoveryServices/vaults"),
        READ,
        handle::vault::list,
    ),
    route(
        Method::POST,
        sub!("/providers/Microsoft.RecoveryServices/locations/{location}/backupStatus"),
        READ,
        handle::discovery::backup_status,
    ),
    route(
        Method::POST,
        sub!("/providers/Microsoft.RecoveryServices/locations/{location}/backupValidateFeatures"),
        READ,
        handle::discovery::validate_features,
    ),
    route(
        Method::GET,
        sub!("/providers/Microsoft.RecoveryServices/locations/{location}/deletedVaults"),
        READ,
        handle::discovery::deleted_vaults,
    ),
    route(
        Method::POST,
        group!("/providers/Microsoft.RecoveryServices/locations/{location}/checkNameAvailability"),
        READ,
        handle::vault::check_name,
    ),
    // Vaults and their configuration.
    route(
        Method::GET,
        group!("/providers/Microsoft.RecoveryServices/vaults"),
        READ,
        handle::vault::list,
    ),
    route(Method::GET, vault!(""), READ, handle::vault::show),
    route(Method::PUT, vault!(""), may(Action::WriteVault), handle::vault::put),
    route(Method::PATCH, vault!(""), may(Action::WriteVault), handle::vault::patch),
    route(Method::DELETE, vault!(""), may(Action::DeleteVault), handle::vault::delete),
    route(Method::GET, vault!("/usages"), READ, handle::vault_config::usages),
    route(Method::GET, vault!("/backupUsageSummaries"), READ, handle::vault_config::usages),
    route(Method::GET, vault!("/replicationUsages"), READ, handle::vault::replication_usages),
    route(
        Method::GET,
        vault!("/backupstorageconfig/vaultstorageconfig"),
        READ,
        handle::vault_config::storage,
    ),
    route(
        Method::PUT,
        vault!("/backupstorageconfig/vaultstorageconfig"),
        may(Action::WriteVault),
        handle::vault_config::put_storage,
    ),
    route(
        Method::PATCH,
        vault!("/backupstorageconfig/vaultstorageconfig"),
        may(Action::WriteVault),
        handle::vault_config::patch_storage,
    ),
    route(Method::GET, vault!("/backupconfig/vaultconfig"), READ, handle::vault_config::vault),
    route(
        Method::PUT,
        vault!("/backupconfig/vaultconfig"),
        may(Action::WriteVault),
        handle::vault_config::put_vault,
    ),
    route(
        Method::PATCH,
        vault!("/backupconfig/vaultconfig"),
        may(Action::WriteVault),
        handle::vault_config::put_vault,
    ),
    route(
        Method::GET,
        vault!("/backupEncryptionConfigs/backupResourceEncryptionConfig"),
        READ,
        handle::vault_config::encryption,
    ),
    route(
        Method::GET,
        vault!("/backupResourceGuardProxies"),
        READ,
        handle::vault_config::guard_proxies,
    ),
    // Policies.
    route(Method::GET, vault!("/backupPolicies"), READ, handle::policy::list),
    route(Method::GET, vault!("/backupPolicies/{policy}"), READ, handle::policy::show),
    route(
        Method::PUT,
        vault!("/backupPolicies/{policy}"),
        may(Action::WritePolicy),
        handle::policy::put,
    ),
    route(
        Method::DELETE,
        vault!("/backupPolicies/{policy}"),
        may(Action::DeletePolicy),
        handle::policy::delete,
    ),
    // Discovery and containers.
    route(Method::GET, vault!("/backupProtectableItems"), READ, handle::item::protectable),
    route(Method::GET, vault!("/backupProtectionContainers"), READ, handle::item::containers),
    route(
        Method::GET,
        vault!("/backupDeletedProtectionContainers"),
        READ,
        handle::item::deleted_containers,
    ),
    route(
        Method::POST,
        vault!("/backupFabrics/{fabric}/refreshContainers"),
        may(Action::RefreshContainers),
        handle::discovery::refresh,
    ),
    route(
        Method::GET,
        vault!("/backupFabrics/{fabric}/operationResults/{operation}"),
        READ,
        handle::operation::result_of_vault,
    ),
    route(
        Method::GET,
        vault!("/backupFabrics/{fabric}/protectionContainers/{container}"),
        READ,
        handle::item::show_container,
    ),
    // Protected items. A PUT protects, changes, stops or brings back; the use-case of each asks
    // for its own permission on top of this one.
    route(Method::GET, vault!("/backupProtectedItems"), READ, handle::item::list),
    route(Method::GET, item!(""), READ, handle::item::show),
    route(Method::PUT, item!(""), may(Action::EnableProtection), handle::protection::put),
    route(Method::DELETE, item!(""), may(Action::DeleteBackupData), handle::protection::delete),
    route(Method::POST, item!("/backup"), may(Action::BackupNow), handle::protection::backup),
    route(Method::GET, item!("/operationsStatus/{operation}"), READ, handle::operation::of_item),
    route(
        Method::GET,
        item!("/operationResults/{operation}"),
        READ,
        handle::operation::result_of_item,
    ),
    route(
        Method::POST,
        item!("/recoveryPointsRecommendedForMove"),
        READ,
        handle::point::recommended_for_move,
    ),
    route(Method::GET, item!("/recoveryPoints"), READ, handle::point::list),
    route(Method::GET, item!("/recoveryPoints/{point}"), READ, handle::point::show),
    route(
        Method::POST,
        item!("/recoveryPoints/{point}/restore"),
        may(Action::Restore),
        handle::restore::start,
    ),
    // Jobs and operations.
    route(Method::GET, vault!("/backupJobs"), READ, handle::job::list),
    route(Method::GET, vault!("/backupJobs/{job}"), READ, handle::job::show),
    route(
        Method::POST,
        vault!("/backupJobs/{job}/cancel"),
        may(Action::CancelJob),
        handle::job::cancel,
    ),
    route(
        Method::GET,
        vault!("/backupJobs/{job}/operationResults/{operation}"),
        READ,
        handle::operation::result_of_vault,
    ),
    route(Method::GET, vault!("/backupOperations/{operation}"), READ, handle::operation::of_vault),
    route(
        Method::GET,
        vault!("/backupOperationResults/{operation}"),
        READ,
        handle::operation::result_of_vault,
    ),
    route(Method::GET, vault!("/operationStatus/{operation}"), READ, handle::operation::of_vault),
    route(
        Method::GET,
        vault!("/operationResults/{operation}"),
        READ,
        handle::operation::result_of_vault,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A path that matches the pattern.
    fn example(pattern: &str) -> Vec<String> {
        let parts = pattern.split('/').filter(|part| !part.is_empty());
        parts.map(|part| parameter(part).unwrap_or(part).to_uppercase()).collect()
    }

    #[test]
    fn every_route_is_reached_by_its_own_path_in_any_case() {
        for route in ROUTES {
            let Found::Route(found, params) = find(&route.method, &example(route.pattern)) else {
                panic!("{} {} is not found", route.method, route.pattern);
            };
            assert_eq!(found.pattern, route.pattern, "{} is shadowed", route.pattern);
            assert_eq!(params.0.len(), route.pattern.matches('{').count());
        }
    }

    #[test]
    fn only_what_precedes_sign_in_is_open() {
        let open: Vec<&str> =
            ROUTES.iter().filter(|it| it.is_open()).map(|it| it.pattern).collect();
        for pattern in &open {
            assert!(!pattern.starts_with("/subscriptions") && !pattern.starts_with("/providers"));
        }
        assert_eq!(open.len(), 9, "a new open route needs a reason: {open:?}");
    }

    #[test]
    fn what_changes_anything_needs_more_than_read() {
        for route in ROUTES.iter().filter(|it| !it.is_open()) {
            let changes = route.method != Method::GET && route.method != Method::HEAD;
            let looks = [
                "/register",
                "/backupStatus",
                "/backupValidateFeatures",
                "/checkNameAvailability",
                "/recoveryPointsRecommendedForMove",
            ];
            let only_looks = looks.iter().any(|end| route.pattern.ends_with(end));
            if changes && !only_looks {
                assert_ne!(route.permission, READ, "{} {}", route.method, route.pattern);
            } else {
                assert_eq!(route.permission, READ, "{} {}", route.method, route.pattern);
            }
        }
    }

    #[test]
    fn unknown_paths_and_methods_are_told_apart() {
        let path = ["subscriptions".to_owned()];
        assert!(matches!(find(&Method::DELETE, &path), Found::OtherMethod));
        assert!(matches!(find(&Method::GET, &["nothing".to_owned()]), Found::Nothing));
        assert!(matches!(find(&Method::GET, &[]), Found::Nothing));
    }
}
