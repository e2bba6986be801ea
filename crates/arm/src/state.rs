//! What the surface is given by whoever runs it.

use std::sync::Arc;

use coffre_control::attempts::Attempts;
use coffre_control::device::DeviceCodes;
use coffre_control::id::VmId;
use coffre_control::port::Db;
use jiff::Timestamp;
use uuid::Uuid;

use crate::deployments::Deployments;
use crate::token::Tokens;

/// The world around the surface. Cheap to clone.
#[derive(Clone)]
pub struct ArmState {
    /// The deployments that this run of the service works on.
    pub deployments: Arc<Deployments>,
    /// The store.
    pub db: Arc<dyn Db>,
    /// Tells the time.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Gives ids that were never used.
    pub ids: Arc<dyn Fn() -> Uuid + Send + Sync>,
    /// Signs and checks tokens.
    pub tokens: Arc<dyn Tokens>,
    /// Tells the workers that there may be something to do.
    pub poke: Arc<dyn Fn() + Send + Sync>,
    /// Reads the logs of a VM's guest now; empty when it has none or cannot be asked.
    pub guest_logs: Arc<dyn Fn(VmId) -> Vec<GuestLog> + Send + Sync>,
    /// Seals the tokens by which lists go on.
    pub page_key: PageKey,
    /// The codes of programs that wait for somebody in the portal to let them in.
    pub devices: Arc<DeviceCodes>,
    /// Who guesses at sign-ins is held back.
    pub attempts: Arc<Attempts>,
    /// Where clients reach this service: `https://host:port`, no slash at the end.
    pub public_url: String,
}

/// The key under which the tokens of lists are sealed. It never prints.
#[derive(Clone)]
pub struct PageKey([u8; 32]);

impl PageKey {
    /// Takes random bytes. Tokens of another key are refused.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for PageKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PageKey(…)")
    }
}

/// The end of one log of a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestLog {
    /// Where it is in the guest.
    pub path: String,
    /// What it says.
    pub text: String,
}

impl ArmState {
    /// Authority of the style that needs no further setting in the clients (`…/adfs`).
    pub fn authority(&self) -> String {
        format!("{}/adfs", self.public_url)
    }

    /// Audience of access tokens.
    pub fn audience(&self) -> String {
        format!("{}/", self.public_url)
    }
}

impl std::fmt::Debug for ArmState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArmState").field("public_url", &self.public_url).finish_non_exhaustive()
    }
}
