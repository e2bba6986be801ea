//! Deployments: what was made from a template, and how it went.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// One deployment. It is written when it begins, after each step, and when it has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Id of the subscription or the resource group that it deployed to.
    pub scope: String,
    /// Its name there.
    pub name: String,
    /// Parameters with their types; no secrets.
    pub parameters: Value,
    /// Outputs with their types.
    pub outputs: Value,
    /// The template as it came.
    pub template: Value,
    /// BLAKE3 or another digest of the template, in hexadecimal.
    pub template_hash: String,
    /// Why it failed, as clients see it; none = it succeeded.
    pub error: Option<Value>,
    /// What it did, in order.
    pub steps: Vec<DeploymentStep>,
    /// Where its operation is polled.
    pub operation: Uuid,
    /// Under which id the request is found in logs.
    pub correlation: Uuid,
    /// Which run of the service works on it; none = it has ended. A deployment of a run that is
    /// no more was interrupted.
    #[serde(default)]
    pub runner: Option<Uuid>,
    /// Somebody asked for its end; an ended one was ended by that.
    #[serde(default)]
    pub cancelled: bool,
    /// When it ended, or what was last heard of it.
    pub ended: Timestamp,
    /// How long it took so far, in milliseconds.
    pub took_ms: u64,
    /// Version of the stored row; 0 = never stored.
    #[serde(default)]
    pub etag: u64,
}

/// What a deployment did with one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentStep {
    /// Id of the resource.
    pub resource: String,
    /// Its full type.
    pub kind: String,
    /// Its name, with the names of its parents in front.
    pub name: String,
    /// HTTP status of the answer; 0 when it was not tried.
    pub status: u16,
    /// Why it failed.
    pub error: Option<Value>,
    /// When it ended.
    pub ended: Timestamp,
}
