//! What a page answers when it cannot be shown: what happened, what to do, and the code.

use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use coffre_control::{Class, Refusal};

use crate::component::{Notice, Tone};
use crate::page::prelude::*;

/// Why a page cannot be shown. Handlers return it; the guard turns it into a page.
#[derive(Clone, Debug)]
pub(crate) enum Problem {
    /// A use-case said no.
    Refused(Arc<Refusal>),
    /// There is no such page.
    NoPage,
    /// The page is there, but not for this method.
    NoMethod,
    /// The form was not sent by a page of ours, or long ago.
    Forged,
}

impl Problem {
    pub(crate) fn forged() -> Self {
        Self::Forged
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Refused(refusal) => status_of(refusal),
            Self::NoPage => StatusCode::NOT_FOUND,
            Self::NoMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Forged => StatusCode::FORBIDDEN,
        }
    }
}

/// The HTTP status of a refusal.
pub(crate) fn status_of(refusal: &Refusal) -> StatusCode {
    StatusCode::from_u16(refusal.code.class().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Writes what the reader is not told into the log.
pub(crate) fn log(refusal: &Refusal) {
    if let Some(fault) = &refusal.fault
        && refusal.code.class() == Class::Internal
    {
        let mut chain = fault.to_string();
        let mut cause = std::error::Error::source(fault.as_ref());
        while let Some(error) = cause {
            chain = format!("{chain}: {error}");
            cause = error.source();
        }
        tracing::error!(code = %refusal.code, fault = chain, "a page could not be shown");
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        log(&refusal);
        Self::Refused(Arc::new(refusal))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    view: &'a View,
    status: u16,
    heading: String,
    notice: Notice,
}

/// The page for a problem.
pub(crate) fn error_page(view: &View, problem: &Problem) -> Response {
    let (heading, notice) = match problem {
        Problem::Refused(refusal) => (view.error(refusal.code).0, Notice::refusal(view, refusal)),
        Problem::NoPage | Problem::NoMethod => {
            (view.t("error-no-page"), Notice::new(Tone::Info, [view.t("error-no-page-text")]))
        }
        Problem::Forged => {
            (view.t("error-forged"), Notice::new(Tone::Bad, [view.t("error-forged-text")]))
        }
    };
    let status = problem.status();
    let page = ErrorPage { view, status: status.as_u16(), heading, notice };
    (status, Html(page.render().expect("pages are written to memory"))).into_response()
}

/// Everything else under the portal.
pub(crate) async fn no_page() -> Problem {
    Problem::NoPage
}

/// A page asked for by a method that it does not have.
pub(crate) async fn no_method() -> Problem {
    Problem::NoMethod
}
