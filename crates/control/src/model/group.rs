//! Resource group: the folder in which vaults and VMs live.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::SubscriptionId;

/// A resource group. Its name is unique in the subscription, whatever the case of the letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceGroup {
    /// The subscription it belongs to.
    pub subscription: SubscriptionId,
    /// Name as first written.
    pub name: String,
    /// Region that keeps its metadata; resources in it may be elsewhere.
    pub region: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created: Timestamp,
    /// Version of the stored row; 0 = never stored.
    pub etag: u64,
}
