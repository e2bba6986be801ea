//! From an HTTP request to a response: request ids, sign-in, authorisation, the body, the
//! handler, and the headers that every answer carries.
//!
//! The order is fixed and the same for every route: path, route, token, version, body,
//! permission, subscription, group, handler. Handlers are synchronous and run on the blocking
//! pool, since they wait for the store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use coffre_control::attempts::Source;
use coffre_control::{Caller, ErrorCode, Refusal, port};
use serde_json::Value;
use tokio::sync::Semaphore;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::call::{Call, Conditions, Nested};
use crate::guard::{at_scope, decoded};
use crate::http::error::ArmError;
use crate::http::members::parse_body;
use crate::http::path::Segments;
use crate::http::query::{Query, clip};
use crate::http::reply::Reply;
use crate::rate::{Kind, Limiter};
use crate::route::{self, Found, Params, Permission, Route};
use crate::sign_in;
use crate::state::ArmState;
use crate::template::jsonc;

/// Largest request body that is read.
pub(crate) const BODY_BYTES_MAX: usize = 1 << 20;
/// Longest time for a request, from its head to the answer.
const REQUEST_SECS_MAX: u64 = 30;
/// Sign-ins that are checked at once; each takes tens of MiB and tens of milliseconds on purpose.
const SIGN_INS_MAX: usize = 2;

struct Shared {
    state: ArmState,
    sign_ins: Semaphore,
    limiter: Limiter,
}

/// The whole surface. It answers every path: merge it last.
pub fn router(state: ArmState) -> Router {
    let shared =
        Shared { state, sign_ins: Semaphore::new(SIGN_INS_MAX), limiter: Limiter::default() };
    Router::new().fallback(serve).with_state(Arc::new(shared))
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let began = Instant::now();
    let ids = RequestIds::of(request.headers(), &*shared.state.ids);
    let head = request.method() == Method::HEAD;
    let span = tracing::info_span!("arm", request.id = %ids.request, method = %request.method(), path = request.uri().path());
    let limit = Duration::from_secs(REQUEST_SECS_MAX);
    async {
        let outcome = tokio::time::timeout(limit, answer(&shared, request)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(too_slow()));
        let refused = outcome.as_ref().err().map(ArmError::code);
        let response = dress(outcome.unwrap_or_else(ArmError::into_reply), &ids, head);
        // From the head of the request to the last byte of the answer in memory.
        let (status, took_us) = (response.status().as_u16(), began.elapsed().as_micros());
        match refused {
            None => tracing::debug!(status, took_us, "answered"),
            Some(code) => tracing::info!(status, code, took_us, "refused"),
        }
        response
    }
    .instrument(span)
    .await
}

fn too_slow() -> ArmError {
    ArmError::new(
        StatusCode::GATEWAY_TIMEOUT,
        "GatewayTimeout",
        format!("The request took longer than {REQUEST_SECS_MAX} seconds."),
    )
}

