//! Routes: method, pattern, permission, handler; and how a request finds its own in the table.
//!
//! Literal segments match in any case, `{name}` matches any one segment. The first entry that
//! matches wins.

// First, because a macro is known only to what stands after it.
#[macro_use]
mod paths;
mod scopes;
mod table;

use axum::http::Method;
use coffre_control::Action;

use crate::call::Call;
use crate::http::error::ArmError;
use crate::http::reply::Reply;
use scopes::SCOPES;
use table::ROUTES;

/// What a caller needs before a handler runs. There is no default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
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
    /// Whether the body is that of a deployment, which is not quite JSON.
    pub(crate) lenient: bool,
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

/// All routes, in the order in which they are tried.
fn all() -> impl Iterator<Item = &'static Route> {
    SCOPES.iter().chain(ROUTES)
}

/// Looks a request up.
pub(crate) fn find(method: &Method, segments: &[String]) -> Found {
    let mut path_is_known = false;
    for route in all() {
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

/// What the table says of one route, for whoever checks or documents the surface.
#[derive(Debug, Clone)]
pub struct RouteInfo {
    /// Method.
    pub method: Method,
    /// Pattern of the path; `{name}` stands for any one segment.
    pub pattern: &'static str,
    /// What a caller needs.
    pub permission: Permission,
}

/// All routes, in the order in which they are tried.
pub fn routes() -> impl Iterator<Item = RouteInfo> {
    all().map(|route| RouteInfo {
        method: route.method.clone(),
        pattern: route.pattern,
        permission: route.permission,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Permission = Permission::May(Action::Read);

    /// A path that matches the pattern.
    fn example(pattern: &str) -> Vec<String> {
        let parts = pattern.split('/').filter(|part| !part.is_empty());
        parts.map(|part| parameter(part).unwrap_or(part).to_uppercase()).collect()
    }

    #[test]
    fn every_route_is_reached_by_its_own_path_in_any_case() {
        for route in all() {
            let Found::Route(found, params) = find(&route.method, &example(route.pattern)) else {
                panic!("{} {} is not found", route.method, route.pattern);
            };
            assert_eq!(found.pattern, route.pattern, "{} is shadowed", route.pattern);
            assert_eq!(params.0.len(), route.pattern.matches('{').count());
        }
    }

    #[test]
    fn only_what_precedes_sign_in_is_open() {
        let open: Vec<&str> = all().filter(|it| it.is_open()).map(|it| it.pattern).collect();
        for pattern in &open {
            assert!(!pattern.starts_with("/subscriptions") && !pattern.starts_with("/providers"));
        }
        assert_eq!(open.len(), 11, "a new open route needs a reason: {open:?}");
    }

    #[test]
    fn what_changes_anything_needs_more_than_read() {
        for route in all().filter(|it| !it.is_open()) {
            let changes = route.method != Method::GET && route.method != Method::HEAD;
            let looks = [
                "/register",
                "/backupStatus",
                "/backupValidateFeatures",
                "/checkNameAvailability",
                "/recoveryPointsRecommendedForMove",
                "/exportTemplate",
                "/simulate",
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
