//! The query string: names without regard to case, values decoded once.

use jiff::civil::Date;
use percent_encoding::percent_decode_str;

use super::error::ArmError;

/// Longest accepted query string; a `$filter` of the commands stays below 400 bytes.
pub(crate) const QUERY_BYTES_MAX: usize = 8192;
/// Most name-value pairs in a query string.
const PAIRS_MAX: usize = 32;

/// The oldest API version that is answered: Recovery Services did not exist before.
const OLDEST_API_VERSION: Date = jiff::civil::date(2015, 1, 1);

/// Decoded query parameters. Names are kept in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses a raw query string; `+` and `%20` both mean a space.
    pub(crate) fn parse(raw: &str) -> Result<Query, ArmError> {
        if raw.len() > QUERY_BYTES_MAX {
            return Err(ArmError::bad_request(
                "InvalidRequestUri",
                "The query string is too long.",
            ));
        }
        let mut pairs = Vec::new();
        for part in raw.split('&').filter(|part| !part.is_empty()) {
            if pairs.len() == PAIRS_MAX {
                return Err(ArmError::bad_request(
                    "InvalidRequestUri",
                    "The query string has too many parameters.",
                ));
            }
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            pairs.push((decode(name)?.to_ascii_lowercase(), decode(value)?));
        }
        Ok(Query(pairs))
    }

    /// The first value of `name` (given in lower case), when there is one.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The parameters in the order in which they came, names in lower case.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// Checks that `api-version` is there and well formed, and returns it.
    ///
    /// Every well-formed version from 2015 on is accepted, in future too: clients move on every
    /// few weeks, and the newest shape is what they all understand.
    pub(crate) fn api_version(&self) -> Result<&str, ArmError> {
        let version = self.get("api-version").filter(|text| !text.is_empty()).ok_or_else(|| {
            ArmError::bad_request(
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        })?;
        if api_version_is_well_formed(version) {
            return Ok(version);
        }
        Err(ArmError::bad_request(
            "InvalidApiVersionParameter",
            format!(
                "The api-version '{}' is invalid. It must be a date from {OLDEST_API_VERSION} on, as YYYY-MM-DD or YYYY-MM-DD-preview.",
                clip(version)
            ),
        ))
    }
}

/// `text` cut to a length that may be repeated in a message.
pub(crate) fn clip(text: &str) -> String {
    text.chars().take(260).filter(|c| !c.is_control()).collect()
}

fn decode(text: &str) -> Result<String, ArmError> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map(|text| text.into_owned()).map_err(|_| {
        ArmError::bad_request("InvalidRequestUri", "The query string is not valid UTF-8.")
    })
}

fn api_version_is_well_formed(version: &str) -> bool {
    let (date, rest) = match version.as_bytes().get(10) {
        _ if !version.is_ascii() || version.len() < 10 => return false,
        Some(b'-') => (&version[..10], &version[11..]),
        Some(_) => return false,
        None => (version, "preview"),
    };
    let suffix_ok = ["preview", "alpha", "beta", "privatepreview"]
        .iter()
        .any(|suffix| rest.eq_ignore_ascii_case(suffix));
    suffix_ok && date.parse::<Date>().is_ok_and(|date| date >= OLDEST_API_VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(raw: &str) -> Result<String, String> {
        let query = Query::parse(raw).unwrap();
        query.api_version().map(str::to_owned).map_err(|error| error.code().to_owned())
    }

    #[test]
    fn names_match_in_any_case_and_encoding() {
        let query = Query::parse("%24Filter=a+eq%20'b'&API-Version=2024-11-01").unwrap();
        assert_eq!(query.get("$filter"), Some("a eq 'b'"));
        assert_eq!(query.get("api-version"), Some("2024-11-01"));
        assert_eq!(query.get("$top"), None);
    }

    #[test]
    fn well_formed_versions_past_and_future_are_accepted() {
        for text in ["2015-12-01", "2021-11-15", "2031-01-01", "2025-05-31-preview"] {
            assert_eq!(version(&format!("api-version={text}")), Ok(text.to_owned()));
        }
    }

    #[test]
    fn missing_and_malformed_versions_have_their_own_codes() {
        assert_eq!(version(""), Err("MissingApiVersionParameter".to_owned()));
        assert_eq!(version("api-version="), Err("MissingApiVersionParameter".to_owned()));
        for text in [
            "2014-01-01",
            "2024-13-01",
            "latest",
            "2024-11-01-x",
            "2024-11-01x",
            "2024-1-1",
            "20241101é",
        ] {
            assert_eq!(
                version(&format!("api-version={text}")),
                Err("InvalidApiVersionParameter".to_owned()),
                "{text}"
            );
        }
    }
}
