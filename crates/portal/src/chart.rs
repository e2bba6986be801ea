//! Charts, drawn here as SVG: no script, no library, and a table beside each says the same.

use std::fmt::Write as _;

use askama::Template;
use askama::filters::HtmlSafe;
use coffre_control::model::{Consistency, FreezeWindows, PointTier, RecoveryPoint};
use jiff::Timestamp;

use crate::format;
use crate::view::View;
use crate::words;

/// Units of a drawing from left to right: over the page, and over half of it.
const WHOLE: i32 = 720;
const HALF: i32 = 420;
/// Room for words on the left.
const LEFT: i32 = 76;
const RIGHT: i32 = 12;
/// A shorter time is told with hours.
const SHORT_SECS: i64 = 4 * 86_400;
/// Height of a lane of the points, and of the bars.
const LANE: i32 = 30;
const BARS: i32 = 90;

/// A drawing with its legend.
#[derive(Template)]
#[template(path = "component/chart.html")]
pub(crate) struct Chart {
    id: &'static str,
    title: String,
    note: String,
    width: i32,
    height: i32,
    texts: Vec<(i32, i32, &'static str, String)>,
    axes: String,
    /// Class and path.
    shapes: Vec<(&'static str, String)>,
    /// Class of the swatch, its word.
    legend: Vec<(&'static str, String)>,
}

impl HtmlSafe for Chart {}

impl Chart {
    fn new(id: &'static str, title: String, width: i32, height: i32) -> Self {
        Self {
            id,
            title,
            note: String::new(),
            width,
            height,
            texts: Vec::new(),
            axes: String::new(),
            shapes: Vec::new(),
            legend: Vec::new(),
        }
    }

    /// The days at both ends and in the middle of the time that is shown.
    fn name_times(&mut self, view: &View, span: &Span, y: i32) {
        for (share, anchor) in [(0, "start"), (1, "middle"), (2, "end")] {
            let time = span.at(share);
            let x = LEFT + (span.right - LEFT) * share / 2;
            let text = match span.to - span.from {
                ..SHORT_SECS => format::moment_short(view.lang, time),
                _ => format::day(view.lang, time),
            };
            self.texts.push((x, y, anchor, text));
        }
    }
}

/// The time that a chart shows.
struct Span {
    from: i64,
    to: i64,
    /// Where it ends on the drawing.
    right: i32,
}

impl Span {
    /// From the oldest point to the newest, a day at least. Points come newest first.
    fn of(points: &[RecoveryPoint], width: i32) -> Option<Self> {
        let to = points.first()?.time.as_second();
        let from = points.last()?.time.as_second();
        Some(Self { from: from.min(to - 86_400), to, right: width - RIGHT })
    }

    fn x(&self, time: Timestamp) -> i32 {
        let share = (time.as_second() - self.from) * i64::from(self.right - LEFT);
        LEFT + i32::try_from(share / (self.to - self.from).max(1)).unwrap_or(0)
    }

    fn at(&self, halves: i32) -> Timestamp {
        let second = self.from + (self.to - self.from) * i64::from(halves) / 2;
        Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// Recovery points over time: a lane for each tier, a shape for each consistency. None without
/// points.
pub(crate) fn points(view: &View, points: &[RecoveryPoint]) -> Option<Chart> {
    let span = Span::of(points, WHOLE)?;
    let tiers = [PointTier::Instant, PointTier::Vault, PointTier::Archive];
    let used: Vec<PointTier> =
        tiers.into_iter().filter(|tier| points.iter().any(|it| it.tiers.contains(tier))).collect();
    let lanes = i32::try_from(used.len()).unwrap_or(0);
    let mut chart =
        Chart::new("chart-points", view.t("points-over-time"), WHOLE, LANE * lanes + 22);
    for (row, tier) in (0..).zip(&used) {
        let y = LANE * row + LANE / 2;
        chart.texts.push((0, y + 3, "start", view.t(words::tier(*tier))));
        let _ = write!(chart.axes, "M{LEFT} {y}H{}", span.right);
    }
    for consistency in [Consistency::Application, Consistency::FileSystem, Consistency::Crash] {
        let class = shape_class(consistency);
        let mut path = String::new();
        for point in points.iter().filter(|it| it.consistency == consistency) {
            for (row, _) in (0..).zip(&used).filter(|(_, tier)| point.tiers.contains(tier)) {
                let y = LANE * row + LANE / 2;
                mark(&mut path, consistency, span.x(point.time), y);
            }
        }
        if !path.is_empty() {
            chart.shapes.push((class, path));
            chart.legend.push((class, view.t(words::consistency(consistency).1)));
        }
    }
    chart.name_times(view, &span, LANE * lanes + 16);
    Some(chart)
}

fn shape_class(consistency: Consistency) -> &'static str {
    match consistency {
        Consistency::Application => "chart-2 round",
        Consistency::FileSystem => "chart-1 square",
        Consistency::Crash => "chart-3 wedge",
    }
}

fn mark(path: &mut String, consistency: Consistency, x: i32, y: i32) {
    let _ = match consistency {
        Consistency::Application => {
            write!(path, "M{} {y}a5 5 0 1 0 10 0a5 5 0 1 0-10 0z", x - 5)
        }
        Consistency::FileSystem => write!(path, "M{} {}h9v9h-9z", x - 4, y - 4),
        Consistency::Crash => write!(path, "M{x} {}l6 10h-12z", y - 5),
    };
}

/// How long the guest was frozen for each point. None when it never was.
pub(crate) fn freezes(view: &View, points: &[RecoveryPoint]) -> Option<Chart> {
    let values: Vec<(Timestamp, u64)> =
        points.iter().filter_map(|it| Some((it.time, it.stats.freeze_ms?))).collect();
    let most = values.iter().map(|(_, value)| *value).max()?;
    let mut chart = Chart::new("chart-freezes", view.t("freeze"), HALF, BARS + 22);
    let windows = FreezeWindows::of(points)?;
    let (median, p99) = (view.millis(windows.median_ms), view.millis(windows.p99_ms));
    let longest = view.millis(most);
    let told = [("median", (&median).into()), ("p99", (&p99).into()), ("value", (&longest).into())];
    chart.note = view.text("chart-freezes-note", &told);
    let span = Span::of(points, HALF)?;
    draw_axis(&mut chart, longest);
    chart.shapes.push(("chart-2", bars(&span, &values, most)));
    chart.name_times(view, &span, BARS + 16);
    Some(chart)
}

/// How much was read and stored for each point. None without points.
pub(crate) fn churn(view: &View, points: &[RecoveryPoint]) -> Option<Chart> {
    let span = Span::of(points, HALF)?;
    let read: Vec<_> = points.iter().map(|it| (it.time, it.stats.read_bytes)).collect();
    let stored: Vec<_> = points.iter().map(|it| (it.time, it.stats.stored_bytes)).collect();
    let most = read.iter().chain(&stored).map(|(_, value)| *value).max().filter(|it| *it > 0)?;
    let mut chart = Chart::new("chart-churn", view.t("churn"), HALF, BARS + 22);
    draw_axis(&mut chart, view.bytes(most));
    chart.shapes.push(("chart-1", bars(&span, &read, most)));
    chart.shapes.push(("chart-2", bars(&span, &stored, most)));
    chart.legend = vec![("chart-1", view.t("bytes-read")), ("chart-2", view.t("bytes-stored"))];
    chart.name_times(view, &span, BARS + 16);
    Some(chart)
}

fn draw_axis(chart: &mut Chart, most: String) {
    let right = chart.width - RIGHT;
    chart.texts.push((0, 9, "start", most));
    chart.texts.push((0, BARS + 1, "start", "0".to_owned()));
    let _ = write!(chart.axes, "M{LEFT} 5H{right}M{LEFT} {BARS}H{right}");
}

/// Bars whose feet stand on the axis; a value above zero is always seen.
fn bars(span: &Span, values: &[(Timestamp, u64)], most: u64) -> String {
    let width =
        ((span.right - LEFT) / i32::try_from(values.len().max(1)).unwrap_or(1) - 2).clamp(2, 10);
    let mut path = String::new();
    for (time, value) in values.iter().filter(|(_, value)| *value > 0) {
        let share = u128::from(*value) * (BARS as u128 - 5) / u128::from(most.max(1));
        let height = i32::try_from(share).unwrap_or(0).max(1);
        // The last bar ends where the time ends.
        let x = (span.x(*time) - width / 2).clamp(LEFT, span.right - width);
        let _ = write!(path, "M{x} {BARS}v-{height}h{width}v{height}z");
    }
    path
}
