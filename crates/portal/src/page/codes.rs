//! The reader's own codes at sign-in: begin, show the picture for an app, confirm, turn off.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use coffre_control::factor::{
    RECOVERY_BYTES, RECOVERY_CODES, SECRET_BYTES, enrolment_url, secret_text,
};
use coffre_control::usecase::{
    Entry, Factor, begin_factor, begun_secret, confirm_factor, factor_of, forget_factor,
    remove_factor,
};
use coffre_control::{Caller, ErrorCode};
use qrcode::QrCode;
use qrcode::render::svg;

use crate::form::{Fields, first};
use crate::page::error::{log, status_of};
use crate::page::prelude::*;
use crate::page::sign_in::{held_back, with_retry};
use crate::view::TimeElement;

#[derive(Template)]
#[template(path = "codes.html")]
struct Codes<'a> {
    view: &'a View,
    section: &'static str,
    notice: Option<Notice>,
    wrong: bool,
    shown: Shown,
}

/// What the page has to show.
enum Shown {
    Off,
    /// The picture for an app, and the same as letters.
    Begun {
        picture: String,
        secret: String,
    },
    /// Since when, and how many recovery codes are left.
    On {
        since: TimeElement,
        left: String,
    },
    /// The recovery codes, this once.
    Recovery(Vec<String>),
}

/// `GET /portal/settings/codes`.
pub(crate) async fn show(State(app): State<App>, view: View) -> Answer {
    page(&app, &view, StatusCode::OK, None, false).await
}

/// `POST /portal/settings/codes`: begin, give up, confirm with the first code, or turn off.
pub(crate) async fn change(
    State(app): State<App>,
    view: View,
    headers: HeaderMap,
    Form(fields): Fields,
) -> Answer {
    let code = first(&fields, "code").to_owned();
    match first(&fields, "do") {
        "begin" => begin(&app, &view).await,
        "give-up" => {
            app.change("portal_codes", view.caller(), |tx, cx| {
                let id = cx.caller.principal;
                if factor_of(tx, id)? == Factor::Begun { forget_factor(tx, id) } else { Ok(()) }
            })
            .await?;
            go("/portal/settings/codes")
        }
        "confirm" => confirm(&app, &view, &headers, code).await,
        "off" => off(&app, &view, code).await,
        _ => go("/portal/settings/codes"),
    }
}

async fn begin(app: &App, view: &View) -> Answer {
    let key = app.given.factor_key.clone();
    let done = app.change("portal_codes", view.caller(), move |tx, cx| {
        begin_factor(tx, cx, &key, &random::<SECRET_BYTES>(), random())
    });
    match done.await {
        Ok(()) => go("/portal/settings/codes"),
        Err(refusal) => {
            log(&refusal);
            let notice = Notice::refusal(view, &refusal);
            page(app, view, status_of(&refusal), Some(notice), false).await
        }
    }
}

async fn confirm(app: &App, view: &View, headers: &HeaderMap, code: String) -> Answer {
    let key = app.given.factor_key.clone();
    let random: [[u8; RECOVERY_BYTES]; RECOVERY_CODES] = std::array::from_fn(|_| random());
    let done = app.change("portal_codes", view.caller(), move |tx, cx| {
        confirm_factor(tx, cx, &key, &code, &random)
    });
    match done.await {
        Ok(codes) => {
            // Sessions that began with the password alone are no longer good enough.
            let here = app.cookies.read(headers, "session").unwrap_or_default();
            app.sessions.end_others(view.caller().principal, here);
            let shown = Shown::Recovery(codes);
            html(&Codes { view, section: "settings", notice: None, wrong: false, shown })
        }
        Err(refusal) if refusal.target.as_deref() == Some("code") => {
            page(app, view, status_of(&refusal), None, true).await
        }
        Err(refusal) if refusal.code == ErrorCode::Conflict => go("/portal/settings/codes"),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Whoever found an open browser must not be able to turn them off: a code is needed.
async fn off(app: &App, view: &View, code: String) -> Answer {
    let (who, source) = (view.caller(), view.source);
    let entry =
        app.blocking(move |given| given.door(source).code(&who, &given.factor_key, &code)).await?;
    match entry {
        Entry::In(Caller { principal, .. }) => {
            app.change("portal_codes", view.caller(), move |tx, cx| {
                remove_factor(tx, cx, principal)
            })
            .await?;
            go("/portal/settings/codes")
        }
        Entry::HeldBack(held) => {
            let (status, notice) = (StatusCode::TOO_MANY_REQUESTS, held_back(view, held));
            Ok(with_retry(page(app, view, status, Some(notice), false).await?, held))
        }
        Entry::Wrong | Entry::NeedsCode(_) => {
            page(app, view, StatusCode::BAD_REQUEST, None, true).await
        }
    }
}

async fn page(
    app: &App,
    view: &View,
    status: StatusCode,
    notice: Option<Notice>,
    wrong: bool,
) -> Answer {
    let key = app.given.factor_key.clone();
    let (factor, secret) = app
        .look("portal_codes", view.caller(), move |tx, cx| {
            Ok((factor_of(tx, cx.caller.principal)?, begun_secret(tx, cx, &key)?))
        })
        .await?;
    let shown = match (factor, secret) {
        (Factor::On { since, recovery_left }, _) => {
            Shown::On { since: view.time(since), left: view.number(recovery_left) }
        }
        (Factor::Begun, Some(secret)) => Shown::Begun {
            picture: picture(&enrolment_url(&view.caller().name, &secret)),
            secret: secret_text(&secret),
        },
        (Factor::Begun | Factor::Off, _) => Shown::Off,
    };
    html_with(status, &Codes { view, section: "settings", notice, wrong, shown })
}

/// A picture that an app reads, as an element of the page.
fn picture(text: &str) -> String {
    let code = QrCode::new(text).expect("a name and a secret fit into a picture");
    let drawn = code.render::<svg::Color<'_>>().min_dimensions(220, 220).build();
    // The declaration before the element is for files.
    drawn.find("<svg").map_or(String::new(), |at| drawn[at..].to_owned())
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}
