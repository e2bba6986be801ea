//! Numbers, sizes, times and durations as people of each language write them.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::i18n::Lang;

/// U+202F: keeps a number and its unit on one line.
const NARROW_NO_BREAK_SPACE: char = '\u{202f}';

const MONTHS_EN: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const MONTHS_ES: [&str; 12] =
    ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"];
const MONTHS_FR: [&str; 12] = [
    "janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.",
    "déc.",
];

/// A colon, as it stands behind a word.
pub fn colon(lang: Lang) -> &'static str {
    match lang {
        Lang::En | Lang::Es => ":",
        Lang::Fr => "\u{a0}:",
    }
}

/// A whole number with its thousands apart: `12,345`, `12.345`, `12 345`. Spanish leaves numbers
/// of four digits whole.
pub fn number(lang: Lang, value: u64) -> String {
    let digits = value.to_string();
    if lang == Lang::Es && digits.len() == 4 {
        return digits;
    }
    let mark = match lang {
        Lang::En => ',',
        Lang::Es => '.',
        Lang::Fr => NARROW_NO_BREAK_SPACE,
    };
    let mut out = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(mark);
        }
        out.push(digit);
    }
    out
}

/// What stands between a whole number and its decimals.
pub fn decimal_mark(lang: Lang) -> &'static str {
    match lang {
        Lang::En => ".",
        Lang::Es | Lang::Fr => ",",
    }
}

/// A number with one decimal, which is left out when it is zero.
fn decimal(lang: Lang, value: f64) -> String {
    let tenths = (value * 10.0).round() as u64;
    let whole = number(lang, tenths / 10);
    match tenths % 10 {
        0 => whole,
        tenth => format!("{whole}{}{tenth}", decimal_mark(lang)),
    }
}

/// An amount with two decimals, without a currency: `1,234.50`, `1 234,50`.
pub fn money(lang: Lang, value: f64) -> String {
    let cents = (value.max(0.0) * 100.0).round() as u64;
    let mark = decimal_mark(lang);
    format!("{}{mark}{:02}", number(lang, cents / 100), cents % 100)
}

/// A size in bytes in the largest binary unit that keeps it at 1 or more: `1.5 GiB`, `1,5 Gio`.
pub fn bytes(lang: Lang, value: u64) -> String {
    let units = match lang {
        Lang::En | Lang::Es => ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"],
        Lang::Fr => ["o", "Kio", "Mio", "Gio", "Tio", "Pio", "Eio"],
    };
    let mut scaled = value as f64;
    let mut unit = 0;
    // 1023.95 would be written as 1024.0.
    while scaled >= 1023.95 && unit + 1 < units.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{}{NARROW_NO_BREAK_SPACE}{}", decimal(lang, scaled), units[unit])
}

/// A length of time in seconds in its two largest units: `1 h 4 min`, `3 min 12 s`, `0.4 s`; what
/// took less than a tenth of a second in milliseconds.
pub fn seconds(lang: Lang, value: f64) -> String {
    let value = value.max(0.0);
    let space = NARROW_NO_BREAK_SPACE;
    let whole_millis = (value * 1000.0).ceil() as u64;
    if (1..100).contains(&whole_millis) {
        return millis(lang, whole_millis);
    }
    if value < 9.95 {
        return format!("{}{space}s", decimal(lang, value));
    }
    let whole = value.round() as u64;
    let (days, hours) = (whole / 86_400, whole / 3600 % 24);
    let (minutes, seconds) = (whole / 60 % 60, whole % 60);
    let day = if lang == Lang::Fr { "j" } else { "d" };
    let pair = |large: u64, name: &str, small: u64, small_name: &str| match small {
        0 => format!("{}{space}{name}", number(lang, large)),
        small => format!("{}{space}{name} {small}{space}{small_name}", number(lang, large)),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}{space}s"),
        (0, 0, minutes) => pair(minutes, "min", seconds, "s"),
        (0, hours, minutes) => pair(hours, "h", minutes, "min"),
        (days, hours, _) => pair(days, day, hours, "h"),
    }
}

/// A length of time in milliseconds: `38 ms`.
pub fn millis(lang: Lang, value: u64) -> String {
    format!("{}{NARROW_NO_BREAK_SPACE}ms", number(lang, value))
}

/// U+00A0: a line may break between the day and the time, and nowhere else.
const NO_BREAK_SPACE: char = '\u{a0}';

/// A day in UTC: `21 Nov 2026`.
pub fn day(lang: Lang, time: Timestamp) -> String {
    date(lang, time.to_zoned(TimeZone::UTC).date())
}

/// A day of a calendar: `21 Nov 2026`.
pub fn date(lang: Lang, date: Date) -> String {
    let name = month_short(lang, date.month());
    format!("{}{NO_BREAK_SPACE}{name}{NO_BREAK_SPACE}{}", date.day(), date.year())
}

