//! The feature `tracing`: what workers log arrives in the subscriber of the process that has the pool.

#![allow(clippy::needless_pass_by_value)] // arguments are values
#![allow(clippy::cast_possible_truncation)] // numbers are small

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use offspring::pool::TaskFailure;
use offspring::sync::Event as Gate;
use offspring::{Attachment, Pool};
use offspring_tests::{until, watchdog};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Level, Subscriber, debug, error, info, info_span, trace, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;

/// A line as the subscriber got it.
#[derive(Clone, Debug, Default)]
struct Line {
    level: Option<Level>,
    target: String,
    place: Option<(String, u32)>,
    fields: BTreeMap<String, String>,
    /// The spans that it stands in, the outermost first, each as `name{fields}`.
    spans: Vec<String>,
}

impl Line {
    fn says(&self, message: &str) -> bool {
        self.fields.get("message").is_some_and(|said| said == message)
    }
}

/// A subscriber that keeps what it gets.
#[derive(Clone, Default)]
struct Heard {
    lines: Arc<Mutex<Vec<Line>>>,
    closed: Arc<Mutex<Vec<String>>>,
}

struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().into(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().into(), format!("{value}_u64"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().into(), format!("{value}_i64"));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.0.insert(field.name().into(), format!("{value}_i128"));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.0.insert(field.name().into(), format!("{value}_u128"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().into(), format!("{value}_f64"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().into(), format!("{value}_bool"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let cause = value.source().map(|cause| format!(" because {cause}")).unwrap_or_default();
        self.0.insert(field.name().into(), format!("{value}{cause}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Heard {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields(BTreeMap::new());
        attributes.record(&mut fields);
        context.span(id).unwrap().extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        values.record(context.span(id).unwrap().extensions_mut().get_mut::<Fields>().unwrap());
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields(BTreeMap::new());
        event.record(&mut fields);
        let named = |span: tracing_subscriber::registry::SpanRef<'_, S>| {
            let extensions = span.extensions();
            let fields = &extensions.get::<Fields>().unwrap().0;
            format!("{}{}", span.name(), format!("{fields:?}").replace('"', ""))
        };
        let spans = context.event_scope(event).map(|scope| scope.from_root().map(named).collect());
        let metadata = event.metadata();
        self.lines.lock().unwrap().push(Line {
            level: Some(*metadata.level()),
            target: metadata.target().into(),
            place: metadata.file().map(Into::into).zip(metadata.line()),
            fields: fields.0,
            spans: spans.unwrap_or_default(),
        });
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.closed.lock().unwrap().push(context.span(&id).unwrap().name().into());
    }
}

impl Heard {
    /// What the workers said, without what the library says.
    fn lines(&self) -> Vec<Line> {
        let lines = self.lines.lock().unwrap();
        lines.iter().filter(|line| !line.target.starts_with("offspring::")).cloned().collect()
    }

    fn own_lines(&self) -> Vec<Line> {
        let lines = self.lines.lock().unwrap();
        lines.iter().filter(|line| line.target.starts_with("offspring::")).cloned().collect()
    }

    /// Waits for this many lines of workers.
    fn wait_for(&self, count: usize) -> Vec<Line> {
        until("the lines have come", || self.lines().len() >= count);
        self.lines()
    }

    fn listen<R>(&self, level: LevelFilter, action: impl FnOnce() -> R) -> R {
        with_default(tracing_subscriber::registry().with(level).with(self.clone()), action)
    }
}

/// Runs a test in a process of its own, in which nobody else listens.
fn alone(test: fn()) {
    offspring::spawn(|test: u64| TESTS[usize::try_from(test).unwrap()](), (place_of(test),))
        .unwrap()
        .join()
        .unwrap();
}

const TESTS: [fn(); 7] =
    [only_what_is_wanted, wanted_later, nobody_listens, own_subscriber, stuck, many_lines, uses_the_pool];

fn place_of(test: fn()) -> u64 {
    TESTS.iter().position(|known| std::ptr::fn_addr_eq(*known, test)).unwrap() as u64
}

#[derive(Debug)]
struct Failed(std::num::ParseIntError);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no number")
    }
}

impl std::error::Error for Failed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[offspring::test]
fn what_a_worker_logs_arrives_with_all_that_it_says_and_the_process_that_said_it() {
    let _dog = watchdog();
    let heard = Heard::default();
    let pid = heard.listen(LevelFilter::TRACE, || {
        let pool = Pool::builder().workers(1).name("teller").start().unwrap();
        let work = |n: u32| {
            let fault = Failed("x".parse::<u8>().unwrap_err());
            warn!(target: "elsewhere", n, signed = -7, big = 1_u128 << 100, small = i128::MIN, half = 0.5, yes = true,
                text = "plain", shown = %"displayed", debugged = ?Some("x"), fault = &fault as &dyn std::error::Error,
                "there are {} of them", n + 1);
            trace!("quietly");
            std::process::id()
        };
        pool.submit(work, (6,)).unwrap().get().unwrap()
    });
    // The end of the pool waits for what was said.
    let lines = heard.wait_for(2);
    assert_eq!(lines.len(), 2, "{lines:?}");
    let expected = [
        ("big", format!("{}_u128", 1_u128 << 100)),
        ("debugged", "Some(\"x\")".into()),
        ("fault", "no number because invalid digit found in string".into()),
        ("half", "0.5_f64".into()),
        ("message", "there are 7 of them".into()),
        ("n", "6_u64".into()),
        ("process.name", "teller-1".into()),
        ("process.pid", format!("{pid}_u64")),
        ("shown", "displayed".into()),
        ("signed", "-7_i64".into()),
        ("small", format!("{}_i128", i128::MIN)),
        ("text", "plain".into()),
        ("yes", "true_bool".into()),
    ];
    let expected = BTreeMap::from(expected.map(|(name, value)| (name.to_string(), value)));
    assert_eq!(lines[0].fields, expected);
    assert_eq!((lines[0].level, &*lines[0].target), (Some(Level::WARN), "elsewhere"));
    assert!(lines[0].place.as_ref().is_some_and(|(file, line)| file.ends_with("tracing.rs") && *line > 0));
    assert_eq!((lines[1].level, &*lines[1].target), (Some(Level::TRACE), module_path!()));
}

#[offspring::test]
fn a_line_stands_in_the_workers_spans_and_those_in_the_span_that_the_task_was_submitted_in() {
    let _dog = watchdog();
    let heard = Heard::default();
    heard.listen(LevelFilter::INFO, || {
        let pool = Pool::new(2).unwrap();
        let work = |n: u32| {
            let outer = info_span!("outer", n, late = tracing::field::Empty).entered();
            let inner = info_span!("inner").entered();
            info!("within");
            drop(inner);
            outer.record("late", "recorded");
            info!("between");
            info!(parent: None, "alone");
            drop(outer);
            info!("outside");
        };
        let mut tasks = Vec::new();
        for name in ["a", "b"] {
            let _span = info_span!("caller", name).entered();
            tasks.push(pool.submit(work, (tasks.len() as u32,)).unwrap());
        }
        for task in tasks {
            task.get().unwrap();
        }
        let _span = info_span!("mapping").entered();
        pool.try_map(|n: u32| info!("mapped {n}"), 0..10).unwrap();
        drop(pool);
        let spans = |message: &str| -> Vec<Vec<String>> {
            let mut spans: Vec<_> = heard
                .lines()
                .iter()
                .filter(|line| line.says(message))
                .map(|line| line.spans.clone())
                .collect();
            spans.sort();
            spans
        };
        assert_eq!(
            spans("within"),
            [
                ["caller{name: a}", "outer{n: 0_u64}", "inner{}"],
                ["caller{name: b}", "outer{n: 1_u64}", "inner{}"]
            ]
        );
        assert_eq!(
            spans("between"),
            [
                ["caller{name: a}", "outer{late: recorded, n: 0_u64}"],
                ["caller{name: b}", "outer{late: recorded, n: 1_u64}"]
            ]
        );
        assert_eq!(spans("alone"), [[""; 0]; 2]);
        assert_eq!(spans("outside"), [["caller{name: a}"], ["caller{name: b}"]]);
        assert!((0..10).all(|n| spans(&format!("mapped {n}")) == [["mapping{}"]]));
    });
    until("all spans are closed", || {
        let mut closed = heard.closed.lock().unwrap().clone();
        closed.sort_unstable();
        assert!(closed.len() <= 7, "{closed:?}");
        closed == ["caller", "caller", "inner", "inner", "mapping", "outer", "outer"]
    });
}

#[offspring::test]
fn what_was_logged_before_a_crash_arrives_and_the_spans_of_the_dead_are_closed() {
    let _dog = watchdog();
    let heard = Heard::default();
    heard.listen(LevelFilter::INFO, || {
        let pool = Pool::new(2).unwrap();
        let work = |n: u32| {
            let _span = info_span!("doomed").entered();
            info!(n, "last words");
            match n % 3 {
                0 => std::process::abort(),
                1 => std::process::exit(3),
                _ => nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL)
                    .unwrap(),
            }
        };
        let results = pool.map(work, 0..30);
        assert!(results.iter().all(|result: &Result<(), _>| result.is_err()));
        let mut numbers: Vec<String> =
            heard.wait_for(30).iter().map(|line| line.fields["n"].clone()).collect();
        numbers.sort_by_key(|number| (number.len(), number.clone()));
        assert_eq!(numbers, (0..30).map(|n| format!("{n}_u64")).collect::<Vec<_>>());
        until("the spans are closed", || heard.closed.lock().unwrap().len() == 30);
    });
}

#[offspring::test]
fn the_lines_of_a_worker_keep_their_order_and_none_is_missing() {
    let _dog = watchdog();
    alone(many_lines);
}

fn many_lines() {
    let heard = Heard::default();
    heard.listen(LevelFilter::INFO, || {
        let pool = Pool::new(2).unwrap();
        let work = |task: u64| (0..500_u64).for_each(|n| info!(task, n, "counting"));
        pool.try_map(work, 0..10).unwrap();
    });
    let mut next = [0_u64; 10];
    for line in heard.wait_for(5000) {
        let number = |field: &str| line.fields[field].trim_end_matches("_u64").parse::<u64>().unwrap();
        let task = usize::try_from(number("task")).unwrap();
        assert_eq!(number("n"), next[task]);
        next[task] += 1;
    }
    assert_eq!(next, [500; 10]);
}

/// Waits at each line until the gate is open.
struct Slow(Gate);

impl<S: Subscriber> Layer<S> for Slow {
    fn on_event(&self, _event: &Event<'_>, _context: Context<'_, S>) {
        self.0.wait().unwrap();
    }
}

fn stuck() {
    const LINES: u64 = 100_000;
    let heard = Heard::default();
    let gate = Gate::new().unwrap();
    let subscriber =
        tracing_subscriber::registry().with(LevelFilter::INFO).with(Slow(gate.clone())).with(heard.clone());
    with_default(subscriber, || {
        let pool = Pool::new(1).unwrap();
        let work = |lines: u64| (0..lines).for_each(|n| info!(n, "too much"));
        pool.submit(work, (LINES,)).unwrap().get().unwrap(); // although nothing is taken
        gate.set().unwrap();
        // It tells when it can, at the end of a task.
        until("what was lost is told", || {
            pool.submit(|| (), ()).unwrap().get().unwrap();
            let lost = heard.own_lines().into_iter().find(|line| line.fields.contains_key("lines"));
            lost.is_some_and(|line| {
                let lost: u64 = line.fields["lines"].trim_end_matches("_u64").parse().unwrap();
                assert_eq!((line.level, lost + heard.lines().len() as u64), (Some(Level::WARN), LINES));
                assert!(lost > 0 && line.fields["process.name"].starts_with("Worker-"));
                true
            })
        });
    });
}

// Alone: all pools of a process have one thread that emits, and one channel, so that others' lines would be dropped too.
#[offspring::test]
fn a_subscriber_that_is_stuck_keeps_no_worker_and_is_told_how_many_lines_it_missed() {
    let _dog = watchdog();
    alone(stuck);
}

/// Has a pool do something at each line, with a lock held.
struct Busy {
    pool: Arc<Mutex<Option<Pool>>>,
    done: Arc<AtomicUsize>,
}

impl<S: Subscriber> Layer<S> for Busy {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if event.metadata().target() == "trigger" {
            let pool = self.pool.lock().unwrap();
            let pool = pool.as_ref().unwrap();
            let work = |n: u32| {
                info!("from within");
                assert_ne!(n, 3);
            };
            let results = pool.map(work, 0..10);
            self.done.fetch_add(results.iter().filter(|result| result.is_ok()).count(), Ordering::Relaxed);
        }
    }
}

