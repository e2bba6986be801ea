//! Users, programs, their roles and secrets; and everybody's own password.

use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use coffre_control::attempts::HeldBack;
use coffre_control::id::PrincipalId;
use coffre_control::model::{Principal, PrincipalKind};
use coffre_control::usecase::{
    Certificate, Entry, NewPrincipal, add_certificate, certificates_of, create_principal,
    factor_of, hash_password, hash_random_secret, hash_secret, list_principals, read_certificate,
    remove_certificate, remove_factor, set_roles, set_secret,
};
use coffre_control::{Caller, ErrorCode, Refusal, Role};

use crate::az::AzCommand;
use crate::form::{Fields, all, first};
use crate::page::error::{log, status_of};
use crate::page::parse_id;
use crate::page::prelude::*;
use crate::page::sign_in::{check, held_back, with_retry};
use crate::session;
use crate::view::TimeElement;
use crate::words;

/// Every role, the strongest first.
const ROLES: &[Role] = Role::ALL;

#[derive(Template)]
#[template(path = "access.html")]
struct Access<'a> {
    view: &'a View,
    section: &'static str,
    refused: Option<Notice>,
    /// A secret that is shown once, and whose it is.
    secret: Option<(String, String)>,
    name: String,
    roles: Vec<(Role, String)>,
    people: Vec<Row>,
    az: AzLines<'a>,
}

struct Row {
    id: PrincipalId,
    name: String,
    kind: String,
    is_program: bool,
    roles: Vec<Role>,
    is_me: bool,
    /// What gives them another secret or password, and what is asked before.
    renew: String,
    renew_sure: String,
    /// Whether codes are asked for at their sign-in.
    has_codes: bool,
    /// Serial number, and until when it is good.
    certificates: Vec<(String, TimeElement)>,
}

#[derive(Template)]
#[template(path = "password.html")]
struct Password<'a> {
    view: &'a View,
    section: &'static str,
    held: Option<Notice>,
    wrong_now: bool,
    wrong: Option<String>,
    done: bool,
}

