//! The stores of a vault by their addresses: folders, and those that are reached over HTTP.
//!
//! The vault is plain blocking code; what object stores need besides, a small runtime of their own, stays in here.

mod address;
mod held;
mod object;
mod profile;
mod wire;

use std::path::Path;
use std::sync::Arc;

use coffre_vault::bucket::{self, Bucket, BucketError};

pub use object::ObjectBucket;

/// Names the file with the settings of object stores.
const PROFILE: &str = "COFFRE_STORE_PROFILE";

/// Opens the store at an address: `file:///absolute/folder`, `memory:`, `s3://bucket/prefix` or
/// `azblob://container/prefix`. Credentials come from the environment (`AWS_…`, `AZURE_…`) or from the file that
/// `COFFRE_STORE_PROFILE` names, never from the address.
///
/// # Errors
/// [`BucketError::BadUrl`], or what the store meets. Nothing is asked of an object store yet.
pub fn open(url: &str) -> Result<Arc<dyn Bucket>, BucketError> {
    let profile = std::env::var_os(PROFILE);
    open_with(url, profile.as_deref().map(Path::new))
}

/// Opens the store at an address, with settings from this profile instead of the one that the environment names.
///
/// # Errors
/// As [`open`].
pub fn open_with(url: &str, profile: Option<&Path>) -> Result<Arc<dyn Bucket>, BucketError> {
    match address::Address::parse(url)? {
        Some(address) => Ok(Arc::new(ObjectBucket::open(&address, profile)?)),
        None => bucket::open(url),
    }
}