#[offspring::test]
fn a_subscriber_may_use_the_pool_with_its_locks_held() {
    let _dog = watchdog();
    alone(uses_the_pool);
}

fn uses_the_pool() {
    let (pool, done) = (Arc::default(), Arc::default());
    let busy = Busy { pool: Arc::clone(&pool), done: Arc::clone(&done) };
    let subscriber = tracing_subscriber::registry().with(LevelFilter::TRACE).with(busy);
    with_default(subscriber, || {
        *pool.lock().unwrap() = Some(Pool::new(2).unwrap());
        info!(target: "trigger", "on this thread");
        assert_eq!(done.load(Ordering::Relaxed), 9);
        let other = Pool::new(1).unwrap();
        other.submit(|| info!(target: "trigger", "in a worker"), ()).unwrap().get().unwrap();
        until("the pool was used", || done.load(Ordering::Relaxed) == 18);
        drop(other);
        let ended = pool.lock().unwrap().take();
        drop(ended);
    });
}

/// Panics at each line but for some.
struct Panics;

impl<S: Subscriber> Layer<S> for Panics {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        assert_ne!(event.metadata().target(), "unbearable");
    }
}

#[offspring::test]
fn a_subscriber_that_panics_harms_only_what_it_panics_at() {
    let _dog = watchdog();
    let heard = Heard::default();
    let subscriber = tracing_subscriber::registry().with(LevelFilter::INFO).with(heard.clone()).with(Panics);
    with_default(subscriber, || {
        let pool = Pool::new(1).unwrap();
        let work = || {
            info!(target: "unbearable", "hm");
            info!("after it");
        };
        pool.submit(work, ()).unwrap().get().unwrap();
    });
    until("the other line has come", || heard.lines().iter().any(|line| line.says("after it")));
}

