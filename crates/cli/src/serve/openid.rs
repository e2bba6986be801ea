//! An outside OpenID provider: authorization code flow with PKCE.
//!
//! Its address comes from the configuration and from nowhere else. All that it says is read
//! within limits of size and time; redirects are not followed, and proxies are not asked.

mod document;
mod id_token;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use coffre_control::usecase::OutsideIdentity;
use coffre_portal::provider::{Flow, Provider, ProviderFault};
use jiff::Timestamp;
use jsonwebtoken::jwk::JwkSet;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use super::config::OpenId;
use document::Document;
use id_token::Expected;

/// A provider that does not answer in this time is given up.
const REQUEST_MAX: Duration = Duration::from_secs(10);
/// Largest answer that is read.
const ANSWER_BYTES_MAX: u64 = 256 << 10;
/// Seconds for which what the provider says about itself is kept.
const KEPT_SECS: i64 = 3600;
/// Seconds between two looks at its keys for the sake of a key that is not known.
const LOOK_SECS_MIN: i64 = 60;
/// Longest code that is passed on.
const CODE_BYTES_MAX: usize = 4096;

/// A provider that was configured.
pub(crate) struct OpenIdProvider {
    issuer: String,
    label: String,
    client_id: String,
    client_secret: Option<String>,
    agent: Agent,
    kept: Mutex<Option<Kept>>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// What the provider says about itself, and since when it is known.
#[derive(Clone)]
struct Kept {
    document: Document,
    keys: JwkSet,
    since: Timestamp,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: String,
}

fn unusable(why: impl std::fmt::Display) -> ProviderFault {
    ProviderFault::Unusable(why.to_string())
}

fn refused(why: impl std::fmt::Display) -> ProviderFault {
    ProviderFault::Refused(why.to_string())
}

fn word(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        fields.iter().map(|(key, value)| format!("{key}={}", word(value))).collect();
    pairs.join("&")
}

impl OpenIdProvider {
    /// A provider as it was configured. Nothing is asked of it before somebody signs in.
    pub(crate) fn new(
        config: &OpenId,
        clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> anyhow::Result<Self> {
        let read = |path: &Path| {
            std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
        };
        let client_secret = config.client_secret_file.as_deref().map(read).transpose()?;
        let authority = config.ca.as_deref().map(read).transpose()?;
        let host = config.issuer.trim_start_matches("https://").split('/').next();
        Ok(Self {
            issuer: config.issuer.clone(),
            label: config.label.clone().unwrap_or_else(|| host.unwrap_or_default().to_owned()),
            client_id: config.client_id.clone(),
            client_secret: client_secret.map(|it| it.trim().to_owned()),
            agent: agent(authority.as_deref())?,
            kept: Mutex::new(None),
            clock,
        })
    }

    fn get<T: for<'a> Deserialize<'a>>(&self, url: &str) -> Result<T, ProviderFault> {
        let answer =
            self.agent.get(url).call().map_err(|error| unusable(format!("{url}: {error}")))?;
        read_json(url, answer)
    }

    /// What the provider says about itself. One asks; the others wait for the answer.
    fn known(&self, kept: &mut MutexGuard<'_, Option<Kept>>) -> Result<Kept, ProviderFault> {
        let now = (self.clock)();
        let age = |it: &Kept| now.duration_since(it.since).as_secs();
        if let Some(fresh) = kept.as_ref().filter(|it| (0..KEPT_SECS).contains(&age(it))) {
            return Ok(fresh.clone());
        }
        let base = self.issuer.trim_end_matches('/');
        let document: Document = self.get(&format!("{base}/.well-known/openid-configuration"))?;
        document.check(&self.issuer).map_err(unusable)?;
        let keys = self.get(&document.jwks_uri)?;
        let new = Kept { document, keys, since: now };
        **kept = Some(new.clone());
        Ok(new)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for the identity token that belongs to a code.
    fn redeem(
        &self,
        document: &Document,
        code: &str,
        verifier: &str,
        redirect: &str,
    ) -> Result<String, ProviderFault> {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("client_id", &*self.client_id),
            ("code_verifier", verifier),
        ];
        let mut request = self.agent.post(&document.token_endpoint);
        if let Some(secret) = &self.client_secret {
            if document.takes_basic() {
                let pair = format!("{}:{}", word(&self.client_id), word(secret));
                request =
                    request.header("authorization", format!("Basic {}", STANDARD.encode(pair)));
            } else {
                fields.push(("client_secret", secret));
            }
        }
        let url = &document.token_endpoint;
        let answer = request
            .header("content-type", "application/x-www-form-urlencoded")
            .send(form(&fields))
            .map_err(|error| unusable(format!("{url}: {error}")))?;
        if answer.status().is_client_error() {
            return Err(refused(format!("the code was answered with {}", answer.status())));
        }
        Ok(read_json::<TokenAnswer>(url, answer)?.id_token)
    }

    /// The keys, asked for again when the one of a token is not among them: it may be new.
    fn keys_for(&self, token: &str, known: Kept) -> Result<JwkSet, ProviderFault> {
        if id_token::names_key_of(token, &known.keys) {
            return Ok(known.keys);
        }
        let mut kept = self.lock();
        let now = (self.clock)();
        let may_look = kept
            .as_ref()
            .is_none_or(|it| now.duration_since(it.since).as_secs().abs() >= LOOK_SECS_MIN);
        if may_look {
            *kept = None;
        }
        Ok(self.known(&mut kept)?.keys)
    }
}

impl Provider for OpenIdProvider {
    fn label(&self) -> &str {
        &self.label
    }

