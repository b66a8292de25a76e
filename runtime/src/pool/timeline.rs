//! Who did what when, to be looked at: recorded by the engine, saved for Perfetto or as a page.
//!
//! Both formats are written here, without a library: the trace is a list of flat objects, and what has to be escaped in them is text in quotes.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::crew::Worker;
use super::error::Who;
use super::job::Job;
use super::measure::Measured;
use super::report::tidy;
use crate::sys::{ExitStatus, clock};

/// How many spans and workers are recorded.
const MOST: usize = 1_000_000;
/// How many spans are kept together.
const CHUNK: usize = 4096;
/// Jobs so short, in nanoseconds, with so little between them, become one span up to a length: nobody could tell them apart, and millions
/// of single tasks would leave no room.
const SHORT: u64 = 100_000;
const GAP: u64 = 20_000;
const LENGTH: u64 = 1_000_000;
/// For a span whose tasks are no inputs of a `map`.
const NO_INDEX: u64 = u64::MAX;

/// The page, which gets its data in one place.
const PAGE: &str = include_str!("timeline.html");
const DATA: &str = "/*DATA*/";

/// How a [`Span`] of a [`Timeline`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// All its tasks are done, and went well.
    Done,
    /// All its tasks are done, and some failed.
    Failed,
    /// Its worker ended in the middle of it.
    Killed,
    /// It was going on when the timeline was taken.
    Running,
}

/// A job of a worker: calls of a function that it was given together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Span<'a> {
    /// Which of the [`workers`](Timeline::workers) had it.
    pub worker: usize,
    /// The name of the function, without the modules that it is in.
    pub function: &'a str,
    /// When it began: how long after the pool was started.
    pub begun: Duration,
    /// How long it took.
    pub duration: Duration,
    /// How many tasks were done, the one included that ended the worker, if one did.
    pub calls: u64,
    /// The index of the first of them among the inputs of its `map`.
    pub first: Option<usize>,
    /// How many of them failed.
    pub failed: u64,
    /// How many jobs these were: very short ones that follow each other are one span.
    pub jobs: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// The life of a worker. Times are since the start of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerLife {
    /// The name of the process.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// When it was started.
    pub started: Duration,
    /// When it was ready for its first task.
    pub ready: Option<Duration>,
    /// When it was known to have ended.
    pub ended: Option<Duration>,
    /// How it ended.
    pub status: Option<ExitStatus>,
}

/// Who did what when in a pool, for which it was [set to record](super::Builder::timeline): [`Pool::timeline`](super::Pool::timeline).
///
/// At most a million spans are recorded, and it is [said](Self::dropped) how many were not.
///
/// ```
/// use offspring::Pool;
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let pool = Pool::builder().workers(2).timeline(true).start()?;
///     pool.try_map(|n: u64| n * n, 0..1000)?;
///     let timeline = pool.timeline().expect("it is recorded");
///     assert_eq!(timeline.spans().map(|span| span.calls).sum::<u64>(), 1000);
///     assert_eq!(timeline.workers().len(), 2);
///
///     let directory = std::env::temp_dir();
///     let page = directory.join(format!("squares-{}.html", std::process::id()));
///     timeline.save_html(&page)?;
///     assert!(std::fs::read_to_string(&page)?.contains("main::{closure}"));
///     std::fs::remove_file(page)?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Timeline {
    /// When the pool was started, by the monotonic clock.
    started: u64,
    length: Duration,
    workers: Vec<WorkerLife>,
    functions: Vec<String>,
    full: Vec<Arc<[Record]>>,
    last: Vec<Record>,
    dropped: u64,
}

/// A span as it is kept, times in nanoseconds of the monotonic clock.
#[derive(Clone, Copy, Debug)]
struct Record {
    worker: u32,
    function: u32,
    begun: u64,
    ended: u64,
    first: u64,
    calls: u64,
    failed: u32,
    jobs: u32,
    outcome: Outcome,
}