#[offspring::test]
fn filters_by_target_see_the_targets_of_the_workers() {
    let _dog = watchdog();
    let heard = Heard::default();
    let targets =
        Targets::new().with_target("wanted", LevelFilter::DEBUG).with_target("seldom", LevelFilter::ERROR);
    let subscriber = tracing_subscriber::registry().with(heard.clone().with_filter(targets));
    with_default(subscriber, || {
        let pool = Pool::new(1).unwrap();
        let work = || {
            debug!(target: "wanted", "one");
            let _span = info_span!(target: "unwanted", "not there").entered();
            info!(target: "seldom", "no");
            error!(target: "seldom", "two");
            error!(target: "unwanted", "no");
        };
        let _span = tracing::debug_span!(target: "wanted", "caller").entered();
        pool.submit(work, ()).unwrap().get().unwrap();
    });
    let said: Vec<_> =
        heard.wait_for(2).iter().map(|line| (line.fields["message"].clone(), line.spans.clone())).collect();
    let caller = vec!["caller{}".to_string()];
    assert_eq!(said, [("one".into(), caller.clone()), ("two".into(), caller)]);
}

#[offspring::test]
fn a_line_of_a_workers_worker_names_that_one_and_stands_in_both_callers_spans() {
    let _dog = watchdog();
    let heard = Heard::default();
    let inner = heard.listen(LevelFilter::INFO, || {
        let pool = Pool::builder().workers(1).name("upper").start().unwrap();
        let work = || {
            let _span = info_span!("middle").entered();
            let pool = Pool::builder().workers(1).name("lower").start().unwrap();
            let work = || {
                info!("from below");
                std::process::id()
            };
            pool.submit(work, ()).unwrap().get().unwrap()
        };
        let _span = info_span!("top").entered();
        pool.submit(work, ()).unwrap().get().unwrap()
    });
    let lines = heard.wait_for(1);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0].fields["process.name"], "lower-1");
    assert_eq!(lines[0].fields["process.pid"], format!("{inner}_u64"));
    assert_eq!(lines[0].spans, ["top{}", "middle{}"]);
}

