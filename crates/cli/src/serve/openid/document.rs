//! What a provider says about itself.

use serde::Deserialize;

/// The parts of its configuration document that are used.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Document {
    issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    pub(super) jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

impl Document {
    /// Refuses one that speaks of another provider, or of addresses without HTTPS.
    pub(super) fn check(&self, issuer: &str) -> Result<(), &'static str> {
        if self.issuer.trim_end_matches('/') != issuer.trim_end_matches('/') {
            return Err("the document is that of another issuer");
        }
        let addresses = [&self.authorization_endpoint, &self.token_endpoint, &self.jwks_uri];
        let plain = |it: &&&String| {
            it.starts_with("https://") && it.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if addresses.iter().filter(plain).count() != addresses.len() {
            return Err("an address in the document is not one of HTTPS");
        }
        Ok(())
    }

    /// Whether the client's secret goes into the head of a request; else into its form. Who says
    /// nothing means the head.
    pub(super) fn takes_basic(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_ref();
        methods.is_none_or(|all| all.iter().any(|it| it == "client_secret_basic"))
    }
}
