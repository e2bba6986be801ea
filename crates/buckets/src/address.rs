//! `s3://bucket/prefix` and `azblob://container/prefix`.

use coffre_vault::bucket::BucketError;

/// Which kind of object store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Amazon S3, or what speaks its protocol.
    S3,
    /// Azure Blob Storage.
    Azblob,
}

/// The address of an object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) kind: Kind,
    /// The bucket, or container.
    pub(crate) bucket: String,
    /// In front of every key; empty, or without a slash at either end.
    pub(crate) prefix: String,
}

/// Longest prefix; with a key behind it, it must stay below what the stores allow (1024).
const PREFIX_BYTES_MAX: usize = 512;

impl Address {
    /// `None` for an address of another kind.
    pub(crate) fn parse(url: &str) -> Result<Option<Self>, BucketError> {
        let (kind, rest) = if let Some(rest) = url.strip_prefix("s3://") {
            (Kind::S3, rest)
        } else if let Some(rest) = url.strip_prefix("azblob://") {
            (Kind::Azblob, rest)
        } else {
            return Ok(None);
        };
        let wrong = |reason: &str| {
            Err(BucketError::BadUrl { url: without_secrets(url), reason: reason.to_owned() })
        };
        if rest.contains(['@', '?', '#']) {
            return wrong(
                "an address holds no credentials and no parameters; give them by the environment or a profile",
            );
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if bucket.is_empty() || bucket.len() > 63 || !bucket.chars().all(plain) {
            return wrong("the name of the bucket is missing or has letters that none can have");
        }
        let part_is_plain =
            |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(plain);
        let prefix_is_plain = prefix.is_empty() || prefix.split('/').all(part_is_plain);
        if !prefix_is_plain || prefix.len() > PREFIX_BYTES_MAX {
            return wrong(
                "a prefix is folders of letters, digits, '-', '_' and '.', between slashes",
            );
        }
        Ok(Some(Self { kind, bucket: bucket.to_owned(), prefix: prefix.to_owned() }))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match self.kind {
            Kind::S3 => "s3",
            Kind::Azblob => "azblob",
        };
        write!(f, "{scheme}://{}/{}", self.bucket, self.prefix)
    }
}

/// An address to show: without what stands where people put credentials.
fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_alike() {
        let address = Address::parse("s3://vaults/site/one/").unwrap().unwrap();
        assert_eq!((address.bucket.as_str(), address.prefix.as_str()), ("vaults", "site/one"));
        assert_eq!(address.to_string(), "s3://vaults/site/one");
        let bare = Address::parse("azblob://vaults").unwrap().unwrap();
        assert_eq!((bare.kind, bare.prefix.as_str()), (Kind::Azblob, ""));
        assert_eq!(Address::parse("file:///x").unwrap(), None);
    }

    #[test]
    fn what_is_not_an_address_is_refused_and_no_secret_is_repeated() {
        let wrong = [
            "s3://",
            "s3:///x",
            "s3://b/../x",
            "s3://b//x",
            "s3://a b/x",
            "azblob://c/x?sig=SECRET",
            "s3://KEY:SECRET@bucket/x",
            "s3://KEY:SEC@RET@bucket/x",
        ];
        for url in wrong {
            let error = Address::parse(url).unwrap_err();
            assert!(matches!(error, BucketError::BadUrl { .. }), "{url}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("SEC") && !shown.contains("KEY"), "{shown}");
        }
    }
}
