//! Storage account: a folder that receives restored disks.

use serde::{Deserialize, Serialize};

use crate::id::SubscriptionId;

/// A place for restored files. Its name is unique in the subscription, whatever the case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageAccount {
    /// The subscription it belongs to.
    pub subscription: SubscriptionId,
    /// Its resource group.
    pub group: String,
    /// Name: 3 to 24 lower-case letters and digits.
    pub name: String,
    /// Region, by name.
    pub region: String,
    /// Folder on the machine that runs the service.
    pub folder: String,
    /// Version of the stored row; 0 = never stored.
    pub etag: u64,
}
