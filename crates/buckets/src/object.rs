//! A bucket of an object store: creation under the condition that the name is free, ranged reads, list, delete.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use coffre_vault::bucket::{Bucket, BucketError, Created, Object, check_key, check_prefix};
use futures_util::TryStreamExt;
use http::{HeaderMap, HeaderValue};
use object_store::aws::{AmazonS3ConfigKey, Checksum};
use object_store::azure::AzureConfigKey;
use object_store::client::{HttpClient, HttpConnector, ReqwestConnector};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, Error, GetOptions, GetRange, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RetryConfig,
};

use crate::address::{Address, Kind};
use crate::held::{self, Held, Signer};
use crate::profile;
use crate::wire::Wire;

/// Repeating is safe for all six verbs; beyond this it is for the caller to say how long.
const RETRIES: usize = 5;
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);

/// Keeps each object as one object of S3 or Azure Blob, below a prefix.
pub struct ObjectBucket {
    store: Arc<dyn ObjectStore>,
    held: Held,
    /// Of S3: a client whose objects are locked until a time from their first moment, and that time.
    locked: Mutex<Option<(i64, Arc<dyn ObjectStore>)>>,
    profile: Option<PathBuf>,
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
        let (store, held) = store.map_err(failed)?;
        let wire = Wire::start().map_err(failed)?;
        let (locked, address) = (Mutex::default(), address.clone());
        Ok(Self { store, held, locked, profile: profile.map(PathBuf::from), wire, address })
    }

    /// The client that locks until then.
    fn locking(&self, key: &str, until: i64) -> Result<Arc<dyn ObjectStore>, BucketError> {
        let mut locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, store)) = locked.as_ref().filter(|(time, _)| *time == until) {
            return Ok(Arc::clone(store));
        }
        let store = locking_s3(&self.address.bucket, self.profile.as_deref(), until);
        let failed = |source| BucketError::Io { verb: "lock", key: key.to_owned(), source };
        let store = store.map_err(failed)?;
        *locked = Some((until, Arc::clone(&store)));
        Ok(store)
    }

    fn put(
        &self,
        store: Arc<dyn ObjectStore>,
        key: &str,
        data: &[u8],
    ) -> Result<Created, BucketError> {
        check_key(key)?;
        let path = self.path(key)?;
        let payload = PutPayload::from(data.to_vec());
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let put = self.wire.wait(async move { store.put_opts(&path, payload, options).await });
        let put =
            put.map_err(|source| BucketError::Io { verb: "create", key: key.to_owned(), source })?;
        match put {
            Ok(_) => Ok(Created::New),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Created::Exists),
            Err(error) => Err(failure("create", key, &error)),
        }
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
        self.put(Arc::clone(&self.store), key, data)
    }

    fn create_locked(&self, key: &str, data: &[u8], until: i64) -> Result<Created, BucketError> {
        if self.address.kind == Kind::S3
            && let Created::New = self.put(self.locking(key, until)?, key, data)?
        {
            return Ok(Created::New);
        }
        let created = self.create(key, data)?;
        self.lock(key, until)?;
        Ok(created)
    }

    fn lock(&self, key: &str, until: i64) -> Result<(), BucketError> {
        check_key(key)?;
        self.held.lock(&self.wire, self.path(key)?.as_ref(), key, until)
    }

    fn locked_until(&self, key: &str) -> Result<Option<i64>, BucketError> {
        check_key(key)?;
        self.held.locked_until(&self.wire, self.path(key)?.as_ref(), key)
    }

    fn destroy(&self, key: &str) -> Result<(), BucketError> {
        check_key(key)?;
        self.held.destroy(&self.wire, self.path(key)?.as_ref(), key)
    }

    fn weaken(&self, key: &str, until: i64) -> Result<(), BucketError> {
        check_key(key)?;
        self.held.weaken(&self.wire, self.path(key)?.as_ref(), key, until)
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

/// A store, and who makes the requests about its locks.
type Opened = (Arc<dyn ObjectStore>, Held);

fn other(error: Error) -> io::Error {
    io::Error::other(text(&error))
}

fn client(allow_http: Option<String>) -> io::Result<HttpClient> {
    let options = ClientOptions::new().with_allow_http(allow_http.as_deref() == Some("true"));
    ReqwestConnector::default().connect(&options).map_err(other)
}

fn s3(bucket: &str, profile: Option<&std::path::Path>) -> io::Result<Opened> {
    let builder = profile::s3(profile)?.with_bucket_name(bucket).with_retry(retry());
    let setting = |key| builder.get_config_value(&key).filter(|value| !value.is_empty());
    let region = setting(AmazonS3ConfigKey::Region).unwrap_or_else(|| "us-east-1".to_owned());
    let endpoint = setting(AmazonS3ConfigKey::Endpoint)
        .unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
    let in_the_host = setting(AmazonS3ConfigKey::VirtualHostedStyleRequest).as_deref()
        == Some("true")
        && endpoint.contains(&format!("://{bucket}."));
    let endpoint = endpoint.trim_end_matches('/');
    let bucket_url = if in_the_host { endpoint.to_owned() } else { format!("{endpoint}/{bucket}") };
    let client = client(setting(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp)))?;
    let store = Arc::new(builder.build().map_err(other)?);
    let signer = Signer::S3(Arc::clone(&store), region);
    Ok((store, Held { client, signer, bucket_url }))
}

/// An S3 client whose objects are locked until then. Its other requests would carry the same headers, so it only creates.
fn locking_s3(
    bucket: &str,
    profile: Option<&std::path::Path>,
    until: i64,
) -> io::Result<Arc<dyn ObjectStore>> {
    let builder = profile::s3(profile)?.with_bucket_name(bucket).with_retry(retry());
    let allow_http = AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp);
    let allow_http = builder.get_config_value(&allow_http).as_deref() == Some("true");
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-object-lock-mode", HeaderValue::from_static("COMPLIANCE"));
    let date = HeaderValue::from_str(&held::iso(until)?).map_err(io::Error::other)?;
    headers.insert("x-amz-object-lock-retain-until-date", date);
    // Which checksum comes with it: the real service sees that by itself, others ask to be told.
    headers.insert("x-amz-sdk-checksum-algorithm", HeaderValue::from_static("SHA256"));
    let options = ClientOptions::new()
        .with_timeout(profile::REQUEST_TIMEOUT)
        .with_connect_timeout(profile::CONNECT_TIMEOUT)
        .with_allow_http(allow_http)
        .with_default_headers(headers);
    // A store wants to know that what it locks arrived whole.
    let builder = builder.with_client_options(options).with_checksum_algorithm(Checksum::SHA256);
    Ok(Arc::new(builder.build().map_err(other)?))
}

fn azblob(container: &str, profile: Option<&std::path::Path>) -> io::Result<Opened> {
    let builder = profile::azblob(profile)?.with_container_name(container).with_retry(retry());
    let setting = |key| builder.get_config_value(&key).filter(|value| !value.is_empty());
    let account = setting(AzureConfigKey::AccountName).unwrap_or_default();
    let endpoint = setting(AzureConfigKey::Endpoint)
        .unwrap_or_else(|| format!("https://{account}.blob.core.windows.net"));
    let bucket_url = format!("{}/{container}", endpoint.trim_end_matches('/'));
    let client = client(setting(AzureConfigKey::Client(ClientConfigKey::AllowHttp)))?;
    let store = Arc::new(builder.build().map_err(other)?);
    let signer = Signer::Azblob(Arc::clone(&store), account);
    Ok((store, Held { client, signer, bucket_url }))
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
