//! What every page needs: the view out of the request, the page into the response.

use std::convert::Infallible;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Response};

pub(crate) use crate::component::{
    AzLines, Empty, Icon, Notice, PAGE_ROWS, Pager, Status, Tone, az, empty, status,
};
pub(crate) use crate::page::error::Problem;
pub(crate) use crate::state::App;
pub(crate) use crate::view::View;

/// What a page answers with.
pub(crate) type Answer = Result<Response, Problem>;

impl<S: Sync> FromRequestParts<S> for View {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().expect("the guard stands before every page"))
    }
}

/// A whole page.
pub(crate) fn html(page: &impl Template) -> Answer {
    html_with(StatusCode::OK, page)
}

/// A whole page with a status, for forms that come back with a refusal.
pub(crate) fn html_with(status: StatusCode, page: &impl Template) -> Answer {
    let text = page.render().expect("pages are written to memory");
    Ok((status, Html(text)).into_response())
}

/// Sends the reader to another page of ours.
pub(crate) fn go(address: impl AsRef<str>) -> Answer {
    Ok(axum::response::Redirect::to(address.as_ref()).into_response())
}

/// A path inside the portal that a form or a link carried along, or the overview.
pub(crate) fn safe_next(next: &str) -> &str {
    let plain = next.starts_with("/portal/")
        && !next.contains(['\\', '\r', '\n', '\t'])
        && !next.contains("//")
        && !next.contains("/../");
    if plain { next } else { "/portal/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for (next, to) in [
            ("/portal/jobs?status=Failed", "/portal/jobs?status=Failed"),
            ("https://example.org/", "/portal/"),
            ("//example.org/portal/", "/portal/"),
            ("/portal//example.org", "/portal/"),
            ("/portal/\\example.org", "/portal/"),
            ("/portal/../adfs", "/portal/"),
            ("javascript:alert(1)", "/portal/"),
            ("", "/portal/"),
        ] {
            assert_eq!(safe_next(next), to, "{next}");
        }
    }
}
