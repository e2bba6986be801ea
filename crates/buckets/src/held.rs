//! Locks of object stores: S3's object lock in compliance mode, Azure's locked immutability policies.
//!
//! The client library has no verbs for these, so the few requests are made here, signed by its authorizers with its
//! credentials. None is repeated by itself: whoever locks may ask again.

use std::io;
use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use coffre_vault::bucket::BucketError;
use http::{HeaderMap, Method, Request, StatusCode};
use object_store::aws::{AmazonS3, AwsAuthorizer};
use object_store::azure::{AzureAuthorizer, MicrosoftAzure};
use object_store::client::{HttpClient, HttpRequest};

use crate::wire::Wire;

/// Who signs.
#[derive(Clone)]
pub(crate) enum Signer {
    /// S3: the store with the credentials, and its region.
    S3(Arc<AmazonS3>, String),
    /// Azure: the store with the credentials, and the account.
    Azblob(Arc<MicrosoftAzure>, String),
}

/// Makes requests about locks.
pub(crate) struct Held {
    pub(crate) client: HttpClient,
    pub(crate) signer: Signer,
    /// The address of the bucket, without a slash at its end.
    pub(crate) bucket_url: String,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Held {
    fn ask(
        &self,
        wire: &Wire,
        (method, path, query): (Method, &str, &str),
        headers: &[(&str, &str)],
        body: String,
    ) -> io::Result<Answer> {
        let path = if path.is_empty() { String::new() } else { format!("/{path}") };
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}{query}", self.bucket_url))
            .header("content-length", body.len());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).map_err(io::Error::other)?;
        let (client, signer) = (self.client.clone(), self.signer.clone());
        wire.wait(async move {
            let request = sign(request, &signer).await?;
            let answer = client.execute(request).await.map_err(io::Error::other)?;
            let (parts, body) = answer.into_parts();
            let body = body.bytes().await.map_err(io::Error::other)?;
            let body = String::from_utf8_lossy(&body).into_owned();
            Ok(Answer { status: parts.status, headers: parts.headers, body })
        })?
    }

    /// Locks at least so long; a longer lock that is there is left.
    pub(crate) fn lock(
        &self,
        wire: &Wire,
        path: &str,
        key: &str,
        until: i64,
    ) -> Result<(), BucketError> {
        let answer = self.set(wire, path, until).map_err(|error| failed("lock", key, error))?;
        if answer.status.is_success() {
            return Ok(());
        }
        if answer.status == StatusCode::NOT_FOUND {
            return Err(BucketError::NotFound { key: key.to_owned() });
        }
        // A store refuses to shorten; what it has may be longer than what we want.
        match self.locked_until(wire, path, key)? {
            Some(locked) if locked >= until => Ok(()),
            _ if answer.status == StatusCode::FORBIDDEN => {
                Err(failed("lock", key, refused(&answer)))
            }
            _ => Err(BucketError::NoLocks { key: key.to_owned() }),
        }
    }

    /// Asks for a lock until then, with all rights that the credentials have.
    pub(crate) fn weaken(
        &self,
        wire: &Wire,
        path: &str,
        key: &str,
        until: i64,
    ) -> Result<(), BucketError> {
        let answer = self.set(wire, path, until).map_err(|error| failed("unlock", key, error))?;
        if answer.status.is_success() {
            Ok(())
        } else {
            Err(failed("unlock", key, refused(&answer)))
        }
    }

    fn set(&self, wire: &Wire, path: &str, until: i64) -> io::Result<Answer> {
        match self.signer {
            Signer::S3(..) => {
                let body = format!(
                    "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>COMPLIANCE</Mode>\
                     <RetainUntilDate>{}</RetainUntilDate></Retention>",
                    iso(until)?
                );
                let sum = BASE64_STANDARD.encode(digest::digest(&digest::SHA256, body.as_bytes()));
                let headers = [
                    ("x-amz-checksum-sha256", sum.as_str()),
                    ("x-amz-sdk-checksum-algorithm", "SHA256"),
                    ("x-amz-bypass-governance-retention", "true"),
                    ("content-type", "application/xml"),
                ];
                self.ask(wire, (Method::PUT, path, "retention"), &headers, body)
            }
            Signer::Azblob(..) => {
                let date = rfc_1123(until)?;
                let headers = [
                    ("x-ms-immutability-policy-until-date", date.as_str()),
                    ("x-ms-immutability-policy-mode", "Locked"),
                ];
                let query = "comp=immutabilityPolicies";
                self.ask(wire, (Method::PUT, path, query), &headers, String::new())
            }
        }
    }

    /// Until when nobody can delete it. A lock that somebody with rights can lift is none.
    pub(crate) fn locked_until(
        &self,
        wire: &Wire,
        path: &str,
        key: &str,
    ) -> Result<Option<i64>, BucketError> {
        let failed = |error| failed("read the lock of", key, error);
        let request = (Method::HEAD, path, "");
        let answer = self.ask(wire, request, &[], String::new()).map_err(failed)?;
        if answer.status == StatusCode::NOT_FOUND {
            return Err(BucketError::NotFound { key: key.to_owned() });
        }
        let (mode, strict, until) = match self.signer {
            Signer::S3(..) => {
                ("x-amz-object-lock-mode", "compliance", "x-amz-object-lock-retain-until-date")
            }
            Signer::Azblob(..) => {
                ("x-ms-immutability-policy-mode", "locked", "x-ms-immutability-policy-until-date")
            }
        };
        let strict = answer.header(mode).is_some_and(|mode| mode.eq_ignore_ascii_case(strict));
        Ok(answer.header(until).filter(|_| strict).and_then(millis))
    }

    /// Deletes every version of an object.
    pub(crate) fn destroy(&self, wire: &Wire, path: &str, key: &str) -> Result<(), BucketError> {
        let failed = |error| failed("delete", key, error);
        let delete = |query: &str| -> Result<(), BucketError> {
            let request = (Method::DELETE, path, query);
            let answer = self.ask(wire, request, &[], String::new()).map_err(failed)?;
            let gone = answer.status.is_success() || answer.status == StatusCode::NOT_FOUND;
            if gone { Ok(()) } else { Err(failed(refused(&answer))) }
        };
        let versions = match self.signer {
            Signer::S3(..) => {
                let query = format!("prefix={}&versions=", path.replace('/', "%2F"));
                let request = (Method::GET, "", query.as_str());
                let answer = self.ask(wire, request, &[], String::new()).map_err(failed)?;
                let all =
                    answer.body.split("<Version>").flat_map(|part| part.split("<DeleteMarker>"));
                let own = all.filter(|part| tag(part, "Key") == Some(path));
                own.filter_map(|part| Some(format!("versionId={}", tag(part, "VersionId")?)))
                    .collect()
            }
            Signer::Azblob(..) => {
                let request = (Method::HEAD, path, "");
                let answer = self.ask(wire, request, &[], String::new()).map_err(failed)?;
                let version = answer.header("x-ms-version-id").map(|id| format!("versionid={id}"));
                version.into_iter().collect::<Vec<_>>()
            }
        };
        if versions.is_empty() {
            delete("")
        } else {
            versions.iter().try_for_each(|version| delete(version))
        }
    }
}

