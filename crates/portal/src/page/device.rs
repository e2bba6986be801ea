//! A program on another device waits: whoever is signed in here types its code and lets it in.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use coffre_control::attempts::{HeldBack, Source};
use coffre_control::port::read;
use coffre_control::usecase::{Entry, factor_of};
use coffre_control::{Caller, Refusal};
use jiff::Timestamp;

use crate::form::{Fields, first};
use crate::page::prelude::*;
use crate::page::sign_in::{held_back, with_retry};
use crate::state::PortalState;

#[derive(Template)]
#[template(path = "device.html")]
struct Device<'a> {
    view: &'a View,
    section: &'static str,
    /// Who lets it in.
    me: String,
    /// Whether they have to show a code of their own.
    own_code: bool,
    notice: Option<Notice>,
    wrong: bool,
    own_wrong: bool,
    done: Option<String>,
}

/// What became of the form.
enum Outcome {
    Decided,
    Unknown,
    OwnWrong,
    HeldBack(HeldBack),
}

/// `GET /portal/device`.
pub(crate) async fn show(State(app): State<App>, view: View) -> Answer {
    page(&app, &view, None, None).await
}

/// `POST /portal/device`: lets the program of a code in, or refuses it.
pub(crate) async fn decide(State(app): State<App>, view: View, Form(fields): Fields) -> Answer {
    let allow = first(&fields, "answer") == "allow";
    let (code, own) = (first(&fields, "code").to_owned(), first(&fields, "own").to_owned());
    let (who, source, now) = (view.caller(), view.source, view.now);
    let outcome = app
        .blocking(move |given| {
            let typed = Typed { code: &code, own: &own, allow };
            settle(given, &who, source, now, typed)
        })
        .await?;
    let held = if let Outcome::HeldBack(held) = outcome { Some(held) } else { None };
    let done = if allow { "device-allowed" } else { "device-refused" };
    let answer = page(&app, &view, Some(outcome), Some(done)).await?;
    Ok(match held {
        Some(held) => with_retry(answer, held),
        None => answer,
    })
}

struct Typed<'a> {
    code: &'a str,
    own: &'a str,
    allow: bool,
}

fn settle(
    given: &PortalState,
    who: &Caller,
    source: Source,
    now: Timestamp,
    typed: Typed<'_>,
) -> Result<Outcome, Refusal> {
    let door = given.door(source);
    // Counted apart from their password: one is no help in guessing the other.
    let subject = format!("device code by {}", who.name);
    match door.guess(who, &subject, || Ok(given.devices.waits(typed.code, now)))? {
        Entry::In(_) => {}
        Entry::HeldBack(held) => return Ok(Outcome::HeldBack(held)),
        Entry::Wrong | Entry::NeedsCode(_) => return Ok(Outcome::Unknown),
    }
    let factor = read(&*given.db, "find factor", |tx| factor_of(tx, who.principal))?;
    // To refuse gives nothing away and needs no code.
    if typed.allow && factor.is_on() {
        match door.code(who, &given.factor_key, typed.own)? {
            Entry::In(_) => {}
            Entry::HeldBack(held) => return Ok(Outcome::HeldBack(held)),
            Entry::Wrong | Entry::NeedsCode(_) => return Ok(Outcome::OwnWrong),
        }
    }
    let known = given.devices.decide(typed.code, who.principal, typed.allow, now);
    let allow = typed.allow;
    tracing::info!(name = %who.name, known, allow, "a code of another device was typed");
    Ok(if known { Outcome::Decided } else { Outcome::Unknown })
}

async fn page(
    app: &App,
    view: &View,
    outcome: Option<Outcome>,
    done: Option<&'static str>,
) -> Answer {
    let factor = app
        .look("portal_device", view.caller(), |tx, cx| factor_of(tx, cx.caller.principal))
        .await?;
    let mut device = Device {
        view,
        section: "settings",
        me: view.caller().name,
        own_code: factor.is_on(),
        notice: None,
        wrong: false,
        own_wrong: false,
        done: None,
    };
    let status = match outcome {
        None => StatusCode::OK,
        Some(Outcome::Decided) => {
            device.done = done.map(|key| view.t(key));
            StatusCode::OK
        }
        Some(Outcome::Unknown) => {
            device.wrong = true;
            StatusCode::BAD_REQUEST
        }
        Some(Outcome::OwnWrong) => {
            device.own_wrong = true;
            StatusCode::BAD_REQUEST
        }
        Some(Outcome::HeldBack(held)) => {
            device.notice = Some(held_back(view, held));
            StatusCode::TOO_MANY_REQUESTS
        }
    };
    html_with(status, &device)
}
