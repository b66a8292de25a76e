//! How far a `map` is, said while one waits: by a bar on a terminal, by lines elsewhere.
//!
//! It counts deliveries, which have many results of quick calls each, and looks at the clock that costs nothing; so a map is no slower for it. Whoever
//! waits for the next result draws: there is no thread for it.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use super::report::{tidy, time};
use crate::sys::clock;

/// How often the state is looked at, in milliseconds: bars are drawn then.
const LOOK: u64 = 100;
/// How far lines are apart, in milliseconds: at least, when a tenth has been done since the last one; and at most.
const SOON: u64 = 1_000;
const LATE: u64 = 10_000;

/// Whether, and how, a pool shows on standard error how far its `map`, `try_map`, `starmap`, `imap` and `imap_unordered` are:
/// [`Builder::progress`](super::Builder::progress).
///
/// The style of `true` is `Auto`, and of `false` it is `Off`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Nothing is shown.
    #[default]
    Off,
    /// On a terminal a bar with rate, time left and failures, if the crate has its feature `indicatif`. Else `Lines`.
    Auto,
    /// A line with the same when a tenth has been done, but at most one in a second and at least one in ten; and one at the end.
    Lines,
}

impl From<bool> for Progress {
    fn from(shown: bool) -> Self {
        if shown { Self::Auto } else { Self::Off }
    }
}

impl Progress {
    /// Follows a map of a function, and of so many inputs if that is known.
    pub(super) fn follow(self, function: &'static str, total: Option<u64>) -> Option<Box<Teller>> {
        if self == Self::Off {
            return None;
        }
        let name = tidy(function);
        let display = match self {
            Self::Auto if stderr().is_terminal() => Display::on_terminal(&name, total),
            _ => Display::Lines { told: 0, tenth: 0 },
        };
        let begun = Instant::now();
        let mut teller = Teller { name, total, done: 0, failed: 0, begun, next: 0, is_over: false, display };
        teller.look(); // a bar is there from the start on
        Some(Box::new(teller))
    }
}

/// Tells of one map, until it is dropped.
#[derive(Debug)]
pub(super) struct Teller {
    name: String,
    total: Option<u64>,
    done: u64,
    failed: u64,
    begun: Instant,
    /// When to look next, in milliseconds of the coarse clock.
    next: u64,
    is_over: bool,
    display: Display,
}

#[derive(Debug)]
enum Display {
    /// When the last line was written, in milliseconds from the beginning, and how many tenths were done.
    Lines { told: u64, tenth: u64 },
    #[cfg(feature = "indicatif")]
    Bar(indicatif::ProgressBar),
}

impl Teller {
    /// So many more calls are over, of which so many have failed.
    pub(super) fn add(&mut self, calls: u64, failed: u64) {
        self.done += calls;
        self.failed += failed;
        self.look();
    }

    /// Says how far it is, if it is time.
    pub(super) fn look(&mut self) {
        let now = clock::coarse();
        if now < self.next {
            return;
        }
        self.next = now + LOOK;
        let elapsed = self.begun.elapsed();
        let text = self.text(elapsed, None);
        match &mut self.display {
            Display::Lines { told, tenth } => {
                let now = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
                let tenths = self.total.map_or(0, |total| self.done.saturating_mul(10) / total.max(1));
                let since = now.saturating_sub(*told);
                if since >= LATE || (since >= SOON && (tenths > *tenth || *told == 0)) {
                    (*told, *tenth) = (now, tenths);
                    self.write(&text);
                }
            }
            #[cfg(feature = "indicatif")]
            Display::Bar(bar) => {
                bar.set_position(self.done);
                bar.set_message(text);
            }
        }
    }

    /// Until when one may wait for the next result before it is looked at again.
    pub(super) fn until() -> Instant {
        Instant::now() + Duration::from_millis(LOOK)
    }

    /// There are no more inputs.
    pub(super) fn finish(&mut self) {
        self.is_over = true;
    }

    /// Writes a line. What cannot be written, nobody reads.
    fn write(&self, text: &str) {
        let _nobody_reads_it = writeln!(stderr(), "{}: {text}", self.name);
    }

