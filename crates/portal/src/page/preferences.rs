//! Language and colours, kept in cookies: they belong to the browser, not to the account.

use axum::Form;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::response::IntoResponse;
use serde::Deserialize;

use crate::i18n::Lang;
use crate::page::prelude::*;
use crate::view::Theme;

/// A year: nobody wants to choose their language every month.
const KEPT_SECS: u64 = 365 * 24 * 3600;

#[derive(Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    lang: String,
    #[serde(default)]
    theme: String,
    #[serde(default)]
    next: String,
}

/// `POST /portal/preferences`.
pub(crate) async fn change(State(app): State<App>, Form(wish): Form<Wish>) -> Answer {
    let mut response = axum::response::Redirect::to(safe_next(&wish.next)).into_response();
    let headers = response.headers_mut();
    if let Some(lang) = Lang::from_tag(&wish.lang) {
        headers.append(SET_COOKIE, app.cookies.write("lang", lang.tag(), Some(KEPT_SECS)));
    }
    if let Some(theme) = Theme::from_word(&wish.theme) {
        headers.append(SET_COOKIE, app.cookies.write("theme", theme.word(), Some(KEPT_SECS)));
    }
    Ok(response)
}