/// The short name of a month, counted from 1.
pub fn month_short(lang: Lang, month: i8) -> &'static str {
    let at = usize::from(month.unsigned_abs()).clamp(1, 12) - 1;
    match lang {
        Lang::En => MONTHS_EN[at],
        Lang::Es => MONTHS_ES[at],
        Lang::Fr => MONTHS_FR[at],
    }
}

/// A moment in UTC to the minute: `21 Nov 2026, 22:04 UTC`.
pub fn moment(lang: Lang, time: Timestamp) -> String {
    let at = time.to_zoned(TimeZone::UTC);
    format!("{}, {:02}:{:02}{NO_BREAK_SPACE}UTC", day(lang, time), at.hour(), at.minute())
}

/// A moment in UTC without its year: `21 Nov, 22:04`.
pub fn moment_short(lang: Lang, time: Timestamp) -> String {
    let at = time.to_zoned(TimeZone::UTC);
    let (day, month) = (at.day(), month_short(lang, at.month()));
    format!("{day}{NO_BREAK_SPACE}{month}, {:02}:{:02}", at.hour(), at.minute())
}

/// A moment in UTC to the second, for what happens in quick succession.
pub fn moment_exact(lang: Lang, time: Timestamp) -> String {
    let at = time.to_zoned(TimeZone::UTC);
    let (hour, minute, second) = (at.hour(), at.minute(), at.second());
    format!("{}, {hour:02}:{minute:02}:{second:02}{NO_BREAK_SPACE}UTC", day(lang, time))
}

/// A day as a date field of a form wants it: `2026-11-21`.
pub fn iso_day(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).date().to_string()
}

/// Reads what a date field sent: the last moment of that day in UTC.
pub fn end_of_day(field: &str) -> Option<Timestamp> {
    let date: jiff::civil::Date = field.trim().parse().ok()?;
    date.at(23, 59, 59, 0).to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Narrow spaces made plain, so that the table below can be read.
    fn plain(text: String) -> String {
        text.replace([NARROW_NO_BREAK_SPACE, NO_BREAK_SPACE], " ")
    }

    #[test]
    fn numbers() {
        for (value, en, es, fr) in [
            (0, "0", "0", "0"),
            (999, "999", "999", "999"),
            (1234, "1,234", "1234", "1 234"),
            (1_234_567, "1,234,567", "1.234.567", "1 234 567"),
        ] {
            assert_eq!(plain(number(Lang::En, value)), en);
            assert_eq!(plain(number(Lang::Es, value)), es);
            assert_eq!(plain(number(Lang::Fr, value)), fr);
        }
    }

    #[test]
    fn sizes() {
        for (value, en, fr) in [
            (0, "0 B", "0 o"),
            (1023, "1,023 B", "1 023 o"),
            (1024, "1 KiB", "1 Kio"),
            (1_610_612_736, "1.5 GiB", "1,5 Gio"),
            // Never "1,024 GiB".
            ((1 << 40) - 1, "1 TiB", "1 Tio"),
            (u64::MAX, "16 EiB", "16 Eio"),
        ] {
            assert_eq!(plain(bytes(Lang::En, value)), en);
            assert_eq!(plain(bytes(Lang::Fr, value)), fr);
        }
    }

    #[test]
    fn lengths_of_time() {
        for (value, text) in [
            (-1.0, "0 s"),
            (0.0, "0 s"),
            (0.0004, "1 ms"),
            (0.042, "42 ms"),
            (0.099, "99 ms"),
            // Not "100 ms" here and "0.1 s" there.
            (0.0995, "0.1 s"),
            (0.1, "0.1 s"),
            (0.42, "0.4 s"),
            (9.97, "10 s"),
            (59.6, "1 min"),
            (192.0, "3 min 12 s"),
            (3840.0, "1 h 4 min"),
            (90_000.0, "1 d 1 h"),
        ] {
            assert_eq!(plain(seconds(Lang::En, value)), text, "{value}");
        }
        assert_eq!(plain(seconds(Lang::Fr, 90_000.0)), "1 j 1 h");
    }

    #[test]
    fn times() {
        let time: Timestamp = "2026-08-01T09:05:59Z".parse().unwrap();
        assert_eq!(plain(moment(Lang::En, time)), "1 Aug 2026, 09:05 UTC");
        assert_eq!(plain(moment(Lang::Es, time)), "1 ago 2026, 09:05 UTC");
        assert_eq!(plain(moment(Lang::Fr, time)), "1 août 2026, 09:05 UTC");
        assert_eq!(end_of_day(&iso_day(time)).unwrap().to_string(), "2026-08-01T23:59:59Z");
        assert!(end_of_day("2026-02-30").is_none());
        assert!(end_of_day("tomorrow").is_none());
    }
}
