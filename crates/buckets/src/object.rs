//! A bucket of an object store: creation under the condition that the name is free, ranged reads, list, delete.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use coffre_vault::bucket::{Bucket, BucketError, Created, Object, check_key, check_prefix};
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{
    BackoffConfig, Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, PutPayload, RetryConfig,
};

use crate::address::{Address, Kind};
use crate::profile;
use crate::wire::Wire;

/// Repeating is safe for all six verbs; beyond this it is for the caller to say how long.
const RETRIES: usize = 5;
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);

/// Keeps each object as one object of S3 or Azure Blob, below a prefix.
pub struct ObjectBucket {
    store: Arc<dyn ObjectStore>,
    wire: Wire,
    address: Address,
}

impl std::fmt::Debug for ObjectBucket {
    /// Only the address: the client holds credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ObjectBucket({})", self.address)
    }
}

impl ObjectBucket {
    pub(crate) fn open(
        address: &Address,
        profile: Option<&std::path::Path>,
    ) -> Result<Self, BucketError> {
        let failed = |source| BucketError::Io {
            verb: "open the store of",
            key: address.to_string(),
            source,
        };
        let store = match address.kind {
            Kind::S3 => s3(&address.bucket, profile),
            Kind::Azblob => azblob(&address.bucket, profile),
        };
        let store = store.map_err(failed)?;
        let wire = Wire::start().map_err(failed)?;
        Ok(Self { store, wire, address: address.clone() })
    }

    /// The path of a key, or of a prefix of keys.
    fn path(&self, key: &str) -> Result<Path, BucketError> {
        let whole = format!("{}/{key}", self.address.prefix);
        Path::parse(&whole).map_err(|_| BucketError::InvalidKey { key: key.to_owned() })
    }

    /// Does one request and waits for it.
    fn ask<T: Send + 'static, F>(
        &self,
        verb: &'static str,
        key: &str,
        work: impl FnOnce(Arc<dyn ObjectStore>) -> F,
    ) -> Result<Result<T, Error>, BucketError>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let answer = self.wire.wait(work(Arc::clone(&self.store)));
        answer.map_err(|source| BucketError::Io { verb, key: key.to_owned(), source })
    }

    fn head(&self, key: &str) -> Result<Option<ObjectMeta>, BucketError> {
        let path = self.path(key)?;
        match self.ask("read", key, |store| async move { store.head(&path).await })? {
            Ok(meta) => Ok(Some(meta)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failure("read", key, &error)),
        }
    }
}

