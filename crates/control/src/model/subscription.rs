//! Subscription: the billing and naming scope above resource groups.

use serde::{Deserialize, Serialize};

use crate::id::{SubscriptionId, TenantId};

/// A subscription. Vault names are unique inside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Identity.
    pub id: SubscriptionId,
    /// Display name.
    pub name: String,
    /// The tenant that it trusts.
    pub tenant: TenantId,
    /// Version of the stored row; 0 = never stored.
    pub etag: u64,
}