/// What became of the form.
enum Changed {
    Not,
    Done,
    HeldBack(HeldBack),
    /// The present password.
    WrongNow,
    /// The new one, and the text that says why.
    Wrong(&'static str),
}

/// `GET /portal/settings/access`.
pub(crate) async fn show(State(app): State<App>, view: View) -> Answer {
    page(&app, &view, None, None, "").await
}

/// `POST /portal/settings/access`: somebody new. A program gets a secret that is shown once.
pub(crate) async fn create(State(app): State<App>, view: View, Form(fields): Fields) -> Answer {
    let name = first(&fields, "name").to_owned();
    let is_program = first(&fields, "kind") == "program";
    let secret = if is_program { session::token() } else { first(&fields, "password").to_owned() };
    let roles = roles(&fields);
    let asked = (name.clone(), secret.clone());
    let done = app.blocking_change(
        "portal_create_principal",
        view.caller(),
        move || {
            let (name, secret) = asked;
            let (kind, secret_hash) = if is_program {
                (PrincipalKind::ServicePrincipal, hash_random_secret(&secret, &salt()))
            } else {
                (PrincipalKind::User, hash_password(&secret, &salt())?)
            };
            Ok(NewPrincipal { name, kind, roles, secret_hash })
        },
        create_principal,
    );
    match done.await {
        Ok(made) if is_program => {
            page(&app, &view, None, Some((made.id.to_string(), secret)), "").await
        }
        Ok(_) => go("/portal/settings/access"),
        Err(refusal) => page(&app, &view, Some(refusal), None, &name).await,
    }
}

/// `POST /portal/settings/access/{id}/roles`.
pub(crate) async fn change_roles(
    State(app): State<App>,
    view: View,
    Path(id): Path<String>,
    Form(fields): Fields,
) -> Answer {
    let id: PrincipalId = parse_id(&id)?;
    let roles = roles(&fields);
    let done =
        app.change("portal_roles", view.caller(), move |tx, cx| set_roles(tx, cx, id, roles));
    match done.await {
        Ok(_) => go("/portal/settings/access"),
        Err(refusal) => page(&app, &view, Some(refusal), None, "").await,
    }
}

/// `POST /portal/settings/access/{id}/secret`: a new secret, which is shown once.
pub(crate) async fn renew(
    State(app): State<App>,
    view: View,
    Path(id): Path<String>,
    Form(fields): Fields,
) -> Answer {
    let id: PrincipalId = parse_id(&id)?;
    if id == view.caller().principal {
        // Their own page asks for the present one.
        return go("/portal/settings/password");
    }
    if first(&fields, "sure").is_empty() {
        let refusal = Refusal::new(
            ErrorCode::InvalidRequestContent,
            "What somebody signs in with is not replaced by accident. Confirm it with the tick.",
        );
        return page(&app, &view, Some(refusal), None, "").await;
    }
    let secret = session::token();
    let shown = secret.clone();
    let done = app.blocking_change(
        "portal_renew_secret",
        view.caller(),
        move || Ok((hash_secret(&secret, &salt()), hash_random_secret(&secret, &salt()))),
        move |tx, cx, (of_person, of_program)| {
            set_secret(tx, cx, id, |kind| match kind {
                PrincipalKind::User => of_person,
                PrincipalKind::ServicePrincipal => of_program,
            })
        },
    );
    match done.await {
        Ok(principal) => {
            let whose = match principal.kind {
                PrincipalKind::ServicePrincipal => principal.id.to_string(),
                PrincipalKind::User => principal.name,
            };
            page(&app, &view, None, Some((whose, shown)), "").await
        }
        Err(refusal) => page(&app, &view, Some(refusal), None, "").await,
    }
}

/// `POST /portal/settings/access/{id}/certificate`: another certificate of a program, or one less.
pub(crate) async fn certificate(
    State(app): State<App>,
    view: View,
    Path(id): Path<String>,
    Form(fields): Fields,
) -> Answer {
    let id: PrincipalId = parse_id(&id)?;
    let (pem, remove) =
        (first(&fields, "certificate").to_owned(), first(&fields, "remove").to_owned());
    let done = app.change("portal_certificate", view.caller(), move |tx, cx| {
        if remove.is_empty() {
            return add_certificate(tx, cx, id, read_certificate(&pem)?);
        }
        remove_certificate(tx, cx, id, &remove)
    });
    match done.await {
        Ok(()) => go("/portal/settings/access"),
        Err(refusal) => page(&app, &view, Some(refusal), None, "").await,
    }
}

/// `POST /portal/settings/access/{id}/codes`: no more codes at the sign-in of somebody whose device
/// is lost.
pub(crate) async fn reset_codes(
    State(app): State<App>,
    view: View,
    Path(id): Path<String>,
) -> Answer {
    let id: PrincipalId = parse_id(&id)?;
    if id == view.caller().principal {
        // Their own page asks for a code.
        return go("/portal/settings/codes");
    }
    let done =
        app.change("portal_reset_codes", view.caller(), move |tx, cx| remove_factor(tx, cx, id));
    match done.await {
        Ok(()) => go("/portal/settings/access"),
        Err(refusal) => page(&app, &view, Some(refusal), None, "").await,
    }
}

/// `GET /portal/settings/password`.
pub(crate) async fn password(view: View) -> Answer {
    password_page(&view, Changed::Not)
}

/// `POST /portal/settings/password`: the reader's own. Whoever found an open browser must not be
/// able to take it over: the present one is needed, and guesses at it count like those at a sign-in.
pub(crate) async fn change_password(
    State(app): State<App>,
    view: View,
    Form(fields): Fields,
) -> Answer {
    let new = first(&fields, "new").to_owned();
    if new != first(&fields, "again") {
        return password_page(&view, Changed::Wrong("password-not-same"));
    }
    let Caller { principal, .. } = view.caller();
    match check_present(&app, &view, first(&fields, "now").to_owned()).await? {
        Entry::In(who) | Entry::NeedsCode(who) if who.principal == principal => {}
        Entry::HeldBack(held) => return password_page(&view, Changed::HeldBack(held)),
        _ => return password_page(&view, Changed::WrongNow),
    }
    let done = app.blocking_change(
        "portal_password",
        view.caller(),
        move || hash_password(&new, &salt()),
        move |tx, cx, hash| set_secret(tx, cx, principal, |_| hash),
    );
    match done.await {
        Ok(_) => password_page(&view, Changed::Done),
        Err(refusal) if refusal.target.as_deref() == Some("password") => {
            password_page(&view, Changed::Wrong("password-short"))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// Whether the reader knows what they sign in with.
async fn check_present(app: &App, view: &View, secret: String) -> Result<Entry, Refusal> {
    let me = view.caller().principal;
    let found =
        app.look("portal_own_secret", view.caller(), move |tx, _| Ok(tx.principal(me)?)).await?;
    let name = match found {
        Some(it) if it.kind == PrincipalKind::User => it.name,
        _ => me.to_string(),
    };
    check(app, name, secret, view.source).await
}

fn password_page(view: &View, changed: Changed) -> Answer {
    let mut page = Password {
        view,
        section: "settings",
        held: None,
        wrong_now: false,
        wrong: None,
        done: false,
    };
    let status = match changed {
        Changed::Not => StatusCode::OK,
        Changed::Done => {
            page.done = true;
            StatusCode::OK
        }
        Changed::HeldBack(held) => {
            page.held = Some(held_back(view, held));
            return Ok(with_retry(html_with(StatusCode::TOO_MANY_REQUESTS, &page)?, held));
        }
        Changed::WrongNow => {
            page.wrong_now = true;
            StatusCode::BAD_REQUEST
        }
        Changed::Wrong(key) => {
            page.wrong = Some(view.t(key));
            StatusCode::BAD_REQUEST
        }
    };
    html_with(status, &page)
}

async fn page(
    app: &App,
    view: &View,
    refusal: Option<Refusal>,
    secret: Option<(String, String)>,
    name: &str,
) -> Answer {
    let (people, scope) = app
        .look("portal_access", view.caller(), |tx, cx| {
            let mut people = Vec::new();
            for principal in list_principals(tx, cx)? {
                let certificates = certificates_of(tx, principal.id)?;
                let has_codes = factor_of(tx, principal.id)?.is_on();
                people.push((principal, certificates, has_codes));
            }
            let subscription = tx.subscriptions()?.first().map(|it| it.id);
            Ok((people, subscription.map(|id| format!("/subscriptions/{id}")).unwrap_or_default()))
        })
        .await?;
    let me = view.caller().principal;
    let status = refusal.as_ref().map_or(StatusCode::OK, |refusal| {
        log(refusal);
        status_of(refusal)
    });
    let role = |role: Role| (role, view.t(words::role(role)));
    let row = |(it, certificates, has_codes): &(Principal, Vec<Certificate>, bool)| {
        let (renew, sure) = match it.kind {
            PrincipalKind::User => ("password-new", "password-sure"),
            PrincipalKind::ServicePrincipal => ("secret-renew", "secret-sure"),
        };
        Row {
            renew: view.t(renew),
            renew_sure: view.t1(sure, "name", it.name.as_str()),
            id: it.id,
            name: it.name.clone(),
            kind: view.t(match it.kind {
                PrincipalKind::User => "kind-person",
                PrincipalKind::ServicePrincipal => "kind-program",
            }),
            is_program: it.kind == PrincipalKind::ServicePrincipal,
            roles: it.roles.clone(),
            is_me: it.id == me,
            has_codes: *has_codes,
            certificates: certificates
                .iter()
                .map(|it| (it.serial.clone(), view.time(it.until)))
                .collect(),
        }
    };
    html_with(
        status,
        &Access {
            view,
            section: "settings",
            refused: refusal.as_ref().map(|refusal| Notice::refusal(view, refusal)),
            secret,
            name: name.to_owned(),
            roles: ROLES.iter().copied().map(role).collect(),
            people: people.iter().map(row).collect(),
            az: az(view, commands(people.iter().map(|(it, ..)| it).find(|it| it.id != me), &scope)),
        },
    )
}

/// What lists the roles that somebody has, and gives one.
fn commands(somebody: Option<&Principal>, scope: &str) -> Vec<AzCommand> {
    let list = AzCommand::new("role assignment list --all").option("--output", "table");
    let give = somebody.map(|it| {
        AzCommand::new("role assignment create")
            .option("--assignee", &it.id.to_string())
            .option("--role", Role::BackupOperator.azure())
            .option("--scope", scope)
    });
    [Some(list), give].into_iter().flatten().collect()
}

fn roles(fields: &[(String, String)]) -> Vec<Role> {
    let sent: Vec<&str> = all(fields, "role").collect();
    ROLES.iter().copied().filter(|role| sent.contains(&role.azure())).collect()
}

/// Random, for one hash.
pub(crate) fn salt() -> [u8; 16] {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).expect("the system gives random bytes");
    salt
}
