//! Routes that look the same at every scope: a subscription, a group, a resource.

use axum::http::Method;
use coffre_control::Action;

use super::table::{ask, delete, get, head, patch, post, put};
use super::{Handler, Permission, Route};
use crate::handle::{deployment, lock, role, tag};

/// A request whose body holds a template.
const fn template(method: Method, pattern: &'static str, handler: Handler) -> Route {
    Route { method, pattern, permission: Permission::May(Action::Deploy), handler, lenient: true }
}

/// All of them, in the order in which they are tried.
pub(super) static SCOPES: &[Route] = &[
    // Deployments.
    get(sub!("/providers/Microsoft.Resources/deployments"), deployment::list),
    get(sub!("/providers/Microsoft.Resources/deployments/{deployment}"), deployment::show),
    head(sub!("/providers/Microsoft.Resources/deployments/{deployment}"), deployment::exists),
    template(
        Method::PUT,
        sub!("/providers/Microsoft.Resources/deployments/{deployment}"),
        deployment::put,
    ),
    delete(
        sub!("/providers/Microsoft.Resources/deployments/{deployment}"),
        Action::Deploy,
        deployment::delete,
    ),
    template(
        Method::POST,
        sub!("/providers/Microsoft.Resources/deployments/{deployment}/validate"),
        deployment::validate,
    ),
    template(
        Method::POST,
        sub!("/providers/Microsoft.Resources/deployments/{deployment}/whatIf"),
        deployment::what_if,
    ),
    post(
        sub!("/providers/Microsoft.Resources/deployments/{deployment}/cancel"),
        Action::Deploy,
        deployment::cancel,
    ),
    ask(
        sub!("/providers/Microsoft.Resources/deployments/{deployment}/exportTemplate"),
        deployment::export,
    ),
    get(
        sub!(
            "/providers/Microsoft.Resources/deployments/{deployment}/operationStatuses/{operation}"
        ),
        deployment::status,
    ),
    get(
        sub!("/providers/Microsoft.Resources/deployments/{deployment}/operations"),
        deployment::operations,
    ),
    get(
        sub!("/providers/Microsoft.Resources/deployments/{deployment}/operations/{operation}"),
        deployment::operation,
    ),
    get(sub!("/deployments/{deployment}/operations"), deployment::operations),
    get(sub!("/deployments/{deployment}/operations/{operation}"), deployment::operation),
    get(group!("/providers/Microsoft.Resources/deployments"), deployment::list),
    get(group!("/providers/Microsoft.Resources/deployments/{deployment}"), deployment::show),
    head(group!("/providers/Microsoft.Resources/deployments/{deployment}"), deployment::exists),
    template(
        Method::PUT,
        group!("/providers/Microsoft.Resources/deployments/{deployment}"),
        deployment::put,
    ),
    delete(
        group!("/providers/Microsoft.Resources/deployments/{deployment}"),
        Action::Deploy,
        deployment::delete,
    ),
    template(
        Method::POST,
        group!("/providers/Microsoft.Resources/deployments/{deployment}/validate"),
        deployment::validate,
    ),
    template(
        Method::POST,
        group!("/providers/Microsoft.Resources/deployments/{deployment}/whatIf"),
        deployment::what_if,
    ),
    post(
        group!("/providers/Microsoft.Resources/deployments/{deployment}/cancel"),
        Action::Deploy,
        deployment::cancel,
    ),
    ask(
        group!("/providers/Microsoft.Resources/deployments/{deployment}/exportTemplate"),
        deployment::export,
    ),
    get(
        group!(
            "/providers/Microsoft.Resources/deployments/{deployment}/operationStatuses/{operation}"
        ),
        deployment::status,
    ),
    get(
        group!("/providers/Microsoft.Resources/deployments/{deployment}/operations"),
        deployment::operations,
    ),
    get(
        group!("/providers/Microsoft.Resources/deployments/{deployment}/operations/{operation}"),
        deployment::operation,
    ),
    get(group!("/deployments/{deployment}/operations"), deployment::operations),
    get(group!("/deployments/{deployment}/operations/{operation}"), deployment::operation),
    // Tags, locks and roles of any scope.
    get(sub!("/providers/Microsoft.Resources/tags/default"), tag::show),
    put(sub!("/providers/Microsoft.Resources/tags/default"), Action::WriteTags, tag::put),
    patch(sub!("/providers/Microsoft.Resources/tags/default"), Action::WriteTags, tag::patch),
    delete(sub!("/providers/Microsoft.Resources/tags/default"), Action::WriteTags, tag::delete),
    get(sub!("/providers/Microsoft.Authorization/locks"), lock::list),
    get(sub!("/providers/Microsoft.Authorization/locks/{lock}"), lock::show),
    put(sub!("/providers/Microsoft.Authorization/locks/{lock}"), Action::WriteAccess, lock::put),
    delete(
        sub!("/providers/Microsoft.Authorization/locks/{lock}"),
        Action::WriteAccess,
        lock::delete,
    ),
    get(sub!("/providers/Microsoft.Authorization/roleAssignments"), role::assignments),
    get(
        sub!("/providers/Microsoft.Authorization/roleAssignments/{assignment}"),
        role::show_assignment,
    ),
    put(
        sub!("/providers/Microsoft.Authorization/roleAssignments/{assignment}"),
        Action::WriteAccess,
        role::put_assignment,
    ),
    delete(
        sub!("/providers/Microsoft.Authorization/roleAssignments/{assignment}"),
        Action::WriteAccess,
        role::delete_assignment,
    ),
    get(sub!("/providers/Microsoft.Authorization/roleDefinitions"), role::definitions),
    get(sub!("/providers/Microsoft.Authorization/roleDefinitions/{definition}"), role::definition),
    get(group!("/providers/Microsoft.Resources/tags/default"), tag::show),
    put(group!("/providers/Microsoft.Resources/tags/default"), Action::WriteTags, tag::put),
    patch(group!("/providers/Microsoft.Resources/tags/default"), Action::WriteTags, tag::patch),
    delete(group!("/providers/Microsoft.Resources/tags/default"), Action::WriteTags, tag::delete),
    get(group!("/providers/Microsoft.Authorization/locks"), lock::list),
    get(group!("/providers/Microsoft.Authorization/locks/{lock}"), lock::show),
    put(group!("/providers/Microsoft.Authorization/locks/{lock}"), Action::WriteAccess, lock::put),
    delete(
        group!("/providers/Microsoft.Authorization/locks/{lock}"),
        Action::WriteAccess,
        lock::delete,
    ),
    get(group!("/providers/Microsoft.Authorization/roleAssignments"), role::assignments),
    get(
        group!("/providers/Microsoft.Authorization/roleAssignments/{assignment}"),
        role::show_assignment,
    ),
    put(
        group!("/providers/Microsoft.Authorization/roleAssignments/{assignment}"),
        Action::WriteAccess,
        role::put_assignment,
    ),
    delete(
        group!("/providers/Microsoft.Authorization/roleAssignments/{assignment}"),
        Action::WriteAccess,
        role::delete_assignment,
    ),
    get(group!("/providers/Microsoft.Authorization/roleDefinitions"), role::definitions),
    get(
        group!("/providers/Microsoft.Authorization/roleDefinitions/{definition}"),
        role::definition,
    ),
    get(any!("/providers/Microsoft.Resources/tags/default"), tag::show),
    put(any!("/providers/Microsoft.Resources/tags/default"), Action::WriteTags, tag::put),
    patch(any!("/providers/Microsoft.Resources/tags/default"), Action::WriteTags, tag::patch),
    delete(any!("/providers/Microsoft.Resources/tags/default"), Action::WriteTags, tag::delete),
    get(any!("/providers/Microsoft.Authorization/locks"), lock::list),
    get(any!("/providers/Microsoft.Authorization/locks/{lock}"), lock::show),
    put(any!("/providers/Microsoft.Authorization/locks/{lock}"), Action::WriteAccess, lock::put),
    delete(
        any!("/providers/Microsoft.Authorization/locks/{lock}"),
        Action::WriteAccess,
        lock::delete,
    ),
    get(any!("/providers/Microsoft.Authorization/roleAssignments"), role::assignments),
    get(
        any!("/providers/Microsoft.Authorization/roleAssignments/{assignment}"),
        role::show_assignment,
    ),
    put(
        any!("/providers/Microsoft.Authorization/roleAssignments/{assignment}"),
        Action::WriteAccess,
        role::put_assignment,
    ),
    delete(
        any!("/providers/Microsoft.Authorization/roleAssignments/{assignment}"),
        Action::WriteAccess,
        role::delete_assignment,
    ),
    get(any!("/providers/Microsoft.Authorization/roleDefinitions"), role::definitions),
    get(any!("/providers/Microsoft.Authorization/roleDefinitions/{definition}"), role::definition),
    put(
        sub!("/providers/Microsoft.Authorization/roleDefinitions/{definition}"),
        Action::WriteAccess,
        role::put_definition,
    ),
    delete(
        sub!("/providers/Microsoft.Authorization/roleDefinitions/{definition}"),
        Action::WriteAccess,
        role::delete_definition,
    ),
];
