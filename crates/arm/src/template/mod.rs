//! Deployment templates: from the text that a client sends to resources in the order in which they
//! have to be made.
//!
//! Everything here is pure: it reads no store and no clock, and what a template may ask about
//! existing things comes through [`Lookup`]. Work, depth and sizes are bounded, since a template
//! is a program of a stranger.
//!
//! * [`jsonc`] – the text, which is not JSON, as a value
//! * [`expression`] – the text between brackets as a tree
//! * [`eval`] – trees and values to values; the functions are in `call`
//! * [`parameters`] – what was given against what was asked for
//! * [`plan`] – loops, conditions, names and order of the resources

mod call;
pub(crate) mod eval;
pub(crate) mod expression;
pub(crate) mod jsonc;
mod order;
pub(crate) mod parameters;
pub(crate) mod plan;

use jiff::Timestamp;
use serde_json::Value;

/// Why a template cannot be used. The message names the place, the expression, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateFault {
    /// The template is wrong; nothing helps but a change of it or of its parameters.
    #[error("{0}")]
    Invalid(String),
    /// The value is only known while the template is deployed.
    #[error("the value is only known during the deployment: {0}")]
    Later(String),
}

impl TemplateFault {
    /// A fault with this message.
    pub(crate) fn new(message: impl Into<String>) -> TemplateFault {
        TemplateFault::Invalid(message.into())
    }

    /// The same fault, with the place at which it was found in front.
    pub(crate) fn at(self, place: &str) -> TemplateFault {
        match self {
            TemplateFault::Invalid(message) => {
                TemplateFault::Invalid(format!("{place}: {message}"))
            }
            later @ TemplateFault::Later(_) => later,
        }
    }
}

/// What an evaluation gives.
pub(crate) type Evaluated<T> = Result<T, TemplateFault>;

/// Facts about where a template is deployed.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// What `subscription()` answers.
    pub(crate) subscription: Value,
    /// Id of the subscription.
    pub(crate) subscription_id: String,
    /// What `resourceGroup()` answers; none in a deployment to a subscription.
    pub(crate) group: Option<Value>,
    /// Name of the resource group.
    pub(crate) group_name: Option<String>,
    /// What `tenant()` answers.
    pub(crate) tenant: Value,
    /// What `deployment()` answers.
    pub(crate) deployment: Value,
    /// What `environment()` answers.
    pub(crate) environment: Value,
    /// What `utcNow()` answers.
    pub(crate) now: Timestamp,
    /// Where ids of `newGuid()` begin: no two deployments have the same.
    pub(crate) seed: uuid::Uuid,
}

/// How a template looks at existing resources.
pub(crate) trait Lookup {
    /// The resource as a GET answers it.
    fn resource(&self, id: &str, api_version: &str) -> Evaluated<Value>;
}

/// A look-up before anything is deployed: nothing is known.
pub(crate) struct NotYet;

impl Lookup for NotYet {
    fn resource(&self, id: &str, _api_version: &str) -> Evaluated<Value> {
        Err(TemplateFault::Later(id.to_owned()))
    }
}
