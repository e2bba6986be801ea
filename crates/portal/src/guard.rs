//! What every request passes: who is it, may it be sent from there, what may its answer do.
//!
//! Keeps three rules, so that no page has to remember them:
//! * a POST counts only with the token of its form and from a page of ours;
//! * behind the sign-in nobody is nobody;
//! * every answer carries the content-security policy, and no page is kept by a cache.
//!
//! It also turns a [`Problem`] that a page answered with into an error page in the reader's
//! language.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN,
    REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use coffre_control::attempts::Source;
use coffre_control::port::read;
use coffre_control::usecase::caller_of;
use coffre_control::{Action, ErrorCode, Refusal};
use subtle::ConstantTimeEq;

use crate::i18n::Lang;
use crate::page::error::{Problem, error_page};
use crate::page::notifications;
use crate::session;
use crate::state::App;
use crate::view::{Theme, View};

/// Forms are small; nothing else is sent to the portal.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Nothing but our own files; no script, style or frame from anywhere else, no HTML made from
/// strings by scripts.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// Marks requests for a part of a page.
const FRAGMENT: HeaderName = HeaderName::from_static("x-portal-fragment");

/// The middleware around every route of the portal.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if path.starts_with("/portal/static/") {
        return with_headers(next.run(request).await, false);
    }
    let source = request.extensions().get::<Source>().copied().unwrap_or_default();
    let (headers, address) = (request.headers().clone(), request.uri().clone());
    let (view, new_csrf) = match view_of(&app, source, headers, &address).await {
        Ok(pair) => pair,
        Err(problem) => return with_headers(problem.status().into_response(), true),
    };
    let mut response = match admit(&app, &view, &path, request).await {
        Ok(request) => next.run(request).await,
        Err(refused) => refused,
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = error_page(&view, &problem);
    }
    if new_csrf {
        let cookie = app.cookies.write("csrf", &view.csrf, None);
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    with_headers(response, true)
}

/// Finds out who looks and how; the flag says that the form token is new.
async fn view_of(
    app: &App,
    source: Source,
    headers: HeaderMap,
    address: &Uri,
) -> Result<(View, bool), Problem> {
    let cookie = |name| app.cookies.read(&headers, name);
    let sent_csrf = cookie("csrf").filter(|token| token.len() == 64);
    let now = app.now();
    let signed_in = match cookie("session").and_then(|token| app.sessions.principal(token, now)) {
        Some(principal) => {
            app.blocking(move |given| {
                read(&*given.db, "portal_session", |tx| match caller_of(tx, principal) {
                    Ok(caller) => {
                        let unseen = notifications::count_unseen(tx, principal, now)?;
                        Ok(Some((caller, unseen)))
                    }
                    Err(refusal) if refusal.fault.is_none() => Ok(None),
                    Err(refusal) => Err(refusal),
                })
            })
            .await?
        }
        None => None,
    };
    let (caller, unseen) = signed_in.unzip();
    let view = View {
        lang: cookie("lang").and_then(Lang::from_tag).unwrap_or_else(|| {
            let accept = headers.get(ACCEPT_LANGUAGE).and_then(|it| it.to_str().ok());
            Lang::negotiate(accept.unwrap_or_default())
        }),
        theme: cookie("theme").and_then(Theme::from_word).unwrap_or_default(),
        csrf: sent_csrf.map_or_else(session::token, str::to_owned),
        caller,
        here: address.path_and_query().map_or("/portal/", |it| it.as_str()).to_owned(),
        source,
        now,
        unseen,
    };
    let new_csrf = sent_csrf.is_none();
    Ok((view, new_csrf))
}

/// Lets the request through to its page, with the view beside it, or answers in its place.
async fn admit(app: &App, view: &View, path: &str, request: Request) -> Result<Request, Response> {
    let mut request = if *request.method() == Method::POST {
        checked_post(app, view, request).await?
    } else {
        request
    };
    let open = matches!(
        path,
        "/portal/sign-in"
            | "/portal/sign-in/code"
            | "/portal/sign-in/provider"
            | "/portal/sign-in/provider/back"
            | "/portal/preferences"
    );
    if view.caller.is_none() && !open {
        if request.headers().contains_key(FRAGMENT) {
            return Err((StatusCode::UNAUTHORIZED, Html("")).into_response());
        }
        // A form that was sent is lost with the session; its page is not.
        let next = if *request.method() == Method::POST { "/portal/" } else { &view.here };
        let next = percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC);
        return Err(Redirect::to(&format!("/portal/sign-in?next={next}")).into_response());
    }
    if let Some(caller) = &view.caller
        && let Err(refusal) = caller.may(Action::Read)
        && !open
        && path != "/portal/sign-out"
    {
        return Err(Problem::from(refusal).into_response());
    }
    request.extensions_mut().insert(view.clone());
    Ok(request)
}

/// Refuses a POST that no form of ours can have sent.
async fn checked_post(app: &App, view: &View, request: Request) -> Result<Request, Response> {
    let refused = || Problem::forged().into_response();
    if !comes_from_here(request.headers(), &app.given.public_url) {
        return Err(refused());
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return Err(Problem::from(Refusal::new(
            ErrorCode::InvalidRequestContent,
            "The form is larger than any form of this portal.",
        ))
        .into_response());
    };
    let token = body
        .split(|&byte| byte == b'&')
        .find_map(|pair| pair.strip_prefix(b"csrf="))
        .unwrap_or_default();
    if !bool::from(token.ct_eq(view.csrf.as_bytes())) {
        return Err(refused());
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// What browsers say about where a request comes from, when they say it. Ours is the host that was
/// asked, and the public address when something in between asks under another name.
fn comes_from_here(headers: &HeaderMap, public_url: &str) -> bool {
    let header = |name: &HeaderName| headers.get(name).and_then(|it| it.to_str().ok());
    let site = header(&HeaderName::from_static("sec-fetch-site"));
    if site.is_some_and(|site| site != "same-origin") {
        return false;
    }
    let Some(origin) = header(&ORIGIN) else { return true };
    let same_host = |host: &str| {
        origin.split_once("://").is_some_and(|(_, origin)| origin.eq_ignore_ascii_case(host))
    };
    header(&HOST).is_some_and(same_host)
        || origin.eq_ignore_ascii_case(public_url.trim_end_matches('/'))
}

fn with_headers(mut response: Response, page: bool) -> Response {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(X_FRAME_OPTIONS, "DENY");
    // Forms need the origin; other sites need not know which page somebody came from.
    set(REFERRER_POLICY, "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()");
    if page {
        set(CACHE_CONTROL, "no-store");
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
            })
            .collect()
    }

    #[test]
    fn forms_of_other_sites_are_told_apart() {
        for (sent, ours) in [
            (&[][..], true),
            (&[("host", "a:1"), ("origin", "https://a:1")], true),
            (&[("host", "a:1"), ("origin", "https://A:1")], true),
            (&[("host", "a:1"), ("origin", "https://a:2")], false),
            (&[("host", "a:1"), ("origin", "https://public.test")], true),
            (&[("host", "a:1"), ("origin", "http://public.test")], false),
            (&[("host", "a:1"), ("origin", "null")], false),
            (&[("origin", "https://a:1")], false),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
        ] {
            assert_eq!(comes_from_here(&headers(sent), "https://public.test/"), ours, "{sent:?}");
        }
    }
}
