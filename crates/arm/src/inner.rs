//! Requests that a deployment makes on behalf of its client.

use std::rc::Rc;

use axum::http::Method;
use coffre_control::Caller;
use coffre_control::attempts::Source;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

use crate::call::{Call, Conditions, Nested};
use crate::guard::at_scope;
use crate::handle::generic;
use crate::http::error::ArmError;
use crate::http::path::Segments;
use crate::http::query::{Query, clip};
use crate::http::reply::Reply;
use crate::route::{self, Found, Params, Permission, Route};
use crate::serve::{Demand, handle, nothing, other_method};
use crate::state::ArmState;

/// On whose behalf, and as which part of a deployment, requests are made.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) state: &'a ArmState,
    /// The caller without the roles of any scope.
    pub(crate) base: &'a Caller,
    pub(crate) nested: &'a Nested,
}

impl<'a> Origin<'a> {
    /// The client of this request itself.
    pub(crate) fn of(call: &'a Call<'_>) -> Origin<'a> {
        Origin { state: call.state, base: call.base, nested: &call.nested }
    }
}

/// Deepest nesting of deployments, as Azure has it.
const NESTED_MAX: u8 = 5;

/// The route of a request that a deployment makes.
fn inner_route(method: &Method, path: &str) -> Result<(&'static Route, Params), ArmError> {
    let segments = Segments::parse(&encoded(path)).map_err(|fault| {
        ArmError::bad_request(
            "InvalidTemplate",
            format!("The id '{}' cannot be used: {fault}.", clip(path)),
        )
    })?;
    match route::find(method, segments.as_slice()) {
        Found::Route(route, params) if !route.is_open() => Ok((route, params)),
        Found::OtherMethod => Err(other_method(method)),
        Found::Route(..) | Found::Nothing => Err(nothing(segments.as_slice())),
    }
}

/// What stands in an id, as it stands in an address.
fn encoded(path: &str) -> String {
    const KEPT: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#').add(b' ');
    utf8_percent_encode(path, KEPT).to_string()
}

/// Whether a resource can be made here, and by this caller.
pub(crate) fn may_put(origin: Origin<'_>, id: &str) -> Result<(), ArmError> {
    let (route, params) = inner_route(&Method::PUT, id)?;
    if route.pattern.ends_with("/{namespace}/{kind}/{name}") {
        generic::served(&format!("{}/{}", params.get("namespace"), params.get("kind")))?;
    }
    if let Permission::May(action) = route.permission {
        at_scope(origin.state, origin.base, route, id)?.may(action)?;
    }
    Ok(())
}

/// A request on behalf of the caller of another one: the same as if the client had sent it.
pub(crate) fn inner(
    origin: Origin<'_>,
    method: &Method,
    path: &str,
    api_version: &str,
    body: &Value,
) -> Result<Reply, ArmError> {
    let depth = origin.nested.depth + 1;
    let left = origin.nested.left.get().checked_sub(1).filter(|_| depth <= NESTED_MAX);
    let Some(left) = left else {
        let message =
            "The deployment is too large, or deployments are nested too deeply; split it.";
        return Err(ArmError::bad_request("InvalidTemplate", message));
    };
    origin.nested.left.set(left);
    let (route, params) = inner_route(method, path)?;
    let query = Query::parse(&format!("api-version={}", encoded(api_version)))?;
    query.api_version()?;
    let raw_body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let path = encoded(path);
    let nested = Nested { depth, left: Rc::clone(&origin.nested.left) };
    let conditions = &Conditions::default();
    let (path, raw_body) = (&path, &raw_body);
    // Nothing that a deployment does is a sign-in.
    let source = Source::default();
    let demand = Demand { route, params, query, path, raw_body, conditions, source, nested };
    handle(origin.state, origin.base, demand)
}