impl Record {
    fn length(&self) -> u64 {
        self.ended.saturating_sub(self.begun)
    }

    /// Adds the next job of the same worker, if nobody could tell them apart.
    fn absorb(&mut self, next: &Self) -> bool {
        let fits = self.function == next.function
            && self.outcome == next.outcome
            && matches!(next.outcome, Outcome::Done)
            && next.length() < SHORT
            && self.length() < LENGTH
            && next.begun.saturating_sub(self.ended) < GAP
            && (self.first == NO_INDEX) == (next.first == NO_INDEX);
        if fits {
            self.ended = next.ended;
            self.calls = self.calls.saturating_add(next.calls);
            self.first = self.first.min(next.first);
            self.jobs = self.jobs.saturating_add(next.jobs);
        }
        fits
    }
}

/// What a pool records.
pub(super) struct Recorder {
    started: u64,
    tracks: Vec<Track>,
    /// Where the track of a worker is that has not ended.
    places: BTreeMap<u64, u32>,
    functions: Vec<&'static str>,
    numbers: HashMap<&'static str, u32>,
    full: Vec<Arc<[Record]>>,
    last: Vec<Record>,
    dropped: u64,
}

/// A worker in the recorder.
#[derive(Clone)]
struct Track {
    who: Arc<Who>,
    started: u64,
    ready: Option<u64>,
    ended: Option<u64>,
    status: Option<ExitStatus>,
    /// Its last span, which may still grow.
    open: Option<Record>,
}

impl Recorder {
    pub(super) fn new(started: u64) -> Self {
        Self {
            started,
            tracks: Vec::new(),
            places: BTreeMap::new(),
            functions: Vec::new(),
            numbers: HashMap::new(),
            full: Vec::new(),
            last: Vec::new(),
            dropped: 0,
        }
    }

    pub(super) fn started(&mut self, worker: &Worker) {
        if self.tracks.len() >= MOST {
            self.dropped += 1;
            return;
        }
        self.places.insert(worker.number, u32::try_from(self.tracks.len()).unwrap_or(u32::MAX));
        self.tracks.push(Track {
            who: Arc::clone(&worker.who),
            started: worker.begun,
            ready: None,
            ended: None,
            status: None,
            open: None,
        });
    }

    fn function(&mut self, name: &'static str) -> u32 {
        let (functions, next) = (&mut self.functions, u32::try_from(self.numbers.len()).unwrap_or(u32::MAX));
        *self.numbers.entry(name).or_insert_with(|| {
            functions.push(name);
            next
        })
    }

    fn record(&mut self, worker: &Worker, job: &Job, record: Record) {
        let Some(&place) = self.places.get(&worker.number) else {
            self.dropped += 1;
            return;
        };
        let first = if job.has_index { job.index + job.first } else { NO_INDEX };
        let function = self.function((job.function.name)());
        let record = Record { worker: place, function, first, ..record };
        let open = &mut self.tracks[place as usize].open;
        if open.as_mut().is_some_and(|open| open.absorb(&record)) {
            return;
        }
        if let Some(complete) = open.replace(record) {
            self.push(complete);
        }
    }

    fn push(&mut self, record: Record) {
        if self.full.len() * CHUNK + self.last.len() >= MOST {
            self.dropped += 1;
            return;
        }
        if self.last.is_empty() {
            self.last.reserve_exact(CHUNK);
        }
        self.last.push(record);
        if self.last.len() == CHUNK {
            self.full.push(std::mem::take(&mut self.last).into());
        }
    }

    pub(super) fn done(&mut self, worker: &Worker, job: &Job, calls: u64, measured: &Measured) {
        if calls == 0 {
            return; // all of it went to others
        }
        let outcome = if measured.failed > 0 { Outcome::Failed } else { Outcome::Done };
        let failed = u32::try_from(measured.failed).unwrap_or(u32::MAX);
        let ended = measured.begun.saturating_add(measured.time);
        self.record(worker, job, Record { calls, failed, outcome, ..span(measured.begun, ended) });
    }

