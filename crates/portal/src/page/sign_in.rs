//! Signing in and out, with the same credentials as the API.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use coffre_control::attempts::{HeldBack, Source};
use coffre_control::id::PrincipalId;
use coffre_control::usecase::{Entry, Login};
use coffre_control::{Caller, ErrorCode, Refusal};
use serde::Deserialize;

use crate::page::error::{log, status_of};
use crate::page::prelude::*;
use crate::session;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    view: &'a View,
    notice: Option<Notice>,
    name: &'a str,
    next: &'a str,
    /// What people call the outside provider, and the way to it.
    provider: Option<(&'a str, String)>,
}

#[derive(Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    pub(crate) next: String,
}

/// `GET /portal/sign-in`.
pub(crate) async fn show(State(app): State<App>, view: View, Query(wish): Query<Wish>) -> Answer {
    let next = safe_next(&wish.next);
    if view.caller.is_some() {
        return go(next);
    }
    html(&SignIn { view: &view, notice: None, name: "", next, provider: provider(&app, next) })
}

#[derive(Deserialize)]
pub(crate) struct Credentials {
    #[serde(default)]
    name: String,
    #[serde(default)]
    secret: String,
    #[serde(default)]
    next: String,
}

/// `POST /portal/sign-in`.
pub(crate) async fn sign_in(
    State(app): State<App>,
    view: View,
    headers: HeaderMap,
    Form(form): Form<Credentials>,
) -> Answer {
    let next = safe_next(&form.next);
    let name = form.name.trim().to_owned();
    let again = |status, notice| {
        let (notice, provider) = (Some(notice), provider(&app, next));
        html_with(status, &SignIn { view: &view, notice, name: &name, next, provider })
    };
    match check(&app, name.clone(), form.secret, view.source).await {
        Ok(Entry::In(caller)) => {
            Ok(begin(&app, &view, &headers, caller.principal, Redirect::to(next)))
        }
        Ok(Entry::NeedsCode(caller)) => {
            Ok(half(&app, &view, caller, Redirect::to(&code_address(next))))
        }
        Ok(Entry::HeldBack(held)) => {
            Ok(with_retry(again(StatusCode::TOO_MANY_REQUESTS, held_back(&view, held))?, held))
        }
        Ok(Entry::Wrong) => {
            let refusal = Refusal::new(
                ErrorCode::InvalidCredentials,
                "Sign-in failed: the name or client id is not known, or the secret is wrong.",
            );
            again(status_of(&refusal), Notice::refusal(&view, &refusal))
        }
        Err(refusal) => {
            log(&refusal);
            again(status_of(&refusal), Notice::refusal(&view, &refusal))
        }
    }
}

/// The password was right: the way to the page that asks for a code.
pub(crate) fn half(app: &App, view: &View, caller: Caller, answer: impl IntoResponse) -> Response {
    let token = app.halves.begin(caller, view.now);
    let mut response = answer.into_response();
    response.headers_mut().append(SET_COOKIE, app.cookies.write("half", &token, None));
    response
}

/// The page that asks for a code.
pub(crate) fn code_address(next: &str) -> String {
    format!("/portal/sign-in/code?next={}", encoded(next))
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn provider<'a>(app: &'a App, next: &str) -> Option<(&'a str, String)> {
    let provider = app.given.provider.as_ref()?;
    Some((provider.label(), format!("/portal/sign-in/provider?next={}", encoded(next))))
}

/// The page once more, with what went wrong on another way in.
pub(crate) fn refused(app: &App, view: &View, status: StatusCode, notice: Notice) -> Answer {
    let (notice, next) = (Some(notice), "/portal/");
    html_with(status, &SignIn { view, notice, name: "", next, provider: provider(app, next) })
}

/// Somebody is signed in from here on. Whoever knew the old session or the old form token knows
/// nothing now.
pub(crate) fn begin(
    app: &App,
    view: &View,
    headers: &HeaderMap,
    principal: PrincipalId,
    answer: impl IntoResponse,
) -> Response {
    if let Some(old) = app.cookies.read(headers, "session") {
        app.sessions.end(old);
    }
    let token = app.sessions.begin(principal, view.now);
    let mut response = answer.into_response();
    let cookies = response.headers_mut();
    cookies.append(SET_COOKIE, app.cookies.write("session", &token, None));
    cookies.append(SET_COOKIE, app.cookies.write("csrf", &session::token(), None));
    response
}

/// What whoever guesses reads, and whoever sits beside them.
pub(crate) fn held_back(view: &View, held: HeldBack) -> Notice {
    let time = view.seconds(held.seconds as f64);
    Notice::new(Tone::Bad, [view.t1("sign-in-held", "time", time.as_str())])
}

/// The same answer with the time after which it may be asked again.
pub(crate) fn with_retry(mut response: Response, held: HeldBack) -> Response {
    response.headers_mut().insert(RETRY_AFTER, held.seconds.into());
    response
}

/// Checks a secret or a password of whoever has this name or client id.
pub(crate) async fn check(
    app: &App,
    name: String,
    secret: String,
    source: Source,
) -> Result<Entry, Refusal> {
    let Ok(_turn) = app.sign_ins.acquire().await else {
        return Err(Refusal::new(ErrorCode::ServiceUnavailable, "The service is stopping."));
    };
    app.blocking(move |given| {
        // A program's client id is a UUID; a person's name is none.
        let login = if name.parse::<PrincipalId>().is_ok() {
            Login::Secret { client_id: &name, secret: &secret }
        } else {
            Login::Password { name: &name, password: &secret }
        };
        given.door(source).secret(login)
    })
    .await
}

/// `POST /portal/sign-out`.
pub(crate) async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Answer {
    if let Some(token) = app.cookies.read(&headers, "session") {
        app.sessions.end(token);
    }
    let mut response = (StatusCode::SEE_OTHER, Redirect::to("/portal/sign-in")).into_response();
    response.headers_mut().append(SET_COOKIE, app.cookies.write("session", "", Some(0)));
    Ok(response)
}