async fn answer(shared: &Arc<Shared>, request: Request) -> Result<Reply, ArmError> {
    let (parts, body) = request.into_parts();
    let segments = Segments::parse(parts.uri.path()).map_err(|fault| {
        ArmError::bad_request("InvalidRequestUri", format!("The address cannot be used: {fault}."))
    })?;
    let query = Query::parse(parts.uri.query().unwrap_or_default())?;
    let found = route::find(&parts.method, segments.as_slice());
    let open = matches!(&found, Found::Route(route, _) if route.is_open());
    let claims = if open { None } else { Some(sign_in::bearer(&shared.state, &parts.headers)?) };
    if let Some(claims) = &claims {
        limit(shared, Kind::Request, &claims.oid)?;
    }
    let (route, params) = match found {
        Found::Route(route, params) => (route, params),
        Found::OtherMethod => return Err(other_method(&parts.method)),
        Found::Nothing => return Err(nothing(segments.as_slice())),
    };
    if !open {
        query.api_version()?;
    }
    let raw_body = read_body(&parts.headers, body).await?;
    let signs_in = (route.permission == Permission::SignIn).then(|| sign_in::name_of(&raw_body));
    if let Some(name) = &signs_in {
        limit(shared, Kind::SignIn, name)?;
    }
    let _permit = match route.permission {
        Permission::SignIn => {
            Some(shared.sign_ins.acquire().await.map_err(|_| ArmError::internal())?)
        }
        Permission::Public | Permission::May(_) => None,
    };
    let shared = Arc::clone(shared);
    let span = tracing::Span::current();
    let work = move || {
        let _entered = span.enter();
        let caller = match &claims {
            Some(claims) => sign_in::caller(&shared.state, claims)?,
            None => Caller::system(),
        };
        let path = parts.uri.path();
        let nested = Nested::outside();
        let text =
            |name| parts.headers.get(name).and_then(|it| it.to_str().ok()).map(str::to_owned);
        let conditions = &Conditions {
            matches: text(header::IF_MATCH),
            matches_none: text(header::IF_NONE_MATCH),
        };
        let raw_body = &raw_body;
        let source = parts.extensions.get::<Source>().copied().unwrap_or_default();
        let demand = Demand { route, params, query, path, raw_body, conditions, source, nested };
        let reply = handle(&shared.state, &caller, demand)?;
        if let Some(name) = signs_in.as_ref().filter(|_| reply.is_success()) {
            shared.limiter.put_back(Kind::SignIn, name);
        }
        Ok(reply)
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a handler ended without an answer");
        ArmError::internal()
    })?
}

/// Refuses who asks too much.
fn limit(shared: &Shared, kind: Kind, caller: &str) -> Result<(), ArmError> {
    let now = (shared.state.clock)();
    shared.limiter.take(kind, caller, now).map_err(|seconds| {
        ArmError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequests",
            format!("There were too many requests. Try again in {seconds} seconds."),
        )
        .retry_after(seconds)
    })
}

/// What a route was asked, after the table found it.
pub(crate) struct Demand<'a> {
    pub(crate) route: &'static Route,
    pub(crate) params: Params,
    pub(crate) query: Query,
    pub(crate) path: &'a str,
    pub(crate) raw_body: &'a [u8],
    pub(crate) conditions: &'a Conditions,
    pub(crate) source: Source,
    pub(crate) nested: Nested,
}

/// The part after sign-in: permission, then what the path names, then the handler.
pub(crate) fn handle(
    state: &ArmState,
    base: &Caller,
    demand: Demand<'_>,
) -> Result<Reply, ArmError> {
    let route = demand.route;
    let id = decoded(demand.path);
    let caller = &at_scope(state, base, route, &id)?;
    if let Permission::May(action) = route.permission {
        caller.may(action)?;
    }
    let body = match (route.is_open(), route.lenient) {
        (true, _) => Value::Null,
        (false, false) => parse_body(demand.raw_body)?,
        (false, true) => parse_lenient(demand.raw_body)?,
    };
    let mut call = Call {
        state,
        caller,
        base,
        conditions: demand.conditions,
        method: route.method.clone(),
        params: demand.params,
        query: demand.query,
        path: demand.path,
        raw_body: demand.raw_body,
        body,
        subscription: None,
        group: None,
        source: demand.source,
        nested: demand.nested,
        now: (state.clock)(),
    };
    if let Some(text) = call.params.find("sub").map(str::to_owned) {
        resolve(&mut call, &text)?;
    }
    let names_group_itself = route.pattern.ends_with("/{group}");
    if call.params.find("group").is_some() && call.group.is_none() && !names_group_itself {
        return Err(no_group(call.param("group")).into());
    }
    (route.handler)(&call)
}

fn parse_lenient(bytes: &[u8]) -> Result<Value, ArmError> {
    let wrong =
        |what: String| ArmError::bad_body(format!("The request content cannot be read: {what}."));
    let text = std::str::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
    jsonc::parse(text).map_err(|fault| wrong(fault.to_string()))
}