impl Bucket for ObjectBucket {
    fn create(&self, key: &str, data: &[u8]) -> Result<Created, BucketError> {
        check_key(key)?;
        let path = self.path(key)?;
        let payload = PutPayload::from(data.to_vec());
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let put = self.ask("create", key, |store| async move {
            store.put_opts(&path, payload, options).await
        })?;
        match put {
            Ok(_) => Ok(Created::New),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Created::Exists),
            Err(error) => Err(failure("create", key, &error)),
        }
    }

    fn get(&self, key: &str) -> Result<Vec<u8>, BucketError> {
        check_key(key)?;
        let path = self.path(key)?;
        let read = self.ask("read", key, |store| async move {
            let answer = store.get(&path).await?;
            let size = answer.meta.size;
            Ok((answer.bytes().await?, size))
        })?;
        let (bytes, size) = read.map_err(|error| failure("read", key, &error))?;
        if bytes.len() as u64 != size {
            return Err(short("read", key));
        }
        Ok(bytes.into())
    }

    fn get_range(&self, key: &str, offset: u64, length: usize) -> Result<Vec<u8>, BucketError> {
        check_key(key)?;
        let not_found = || BucketError::NotFound { key: key.to_owned() };
        let outside =
            || BucketError::OutOfRange { key: key.to_owned(), offset, length: length as u64 };
        let end = offset.checked_add(length as u64);
        let (Some(end), true) = (end, length > 0) else {
            // Nothing can be asked of the store but its size.
            let size = self.size(key)?.ok_or_else(not_found)?;
            return if end.is_some_and(|end| end <= size) {
                Ok(Vec::new())
            } else {
                Err(outside())
            };
        };
        let path = self.path(key)?;
        let range = Some(GetRange::Bounded(offset..end));
        let read = self.ask("read", key, |store| async move {
            let options = GetOptions { range, ..GetOptions::default() };
            let answer = store.get_opts(&path, options).await?;
            let whole = answer.range == (offset..end);
            // Of a range that ends after the object the rest would come; nobody wants that.
            Ok(if whole { Some(answer.bytes().await?) } else { None })
        })?;
        match read {
            Ok(Some(bytes)) if bytes.len() == length => Ok(bytes.into()),
            Ok(Some(_)) => Err(short("read", key)),
            Ok(None) => Err(outside()),
            Err(Error::NotFound { .. }) => Err(not_found()),
            // Stores refuse a range that starts after the object in ways of their own: its size tells.
            Err(error) => match self.size(key)? {
                Some(size) if end > size => Err(outside()),
                Some(_) => Err(failure("read", key, &error)),
                None => Err(not_found()),
            },
        }
    }

    fn size(&self, key: &str) -> Result<Option<u64>, BucketError> {
        check_key(key)?;
        Ok(self.head(key)?.map(|meta| meta.size))
    }

    fn list(&self, prefix: &str) -> Result<Vec<Object>, BucketError> {
        check_prefix(prefix)?;
        let path = self.path(prefix.strip_suffix('/').unwrap_or(prefix))?;
        let listed = self.ask("list", prefix, |store| async move {
            let within = (!path.as_ref().is_empty()).then_some(&path);
            store.list(within).try_collect::<Vec<ObjectMeta>>().await
        })?;
        let listed = listed.map_err(|error| failure("list", prefix, &error))?;
        let own = &self.address.prefix;
        let mut objects: Vec<Object> = listed
            .into_iter()
            .filter_map(|meta| {
                let key = meta.location.as_ref().strip_prefix(own.as_str())?;
                let key = if own.is_empty() { key } else { key.strip_prefix('/')? };
                let modified_unix_ms = Some(meta.last_modified.timestamp_millis());
                check_key(key).ok()?;
                Some(Object { key: key.to_owned(), size: meta.size, modified_unix_ms })
            })
            .collect();
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    fn delete(&self, key: &str) -> Result<(), BucketError> {
        check_key(key)?;
        let path = self.path(key)?;
        match self.ask("delete", key, |store| async move { store.delete(&path).await })? {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failure("delete", key, &error)),
        }
    }
}

fn retry() -> RetryConfig {
    let backoff = BackoffConfig { max_backoff: Duration::from_secs(5), ..BackoffConfig::default() };
    RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRY_TIMEOUT }
}

fn s3(bucket: &str, profile: Option<&std::path::Path>) -> io::Result<Arc<dyn ObjectStore>> {
    let builder = profile::s3(profile)?.with_bucket_name(bucket).with_retry(retry());
    let store = builder.build().map_err(|error| io::Error::other(text(&error)))?;
    Ok(Arc::new(store))
}

fn azblob(container: &str, profile: Option<&std::path::Path>) -> io::Result<Arc<dyn ObjectStore>> {
    let builder = profile::azblob(profile)?.with_container_name(container).with_retry(retry());
    let store = builder.build().map_err(|error| io::Error::other(text(&error)))?;
    Ok(Arc::new(store))
}

fn short(verb: &'static str, key: &str) -> BucketError {
    let source = io::Error::new(io::ErrorKind::UnexpectedEof, "the answer was cut short");
    BucketError::Io { verb, key: key.to_owned(), source }
}

fn failure(verb: &'static str, key: &str, error: &Error) -> BucketError {
    let key = key.to_owned();
    let kind = match error {
        Error::NotFound { .. } => return BucketError::NotFound { key },
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            io::ErrorKind::PermissionDenied
        }
        _ => io::ErrorKind::Other,
    };
    BucketError::Io { verb, key, source: io::Error::new(kind, text(error)) }
}

/// The whole chain of an error, without the parameters of addresses: a shared-access signature is one.
fn text(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    without_parameters(&text)
}

fn without_parameters(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ')' | '>');
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('?') {
        shown.push_str(&rest[..at]);
        shown.push_str("?…");
        rest = &rest[at + 1..];
        rest = &rest[rest.find(ends).unwrap_or(rest.len())..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_addresses_are_not_shown() {
        let text = "PUT https://a/b?comp=x&sig=SECRET failed (https://c?sig=SECRET): why?";
        let shown = without_parameters(text);
        assert!(!shown.contains("SECRET") && shown.contains("failed"), "{shown}");
        assert_eq!(without_parameters("no parameters"), "no parameters");
    }
}
