//! The error envelope of Resource Manager: `{"error":{"code","message",…}}`.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use coffre_control::{Class, ErrorCode, Refusal};
use serde_json::{Value, json};

use super::reply::{RETRY_AFTER_SECS, Reply};

/// A refusal as a client sees it. `az` prints it as `(code) message`.
#[derive(Debug, Clone)]
pub(crate) struct ArmError(Box<Content>);

#[derive(Debug, Clone)]
struct Content {
    status: StatusCode,
    code: &'static str,
    message: String,
    target: Option<String>,
    details: Vec<Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl ArmError {
    /// An error with an HTTP status, a code of Azure's, and a sentence for people.
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
    ) -> ArmError {
        ArmError(Box::new(Content {
            status,
            code,
            message: message.into(),
            target: None,
            details: Vec::new(),
            headers: Vec::new(),
        }))
    }

    /// 400 with `code`.
    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> ArmError {
        ArmError::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 400 for a body that is not what the route takes.
    pub(crate) fn bad_body(message: impl Into<String>) -> ArmError {
        ArmError::bad_request("InvalidRequestContent", message)
    }

    /// 404 of a resource below a resource group; `kind` is the full type.
    pub(crate) fn resource_not_found(kind: &str, name: &str, group: &str) -> ArmError {
        ArmError::new(
            StatusCode::NOT_FOUND,
            "ResourceNotFound",
            format!(
                "The Resource '{kind}/{name}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
            ),
        )
        .header("x-ms-failure-cause", "gateway")
    }

    /// 404 of a thing inside a vault, or of anything that has no more special code.
    pub(crate) fn not_found(code: &'static str, message: impl Into<String>) -> ArmError {
        ArmError::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 401; `realm` is the URL where a token is to be had.
    pub(crate) fn unauthenticated(realm: &str, message: &str) -> ArmError {
        let challenge = format!(
            "Bearer authorization_uri=\"{realm}\", error=\"invalid_token\", error_description=\"{message}\""
        );
        let mut error =
            ArmError::new(StatusCode::UNAUTHORIZED, "AuthenticationFailed", message.to_owned());
        if let Ok(value) = HeaderValue::from_str(&challenge) {
            error.0.headers.push((header::WWW_AUTHENTICATE, value));
        }
        error
    }

    /// 500 for a fault of our own; the cause goes to the log and never to the client.
    pub(crate) fn internal() -> ArmError {
        ArmError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
            "The service met an error that it did not expect. Try again; the log of the service has the cause under the request id of this answer.",
        )
    }

    /// Names the member or the resource that the error is about.
    pub(crate) fn target(mut self, target: impl Into<String>) -> ArmError {
        self.0.target = Some(target.into());
        self
    }

    /// Adds the errors that led to this one.
    pub(crate) fn details(mut self, details: Vec<Value>) -> ArmError {
        self.0.details = details;
        self
    }

    /// Adds a header to the answer.
    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> ArmError {
        self.0.headers.push((HeaderName::from_static(name), HeaderValue::from_static(value)));
        self
    }

    /// Says after how many seconds another attempt makes sense.
    pub(crate) fn retry_after(mut self, seconds: u64) -> ArmError {
        self.0.headers.push((header::RETRY_AFTER, HeaderValue::from(seconds)));
        self
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        self.0.code
    }

    /// The sentence for people.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// The `error` object, as it also stands in operation states.
    pub(crate) fn to_json(&self) -> Value {
        let mut error = json!({ "code": self.0.code, "message": self.0.message });
        if let Some(target) = &self.0.target {
            error["target"] = json!(target);
        }
        if !self.0.details.is_empty() {
            error["details"] = json!(self.0.details);
        }
        error
    }

    /// The whole answer.
    pub(crate) fn into_reply(self) -> Reply {
        let body = json!({ "error": self.to_json() });
        let mut reply = Reply::with_body(self.0.status, body);
        for (name, value) in self.0.headers {
            reply.push_header(name, value);
        }
        reply
    }
}

impl From<Refusal> for ArmError {
    fn from(refusal: Refusal) -> ArmError {
        let class = refusal.code.class();
        // Holds: the statuses of the classes are valid ones; the fallback is never met.
        let status =
            StatusCode::from_u16(class.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if let Some(fault) = &refusal.fault {
            tracing::error!(code = %refusal.code, fault = %chain(fault.as_ref()), "a request met a fault of the store");
        }
        let mut error = ArmError::new(status, refusal.code.azure(), refusal.message);
        error.0.target = refusal.target;
        if class == Class::Unavailable {
            error = error.header("retry-after", RETRY_AFTER_SECS);
        }
        if refusal.code == ErrorCode::ResourceNotFound {
            error = error.header("x-ms-failure-cause", "gateway");
        }
        error
    }
}

/// An error with all its causes, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
