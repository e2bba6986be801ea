//! The second page of a sign-in: the password was right, and a code is needed beside it.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Redirect;
use coffre_control::usecase::Entry;
use serde::Deserialize;

use crate::page::prelude::*;
use crate::page::sign_in::{Wish, begin, held_back, with_retry};

#[derive(Template)]
#[template(path = "sign_in_code.html")]
struct SignInCode<'a> {
    view: &'a View,
    notice: Option<Notice>,
    next: &'a str,
}

/// `GET /portal/sign-in/code`.
pub(crate) async fn show(
    State(app): State<App>,
    view: View,
    headers: HeaderMap,
    Query(wish): Query<Wish>,
) -> Answer {
    let half = app.cookies.read(&headers, "half");
    if half.and_then(|it| app.halves.caller(it, view.now)).is_none() {
        return go("/portal/sign-in");
    }
    html(&SignInCode { view: &view, notice: None, next: safe_next(&wish.next) })
}

#[derive(Deserialize)]
pub(crate) struct Code {
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

/// `POST /portal/sign-in/code`.
pub(crate) async fn check(
    State(app): State<App>,
    view: View,
    headers: HeaderMap,
    Form(form): Form<Code>,
) -> Answer {
    let next = safe_next(&form.next);
    let token = app.cookies.read(&headers, "half").unwrap_or_default();
    let Some(caller) = app.halves.caller(token, view.now) else { return go("/portal/sign-in") };
    let (who, source) = (caller.clone(), view.source);
    let entry = app
        .blocking(move |given| given.door(source).code(&who, &given.factor_key, &form.code))
        .await?;
    let again =
        |status, notice| html_with(status, &SignInCode { view: &view, notice: Some(notice), next });
    match entry {
        Entry::In(_) => {
            app.halves.end(token, view.now);
            let mut answer = begin(&app, &view, &headers, caller.principal, Redirect::to(next));
            answer.headers_mut().append(SET_COOKIE, app.cookies.write("half", "", Some(0)));
            Ok(answer)
        }
        Entry::HeldBack(held) => {
            Ok(with_retry(again(StatusCode::TOO_MANY_REQUESTS, held_back(&view, held))?, held))
        }
        Entry::Wrong | Entry::NeedsCode(_) if app.halves.wrong(token, view.now) => {
            let notice = Notice::new(Tone::Bad, [view.t("code-wrong")]);
            again(StatusCode::UNAUTHORIZED, notice)
        }
        Entry::Wrong | Entry::NeedsCode(_) => go("/portal/sign-in"),
    }
}