    /// What there is to say, and how it ended, if it has.
    fn text(&self, elapsed: Duration, end: Option<&str>) -> String {
        let Self { done, failed, .. } = self;
        let mut line = String::new();
        let _infallible = match self.total {
            None => write!(line, "{done}"),
            Some(total) => write!(line, "{done} of {total} ({} %)", done.saturating_mul(100) / total.max(1)),
        };
        let _infallible = match end {
            Some(how) => write!(line, ", {how} after {}", time(elapsed)),
            None => Ok(()),
        };
        let _infallible = write!(line, ", {}", rate(*done, elapsed));
        let left =
            self.total.and_then(|total| total.checked_sub(*done)).filter(|_| end.is_none() && *done > 0);
        if let Some(left) = left {
            let _infallible = write!(line, ", {} left", time_for(left, *done, elapsed));
        }
        if *failed > 0 {
            let _infallible = write!(line, ", {failed} failed");
        }
        line
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        let elapsed = self.begun.elapsed();
        let how = if self.is_over { "done" } else { "stopped" };
        match &self.display {
            Display::Lines { .. } => self.write(&self.text(elapsed, Some(how))),
            #[cfg(feature = "indicatif")]
            Display::Bar(bar) => {
                bar.set_position(self.done);
                bar.abandon_with_message(self.text(elapsed, Some(how)));
            }
        }
    }
}

/// How many calls are done in a second, or a minute where that says more.
fn rate(done: u64, elapsed: Duration) -> String {
    #[allow(clippy::cast_precision_loss)] // three digits of it
    let per_second = done as f64 / elapsed.as_secs_f64().max(1e-9);
    match per_second {
        0.0 => "0/s".into(),
        rate if rate >= 9_995_000.0 => format!("{:.0} M/s", rate / 1e6),
        rate if rate >= 999_500.0 => format!("{:.1} M/s", rate / 1e6),
        rate if rate >= 9_995.0 => format!("{:.0} k/s", rate / 1e3),
        rate if rate >= 10.0 => format!("{rate:.0}/s"),
        rate if rate >= 1.0 => format!("{rate:.1}/s"),
        rate => format!("{:.1}/min", rate * 60.0),
    }
}

/// How long what is left will take if it goes on so: to the second, for nobody knows it better.
fn time_for(left: u64, done: u64, elapsed: Duration) -> String {
    let nanoseconds = elapsed.as_nanos().saturating_mul(left.into()) / u128::from(done.max(1));
    match u64::try_from(nanoseconds / 1_000_000_000).unwrap_or(u64::MAX).saturating_add(1) {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => time(Duration::from_secs(seconds)),
    }
}

#[cfg(not(feature = "indicatif"))]
impl Display {
    fn on_terminal(_name: &str, _total: Option<u64>) -> Self {
        Self::Lines { told: 0, tenth: 0 }
    }
}

#[cfg(feature = "indicatif")]
impl Display {
    fn on_terminal(name: &str, total: Option<u64>) -> Self {
        use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
        /// Maps of several threads have a bar each, below each other.
        static BARS: std::sync::OnceLock<MultiProgress> = std::sync::OnceLock::new();

        let bars =
            BARS.get_or_init(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)));
        let bar = bars.add(total.map_or_else(ProgressBar::no_length, ProgressBar::new));
        let template = if total.is_some() { "{prefix} [{bar:32}] {msg}" } else { "{prefix}: {msg}" };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(name.to_string());
        Self::Bar(bar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn teller(total: Option<u64>, done: u64, failed: u64) -> Teller {
        let mut teller = Progress::Lines.follow("program::image::resize", total).unwrap();
        (teller.done, teller.failed) = (done, failed);
        *teller
    }

    #[test]
    fn lines_say_how_far_it_is_how_fast_it_goes_and_what_failed() {
        let after = Duration::from_secs(4);
        assert_eq!(
            teller(Some(5000), 1200, 3).text(after, None),
            "1200 of 5000 (24 %), 300/s, 13 s left, 3 failed"
        );
        assert_eq!(teller(None, 8, 0).text(after, None), "8, 2.0/s");
        assert_eq!(teller(Some(9), 0, 0).text(after, None), "0 of 9 (0 %), 0/s");
        let over = teller(Some(0), 0, 0).text(Duration::ZERO, Some("done"));
        assert_eq!(over, "0 of 0 (0 %), done after 0 ns, 0/s");
        let rates = [(1, 40), (90, 9), (99_960, 1), (40_000_000, 4), (100_000_000, 1)];
        let rates = rates.map(|(done, seconds)| rate(done, Duration::from_secs(seconds)));
        assert_eq!(rates, ["1.5/min", "10/s", "100 k/s", "10 M/s", "100 M/s"]);
    }

    #[test]
    fn what_is_off_follows_nothing() {
        assert!(Progress::from(false).follow("f", None).is_none());
        assert_eq!(Progress::from(true), Progress::Auto);
    }
}
