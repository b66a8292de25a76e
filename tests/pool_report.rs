//! What a pool tells of itself: figures, reports, timelines, progress.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use offspring::Pool;
use offspring::pool::{Outcome, TaskFailure};
use offspring::sync::Event;
use offspring_tests::{finish, program, until, watchdog};
use serde_json::Value;

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);

fn recorded(workers: usize) -> Pool {
    Pool::builder().workers(workers).name("scribe").timeline(true).start().unwrap()
}

fn odd_ones_fail(n: u64) -> u64 {
    assert!(n % 2 == 0, "{n} is odd");
    n
}

/// Uses the processor for a while, by its own clock.
fn toil(milliseconds: u64) -> u64 {
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_millis(milliseconds) {
        std::hint::spin_loop();
    }
    milliseconds
}

fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("offspring-{}-{name}", std::process::id()))
}

#[offspring::test]
fn every_task_is_counted_once_and_every_failure_too() {
    let _dog = watchdog();
    let pool = Pool::new(2).unwrap();
    let failed = pool.map(odd_ones_fail, 0..40).iter().filter(|outcome| outcome.is_err()).count();
    assert_eq!(failed, 20);
    let stats = pool.stats();
    assert_eq!((stats.tasks, stats.failed, stats.queued, stats.restarts), (40, 20, 0, 0));
    assert_eq!(stats.workers.iter().map(|worker| worker.tasks).sum::<u64>(), 40);
    for worker in &stats.workers {
        assert!(worker.memory.is_some_and(|bytes| bytes > 4096), "{worker:?}");
        assert_eq!(worker.ended, None);
    }
}

#[offspring::test]
fn the_times_of_a_worker_add_up_to_its_life() {
    let _dog = watchdog();
    let pool = Pool::new(1).unwrap();
    pool.try_map(toil, [1, 2, 3, 20]).unwrap();
    let worker = pool.stats().workers.remove(0);
    let startup = worker.startup.expect("it is ready");
    assert!(worker.busy >= Duration::from_millis(26), "{worker:?}");
    assert_eq!(worker.busy, worker.working + worker.decoding);
    // It began to measure after it was started, and was asked before this.
    let measured = startup + worker.waiting + worker.busy;
    assert!(measured <= worker.alive, "{worker:?}");
    assert!(worker.alive.saturating_sub(measured) < Duration::from_secs(20), "{worker:?}");
}

#[offspring::test]
fn what_a_worker_is_at_counts_as_work_already() {
    let _dog = watchdog();
    let pool = recorded(1);
    let gate = Event::new().unwrap();
    let task = pool.submit(|gate: Event| gate.wait().unwrap(), (gate.clone(),)).unwrap();
    until("it works", || pool.stats().workers[0].busy > Duration::from_millis(5));
    let timeline = pool.timeline().unwrap();
    let span = timeline.spans().next().expect("it is at it");
    assert_eq!((span.outcome, span.first, span.calls), (Outcome::Running, None, 1));
    gate.set().unwrap();
    task.get().unwrap();
    let timeline = pool.timeline().unwrap();
    let spans: Vec<_> = timeline.spans().collect();
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0].outcome, Outcome::Done);
}

#[offspring::test]
fn decoding_is_told_apart_from_work() {
    let _dog = watchdog();
    let pool = Pool::new(1).unwrap();
    // A million numbers are decoded one by one, and then not looked at.
    let numbers: Vec<u64> = (0..1_000_000).collect();
    pool.try_map(|numbers: Vec<u64>| numbers.len(), [numbers.clone(), numbers]).unwrap();
    let worker = pool.stats().workers.remove(0);
    assert!(worker.decoding > Duration::ZERO && worker.decoding <= worker.busy, "{worker:?}");
}

#[offspring::test]
fn a_report_has_the_workers_that_ended_and_how() {
    let _dog = watchdog();
    let pool = Pool::builder().workers(1).name("mortal").start().unwrap();
    let outcomes = pool.map(|n: u32| if n == 3 { std::process::exit(7) } else { n }, 0..6);
    assert!(matches!(outcomes[3].as_ref().unwrap_err().failure(), TaskFailure::Ended(_)));
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 5);
    let report = pool.report();
    assert_eq!((report.workers.len(), report.totals.workers, report.restarts), (2, 2, 1));
    assert_eq!((report.totals.tasks, report.totals.failed), (5, 1));
    assert_eq!(report.workers[0].ended.and_then(offspring::ExitStatus::code), Some(7));
    assert_eq!((report.workers[0].failed, report.workers[0].memory), (1, None));
    assert_eq!(report.workers[1].ended, None);
    let text = report.to_string();
    for said in
        ["mortal-1", "mortal-2", "exit code 7", "together", "5 tasks done, 1 failed", "slowest inputs"]
    {
        assert!(text.contains(said), "{said}:\n{text}");
    }
    let lines: Vec<&str> = text.lines().collect();
    let column = lines[2].chars().count();
    assert!(lines[3..6].iter().all(|line| line.chars().count() <= column + 20), "{text}");
}

