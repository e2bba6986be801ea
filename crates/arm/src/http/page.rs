//! Paging of lists: `value`, and a `nextLink` that the client follows as it stands.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use coffre_control::port::Search;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::error::ArmError;
use super::query::Query;
use crate::state::PageKey;

/// Entries of a page when the client does not ask for fewer.
pub(crate) const PAGE_SIZE: usize = 200;
/// Bytes of the seal of a token.
const SEAL_BYTES: usize = 16;

/// The part of a list that a request asks for.
///
/// The token in a link is the number of entries already sent, under a seal over the path (and so
/// over the subscription) and the filter: nobody makes one up, changes one, or uses one on another
/// list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window<'a> {
    key: &'a PageKey,
    public_url: &'a str,
    path: &'a str,
    query: &'a Query,
    start: usize,
    size: usize,
}

impl<'a> Window<'a> {
    /// Reads `$top` and `$skipToken`.
    pub(crate) fn of(
        key: &'a PageKey,
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
            Some(token) => read_token(key, token, path, query)?,
            None => 0,
        };
        Ok(Window { key, public_url, path, query, start, size })
    }

    /// How many entries stand before this page.
    pub(crate) fn skip(&self) -> u64 {
        self.start as u64
    }

    /// How many entries must be read to fill this page and to know whether there is another.
    pub(crate) fn limit(&self) -> u32 {
        self.size as u32 + 1
    }

    /// The part of a long list that this page needs.
    pub(crate) fn search(&self) -> Search {
        Search { skip: self.skip(), limit: self.limit(), ..Search::default() }
    }

    /// Cuts the page out of all entries; only what is shown is rendered.
    pub(crate) fn page<T>(
        &self,
        entries: impl IntoIterator<Item = T>,
        render: impl FnMut(T) -> Value,
    ) -> Value {
        self.page_of(entries.into_iter().skip(self.start), render)
    }

    /// The page whose entries the store has cut out already, with the one behind it.
    pub(crate) fn page_of<T>(
        &self,
        entries: impl IntoIterator<Item = T>,
        render: impl FnMut(T) -> Value,
    ) -> Value {
        let mut rest = entries.into_iter();
        let shown: Vec<Value> = rest.by_ref().take(self.size).map(render).collect();
        let end = self.start + shown.len();
        let mut body = list(shown);
        if rest.next().is_some() {
            let token = write_token(self.key, end, self.path, self.query);
            body["nextLink"] = json!(next_link(self.public_url, self.path, self.query, &token));
        }
        body
    }
}

/// The body of a list. `json!` would copy every entry.
pub(crate) fn list(entries: Vec<Value>) -> Value {
    Value::Object(Map::from_iter([("value".to_owned(), Value::Array(entries))]))
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

fn seal(key: &PageKey, offset: [u8; 8], path: &str, query: &Query) -> [u8; SEAL_BYTES] {
    let mut hasher = blake3::Hasher::new_keyed(key.bytes());
    hasher.update(&offset);
    // Each part with its length: no two lists have the same text.
    for part in [path.to_ascii_lowercase().as_str(), query.get("$filter").unwrap_or_default()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut sealed = [0; SEAL_BYTES];
    sealed.copy_from_slice(&hasher.finalize().as_bytes()[..SEAL_BYTES]);
    sealed
}

fn write_token(key: &PageKey, offset: usize, path: &str, query: &Query) -> String {
    let offset = (offset as u64).to_le_bytes();
    let sealed = seal(key, offset, path, query);
    URL_SAFE_NO_PAD.encode([offset.as_slice(), sealed.as_slice()].concat())
}

fn read_token(key: &PageKey, token: &str, path: &str, query: &Query) -> Result<usize, ArmError> {
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (offset, sealed) = bytes.split_first_chunk::<8>()?;
        let sealed: [u8; SEAL_BYTES] = sealed.try_into().ok()?;
        // Compared by hashes of hashes: how long it takes says nothing.
        let same = blake3::hash(&sealed) == blake3::hash(&seal(key, *offset, path, query));
        same.then(|| usize::try_from(u64::from_le_bytes(*offset)).ok())?
    };
    read().ok_or_else(|| {
        ArmError::bad_request(
            "InvalidSkipToken",
            "The $skipToken does not belong to this list. Ask for the list from its beginning.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(url: &str, path: &str, raw: &str, count: usize) -> Result<Value, ArmError> {
        let query = Query::parse(raw)?;
        let key = PageKey::new([7; 32]);
        let window = Window::of(&key, url, path, &query)?;
        let whole = window.page(0..count, |n| json!(n));
        let end = count.min(window.start + window.limit() as usize);
        assert_eq!(window.page_of(window.start.min(end)..end, |n| json!(n)), whole);
        Ok(whole)
    }

    #[test]
    fn a_token_is_good_for_one_list_and_one_key_and_as_it_was_written() {
        let query = Query::parse("$filter=a eq 'b'").unwrap();
        let other = Query::parse("$filter=a eq 'c'").unwrap();
        let key = PageKey::new([1; 32]);
        let token = write_token(&key, 200, "/subscriptions/A/vms", &query);
        assert_eq!(read_token(&key, &token, "/Subscriptions/a/VMs", &query).unwrap(), 200);
        assert!(read_token(&key, &token, "/subscriptions/b/vms", &query).is_err());
        assert!(read_token(&key, &token, "/subscriptions/a/vms", &other).is_err());
        assert!(
            read_token(&PageKey::new([2; 32]), &token, "/subscriptions/a/vms", &query).is_err()
        );
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut harmed = bytes.clone();
            harmed[bit / 8] ^= 1 << (bit % 8);
            let harmed = URL_SAFE_NO_PAD.encode(harmed);
            let refused = read_token(&key, &harmed, "/subscriptions/a/vms", &query).unwrap_err();
            assert_eq!(refused.code(), "InvalidSkipToken", "bit {bit}");
        }
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