    pub(super) fn killed(&mut self, worker: &Worker, job: &Job, calls: u64, begun: u64, now: u64) {
        let outcome = Outcome::Killed;
        self.record(worker, job, Record { calls, failed: 1, outcome, ..span(begun, now) });
    }

    pub(super) fn ended(&mut self, worker: &Worker, now: u64, status: Option<ExitStatus>) {
        let Some(place) = self.places.remove(&worker.number) else { return };
        let track = &mut self.tracks[place as usize];
        track.ready = worker.desk.gauge().read(now).ready;
        track.ended = Some(now);
        track.status = status;
        if let Some(complete) = track.open.take() {
            self.push(complete);
        }
    }

    /// What is recorded so far, and what the workers are at.
    pub(super) fn timeline(&mut self, workers: &[Worker]) -> Timeline {
        let now = clock::nanoseconds();
        let mut last = self.last.clone();
        last.extend(self.tracks.iter().filter_map(|track| track.open));
        for worker in workers {
            let Some(&place) = self.places.get(&worker.number) else { continue };
            let reading = worker.desk.gauge().read(now);
            self.tracks[place as usize].ready = reading.ready;
            let (Some(since), Some(assigned)) = (reading.at_job_since, worker.assigned.front()) else {
                continue;
            };
            let (job, outcome) = (&assigned.job, Outcome::Running);
            let calls = worker.desk.begun(assigned.claim, assigned.count);
            let first = if job.has_index { job.index + job.first } else { NO_INDEX };
            let function = self.function((job.function.name)());
            last.push(Record { worker: place, function, first, calls, outcome, ..span(since, now) });
        }
        let since_start = |time: u64| Duration::from_nanos(time.saturating_sub(self.started));
        let life = |track: &Track| WorkerLife {
            name: track.who.name.clone(),
            pid: track.who.pid,
            started: since_start(track.started),
            ready: track.ready.map(since_start),
            ended: track.ended.map(since_start),
            status: track.status,
        };
        Timeline {
            started: self.started,
            length: since_start(now),
            workers: self.tracks.iter().map(life).collect(),
            functions: self.functions.iter().map(|name| tidy(name)).collect(),
            full: self.full.clone(),
            last,
            dropped: self.dropped,
        }
    }
}

fn span(begun: u64, ended: u64) -> Record {
    let (worker, function, first, calls, failed, jobs) = (0, 0, NO_INDEX, 0, 0, 1);
    Record { worker, function, begun, ended, first, calls, failed, jobs, outcome: Outcome::Done }
}

/// Text as JSON has it, and as a script within a page may have it.
struct Json<'a>(&'a str);

impl std::fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use std::fmt::Write;
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                // `</script>` and `<!--` mean something to a page, the separators to old scripts.
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\x1F' => {
                    write!(f, "\\u{:04x}", u32::from(character))?;
                }
                other => f.write_char(other)?,
            }
        }
        f.write_char('"')
    }
}

/// Nanoseconds as microseconds.
struct Microseconds(u64);

impl std::fmt::Display for Microseconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    super::report::nanoseconds(duration)
}

impl Timeline {
    /// The workers, in the order in which they were started.
    #[must_use]
    pub fn workers(&self) -> &[WorkerLife] {
        &self.workers
    }

    fn records(&self) -> impl Iterator<Item = &Record> {
        self.full.iter().flat_map(|chunk| chunk.iter()).chain(&self.last)
    }

