//! What became of a pool: who worked, for how long, at what, and what took longest.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::crew::Worker;
use super::error::Who;
use super::job::Job;
use super::measure::{Longest, Measured};
use super::stats::WorkerStats;
use super::timeline::Recorder;
use crate::sys::{ExitStatus, clock};

/// How many of the slowest inputs are kept.
const SLOWEST: usize = 5;
/// How many workers that have ended are kept one by one.
const LISTED: usize = 1000;

/// What a [`Pool`](super::Pool) has done since it was started: [`Pool::report`](super::Pool::report). Printed, it is a table.
///
/// ```
/// use offspring::Pool;
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let pool = Pool::builder().workers(2).name("squarer").start()?;
///     pool.try_map(|n: u64| n * n, 0..1000)?;
///     let report = pool.report();
///     assert_eq!((report.totals.tasks, report.totals.failed), (1000, 0));
///     assert!(report.slowest[0].index.is_some_and(|index| index < 1000));
///     assert!(report.to_string().contains("squarer-1"));
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How long ago the pool was started.
    pub age: Duration,
    /// The workers in the order in which they were started, those that have ended included.
    pub workers: Vec<WorkerStats>,
    /// How many workers that ended long ago are in the totals alone: the last thousand that ended are listed.
    pub unlisted: u64,
    /// All workers together.
    pub totals: Totals,
    /// How many tasks wait for a worker.
    pub queued: u64,
    /// How many workers have been started in the place of others.
    pub restarts: u64,
    /// The five inputs that took longest, the longest first.
    pub slowest: Vec<SlowTask>,
}

/// What several workers did together: see [`WorkerStats`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// How many workers there are and were.
    pub workers: u64,
    /// How many tasks they have done, failed ones included but for those that ended their worker.
    pub tasks: u64,
    /// How many tasks failed, those that ended their worker included.
    pub failed: u64,
    /// How long they took until they were ready.
    pub startup: Duration,
    /// How long they waited for something to do.
    pub waiting: Duration,
    /// How long they were at tasks.
    pub busy: Duration,
    /// How long they took for the tasks themselves.
    pub working: Duration,
    /// How long they decoded arguments.
    pub decoding: Duration,
    /// How many bytes of memory those have that there are.
    pub memory: u64,
}

/// A task that took long.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowTask {
    /// Which of the inputs of a `map` it was, from 0; `None` for a task that was submitted by itself.
    pub index: Option<usize>,
    /// 1, or of how many inputs from `index` on it is one: where calls are very quick, time is taken for several together.
    pub among: usize,
    /// The name of the function, without the modules that it is in; `main::{closure}` for a closure in `main`.
    pub function: String,
    /// The name of the worker.
    pub worker: String,
    /// Its process id.
    pub pid: u32,
    /// How long the task took, its arguments' decoding and its result's encoding included.
    pub duration: Duration,
}

impl Totals {
    fn add(&mut self, worker: &WorkerStats) {
        self.workers += 1;
        self.tasks += worker.tasks;
        self.failed += worker.failed;
        self.startup += worker.startup.unwrap_or_default();
        self.waiting += worker.waiting;
        self.busy += worker.busy;
        self.working += worker.working;
        self.decoding += worker.decoding;
        self.memory += worker.memory.unwrap_or_default();
    }
}

/// What the engine keeps to tell of it later. All of it is bounded.
pub(super) struct Insight {
    started: u64,
    /// Workers that have ended, with their numbers, and those before them.
    ended: VecDeque<(u64, WorkerStats)>,
    unlisted: Totals,
    /// How many tasks failed in workers that have ended.
    failed: u64,
    slowest: Vec<Slow>,
    pub(super) recorder: Option<Box<Recorder>>,
}

/// As [`SlowTask`], without text of its own.
struct Slow {
    nanoseconds: u64,
    index: Option<u64>,
    among: u64,
    function: &'static str,
    who: Arc<Who>,
}

impl Insight {
    pub(super) fn new() -> Self {
        Self {
            started: clock::nanoseconds(),
            ended: VecDeque::new(),
            unlisted: Totals::default(),
            failed: 0,
            slowest: Vec::new(),
            recorder: None,
        }
    }

    /// Records a timeline from now on.
    pub(super) fn record(&mut self) {
        self.recorder = Some(Box::new(Recorder::new(self.started)));
    }

    /// A worker has been started.
    pub(super) fn started(&mut self, worker: &Worker) {
        if let Some(recorder) = &mut self.recorder {
            recorder.started(worker);
        }
    }

    /// A job is done, or so many of its calls.
    pub(super) fn done(&mut self, worker: &Worker, job: &Job, calls: u64, measured: &Measured) {
        if self.slowest.len() < SLOWEST
            || measured.longest.nanoseconds > self.slowest[SLOWEST - 1].nanoseconds
        {
            self.rank(worker, job, measured.longest);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.done(worker, job, calls, measured);
        }
    }