    fn address(&self, flow: &Flow, redirect: &str) -> Result<String, ProviderFault> {
        let known = self.known(&mut self.lock())?;
        let endpoint = &known.document.authorization_endpoint;
        let digest =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, flow.verifier.as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(digest);
        let fields = form(&[
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", redirect),
            ("scope", "openid email profile"),
            ("state", &flow.state),
            ("nonce", &flow.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        Ok(format!("{endpoint}{joint}{fields}"))
    }

    fn identity(
        &self,
        code: &str,
        flow: &Flow,
        redirect: &str,
        now: Timestamp,
    ) -> Result<OutsideIdentity, ProviderFault> {
        if code.len() > CODE_BYTES_MAX {
            return Err(refused("the code is too long"));
        }
        let known = self.known(&mut self.lock())?;
        let token = self.redeem(&known.document, code, &flow.verifier, redirect)?;
        let keys = self.keys_for(&token, known)?;
        let (issuer, client_id, nonce) = (&*self.issuer, &*self.client_id, &*flow.nonce);
        let expected = Expected { issuer, client_id, nonce, now: now.as_second() };
        id_token::identity(&token, &keys, &expected).map_err(refused)
    }
}

/// A client for one provider: HTTPS only, no redirects, no proxies, in limited time.
fn agent(authority: Option<&str>) -> anyhow::Result<Agent> {
    let roots = match authority {
        Some(pem) => {
            let certificate = Certificate::from_pem(pem.as_bytes())
                .context("understand the certificate of the provider's authority")?;
            RootCerts::new_with_certs(&[certificate])
        }
        None => RootCerts::new_with_certs(&system_roots()),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(roots)
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .https_only(true)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(REQUEST_MAX))
        .proxy(None);
    Ok(config.build().new_agent())
}

/// The authorities that this system trusts.
fn system_roots() -> Vec<Certificate<'static>> {
    let loaded = rustls_native_certs::load_native_certs();
    for error in &loaded.errors {
        tracing::warn!(%error, "an authority of this system cannot be read");
    }
    loaded.certs.iter().map(|it| Certificate::from_der(it).to_owned()).collect()
}

fn read_json<T: for<'a> Deserialize<'a>>(
    url: &str,
    answer: ureq::http::Response<ureq::Body>,
) -> Result<T, ProviderFault> {
    let status = answer.status();
    if !status.is_success() {
        return Err(unusable(format!("{url} answered {status}")));
    }
    let bytes = answer
        .into_body()
        .into_with_config()
        .limit(ANSWER_BYTES_MAX)
        .read_to_vec()
        .map_err(|error| unusable(format!("{url}: {error}")))?;
    serde_json::from_slice(&bytes).map_err(|error| unusable(format!("{url}: {error}")))
}
