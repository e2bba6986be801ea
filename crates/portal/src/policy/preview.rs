//! What a policy will do, as part of a page: the next runs, a calendar of the year, and how many
//! points and bytes there will be.

use std::fmt::Write as _;

use askama::Template;
use askama::filters::HtmlSafe;
use coffre_control::retention::Tag;
use jiff::civil::Date;

use super::forecast::{Forecast, Run, Sizes, Then};
use crate::format;
use crate::i18n::Lang;
use crate::view::{TimeElement, View};

/// Side of a day's square and the distance between two, in units of the drawing.
const SIDE: i32 = 10;
const STEP: i32 = 12;
/// Room for the names of the months above the squares.
const TOP: i32 = 16;

/// The part of the page.
#[derive(Template)]
#[template(path = "component/preview.html")]
pub(crate) struct Preview<'a> {
    view: &'a View,
    zone: String,
    runs: Vec<RunRow>,
    calendar: Calendar,
    then: Vec<ThenRow>,
    basis: String,
}

impl HtmlSafe for Preview<'_> {}

struct RunRow {
    local: String,
    utc: TimeElement,
}

struct ThenRow {
    after: String,
    points: String,
    space: String,
}

/// A year of days, a column a week, each day in the colour of the rule that keeps its point.
struct Calendar {
    width: i32,
    height: i32,
    months: Vec<(i32, &'static str)>,
    /// Squares of all days of the year, for those without a backup.
    ground: String,
    rules: Vec<RuleRow>,
}

struct RuleRow {
    class: &'static str,
    name: String,
    count: String,
    /// Squares as one path, so that a year is a few kilobytes.
    path: String,
}

impl<'a> Preview<'a> {
    pub(crate) fn new(view: &'a View, zone: &str, forecast: &Forecast, sizes: Sizes) -> Self {
        let basis = if sizes.assumed { "forecast-assumed" } else { "forecast-measured" };
        Self {
            view,
            zone: zone.to_owned(),
            runs: forecast.runs.iter().map(|run| run_row(view, run)).collect(),
            calendar: Calendar::new(view, &forecast.days),
            then: forecast.then.iter().map(|then| then_row(view, then)).collect(),
            basis: view.t2(
                basis,
                "first",
                &view.bytes(sizes.first),
                "further",
                &view.bytes(sizes.further),
            ),
        }
    }
}

fn run_row(view: &View, run: &Run) -> RunRow {
    let date = format::date(view.lang, run.local.date());
    let day = view.t(crate::words::weekday(coffre_control::model::Weekday::of(run.local.date())));
    let (hour, minute) = (run.local.hour(), run.local.minute());
    let comma = if view.lang == Lang::Fr { "" } else { "," };
    RunRow {
        local: format!("{day}{comma} {date}, {hour:02}:{minute:02} (UTC{})", run.offset),
        utc: view.time(run.time),
    }
}

fn then_row(view: &View, then: &Then) -> ThenRow {
    let after = match then.days {
        days if days % 365 == 0 => view.t1("after-years", "count", days.unsigned_abs() / 365),
        days => view.t1("after-days", "count", days.unsigned_abs()),
    };
    ThenRow { after, points: view.number(then.points), space: view.bytes(then.bytes) }
}

impl Calendar {
    fn new(view: &View, days: &[(Date, Tag)]) -> Self {
        let Some((start, _)) = days.first() else {
            return Self {
                width: 0,
                height: 0,
                months: Vec::new(),
                ground: String::new(),
                rules: Vec::new(),
            };
        };
        let offset = i32::from(start.weekday().to_monday_zero_offset());
        let place = |date: Date| {
            let at = (date - *start).get_days() + offset;
            (at.div_euclid(7), at.rem_euclid(7))
        };
        let names = month_names(days.iter().map(|(date, _)| (date.month(), place(*date).0)));
        let months = names
            .into_iter()
            .map(|(month, column)| (column * STEP, format::month_short(view.lang, month)))
            .collect();
        let of = |tags: &[Tag], class, key: &str| {
            let mut path = String::new();
            let mut count = 0_usize;
            for (date, _) in days.iter().filter(|(_, tag)| tags.contains(tag)) {
                let (column, row) = place(*date);
                let (x, y) = (column * STEP, TOP + row * STEP);
                let _ = write!(path, "M{x} {y}h{SIDE}v{SIDE}h-{SIDE}z");
                count += 1;
            }
            let name = view.t(key);
            RuleRow { class, name, count: view.t1("count-days", "count", count), path }
        };
        let rules = vec![
            of(&[Tag::Instant, Tag::Daily, Tag::OnDemand, Tag::Kept], "chart-1", "rule-tag-daily"),
            of(&[Tag::Weekly], "chart-2", "rule-tag-weekly"),
            of(&[Tag::Monthly], "chart-3", "rule-tag-monthly"),
            of(&[Tag::Yearly], "chart-4", "rule-tag-yearly"),
        ];
        let columns = days.last().map_or(0, |(date, _)| place(*date).0 + 1);
        let mut ground = String::new();
        let end = days.last().map_or(*start, |(date, _)| *date);
        for date in start.series(jiff::Span::new().days(1)).take_while(|date| *date <= end) {
            let (column, row) = place(date);
            let (x, y) = (column * STEP, TOP + row * STEP);
            let _ = write!(ground, "M{x} {y}h{SIDE}v{SIDE}h-{SIDE}z");
        }
        Self {
            ground,
            width: columns * STEP,
            height: TOP + 7 * STEP,
            months,
            rules: rules.into_iter().filter(|rule| !rule.path.is_empty()).collect(),
        }
    }
}

/// The months that are named, each with the column of its first day. A name takes the room of three
/// columns: a month of which less is left at the beginning goes without.
fn month_names(days: impl Iterator<Item = (i8, i32)>) -> Vec<(i8, i32)> {
    let mut names: Vec<(i8, i32)> = Vec::new();
    for (month, column) in days {
        match names.last() {
            Some((last, _)) if *last == month => continue,
            Some((_, at)) if column < at + 3 => drop(names.pop()),
            _ => {}
        }
        names.push((month, column));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_month_takes_no_room_from_the_next() {
        let days =
            |month, columns: core::ops::Range<i32>| columns.map(move |column| (month, column));
        let year =
            |rest| days(11, 0..rest).chain(days(12, rest..rest + 5)).chain(days(1, rest + 4..20));
        assert_eq!(month_names(year(2)), [(12, 2), (1, 6)]);
        assert_eq!(month_names(year(3)), [(11, 0), (12, 3), (1, 7)]);
    }
}
