//! Region: a site with hypervisors and the stores where its vaults keep their data.

use serde::{Deserialize, Serialize};

/// A region (`location` at the REST surface).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    /// Short name: lower-case letters and digits, as in `local`.
    pub name: String,
    /// Name for people.
    pub display_name: String,
    /// The region that holds geo-redundant copies, by name.
    pub paired: Option<String>,
    /// Address under which each vault of the region gets a folder of its own
    /// (`file:///var/lib/coffre/vaults`).
    pub store_url: String,
    /// Version of the stored row; 0 = never stored.
    pub etag: u64,
}
