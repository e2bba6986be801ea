//! Paging of lists: `value`, and a `nextLink` that the client follows as it stands.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::error::ArmError;
use super::query::Query;

/// Entries of a page when the client does not ask for fewer.
pub(crate) const PAGE_SIZE: usize = 200;

/// The part of a list that a request asks for.
///
/// The token in a link is the number of entries already sent, bound to the path and the filter,
/// so that it cannot be used on another list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window<'a> {
    public_url: &'a str,
    path: &'a str,
    query: &'a Query,
    start: usize,
    size: usize,
}

impl<'a> Window<'a> {
    /// Reads `$top` and `$skipToken`.
    pub(crate) fn of(
        public_url: &'a str,
        path: &'a str,
        query: &'a Query,
    ) -> Result<Window<'a>, ArmError> {
        let size = match query.get("$top").map(str::parse::<usize>) {
            Some(Ok(top)) if top > 0 => top.min(PAGE_SIZE),
            Some(_) => {
                return Err(ArmError::bad_request(
                    "InvalidTopInQueryString",
                    "$top must be a whole number above 0.",
                ));
            }
            None => PAGE_SIZE,
        };
        let start = match query.get("$skiptoken") {
            Some(token) => read_token(token, binding(path, query))?,
            None => 0,
        };
        Ok(Window { public_url, path, query, start, size })
    }

    /// How many entries from the first on must be read to fill this page and to know whether
    /// there is another.
    pub(crate) fn entries(&self) -> usize {
        self.start.saturating_add(self.size).saturating_add(1)
    }

    /// Cuts the page out of all entries; only what is shown is rendered.
    pub(crate) fn page<T>(
        &self,
        entries: impl IntoIterator<Item = T>,
        render: impl FnMut(T) -> Value,
    ) -> Value {
        let mut rest = entries.into_iter().skip(self.start);
        let shown: Vec<Value> = rest.by_ref().take(self.size).map(render).collect();
        let end = self.start + shown.len();
        let mut body = json!({ "value": shown });
        if rest.next().is_some() {
            let token = write_token(end, binding(self.path, self.query));
            body["nextLink"] = json!(next_link(self.public_url, self.path, self.query, &token));
        }
        body
    }
}

fn next_link(public_url: &str, path: &str, query: &Query, token: &str) -> String {
    let mut link = format!("{public_url}{path}?");
    for (name, value) in query.pairs().iter().filter(|(name, _)| name != "$skiptoken") {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        let name = name.strip_prefix('$').map_or_else(|| name.clone(), |rest| format!("%24{rest}"));
        link.push_str(&format!("{name}={value}&"));
    }
    link.push_str(&format!("%24skipToken={token}"));
    link
}

fn binding(path: &str, query: &Query) -> u64 {
    // FNV-1a: the token protects against mix-ups; what a caller may see is checked elsewhere.
    let filter = query.get("$filter").unwrap_or_default();
    let text = path.to_ascii_lowercase().into_bytes().into_iter().chain([0]).chain(filter.bytes());
    text.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn write_token(offset: usize, binding: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{offset}.{binding:x}"))
}

fn read_token(token: &str, binding: u64) -> Result<usize, ArmError> {
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (offset, bound) = text.split_once('.')?;
        let bound = u64::from_str_radix(bound, 16).ok()?;
        (bound == binding).then(|| offset.parse().ok())?
    };
    read().ok_or_else(|| {
        ArmError::bad_request("InvalidSkipToken", "The $skipToken does not belong to this list.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(url: &str, path: &str, raw: &str, count: usize) -> Result<Value, ArmError> {
        let query = Query::parse(raw)?;
        let window = Window::of(url, path, &query)?;
        assert!(window.entries() > window.start);
        Ok(window.page(0..count, |n| json!(n)))
    }

    fn numbers(count: usize) -> Vec<Value> {
        (0..count).map(|n| json!(n)).collect()
    }

    #[test]
    fn following_the_links_yields_every_entry_once() {
        for count in [0, 1, 199, 200, 201, 450] {
            let mut seen = Vec::new();
            let mut raw = "api-version=2024-11-01&$filter=a%20eq%20'b'".to_owned();
            for _ in 0..10 {
                let body = page("https://h:1", "/x", &raw, count).unwrap();
                seen.extend(body["value"].as_array().unwrap().clone());
                let Some(link) = body["nextLink"].as_str() else { break };
                assert!(link.starts_with("https://h:1/x?api-version=2024%2D11%2D01"));
                raw = link.split_once('?').unwrap().1.to_owned();
            }
            assert_eq!(seen, numbers(count));
        }
    }

    #[test]
    fn a_token_of_another_list_or_no_token_at_all_is_refused() {
        let first = page("", "/x", "", 300).unwrap();
        let raw = first["nextLink"].as_str().unwrap().split_once('?').unwrap().1.to_owned();
        assert!(page("", "/x", &raw, 300).is_ok());
        assert_eq!(page("", "/y", &raw, 300).unwrap_err().code(), "InvalidSkipToken");
        let forged = page("", "/x", "$skipToken=AAAA", 3);
        assert_eq!(forged.unwrap_err().code(), "InvalidSkipToken");
    }

    #[test]
    fn top_is_bounded() {
        assert_eq!(page("", "/x", "$top=2", 3).unwrap()["value"], json!([0, 1]));
        assert!(page("", "/x", "$top=0", 3).is_err());
        let huge = page("", "/x", "$top=18446744073709551615", 300).unwrap();
        assert_eq!(huge["value"], json!(numbers(200)));
    }
}
