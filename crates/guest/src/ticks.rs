//! Instants in the notations that travel: .NET ticks, `/Date(…)/`, and ISO 8601.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds from the first day of year 1, where ticks begin, to 1970.
const EPOCH_OFFSET_SECONDS: u64 = 62_135_596_800;
const TICKS_PER_SECOND: u64 = 10_000_000;

/// The instant of a count of 100 ns since year 1; nothing when it is before 1970 or not an integer in decimal.
#[must_use]
pub fn parse(text: &str) -> Option<SystemTime> {
    let ticks: u64 = text.trim().parse().ok()?;
    let since_1970 = ticks.checked_sub(EPOCH_OFFSET_SECONDS * TICKS_PER_SECOND)?;
    let nanos = u32::try_from(since_1970 % TICKS_PER_SECOND * 100).ok()?;
    UNIX_EPOCH.checked_add(Duration::new(since_1970 / TICKS_PER_SECOND, nanos))
}

/// Ticks of an instant, in decimal. Instants before 1970 count as 1970.
#[must_use]
pub fn render(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let ticks = (since.as_secs() + EPOCH_OFFSET_SECONDS) * TICKS_PER_SECOND
        + u64::from(since.subsec_nanos()) / 100;
    ticks.to_string()
}

/// Milliseconds since 1970; 0 before.
#[must_use]
pub fn unix_ms(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `2026-11-21T19:40:43Z`.
#[must_use]
pub fn iso_seconds(at: SystemTime) -> String {
    stamp(at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2026-11-21 19:40:43.123456`, in UTC.
#[must_use]
pub fn log_stamp(at: SystemTime) -> String {
    stamp(at).strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}

/// `2026-11-21T19:40:43.123456`, in UTC and without saying so.
#[must_use]
pub fn iso_micros(at: SystemTime) -> String {
    stamp(at).strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string()
}

/// `Sat, 21 Nov 2026 19:40:43 GMT`, for HTTP.
#[must_use]
pub fn http_date(at: SystemTime) -> String {
    stamp(at).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn stamp(at: SystemTime) -> jiff::Timestamp {
    jiff::Timestamp::try_from(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// Milliseconds since 1970 of `2024-01-01T00:00:00.123Z`, with no fraction or one of up to nine digits.
#[must_use]
pub fn parse_iso_ms(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// A span as `0:00:01.302534`, the notation that readers of the telemetry know; days come first, the fraction only when
/// it is not 0.
#[must_use]
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let mut text = match days {
        0 => String::new(),
        1 => "1 day, ".to_owned(),
        n => format!("{n} days, "),
    };
    text.push_str(&format!("{}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60));
    if span.subsec_micros() != 0 {
        text.push_str(&format!(".{:06}", span.subsec_micros()));
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_instants() {
        let at = parse("639308868269695360").unwrap();
        assert_eq!(iso_micros(at), "2026-11-21T19:40:26.969536");
        assert_eq!(log_stamp(at), "2026-11-21 19:40:26.969536");
        assert_eq!(iso_seconds(at), "2026-11-21T19:40:26Z");
        assert_eq!(http_date(at), "Sat, 21 Nov 2026 19:40:26 GMT");
        for wrong in ["", "6.36458E+17", "abc", "-1", "99999999999999999999999", "1"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert_eq!(parse_iso_ms("2024-01-01T00:00:00.123Z"), Some(1_704_067_200_123));
        assert_eq!(parse_iso_ms("2024-01-01T00:00:00.1234567Z"), Some(1_704_067_200_123));
        assert_eq!(parse_iso_ms("2024-01-01T00:00:00Z"), Some(1_704_067_200_000));
        assert_eq!(parse_iso_ms("yesterday"), None);
        assert_eq!(span(Duration::from_micros(1_302_534)), "0:00:01.302534");
        assert_eq!(span(Duration::from_secs(90_061)), "1 day, 1:01:01");
    }

    proptest! {
        #[test]
        fn ticks_come_back(seconds in 0u64..10_000_000_000, tick in 0u32..10_000_000) {
            let at = UNIX_EPOCH + Duration::new(seconds, tick * 100);
            prop_assert_eq!(parse(&render(at)), Some(at));
        }
    }
}
