//! What a handler answers: a status, a JSON body or none, and headers.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

/// Seconds a client is asked to wait between two polls. The client library's own default is 30 s.
pub(crate) const RETRY_AFTER_SECS: &str = "1";

/// An answer that is not yet an HTTP response.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: StatusCode,
    body: Option<Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Reply {
    /// Whether it says that what was asked is done.
    pub(crate) fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// `status` with a JSON body.
    pub(crate) fn with_body(status: StatusCode, body: Value) -> Reply {
        Reply { status, body: Some(body), headers: Vec::new() }
    }

    /// `status` with no body.
    pub(crate) fn empty(status: StatusCode) -> Reply {
        Reply { status, body: None, headers: Vec::new() }
    }

    /// 200 with a body.
    pub(crate) fn ok(body: Value) -> Reply {
        Reply::with_body(StatusCode::OK, body)
    }

    /// 201 with a body.
    pub(crate) fn created(body: Value) -> Reply {
        Reply::with_body(StatusCode::CREATED, body)
    }

    /// 204.
    pub(crate) fn no_content() -> Reply {
        Reply::empty(StatusCode::NO_CONTENT)
    }

    /// 202 with no body and `Retry-After`.
    pub(crate) fn accepted() -> Reply {
        Reply::empty(StatusCode::ACCEPTED).retry_after()
    }

    /// 200 with `{"value":[…]}`, a list that has only one page.
    pub(crate) fn list(values: Vec<Value>) -> Reply {
        Reply::ok(super::page::list(values))
    }

    /// Asks the client to come back after [`RETRY_AFTER_SECS`].
    pub(crate) fn retry_after(mut self) -> Reply {
        self.push_header(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECS));
        self
    }

    /// The same with another status.
    pub(crate) fn with_status(self, status: StatusCode) -> Reply {
        Reply { status, ..self }
    }

    /// Adds a member to a body that is an object.
    pub(crate) fn add_member(&mut self, name: &str, value: Value) {
        if let Some(Value::Object(members)) = &mut self.body {
            members.insert(name.to_owned(), value);
        }
    }

    /// Asks the client to come back after so many seconds.
    pub(crate) fn retry_after_secs(mut self, seconds: u64) -> Reply {
        self.push_header(header::RETRY_AFTER, seconds.into());
        self
    }

    /// Adds `Azure-AsyncOperation`: where the state of the operation is to be read.
    pub(crate) fn async_operation(self, url: &str) -> Reply {
        self.url_header(HeaderName::from_static("azure-asyncoperation"), url)
    }

    /// Adds `Location`: where the result of the operation will be.
    pub(crate) fn location(self, url: &str) -> Reply {
        self.url_header(header::LOCATION, url)
    }

    /// Adds a header.
    pub(crate) fn push_header(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.push((name, value));
    }

    /// The status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The status, the body and the headers.
    pub(crate) fn into_parts(self) -> (StatusCode, Option<Value>, Vec<(HeaderName, HeaderValue)>) {
        (self.status, self.body, self.headers)
    }

    fn url_header(mut self, name: HeaderName, url: &str) -> Reply {
        // Holds: our URLs are built from validated names, which are ASCII; a URL that a header
        // cannot carry is left out rather than answered as a fault of the request.
        if let Ok(value) = HeaderValue::from_str(url) {
            self.push_header(name, value);
        }
        self
    }
}
