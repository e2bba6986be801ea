//! The stores of a vault by their addresses: folders, and those that are reached over HTTP.
//!
//! The vault is plain blocking code; what object stores need besides, a small runtime of their own, stays in here.

mod address;
mod object;
mod profile;
mod wire;

use std::sync::Arc;

use coffre_vault::bucket::{self, Bucket, BucketError};

pub use object::ObjectBucket;

/// Opens the store at an address: `file:///absolute/folder`, `memory:`, `s3://bucket/prefix` or
/// `azblob://container/prefix`. Credentials come from the environment (`AWS_…`, `AZURE_…`) or from the file that
/// `COFFRE_STORE_PROFILE` names, never from the address.
///
/// # Errors
/// [`BucketError::BadUrl`], or what the store meets. Nothing is asked of an object store yet.
pub fn open(url: &str) -> Result<Arc<dyn Bucket>, BucketError> {
    match address::Address::parse(url)? {
        Some(address) => Ok(Arc::new(ObjectBucket::open(&address)?)),
        None => bucket::open(url),
    }
}
