//! Signing in and out, with the same credentials as the API.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect};
use coffre_control::id::PrincipalId;
use coffre_control::usecase::{Login, authenticate};
use coffre_control::{ErrorCode, Refusal};
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
}

#[derive(Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    next: String,
}

/// `GET /portal/sign-in`.
pub(crate) async fn show(view: View, Query(wish): Query<Wish>) -> Answer {
    let next = safe_next(&wish.next);
    if view.caller.is_some() {
        return go(next);
    }
    html(&SignIn { view: &view, notice: None, name: "", next })
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
    match check(&app, name.clone(), form.secret).await {
        Ok(principal) => {
            // Whoever knew the old session or the old form token knows nothing now.
            if let Some(old) = app.cookies.read(&headers, "session") {
                app.sessions.end(old);
            }
            let token = app.sessions.begin(principal, view.now);
            let mut response = Redirect::to(next).into_response();
            let cookies = response.headers_mut();
            cookies.append(SET_COOKIE, app.cookies.write("session", &token, None));
            cookies.append(SET_COOKIE, app.cookies.write("csrf", &session::token(), None));
            Ok(response)
        }
        Err(refusal) => {
            log(&refusal);
            let notice = Some(Notice::refusal(&view, &refusal));
            html_with(status_of(&refusal), &SignIn { view: &view, notice, name: &name, next })
        }
    }
}

async fn check(app: &App, name: String, secret: String) -> Result<PrincipalId, Refusal> {
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
        Ok(authenticate(&*given.db, login)?.principal)
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