#[offspring::test]
fn the_library_says_what_becomes_of_workers_and_tasks() {
    let _dog = watchdog();
    let heard = Heard::default();
    heard.listen(LevelFilter::DEBUG, || {
        let pool = Pool::new(1).unwrap();
        let _span = info_span!("caller").entered();
        let panicked = pool.submit(|n: u32| assert_eq!(n, 1, "on purpose"), (0,)).unwrap().get().unwrap_err();
        assert!(matches!(panicked.failure(), TaskFailure::Panicked(_)));
        let lost: Result<(), _> = pool.submit(|| std::process::exit(9), ()).unwrap().get();
        assert!(lost.is_err());
        pool.submit(|| (), ()).unwrap().get().unwrap();
        pool.join();
    });
    let lines = heard.own_lines();
    let of = |message: &str| lines.iter().filter(|line| line.says(message)).collect::<Vec<_>>();
    assert!(lines.iter().all(|line| line.level == Some(Level::DEBUG) && line.target == "offspring::pool"));
    assert_eq!(of("worker started").len(), 2);
    let ended: Vec<&str> = of("worker ended").iter().map(|line| &*line.fields["status"]).collect();
    assert!(ended.len() == 2 && ended[0].contains('9') && ended[1].contains('0'), "{ended:?}");
    let failed = of("task failed");
    assert_eq!(failed.len(), 2);
    assert!(failed[0].fields["failure"].contains("on purpose") && failed[1].fields["failure"].contains('9'));
    assert!(
        failed.iter().all(|line| line.spans == ["caller{}"] && line.fields["process.name"] == "Worker-1")
    );
    assert_eq!(of("pool closed").len(), 1, "{lines:?}");
}