async fn sign(mut request: HttpRequest, signer: &Signer) -> io::Result<HttpRequest> {
    match signer {
        Signer::S3(store, region) => {
            let credential =
                store.credentials().get_credential().await.map_err(io::Error::other)?;
            let authorizer = AwsAuthorizer::new(&credential, "s3", region);
            authorizer.try_authorize(&mut request, None).map_err(io::Error::other)?;
        }
        Signer::Azblob(store, account) => {
            let credential =
                store.credentials().get_credential().await.map_err(io::Error::other)?;
            let authorizer = AzureAuthorizer::new(&credential, account);
            authorizer.try_authorize(&mut request).map_err(io::Error::other)?;
        }
    }
    Ok(request)
}

fn failed(verb: &'static str, key: &str, source: io::Error) -> BucketError {
    BucketError::Io { verb, key: key.to_owned(), source }
}

/// What a store says when it refuses: its code, not its whole text.
fn refused(answer: &Answer) -> io::Error {
    let code =
        tag(&answer.body, "Code").or(answer.header("x-ms-error-code")).unwrap_or("no reason");
    let what = format!("the store refuses: {} {code}", answer.status.as_u16());
    io::Error::new(io::ErrorKind::PermissionDenied, what)
}

/// The text of the first element of a name.
fn tag<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

/// A time as S3 writes it.
pub(crate) fn iso(unix_ms: i64) -> io::Result<String> {
    let time = jiff::Timestamp::from_second(unix_ms.div_euclid(1000)).map_err(io::Error::other)?;
    Ok(time.to_string())
}

fn rfc_1123(unix_ms: i64) -> io::Result<String> {
    let time = jiff::Timestamp::from_second(unix_ms.div_euclid(1000)).map_err(io::Error::other)?;
    Ok(time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

/// A time as S3 or Azure writes it.
fn millis(text: &str) -> Option<i64> {
    let time = text.parse::<jiff::Timestamp>().ok();
    let time = time.or_else(|| jiff::fmt::rfc2822::parse(text).ok().map(|time| time.timestamp()));
    time.map(jiff::Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_as_stores_do() {
        let at = 1_900_000_000_000;
        assert_eq!(iso(at + 999).unwrap(), "2030-03-17T17:46:40Z");
        assert_eq!(rfc_1123(at).unwrap(), "Sun, 17 Mar 2030 17:46:40 GMT");
        for text in [iso(at).unwrap(), rfc_1123(at).unwrap(), "2030-03-17T17:46:40.000Z".to_owned()]
        {
            assert_eq!(millis(&text), Some(at), "{text}");
        }
        assert_eq!(millis("soon"), None);
    }

    #[test]
    fn elements_are_found_in_an_answer() {
        let body = "<A><Key>k</Key><VersionId>1</VersionId></A>";
        assert_eq!((tag(body, "Key"), tag(body, "VersionId")), (Some("k"), Some("1")));
        assert_eq!((tag(body, "Code"), tag("<Code>x", "Code")), (None, None));
    }
}
