//! The ARM API as the client verbs use it: signed-in requests, errors, long-running operations.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::{Method, Request};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use super::profile::{self, Profile};

/// Version of the API that every request names; the service takes any date.
const API_VERSION: &str = "2025-02-01";
/// A request that takes longer has lost its service.
const REQUEST_MAX: Duration = Duration::from_secs(60);
/// Pause between two looks at something that goes on.
pub(super) const POLL: Duration = Duration::from_millis(500);
/// An operation (not its job) is over in a moment; more means that something is wrong.
const OPERATION_MAX: Duration = Duration::from_secs(300);
/// Letters of a name that would end a part of a path.
const PART: &AsciiSet =
    &CONTROLS.add(b' ').add(b'/').add(b'?').add(b'#').add(b'%').add(b'"').add(b'<').add(b'>');

/// A signed-in service.
pub(crate) struct Api {
    agent: Agent,
    profile: Profile,
    token: Mutex<Option<String>>,
}

/// The service said no.
#[derive(Debug, thiserror::Error)]
#[error("({code}) {message}")]
pub(crate) struct ApiError {
    /// HTTP status.
    pub(crate) status: u16,
    /// The error code.
    pub(crate) code: String,
    /// What is wrong and what to do.
    pub(crate) message: String,
}

/// An answer.
pub(super) struct Answer {
    pub(super) body: Value,
    operation_url: Option<String>,
}

impl Api {
    /// The service of the saved profile.
    pub(crate) fn from_profile() -> anyhow::Result<Api> {
        Api::new(profile::load()?)
    }

    pub(super) fn new(profile: Profile) -> anyhow::Result<Api> {
        let certificate = Certificate::from_pem(profile.ca_pem.as_bytes())
            .context("understand the certificate of the authority")?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(RootCerts::new_with_certs(&[certificate]))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(REQUEST_MAX))
            // The service is ours; a proxy of the environment has no business with its secrets.
            .proxy(None)
            .build()
            .new_agent();
        Ok(Api { agent, profile, token: Mutex::new(None) })
    }

    /// `/subscriptions/<the one of the profile>`.
    pub(super) fn subscription_path(&self) -> String {
        format!("/subscriptions/{}", self.profile.subscription)
    }

    /// Path of a resource group.
    pub(super) fn group_path(&self, group: &str) -> String {
        format!("{}/resourceGroups/{}", self.subscription_path(), part(group))
    }

    /// All subscriptions: (id, name).
    pub(super) fn subscriptions(&self) -> anyhow::Result<Vec<(String, String)>> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let rows = self.list("/subscriptions")?;
        Ok(rows
            .iter()
            .map(|row| (text(&row["subscriptionId"]), text(&row["displayName"])))
            .collect())
    }

    pub(super) fn get(&self, path: &str) -> anyhow::Result<Value> {
        Ok(self.send(&Method::GET, &self.url(path), None)?.body)
    }

    /// All pages of a list.
    pub(super) fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut rows = Vec::new();
        let mut next = Some(self.url(path));
        while let Some(url) = next {
            let mut body = self.send(&Method::GET, &url, None)?.body;
            if let Value::Array(page) = body["value"].take() {
                rows.extend(page);
            }
            next = body["nextLink"].as_str().map(ToOwned::to_owned);
        }
        Ok(rows)
    }

    /// Changes something and waits until the change is accepted or refused in full. The last state
    /// of the operation, or the body if there was none.
    pub(super) fn change(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let answer = self.send(method, &self.url(path), body)?;
        match answer.operation_url {
            None => Ok(answer.body),
            Some(url) => self.wait_for_operation(&url),
        }
    }

    fn wait_for_operation(&self, url: &str) -> anyhow::Result<Value> {
        let begun = Instant::now();
        // The service names itself as it is known to others; only the path counts for us.
        let url = match url.find("/subscriptions/") {
            Some(at) => format!("{}{}", self.profile.url, &url[at..]),
            None => bail!("the service named an operation that cannot be followed: {url}"),
        };
        loop {
            let state = self.send(&Method::GET, &url, None)?.body;
            match state["status"].as_str() {
                Some("Succeeded") => return Ok(state),
                Some("InProgress") | None => {}
                Some(_) => return Err(api_error(200, &state).into()),
            }
            if begun.elapsed() > OPERATION_MAX {
                bail!("the operation does not come to an end; look at the list of jobs");
            }
            std::thread::sleep(POLL);
        }
    }

    fn url(&self, path: &str) -> String {
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("{}{path}{separator}api-version={API_VERSION}", self.profile.url)
    }

    fn send(&self, method: &Method, url: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header("authorization", format!("Bearer {}", self.token()?))
            .header("content-type", "application/json")
            .body(bytes)
            .context("make the request")?;
        let mut response = self
            .agent
            .run(request)
            .with_context(|| format!("speak to the service at {}", self.profile.url))?;
        let status = response.status().as_u16();
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let operation_url = header("azure-asyncoperation");
        let text = response.body_mut().read_to_string().context("read the answer")?;
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status >= 400 {
            return Err(api_error(status, &body).into());
        }
        Ok(Answer { body, operation_url })
    }

    fn token(&self) -> anyhow::Result<String> {
        let mut token = self.token.lock().expect("nobody panics while holding it");
        if let Some(token) = &*token {
            return Ok(token.clone());
        }
        let scope = format!("{}/.default", self.profile.url);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.profile.client_id),
            ("client_secret", &self.profile.secret),
            ("scope", &scope),
        ];
        let url = format!("{}/adfs/oauth2/token", self.profile.url);
        let mut response = self
            .agent
            .post(&url)
            .send_form(form)
            .with_context(|| format!("speak to the service at {}", self.profile.url))?;
        let body: Value = response.body_mut().read_json().context("read the answer")?;
        match body["access_token"].as_str() {
            Some(fresh) => {
                *token = Some(fresh.to_owned());
                Ok(fresh.to_owned())
            }
            None => {
                let why = body["error_description"].as_str().unwrap_or("the service gave no token");
                bail!("sign in: {why}")
            }
        }
    }
}

/// A name as a part of a path.
pub(super) fn part(name: &str) -> String {
    utf8_percent_encode(name, PART).to_string()
}

fn api_error(status: u16, body: &Value) -> ApiError {
    let error = &body["error"];
    let text = |key: &str| error[key].as_str().map(ToOwned::to_owned);
    ApiError {
        status,
        code: text("code").unwrap_or_else(|| format!("HTTP {status}")),
        message: text("message").unwrap_or_else(|| "the service gave no reason".to_owned()),
    }
}

/// The JSON of an empty request.
pub(super) fn empty() -> Value {
    json!({})
}