    /// What they did, for each worker in the order of time.
    pub fn spans(&self) -> impl Iterator<Item = Span<'_>> {
        self.records().map(|record| Span {
            worker: record.worker as usize,
            function: &self.functions[record.function as usize],
            begun: Duration::from_nanos(record.begun.saturating_sub(self.started)),
            duration: Duration::from_nanos(record.length()),
            calls: record.calls,
            first: usize::try_from(record.first).ok().filter(|_| record.first != NO_INDEX),
            failed: record.failed.into(),
            jobs: record.jobs.into(),
            outcome: record.outcome,
        })
    }

    /// How many spans and workers there was no room for.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How long after the start of the pool the timeline was taken.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Writes the timeline in Chrome's trace event format: see [`save_trace`](Self::save_trace).
    ///
    /// # Errors
    /// What the writer fails with.
    pub fn write_trace(&self, writer: impl Write) -> io::Result<()> {
        let mut out = BufWriter::new(writer);
        write!(out, "{{\"displayTimeUnit\":\"ms\",\"otherData\":{{\"clock\":\"monotonic\",")?;
        write!(out, "\"started\":\"{}\",\"dropped\":\"{}\"}},\"traceEvents\":[", self.started, self.dropped)?;
        let mut separator = "\n";
        for (place, worker) in self.workers.iter().enumerate() {
            let (pid, thread, name) = (worker.pid, place + 1, Json(&worker.name));
            for (kind, value) in
                [("process_name", format!("\"name\":{name}")), ("thread_name", format!("\"name\":{name}"))]
                    .into_iter()
                    .chain([("process_sort_index", format!("\"sort_index\":{thread}"))])
            {
                write!(out, "{separator}{{\"ph\":\"M\",\"name\":\"{kind}\",\"pid\":{pid},\"tid\":{thread},")?;
                write!(out, "\"args\":{{{value}}}}}")?;
                separator = ",\n";
            }
            let begun = nanoseconds(worker.started);
            let ready = nanoseconds(worker.ready.or(worker.ended).unwrap_or(self.length));
            write!(
                out,
                ",\n{{\"ph\":\"X\",\"cat\":\"worker\",\"name\":\"start-up\",\"pid\":{pid},\"tid\":{thread},"
            )?;
            let duration = Microseconds(ready.saturating_sub(begun));
            write!(
                out,
                "\"ts\":{},\"dur\":{duration},\"args\":{{\"ready\":{}}}}}",
                Microseconds(begun),
                worker.ready.is_some()
            )?;
            if let Some(ended) = worker.ended {
                let how = worker.status.map_or_else(|| "ended".into(), |status| format!("ended: {status}"));
                write!(out, ",\n{{\"ph\":\"i\",\"s\":\"t\",\"cat\":\"worker\",\"name\":{},", Json(&how))?;
                write!(out, "\"pid\":{pid},\"tid\":{thread},\"ts\":{}}}", Microseconds(nanoseconds(ended)))?;
            }
        }
        for span in self.spans() {
            let pid = self.workers[span.worker].pid;
            let (thread, name) = (span.worker + 1, Json(span.function));
            write!(
                out,
                "{separator}{{\"ph\":\"X\",\"cat\":\"job\",\"name\":{name},\"pid\":{pid},\"tid\":{thread},"
            )?;
            let (begun, duration) =
                (Microseconds(nanoseconds(span.begun)), Microseconds(nanoseconds(span.duration)));
            write!(out, "\"ts\":{begun},\"dur\":{duration},\"args\":{{\"calls\":{}", span.calls)?;
            if let Some(first) = span.first {
                write!(out, ",\"first\":{first}")?;
            }
            let outcome = match span.outcome {
                Outcome::Done => "ok",
                Outcome::Failed => "failed",
                Outcome::Killed => "killed",
                Outcome::Running => "running",
            };
            write!(out, ",\"failed\":{},\"jobs\":{},\"outcome\":\"{outcome}\"}}}}", span.failed, span.jobs)?;
            separator = ",\n";
        }
        writeln!(out, "\n]}}")?;
        out.flush()
    }

    /// Saves the timeline in Chrome's [trace event format](https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU),
    /// which [Perfetto](https://ui.perfetto.dev) and `chrome://tracing` open. Each worker is a process, each job an event with its calls,
    /// its first input and its outcome.
    ///
    /// # Errors
    /// The file cannot be made or written.
    pub fn save_trace(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.write_trace(File::create(path)?)
    }

    /// Writes the timeline as a page: see [`save_html`](Self::save_html).
    ///
    /// # Errors
    /// What the writer fails with.
    pub fn write_html(&self, writer: impl Write) -> io::Result<()> {
        let mut out = BufWriter::new(writer);
        let (head, tail) = PAGE.split_once(DATA).unwrap_or((PAGE, ""));
        out.write_all(head.as_bytes())?;
        let optional = |time: Option<Duration>| time.map_or(-1, |time| nanoseconds(time) as i64);
        write!(out, "{{\"length\":{},\"dropped\":{},\"workers\":[", nanoseconds(self.length), self.dropped)?;
        for (place, worker) in self.workers.iter().enumerate() {
            let separator = if place == 0 { "" } else { "," };
            let status = worker.status.map(|status| status.to_string()).unwrap_or_default();
            let (begun, ready, ended) =
                (nanoseconds(worker.started), optional(worker.ready), optional(worker.ended));
            write!(out, "{separator}\n[{},{},{begun},", Json(&worker.name), worker.pid)?;
            write!(out, "{ready},{ended},{}]", Json(&status))?;
        }
        write!(out, "],\"functions\":[")?;
        for (place, function) in self.functions.iter().enumerate() {
            write!(out, "{}{}", if place == 0 { "" } else { "," }, Json(function))?;
        }
        // One flat list: a million small ones take the page long to read.
        write!(out, "],\"spans\":[")?;
        for (place, record) in self.records().enumerate() {
            let separator = if place == 0 { "\n" } else { ",\n" };
            let (begun, length) = (record.begun.saturating_sub(self.started), record.length());
            let first = if record.first == NO_INDEX { -1 } else { record.first as i64 };
            write!(out, "{separator}{},{},{begun},{length},", record.worker, record.function)?;
            write!(
                out,
                "{},{first},{},{},{}",
                record.calls, record.failed, record.jobs, record.outcome as u8
            )?;
        }
        write!(out, "]}}")?;
        out.write_all(tail.as_bytes())?;
        out.flush()
    }

    /// Saves the timeline as one HTML page that needs no network: a row per worker, zoom by the wheel, what each job was under the pointer, and
    /// a summary.
    ///
    /// # Errors
    /// The file cannot be made or written.
    pub fn save_html(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.write_html(File::create(path)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_every_kind_is_escaped() {
        let text = "a\"b\\c\n</script>\u{1}é";
        assert_eq!(Json(text).to_string(), r#""a\"b\\c\u000a\u003c/script\u003e\u0001é""#);
        assert_eq!(Microseconds(1_234_005).to_string(), "1234.005");
    }

    #[test]
    fn short_jobs_that_follow_each_other_are_one_span_and_others_are_not() {
        let one = Record { calls: 1, ..span(0, 1_000) };
        let mut grows = one;
        assert!(grows.absorb(&Record { calls: 2, ..span(2_000, 3_000) }));
        assert_eq!((grows.begun, grows.ended, grows.calls, grows.jobs), (0, 3_000, 3, 2));
        assert!(!grows.absorb(&span(3_000 + GAP, 3_001 + GAP)), "there is a gap");
        assert!(!grows.absorb(&span(3_000, 3_000 + SHORT)), "it is long");
        assert!(!grows.absorb(&Record { function: 1, ..span(3_000, 3_001) }), "it is another function");
        assert!(!grows.absorb(&Record { outcome: Outcome::Failed, ..span(3_000, 3_001) }), "it failed");
    }

    #[test]
    fn the_page_has_one_place_for_its_data_and_asks_no_network() {
        assert_eq!(PAGE.matches(DATA).count(), 1);
        assert!(!PAGE.contains("http"));
    }
}