/// Looks up the subscription and the group of the path.
fn resolve(call: &mut Call<'_>, subscription: &str) -> Result<(), ArmError> {
    let unknown = || {
        Refusal::new(
            ErrorCode::SubscriptionNotFound,
            format!("The subscription '{}' could not be found.", clip(subscription)),
        )
    };
    let id = subscription.parse().map_err(|_| unknown())?;
    let group = call.params.find("group").map(str::to_owned);
    let (subscription, group) = port::read(&*call.state.db, "resolve scope", |tx| {
        let subscription = tx.subscription(id)?.ok_or_else(unknown)?;
        let group = match group {
            Some(name) => tx.group(id, &name)?,
            None => None,
        };
        Ok((subscription, group))
    })?;
    call.subscription = Some(subscription);
    call.group = group;
    Ok(())
}

/// 404 of a resource group.
pub(crate) fn no_group(name: &str) -> Refusal {
    Refusal::new(
        ErrorCode::ResourceGroupNotFound,
        format!("Resource group '{}' could not be found.", clip(name)),
    )
}

pub(crate) fn other_method(method: &Method) -> ArmError {
    ArmError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "HttpMethodNotSupported",
        format!("The resource does not support the method '{method}'."),
    )
}

pub(crate) fn nothing(segments: &[String]) -> ArmError {
    let provider = segments.iter().position(|it| it.eq_ignore_ascii_case("providers"));
    let kind = provider.map(|at| &segments[at + 1..]).filter(|rest| !rest.is_empty());
    match kind {
        Some(rest) => ArmError::not_found(
            "InvalidResourceType",
            format!("The resource type could not be found in the namespace '{}'.", clip(&rest[0])),
        ),
        None => ArmError::not_found("NotFound", "There is nothing at this address."),
    }
}

async fn read_body(headers: &HeaderMap, body: Body) -> Result<Bytes, ArmError> {
    let too_large = || {
        ArmError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestContentTooLarge",
            format!("The request content is larger than {BODY_BYTES_MAX} bytes."),
        )
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    if announced.and_then(|it| it.parse::<u64>().ok()).is_some_and(|it| it > BODY_BYTES_MAX as u64)
    {
        return Err(too_large());
    }
    to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| too_large())
}

/// The ids under which a request is found in the logs of both sides.
struct RequestIds {
    request: Uuid,
    correlation: HeaderValue,
    client: Option<HeaderValue>,
}

impl RequestIds {
    fn of(headers: &HeaderMap, ids: &dyn Fn() -> Uuid) -> RequestIds {
        let request = ids();
        // Only what looks like an id is echoed; anything else is replaced.
        let sent = |name| headers.get(name).filter(|it| is_id(it)).cloned();
        let own = || {
            HeaderValue::from_str(&request.to_string())
                .unwrap_or_else(|_| HeaderValue::from_static(""))
        };
        RequestIds {
            request,
            correlation: sent("x-ms-correlation-request-id").unwrap_or_else(own),
            client: sent("x-ms-client-request-id"),
        }
    }
}

fn is_id(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    (1..=64).contains(&bytes.len())
        && bytes.iter().all(|it| it.is_ascii_alphanumeric() || *it == b'-')
}

/// Headers that every answer carries.
const FIXED_HEADERS: &[(&str, &str)] = &[
    ("cache-control", "no-cache"),
    ("pragma", "no-cache"),
    ("expires", "-1"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
];

fn dress(reply: Reply, ids: &RequestIds, head: bool) -> Response {
    let (status, body, own) = reply.into_parts();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in FIXED_HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::from_str(&ids.request.to_string()) {
        headers.insert("x-ms-request-id", value);
    }
    headers.insert("x-ms-correlation-request-id", ids.correlation.clone());
    let routing = format!("COFFRE:{}", ids.request);
    if let Ok(value) = HeaderValue::from_str(&routing) {
        headers.insert("x-ms-routing-request-id", value);
    }
    if let Some(client) = &ids.client {
        headers.insert("x-ms-client-request-id", client.clone());
    }
    for (name, value) in own {
        headers.insert(name, value);
    }
    if let Some(body) = body {
        let kind = HeaderValue::from_static("application/json; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, kind);
        if !head {
            *response.body_mut() = Body::from(body.to_string());
        }
    }
    response
}