    fn rank(&mut self, worker: &Worker, job: &Job, longest: Longest) {
        let Longest { nanoseconds, call, among } = longest;
        if among == 0 {
            return; // nothing was measured
        }
        let place = self.slowest.partition_point(|slow| slow.nanoseconds >= nanoseconds);
        let slow = Slow {
            nanoseconds,
            index: job.has_index.then(|| job.index + job.first + call),
            among,
            function: (job.function.name)(),
            who: Arc::clone(&worker.who),
        };
        self.slowest.insert(place, slow);
        self.slowest.truncate(SLOWEST);
    }

    /// A worker has ended, perhaps in the middle of a job.
    pub(super) fn died(&mut self, worker: &Worker, status: Option<ExitStatus>) {
        let now = clock::nanoseconds();
        let since = worker.desk.gauge().read(now).at_job_since;
        if let (Some(since), Some(assigned)) = (since, worker.assigned.front()) {
            let begun = worker.desk.begun(assigned.claim, assigned.count);
            // It has answered the call before, and this one began no earlier.
            let call_since = now.saturating_sub(nanoseconds(worker.moved_on.elapsed())).max(since);
            if let Some(call) = begun.checked_sub(1) {
                self.rank(worker, &assigned.job, Longest { nanoseconds: now - call_since, call, among: 1 });
            }
            if let Some(recorder) = &mut self.recorder {
                recorder.killed(worker, &assigned.job, begun, since, now);
            }
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.ended(worker, now, status);
        }
    }

    /// Keeps what a worker that has ended has done.
    pub(super) fn keep(&mut self, worker: &Worker, status: Option<ExitStatus>) {
        let mut kept = WorkerStats::of(worker);
        kept.ended = Some(status.unwrap_or(ExitStatus::Lost));
        self.failed += kept.failed;
        self.ended.push_back((worker.number, kept));
        if self.ended.len() > LISTED {
            self.ended.pop_front().iter().for_each(|(_, oldest)| self.unlisted.add(oldest));
        }
    }

    /// How many tasks failed in workers that have ended.
    pub(super) fn failed(&self) -> u64 {
        self.failed
    }

    /// All but what the system is asked for.
    pub(super) fn report(&self, workers: &[Worker], queued: u64, restarts: u64) -> Report {
        let living = workers.iter().map(|worker| (worker.number, WorkerStats::of(worker)));
        let mut listed: Vec<_> = self.ended.iter().cloned().chain(living).collect();
        listed.sort_by_key(|(number, _)| *number);
        Report {
            age: Duration::from_nanos(clock::nanoseconds().saturating_sub(self.started)),
            workers: listed.into_iter().map(|(_, stats)| stats).collect(),
            unlisted: self.unlisted.workers,
            totals: self.unlisted.clone(),
            queued,
            restarts,
            slowest: self.slowest.iter().map(SlowTask::of).collect(),
        }
    }
}

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl SlowTask {
    fn of(slow: &Slow) -> Self {
        Self {
            index: slow.index.and_then(|index| usize::try_from(index).ok()),
            among: usize::try_from(slow.among).unwrap_or(usize::MAX),
            function: tidy(slow.function),
            worker: slow.who.name.clone(),
            pid: slow.who.pid,
            duration: Duration::from_nanos(slow.nanoseconds),
        }
    }
}

impl Report {
    /// Asks the system for the memory of the workers, and adds them up.
    pub(super) fn weighed(mut self) -> Self {
        for worker in &mut self.workers {
            worker.weigh();
            self.totals.add(worker);
        }
        self
    }
}

/// The name of a type that is a function, without the modules that it is in: `resize<Vec<u8>>`, `main::{closure}`.
pub(super) fn tidy(path: &str) -> String {
    let mut name = String::new();
    let path = path.replace("{{closure}}", "{closure}");
    let is_of_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '{' | '}' | '#');
    let mut rest = &path[..];
    while let Some(first) = rest.chars().next() {
        let length = match rest.find(|c| !is_of_path(c)) {
            Some(0) => first.len_utf8(),
            Some(end) => end,
            None => rest.len(),
        };
        let (piece, behind) = rest.split_at(length);
        // A closure is said to be in what it is in.
        let in_it = piece.trim_end_matches("::{closure}");
        let at = in_it.rfind("::").filter(|at| *at > 0).map_or(0, |at| at + 2);
        name.push_str(&piece[at..]);
        rest = behind;
    }
    name
}

// --- How it is printed ---

/// A time as people read it: three digits and a unit.
pub(super) fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds >= 3600 {
        return format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60);
    }
    if seconds >= 60 {
        return format!("{} min {:02} s", seconds / 60, seconds % 60);
    }
    let units = [("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9_f64)];
    let nanoseconds = duration.as_secs_f64() * 1e9;
    let of = |(_, size): &&(&str, f64)| nanoseconds >= *size * 0.9995; // what is rounded up is of the next one
    let (unit, size) = units.iter().rev().find(of).unwrap_or(&units[0]);
    let value = nanoseconds / size;
    let decimals = if *unit == "ns" || value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.decimals$} {unit}")
}

