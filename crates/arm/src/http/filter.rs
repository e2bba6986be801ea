//! The `$filter` of the clients: `name eq 'text'` joined by `and`, and nothing else.
//!
//! The parser is bounded (length and count), keeps no state, and its result is compared to
//! values in memory: no text of a client ever reaches a query language.

use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

use super::error::ArmError;
use super::query::clip;

/// Longest accepted filter.
pub(crate) const FILTER_BYTES_MAX: usize = 4096;
/// Most conditions in one filter; the commands send at most five.
pub(crate) const CONDITIONS_MAX: usize = 20;

/// The conditions of a filter, all of which must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter(Vec<(String, String)>);

impl Filter {
    /// Parses a filter. An empty text is the filter that lets everything through.
    pub(crate) fn parse(text: &str) -> Result<Filter, ArmError> {
        if text.len() > FILTER_BYTES_MAX {
            return Err(invalid("it is too long"));
        }
        let mut scanner = Scanner { rest: text.trim() };
        let mut conditions = Vec::new();
        if scanner.rest.is_empty() {
            return Ok(Filter(conditions));
        }
        loop {
            if conditions.len() == CONDITIONS_MAX {
                return Err(invalid("it has too many conditions"));
            }
            conditions.push(scanner.condition()?);
            if scanner.rest.is_empty() {
                return Ok(Filter(conditions));
            }
            scanner.keyword("and")?;
        }
    }

    /// The text that `name` must equal, when the filter names it (names in any case).
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Whether the filter leaves `name` open or asks for `actual` (in any case).
    pub(crate) fn allows(&self, name: &str, actual: &str) -> bool {
        self.text(name).is_none_or(|wanted| wanted.eq_ignore_ascii_case(actual))
    }

    /// The time that `name` is compared to, when the filter names it.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, ArmError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match parse_time(text) {
            Some(time) => Ok(Some(time)),
            None => Err(invalid(&format!("'{}' is no date for {name}", clip(text)))),
        }
    }
}

/// Reads the dates of the clients: `2026-12-31 12:00:00 AM` in UTC, or RFC 3339.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    for format in ["%Y-%m-%d %I:%M:%S %p", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"]
    {
        let Ok(parts) = BrokenDownTime::parse(format, text) else { continue };
        let date_time = parts.to_datetime().or_else(|_| {
            parts.to_date().map(|date| date.to_datetime(jiff::civil::Time::midnight()))
        });
        if let Ok(zoned) = date_time.and_then(|it| it.to_zoned(TimeZone::UTC)) {
            return Some(zoned.timestamp());
        }
    }
    None
}

fn invalid(why: &str) -> ArmError {
    ArmError::bad_request(
        "InvalidFilterInQueryString",
        format!(
            "The $filter cannot be read: {why}. Conditions have the form name eq 'text', joined by and."
        ),
    )
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn condition(&mut self) -> Result<(String, String), ArmError> {
        let name = self.word()?;
        self.keyword("eq")?;
        Ok((name.to_owned(), self.literal()?))
    }

    fn word(&mut self) -> Result<&'a str, ArmError> {
        let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.');
        let end = self.rest.find(|c| !inside(c)).unwrap_or(self.rest.len());
        if end == 0 {
            return Err(invalid("a name is missing"));
        }
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        Ok(word)
    }

    fn keyword(&mut self, expected: &str) -> Result<(), ArmError> {
        let word = self.word()?;
        if word.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        Err(invalid(&format!("'{}' stands where '{expected}' is expected", clip(word))))
    }

    /// A quoted text, in which a quote is written twice, or a bare word.
    fn literal(&mut self) -> Result<String, ArmError> {
        let Some(mut rest) = self.rest.strip_prefix('\'') else {
            return self.word().map(str::to_owned);
        };
        let mut value = String::new();
        loop {
            let Some(quote) = rest.find('\'') else { return Err(invalid("a quote is not closed")) };
            value.push_str(&rest[..quote]);
            rest = &rest[quote + 1..];
            match rest.strip_prefix('\'') {
                Some(after) => {
                    value.push('\'');
                    rest = after;
                }
                None => break,
            }
        }
        self.rest = rest.trim_start();
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_filters_of_the_commands_are_read() {
        let filter =
            Filter::parse("backupManagementType eq 'AzureIaasVM' and itemType eq 'VM'").unwrap();
        assert_eq!(filter.text("itemtype"), Some("VM"));
        assert!(filter.allows("backupManagementType", "azureiaasvm"));
        assert!(!filter.allows("backupManagementType", "AzureWorkload"));
        assert!(filter.allows("friendlyName", "anything"));
        assert_eq!(Filter::parse("").unwrap(), Filter::default());
        assert_eq!(Filter::parse("name eq 'it''s'").unwrap().text("name"), Some("it's"));
    }

    #[test]
    fn twelve_hour_dates_are_read() {
        let filter = Filter::parse(
            "endTime eq '2026-12-31 12:00:00 AM' and startTime eq '2026-01-01 01:02:03 PM'",
        )
        .unwrap();
        assert_eq!(filter.time("endTime").unwrap().unwrap().to_string(), "2026-12-31T00:00:00Z");
        assert_eq!(filter.time("startTime").unwrap().unwrap().to_string(), "2026-01-01T13:02:03Z");
        assert_eq!(filter.time("other").unwrap(), None);
        let wrong = Filter::parse("endTime eq 'soon'").unwrap();
        assert_eq!(wrong.time("endTime").unwrap_err().code(), "InvalidFilterInQueryString");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "a",
            "a eq",
            "a eq 'b",
            "a gt 'b'",
            "a eq 'b' or c eq 'd'",
            "(a eq 'b')",
            "a eq 'b' and",
            "'a' eq b",
        ] {
            assert_eq!(
                Filter::parse(text).unwrap_err().code(),
                "InvalidFilterInQueryString",
                "{text}"
            );
        }
        let many = vec!["a eq 'b'"; 21].join(" and ");
        assert!(Filter::parse(&many).is_err());
        assert!(Filter::parse(&format!("a eq '{}'", "x".repeat(5000))).is_err());
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_is_bounded(text in ".{0,400}") {
            if let Ok(filter) = Filter::parse(&text) {
                prop_assert!(filter.0.len() <= CONDITIONS_MAX);
            }
        }

        #[test]
        fn what_is_quoted_comes_back(values in prop::collection::vec("[^\\x00]{0,30}", 1..10)) {
            let text: Vec<String> = values.iter().enumerate()
                .map(|(n, value)| format!("k{n} eq '{}'", value.replace('\'', "''"))).collect();
            let filter = Filter::parse(&text.join(" and ")).unwrap();
            for (n, value) in values.iter().enumerate() {
                prop_assert_eq!(filter.text(&format!("k{n}")), Some(value.as_str()));
            }
        }

        #[test]
        fn reading_a_time_never_panics(text in ".{0,40}") {
            let _ = parse_time(&text);
        }
    }
}