#[offspring::test]
fn the_five_slowest_inputs_are_known_by_their_index() {
    let _dog = watchdog();
    let pool = Pool::new(2).unwrap();
    // Quick ones among slow ones, in jobs of many calls.
    let pause = |n: u64| if n % 1000 == 500 { toil(10 + n / 500) } else { n };
    pool.try_map(pause, 0..8000).unwrap();
    let report = pool.report();
    assert_eq!(report.slowest.len(), 5);
    let is_sorted = report.slowest.windows(2).all(|pair| pair[0].duration >= pair[1].duration);
    assert!(is_sorted, "{report}");
    let slow = &report.slowest[0];
    assert_eq!(slow.function, "the_five_slowest_inputs_are_known_by_their_index::{closure}");
    assert!(slow.worker.starts_with("Worker-") && slow.pid > 0);
    // Each is one of the slow ones, or among a few with it, but for what the machine itself held up.
    let first = slow.index.unwrap();
    assert!(slow.among <= 16, "{report}");
    assert!(slow.duration >= Duration::from_millis(10), "{report}: {first}");
}

#[offspring::test]
fn a_slow_task_by_itself_has_no_index_and_a_killed_one_counts() {
    let _dog = watchdog();
    let pool = Pool::builder().workers(1).task_timeout(Duration::from_millis(200)).start().unwrap();
    let task = pool.submit(toil, (LONG.as_secs() * 1000,)).unwrap();
    assert!(matches!(task.get().unwrap_err().failure(), TaskFailure::TimedOut(_)));
    until("its worker is buried", || pool.report().workers[0].ended.is_some());
    let report = pool.report();
    assert_eq!((report.slowest[0].index, report.slowest[0].function.as_str()), (None, "toil"));
    assert!(report.slowest[0].duration >= Duration::from_millis(150), "{report}");
    assert_eq!((report.totals.failed, pool.stats().failed), (1, 1));
}

#[offspring::test]
fn a_timeline_has_every_call_and_what_became_of_it() {
    let _dog = watchdog();
    let pool = recorded(2);
    pool.try_map(|n: u64| n, 0..10_000).unwrap();
    let _outcomes = pool.map(odd_ones_fail, 0..10);
    let outcomes = pool.map(|n: u64| if n == 2 { std::process::abort() } else { n }, 0..4);
    assert!(outcomes[2].is_err());
    let timeline = pool.timeline().unwrap();
    assert_eq!(timeline.dropped(), 0);
    let calls = |name: &str| {
        let of_it = timeline.spans().filter(|span| span.function == name);
        of_it.map(|span| span.calls).sum::<u64>()
    };
    assert_eq!(calls("odd_ones_fail"), 10);
    assert_eq!(calls("a_timeline_has_every_call_and_what_became_of_it::{closure}"), 10_004);
    let failed: u64 =
        timeline.spans().filter(|span| span.function == "odd_ones_fail").map(|span| span.failed).sum();
    assert_eq!(failed, 5);
    let killed: Vec<_> = timeline.spans().filter(|span| span.outcome == Outcome::Killed).collect();
    assert_eq!(killed.len(), 1);
    assert!(timeline.workers()[killed[0].worker].ended.is_some());
    // Within its worker's life, and one after the other.
    for (place, worker) in timeline.workers().iter().enumerate() {
        let mut until = worker.ready.unwrap_or(timeline.length());
        for span in timeline.spans().filter(|span| span.worker == place) {
            assert!(span.begun >= until, "{span:?} begins before {until:?}");
            until = span.begun + span.duration;
        }
        assert!(until <= worker.ended.unwrap_or(timeline.length()));
    }
    assert!(Pool::new(1).unwrap().timeline().is_none(), "nothing was to be recorded");
}

