//! A program on another device waits: whoever is signed in here types its code and lets it in.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;

use crate::form::{Fields, first};
use crate::page::prelude::*;

#[derive(Template)]
#[template(path = "device.html")]
struct Device<'a> {
    view: &'a View,
    section: &'static str,
    /// Who lets it in.
    me: String,
    wrong: bool,
    done: Option<String>,
}

fn page(view: &View, status: StatusCode, wrong: bool, done: Option<&str>) -> Answer {
    let (me, done) = (view.caller().name, done.map(|key| view.t(key)));
    html_with(status, &Device { view, section: "settings", me, wrong, done })
}

/// `GET /portal/device`.
pub(crate) async fn show(view: View) -> Answer {
    page(&view, StatusCode::OK, false, None)
}

/// `POST /portal/device`: lets the program of a code in, or refuses it.
pub(crate) async fn decide(State(app): State<App>, view: View, Form(fields): Fields) -> Answer {
    let allow = first(&fields, "answer") == "allow";
    let who = view.caller();
    let known = app.given.devices.decide(first(&fields, "code"), who.principal, allow, view.now);
    tracing::info!(name = %who.name, known, allow, "a code of another device was typed");
    match (known, allow) {
        (false, _) => page(&view, StatusCode::BAD_REQUEST, true, None),
        (true, true) => page(&view, StatusCode::OK, false, Some("device-allowed")),
        (true, false) => page(&view, StatusCode::OK, false, Some("device-refused")),
    }
}
