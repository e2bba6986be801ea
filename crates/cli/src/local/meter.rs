//! Progress on a terminal, silence otherwise.

use std::time::Duration;

use coffre_vault::{Advance, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::say::{self, Format};

/// A bar on stderr when somebody looks and no script listens.
pub(super) struct Meter {
    bar: ProgressBar,
}

impl Meter {
    /// Begins; `total_bytes` is what will be passed, zero when nobody knows.
    pub(super) fn begin(format: Format, what: &'static str, total_bytes: u64) -> Meter {
        let bar = ProgressBar::new(total_bytes);
        if format == Format::Json || !say::is_watched() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let template = if total_bytes == 0 {
            "{msg} {bytes} {binary_bytes_per_sec}"
        } else {
            "{msg} {wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}"
        };
        bar.set_style(ProgressStyle::with_template(template).expect("a constant template"));
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(250));
        Meter { bar }
    }

    /// Ends; the bar goes.
    pub(super) fn end(self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Meter {
    fn advance(&self, done: Advance) {
        self.bar.inc(done.done_bytes);
    }
}
