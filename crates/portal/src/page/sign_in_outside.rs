//! Signing in through an outside provider: there and back.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Redirect};
use coffre_control::Refusal;
use coffre_control::port::{read, tx};
use coffre_control::usecase::{OutsideIdentity, factor_of, outside_caller};
use serde::Deserialize;

use crate::page::error::{log, status_of};
use crate::page::prelude::*;
use crate::page::sign_in::{Wish, begin, code_address, half, refused};
use crate::provider::{Flow, ProviderFault};

/// Leads on by a page instead of a redirect: only then a browser sends cookies that other sites
/// cannot make it send.
#[derive(Template)]
#[template(path = "sign_in_back.html")]
struct Back<'a> {
    view: &'a View,
    next: &'a str,
}

/// `GET /portal/sign-in/provider`.
pub(crate) async fn leave(State(app): State<App>, view: View, Query(wish): Query<Wish>) -> Answer {
    let Some(provider) = app.given.provider.clone() else { return Err(Problem::NoPage) };
    let (flow, redirect) = (Flow::random(), app.back_address());
    let asked = flow.clone();
    let _turn = app.provider_turns.acquire().await;
    let address = app.blocking(move |_| Ok(provider.address(&asked, &redirect))).await?;
    match address {
        Ok(address) => {
            let token = app.flows.begin(flow, safe_next(&wish.next), view.now);
            let mut response = Redirect::to(&address).into_response();
            let cookie = app.cookies.write_for_return("flow", &token);
            response.headers_mut().append(SET_COOKIE, cookie);
            Ok(response)
        }
        Err(fault) => failed(&app, &view, &fault),
    }
}

#[derive(Deserialize)]
pub(crate) struct Returned {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    error: String,
}

/// `GET /portal/sign-in/provider/back`: the provider sent the browser back.
pub(crate) async fn back(
    State(app): State<App>,
    view: View,
    headers: HeaderMap,
    Query(returned): Query<Returned>,
) -> Answer {
    let Some(provider) = app.given.provider.clone() else { return Err(Problem::NoPage) };
    let token = app.cookies.read(&headers, "flow").unwrap_or_default();
    let Some((flow, next)) = app.flows.take(token, &returned.state, view.now) else {
        let fault = ProviderFault::Refused("nobody here began this sign-in".to_owned());
        return failed(&app, &view, &fault);
    };
    if !returned.error.is_empty() || returned.code.is_empty() {
        let fault = ProviderFault::Refused(format!("it says {:?}", returned.error));
        return failed(&app, &view, &fault);
    }
    let (redirect, now) = (app.back_address(), view.now);
    let _turn = app.provider_turns.acquire().await;
    let code = returned.code;
    let identity =
        app.blocking(move |_| Ok(provider.identity(&code, &flow, &redirect, now))).await?;
    match identity {
        Ok(identity) => enter(&app, &view, &headers, identity, &next).await,
        Err(fault) => failed(&app, &view, &fault),
    }
}

async fn enter(
    app: &App,
    view: &View,
    headers: &HeaderMap,
    identity: OutsideIdentity,
    next: &str,
) -> Answer {
    let now = view.now;
    let known = app
        .blocking(move |given| {
            let caller = tx(&*given.db, "outside sign-in", |tx| {
                outside_caller(tx, &*given.ids, now, &identity)
            })?;
            let factor = read(&*given.db, "find factor", |tx| factor_of(tx, caller.principal))?;
            Ok((caller, factor))
        })
        .await;
    let page = |next: &str| {
        let page = Back { view, next }.render().expect("pages are written to memory");
        (StatusCode::OK, Html(page))
    };
    match known {
        Ok((caller, factor)) if factor.is_on() => {
            Ok(half(app, view, caller, page(&code_address(next))))
        }
        Ok((caller, _)) => Ok(begin(app, view, headers, caller.principal, page(next))),
        Err(refusal) => say(app, view, &refusal),
    }
}

fn say(app: &App, view: &View, refusal: &Refusal) -> Answer {
    log(refusal);
    refused(app, view, status_of(refusal), Notice::refusal(view, refusal))
}

fn failed(app: &App, view: &View, fault: &ProviderFault) -> Answer {
    tracing::warn!(%fault, "a sign-in through the provider failed");
    let status = match fault {
        ProviderFault::Unusable(_) => StatusCode::SERVICE_UNAVAILABLE,
        ProviderFault::Refused(_) => StatusCode::UNAUTHORIZED,
    };
    let notice = Notice::new(Tone::Bad, [view.t("sign-in-provider-failed")]);
    refused(app, view, status, notice)
}
