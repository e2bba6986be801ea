//! Progress: a bar for a person at a terminal, lines of JSON for a script, silence otherwise.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use coffre_vault::{Advance, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use crate::say::{self, Format};

/// Pause between two lines for a script. What is done sooner has only its result.
const PAUSE: Duration = Duration::from_secs(2);

/// Says on stderr how far it is: bytes, speed, time to go.
pub(super) struct Meter {
    bar: ProgressBar,
    lines: Option<Lines>,
}

/// Lines of JSON.
struct Lines {
    what: &'static str,
    total_bytes: u64,
    done_bytes: AtomicU64,
    begun: Instant,
    said: Mutex<Instant>,
}

impl Meter {
    /// Begins; `total_bytes` is what will be passed, zero when nobody knows.
    pub(super) fn begin(format: Format, what: &'static str, total_bytes: u64) -> Meter {
        let bar = ProgressBar::new(total_bytes);
        if format == Format::Json || !say::is_watched() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        } else {
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        let template = if total_bytes == 0 {
            "{msg} {bytes} {binary_bytes_per_sec}"
        } else {
            "{msg} {wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}"
        };
        bar.set_style(ProgressStyle::with_template(template).expect("a constant template"));
        bar.set_message(what);
        let now = Instant::now();
        let lines = (format == Format::Json).then(|| Lines {
            what,
            total_bytes,
            done_bytes: AtomicU64::new(0),
            begun: now,
            said: Mutex::new(now),
        });
        Meter { bar, lines }
    }

    /// Ends; the bar goes.
    pub(super) fn end(self) {
        self.bar.finish_and_clear();
    }
}

impl Lines {
    fn advance(&self, bytes: u64) {
        let done = self.done_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // Whoever cannot look at the clock now leaves it to who does.
        let Ok(mut said) = self.said.try_lock() else { return };
        if said.elapsed() < PAUSE {
            return;
        }
        *said = Instant::now();
        say::note(&line(self.what, done, self.total_bytes, self.begun.elapsed()));
    }
}

/// One line; what nobody can know yet is `null`.
fn line(what: &str, done: u64, total: u64, elapsed: Duration) -> String {
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let speed = done.saturating_mul(1000) / milliseconds;
    let known = total > 0;
    let eta = (known && speed > 0).then(|| total.saturating_sub(done) / speed.max(1));
    json!({
        "progress": what,
        "done_bytes": done,
        "total_bytes": known.then_some(total),
        "bytes_per_second": speed,
        "eta_seconds": eta,
    })
    .to_string()
}

impl Progress for Meter {
    fn advance(&self, done: Advance) {
        self.bar.inc(done.done_bytes);
        if let Some(lines) = &self.lines {
            lines.advance(done.done_bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_bytes_speed_and_time_to_go() {
        let said = line("restore", 100, 300, Duration::from_secs(2));
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!((&said["done_bytes"], &said["total_bytes"]), (&json!(100), &json!(300)));
        assert_eq!((&said["bytes_per_second"], &said["eta_seconds"]), (&json!(50), &json!(4)));
        let unknown = line("verify", 0, 0, Duration::ZERO);
        let unknown: serde_json::Value = serde_json::from_str(&unknown).unwrap();
        assert_eq!(
            (&unknown["total_bytes"], &unknown["eta_seconds"]),
            (&json!(null), &json!(null))
        );
    }
}