fn looked_at(count: u32) -> u32 {
    static LOOKS: AtomicU32 = AtomicU32::new(0);
    LOOKS.fetch_add(count, Ordering::Relaxed)
}

fn only_what_is_wanted() {
    let heard = Heard::default();
    heard.listen(LevelFilter::INFO, || {
        let pool = Pool::builder().workers(1).initializer(|| info!("ready"), ()).start().unwrap();
        let work = || {
            debug!(looks = looked_at(1), "not wanted");
            info!(looks = looked_at(0), "wanted");
            looked_at(0)
        };
        assert_eq!(pool.submit(work, ()).unwrap().get().unwrap(), 0);
    });
    let lines = heard.wait_for(2);
    assert!(lines[0].says("ready") && lines[1].says("wanted"), "{lines:?}");
}

#[offspring::test]
fn a_level_that_nobody_wants_costs_a_worker_not_even_its_fields() {
    let _dog = watchdog();
    alone(only_what_is_wanted);
}

fn wanted_later() {
    let heard = Heard::default();
    let (level, handle) = reload::Layer::new(LevelFilter::ERROR);
    with_default(tracing_subscriber::registry().with(level).with(heard.clone()), || {
        let pool = Pool::new(1).unwrap();
        let work = |n: u32| debug!("debug {n}");
        for (n, level) in [LevelFilter::ERROR, LevelFilter::DEBUG, LevelFilter::OFF, LevelFilter::TRACE]
            .into_iter()
            .enumerate()
        {
            handle.reload(level).unwrap();
            pool.submit(work, (n as u32,)).unwrap().get().unwrap();
            until("it has come", || heard.lines().len() == [0, 1, 1, 2][n]);
        }
    });
    let lines = heard.lines();
    assert!(lines.len() == 2 && lines[0].says("debug 1") && lines[1].says("debug 3"), "{lines:?}");
}

#[offspring::test]
fn a_level_that_is_changed_holds_for_the_next_task() {
    let _dog = watchdog();
    alone(wanted_later);
}

fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // One that has ended meanwhile has no name.
    tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok()).collect()
}

fn nobody_listens() {
    let pool = Pool::new(1).unwrap();
    let work = || {
        error!("to nobody");
        tracing::dispatcher::has_been_set()
    };
    assert!(!pool.submit(work, ()).unwrap().get().unwrap());
    assert!(!threads().iter().any(|name| name.starts_with("offspring-trace")), "{:?}", threads());
}

#[offspring::test]
fn without_a_subscriber_nothing_is_there_for_it() {
    let _dog = watchdog();
    alone(nobody_listens);
}

fn own_subscriber() {
    let heard = Heard::default();
    heard.listen(LevelFilter::INFO, || {
        let install = || {
            let subscriber = tracing_subscriber::fmt().with_writer(std::io::sink).finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
        };
        let pool = Pool::builder().workers(1).initializer(install, ()).start().unwrap();
        let work = || {
            info!("elsewhere");
            tracing::dispatcher::get_default(|dispatch| {
                dispatch.downcast_ref::<tracing_subscriber::Registry>().is_some()
            })
        };
        assert!(pool.submit(work, ()).unwrap().get().unwrap());
    });
    assert!(heard.lines().is_empty());
}

#[offspring::test]
fn a_worker_with_a_subscriber_of_its_own_keeps_it() {
    let _dog = watchdog();
    alone(own_subscriber);
}

#[offspring::test]
fn what_the_shared_pool_said_is_heard_before_the_program_ends() {
    let _dog = watchdog();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let work = |writer: Attachment<std::io::PipeWriter>| {
        let writer = Mutex::new(writer.into_inner());
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        let pool = Pool::shared().unwrap();
        pool.try_map(|n: u32| info!("number {n}"), 0..100).unwrap();
    };
    let child = offspring::spawn(work, (Attachment::new(writer),)).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
    child.join().unwrap();
    assert!((0..100).all(|n| text.contains(&format!("number {n} process.name=\"Worker-"))), "{text}");
}
