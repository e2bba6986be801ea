//! The error envelope of Resource Manager: `{"error":{"code","message",…}}`.

use std::borrow::Cow;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::reply::Reply;

/// A refusal as a client sees it. `az` prints it as `(code) message`.
#[derive(Debug, Clone)]
pub struct ArmError {
    status: StatusCode,
    code: Cow<'static, str>,
    message: String,
    target: Option<String>,
    details: Vec<(String, String)>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl ArmError {
    /// An error with an HTTP status, a code of Azure's, and a sentence for people.
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> ArmError {
        ArmError {
            status,
            code: code.into(),
            message: message.into(),
            target: None,
            details: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// 400 with `code`.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> ArmError {
        ArmError::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 400 for a body that is not what the route takes.
    pub fn bad_body(message: impl Into<String>) -> ArmError {
        ArmError::bad_request("InvalidRequestContent", message)
    }

    /// 404 of a resource below a resource group; `kind` is the full type.
    pub fn resource_not_found(kind: &str, name: &str, group: &str) -> ArmError {
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
    pub fn not_found(code: &'static str, message: impl Into<String>) -> ArmError {
        ArmError::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 401; `realm` is the URL where a token is to be had.
    pub fn unauthenticated(realm: &str, message: &str) -> ArmError {
        let challenge = format!(
            "Bearer authorization_uri=\"{realm}\", error=\"invalid_token\", error_description=\"{message}\""
        );
        let mut error =
            ArmError::new(StatusCode::UNAUTHORIZED, "AuthenticationFailed", message.to_owned());
        if let Ok(value) = HeaderValue::from_str(&challenge) {
            error.headers.push((header::WWW_AUTHENTICATE, value));
        }
        error
    }

    /// 500 for a fault of our own; the cause goes to the log and never to the client.
    pub fn internal() -> ArmError {
        ArmError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
            "The service met an error that it did not expect. Try again; the log of the service has the cause under the request id of this answer.",
        )
    }

    /// Names the member or the resource that the error is about.
    pub fn target(mut self, target: impl Into<String>) -> ArmError {
        self.target = Some(target.into());
        self
    }

    /// Adds one finer cause.
    pub fn detail(mut self, code: impl Into<String>, message: impl Into<String>) -> ArmError {
        self.details.push((code.into(), message.into()));
        self
    }

    /// Adds a header to the answer.
    pub fn header(mut self, name: &'static str, value: &'static str) -> ArmError {
        self.headers.push((HeaderName::from_static(name), HeaderValue::from_static(value)));
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The sentence for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The `error` object, as it also stands in operation states.
    pub fn to_json(&self) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(target) = &self.target {
            error["target"] = json!(target);
        }
        if !self.details.is_empty() {
            error["details"] = self
                .details
                .iter()
                .map(|(code, message)| json!({ "code": code, "message": message }))
                .collect();
        }
        error
    }

    /// The whole answer.
    pub fn into_reply(self) -> Reply {
        let body = json!({ "error": self.to_json() });
        let mut reply = Reply::with_body(self.status, body);
        for (name, value) in self.headers {
            reply.push_header(name, value);
        }
        reply
    }
}