/// A number of bytes as people read it.
fn bytes(count: u64) -> String {
    #[allow(clippy::cast_precision_loss)] // three digits of it
    let mut value = count as f64;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB"].iter();
    let mut unit = units.next();
    while value >= 999.5 {
        let Some(next) = units.next() else { break };
        value /= 1024.0;
        unit = Some(next);
    }
    let decimals = usize::from(value < 9.95 && count >= 1000);
    format!("{value:.decimals$} {}", unit.unwrap_or(&""))
}

/// A number of things, with its plural.
pub(super) fn several(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// What share of its time a worker was at tasks.
fn share(busy: Duration, waiting: Duration) -> String {
    let total = (busy + waiting).as_secs_f64();
    if total > 0.0 { format!("{:.0} %", busy.as_secs_f64() / total * 100.0) } else { "–".into() }
}

const COLUMNS: [&str; 11] = [
    "worker", "pid", "tasks", "failed", "start-up", "waiting", "working", "decoding", "busy", "memory", "end",
];

fn row(worker: &WorkerStats) -> [String; COLUMNS.len()] {
    [
        worker.name.clone(),
        worker.pid.to_string(),
        worker.tasks.to_string(),
        worker.failed.to_string(),
        worker.startup.map_or_else(|| "–".into(), time),
        time(worker.waiting),
        time(worker.working),
        time(worker.decoding),
        share(worker.busy, worker.waiting),
        worker.memory.map_or_else(|| "–".into(), bytes),
        worker.ended.map(|status| status.to_string()).unwrap_or_default(),
    ]
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let totals = &self.totals;
        let living = self.workers.iter().filter(|worker| worker.ended.is_none()).count() as u64;
        write!(f, "{} for {}: ", several(living, "worker"), time(self.age))?;
        write!(
            f,
            "{} done, {} failed, {} queued",
            several(totals.tasks, "task"),
            totals.failed,
            self.queued
        )?;
        writeln!(f, ", {}", several(self.restarts, "restart"))?;
        writeln!(f)?;
        let mut rows = vec![COLUMNS.map(String::from)];
        rows.extend(self.workers.iter().map(row));
        rows.push([
            "together".into(),
            several(totals.workers, "worker"),
            totals.tasks.to_string(),
            totals.failed.to_string(),
            time(totals.startup),
            time(totals.waiting),
            time(totals.working),
            time(totals.decoding),
            share(totals.busy, totals.waiting),
            bytes(totals.memory),
            String::new(),
        ]);
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
        for row in &rows {
            let mut line = String::new();
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let is_text = column == 0 || column == COLUMNS.len() - 1;
                let cell = if is_text { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
                line = line + if column == 0 { "" } else { "  " } + &cell;
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        if self.unlisted > 0 {
            writeln!(f, "({} that ended earlier: counted, not listed)", several(self.unlisted, "worker"))?;
        }
        if !self.slowest.is_empty() {
            writeln!(f, "\nslowest inputs")?;
        }
        let times: Vec<String> = self.slowest.iter().map(|slow| time(slow.duration)).collect();
        let width = times.iter().map(|time| time.chars().count()).max().unwrap_or(0);
        for (slow, time) in self.slowest.iter().zip(times) {
            writeln!(f, "{time:>width$}  {slow}")?;
        }
        Ok(())
    }
}

impl fmt::Display for SlowTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.index, self.among) {
            (None, _) => write!(f, "task")?,
            (Some(index), 0 | 1) => write!(f, "input {index}")?,
            (Some(index), among) => write!(f, "one of inputs {index} to {}", index + among - 1)?,
        }
        write!(f, " of `{}` in {} (pid {})", self.function, self.worker, self.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_lose_their_modules_and_closures_are_in_theirs() {
        assert_eq!(tidy("program::image::resize"), "resize");
        assert_eq!(tidy("program::sort<alloc::vec::Vec<u8>>"), "sort<Vec<u8>>");
        assert_eq!(tidy("program::main::{{closure}}"), "main::{closure}");
        assert_eq!(tidy("program::main::{{closure}}::{{closure}}"), "main::{closure}::{closure}");
        assert_eq!(tidy("<program::Image as program::Resize>::run"), "<Image as Resize>::run");
        assert_eq!(tidy("naïve::größe"), "größe");
    }

    #[test]
    fn times_and_sizes_have_three_digits_or_so() {
        let times = [0, 999, 1000, 12_345, 999_960, 1_500_000_000, 65_000_000_000, 7_500_000_000_000];
        let said = times.map(|nanoseconds| time(Duration::from_nanos(nanoseconds)));
        let expected =
            ["0 ns", "999 ns", "1.00 µs", "12.3 µs", "1.00 ms", "1.50 s", "1 min 05 s", "2 h 05 min"];
        assert_eq!(said, expected);
        assert_eq!(
            [0, 999, 1500, 5 << 20, 12 << 30].map(bytes),
            ["0 B", "999 B", "1.5 KiB", "5.0 MiB", "12 GiB"]
        );
    }
}