#[offspring::test]
fn a_trace_is_json_of_whole_events() {
    let _dog = watchdog();
    let pool = Pool::builder().workers(2).name("a \"quoted\"\\name</script>").timeline(true).start().unwrap();
    let _outcomes = pool.map(odd_ones_fail, 0..40);
    pool.submit(toil, (1,)).unwrap().get().unwrap();
    let path = file("trace.json");
    pool.timeline().unwrap().save_trace(&path).unwrap();
    let trace: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    fs::remove_file(path).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let of = |phase: &str| events.iter().filter(|event| event["ph"] == phase).collect::<Vec<_>>();
    let pids: BTreeSet<u64> = pool.stats().workers.iter().map(|worker| worker.pid.into()).collect();
    let named = of("M").into_iter().filter(|event| event["name"] == "process_name");
    assert_eq!(named.map(|event| event["pid"].as_u64().unwrap()).collect::<BTreeSet<_>>(), pids);
    assert!(events.iter().any(|event| event["args"]["name"] == "a \"quoted\"\\name</script>-1"));
    let jobs: Vec<_> = of("X").into_iter().filter(|event| event["cat"] == "job").collect();
    let sum = |key: &str| jobs.iter().map(|job| job["args"][key].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("calls"), sum("failed")), (41, 20));
    assert_eq!(of("X").len() - jobs.len(), 2, "a start-up for each worker");
    for event in of("X") {
        assert!(event["ts"].as_f64().unwrap() >= 0.0 && event["dur"].as_f64().unwrap() >= 0.0, "{event}");
        assert!(pids.contains(&event["pid"].as_u64().unwrap()));
    }
    let single = jobs.iter().find(|job| job["name"] == "toil").unwrap();
    assert!(single["args"].get("first").is_none() && single["args"]["outcome"] == "ok", "{single}");
}

#[offspring::test]
fn a_page_needs_no_network_and_its_data_stay_data() {
    let _dog = watchdog();
    let pool = Pool::builder().workers(1).name("</script><b>").timeline(true).start().unwrap();
    let _outcomes = pool.map(odd_ones_fail, 0..8);
    let path = file("timeline.html");
    pool.timeline().unwrap().save_html(&path).unwrap();
    let page = fs::read_to_string(&path).unwrap();
    fs::remove_file(path).unwrap();
    assert!(!page.contains("http"), "it refers to something");
    assert!(!page.contains("</script><b>"), "a name is markup");
    let data = page.split_once("id=\"data\">").unwrap().1.split_once("</script>").unwrap().0;
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["workers"][0][0], "</script><b>-1");
    assert_eq!(data["functions"][0], "odd_ones_fail");
    let spans = data["spans"].as_array().unwrap();
    assert_eq!(spans.len() % 9, 0);
    assert_eq!(spans.chunks(9).map(|span| span[4].as_u64().unwrap()).sum::<u64>(), 8);
}

/// What the maps of the fixture came to.
const CAME_TO: &str = "1 true 1045 true\n";

#[test]
fn progress_is_told_in_lines_where_no_terminal_is() {
    let _dog = watchdog();
    let done = finish(&mut program(env!("CARGO_BIN_EXE_fixture"), &["progress"]));
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), CAME_TO), "{}", done.stderr);
    let lines: Vec<&str> = done.stderr.lines().filter(|line| line.starts_with("tread: ")).collect();
    let last = lines.iter().find(|line| line.contains(", done after ")).expect("it says when it is done");
    assert!(last.starts_with("tread: 100 of 100 (100 %), done after "), "{}", done.stderr);
    assert!(last.ends_with("/s, 1 failed") || last.ends_with("/min, 1 failed"), "{}", done.stderr);
    assert_eq!(lines.iter().filter(|line| line.contains(", stopped after ")).count(), 3, "{}", done.stderr);
}

#[test]
fn progress_is_a_bar_on_a_terminal() {
    let _dog = watchdog();
    let size = nix::pty::Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = nix::pty::openpty(Some(&size), None).unwrap();
    let mut command = program(env!("CARGO_BIN_EXE_fixture"), &["progress"]);
    command.env("TERM", "xterm").env_remove("NO_COLOR").stdout(Stdio::piped()).stderr(terminal.slave);
    let mut child = command.spawn().unwrap();
    drop(command); // and with it the terminal's other end
    let mut shown = Vec::new();
    let mut reader = fs::File::from(terminal.master);
    // It ends with an error when the last one that writes has gone.
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = reader.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..length]);
    }
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success());
    let shown = String::from_utf8_lossy(&shown);
    assert_eq!(said, CAME_TO, "{shown}");
    for part in ["tread [", "] 100 of 100 (100 %), done after", "1 failed", "stopped after"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}
