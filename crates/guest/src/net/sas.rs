//! Address of a blob with the signature that opens it.

use std::fmt;

use crate::secret::Secret;

/// An address of a blob. Scheme and port of the text do not count: it is always HTTPS on port 443.
#[derive(Clone, PartialEq, Eq)]
pub struct Sas {
    host: String,
    path: String,
    query: Secret,
}

impl Sas {
    /// Understands an address; nothing when it is none, or could break out of a line of HTTP.
    #[must_use]
    pub fn parse(text: &str) -> Option<Sas> {
        const LENGTH_MAX: usize = 8192;
        let text = text.trim();
        if text.len() > LENGTH_MAX || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = place.split_once('/')?;
        let host = authority.split(':').next().unwrap_or_default();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
        if host.is_empty() || !host.bytes().all(plain) {
            return None;
        }
        Some(Sas {
            host: host.to_owned(),
            path: format!("/{path}"),
            query: Secret::new(query.to_owned()),
        })
    }

    /// Name of the host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The address without what opens it.
    #[must_use]
    pub fn public(&self) -> String {
        format!("https://{}{}", self.host, self.path)
    }

    /// What a request line names: path and query as they were given, and `and` behind it.
    #[must_use]
    pub fn target(&self, and: &str) -> String {
        format!("{}?{}{and}", self.path, self.query.expose())
    }

    /// What no log may show.
    #[must_use]
    pub fn secret(&self) -> Secret {
        self.query.clone()
    }
}

impl fmt::Debug for Sas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_it_is_but_never_shown_whole() {
        let sas = Sas::parse("http://a.blob.example:10000/c/b%20b?sv=1&sig=x%2B").unwrap();
        assert_eq!(sas.host(), "a.blob.example");
        assert_eq!(sas.target("&comp=snapshot"), "/c/b%20b?sv=1&sig=x%2B&comp=snapshot");
        assert_eq!(format!("{sas:?}"), "https://a.blob.example/c/b%20b");
        for wrong in [
            "",
            "a",
            "ftp://h/p",
            "https://h",
            "https:///p",
            "https://h/p\r\nX: y",
            "https://h/é",
            "https://[::1]/x",
        ] {
            assert_eq!(Sas::parse(wrong), None, "{wrong}");
        }
    }
}
