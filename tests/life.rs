//! The rules of a life: names, ends, who is waited for and who is not.

use std::io::Write;
use std::process::Stdio;

use offspring::{ExitStatus, JoinError, Process, Run, StartMethod};
use offspring_tests::{finish, numbers_after, program, runs, until, watchdog};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
struct Downloader(u32);

impl Run for Downloader {
    type Output = Vec<String>;

    /// Its own name, and those of as many generations below.
    fn run(self) -> Vec<String> {
        let mut names = vec![offspring::current().name];
        if let Some(below) = self.0.checked_sub(1) {
            let _first = Downloader(0).start().expect("a child starts");
            names.extend(Downloader(below).start().expect("a child starts").join().expect("it ends well"));
        }
        names
    }
}

fn forever() {
    loop {
        std::thread::park();
    }
}

#[offspring::test]
fn names_say_the_class_and_the_place_in_the_family() {
    let _dog = watchdog();
    let first = Downloader(2).start().unwrap();
    let number = first.name().strip_prefix("Downloader-").unwrap().to_owned();
    let names = first.join().unwrap();
    let expected = [
        format!("Downloader-{number}"),
        format!("Downloader-{number}:2"),
        format!("Downloader-{number}:2:2"),
    ];
    assert_eq!(names, expected);
    assert_eq!(Downloader(0).builder().name("other").start().unwrap().join().unwrap(), ["other"]);
}

#[offspring::test]
fn a_child_is_alive_until_it_has_ended_and_keeps_its_name_and_number() {
    let _dog = watchdog();
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let child = offspring::target(forever, ()).start_method(method).start().unwrap();
        assert!(child.is_alive());
        assert_eq!((child.exitcode(), child.exit_status()), (None, None));
        assert!(child.try_join().unwrap().is_none());
        assert!(child.join_timeout(std::time::Duration::from_millis(20)).unwrap().is_none());
        let (name, pid) = (child.name().to_owned(), child.pid());
        assert!(runs(pid));
        child.terminate().unwrap();
        let Err(JoinError::Ended { status, .. }) = child.join() else { panic!("it was terminated") };
        assert_eq!(status, ExitStatus::Signaled { signal: 15, core_dumped: false });
        assert_eq!((child.exitcode(), child.is_alive()), (Some(-15), false));
        assert_eq!((child.name(), child.pid()), (name.as_str(), pid));
        // What has ended can be signalled, and nothing happens.
        child.kill().unwrap();
        child.terminate().unwrap();
        child.interrupt().unwrap();
        assert!(matches!(child.join(), Err(JoinError::AlreadyJoined { .. })));
        assert_eq!(child.wait().unwrap(), status, "the status can be asked for again");
    }
}

#[offspring::test]
fn interrupt_terminate_and_kill_send_their_signals() {
    let _dog = watchdog();
    let ends = |end: fn(&offspring::Child<()>) -> std::io::Result<()>| {
        let child = offspring::spawn(forever, ()).unwrap();
        end(&child).unwrap();
        child.wait().unwrap().exitcode()
    };
    assert_eq!(ends(offspring::Child::interrupt), -2);
    assert_eq!(ends(offspring::Child::terminate), -15);
    assert_eq!(ends(offspring::Child::kill), -9);
}

#[offspring::test]
fn a_child_that_nobody_joins_is_no_zombie() {
    let _dog = watchdog();
    let child = offspring::spawn(|| (), ()).unwrap();
    let forgotten = offspring::spawn(|| (), ()).unwrap().pid();
    for pid in [child.pid(), forgotten] {
        until("the process is gone altogether", || offspring_tests::look(pid).is_none());
    }
    assert_eq!(child.exitcode(), Some(0));
    child.join().unwrap();
}

#[offspring::test]
fn active_children_are_those_that_live() {
    let _dog = watchdog();
    let child = offspring::target(forever, ()).name("active").daemon(true).start().unwrap();
    let mine = || offspring::active_children().into_iter().find(|info| info.pid == child.pid());
    let info = mine().expect("it lives");
    assert_eq!((info.name.as_str(), info.daemon, info.detached), ("active", true, false));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(mine(), None);
}

#[offspring::test]
fn a_child_knows_its_parent() {
    let _dog = watchdog();
    assert_eq!(offspring::parent().map(|parent| parent.pid()), None);
    let seen = offspring::spawn(
        || {
            let parent = offspring::parent().expect("it was started");
            let waited = parent.join_timeout(std::time::Duration::from_millis(1));
            (
                parent.name().to_owned(),
                parent.pid(),
                parent.is_alive(),
                waited,
                std::os::unix::process::parent_id(),
            )
        },
        (),
    );
    let me = std::process::id();
    assert_eq!(seen.unwrap().join().unwrap(), ("MainProcess".to_owned(), me, true, false, me));
}

#[offspring::test]
fn the_daemon_flag_is_inherited_unless_it_is_set() {
    let _dog = watchdog();
    let flags = || {
        let inherited = offspring::spawn(|| offspring::current().daemon, ()).unwrap().join().unwrap();
        let set = offspring::target(|| offspring::current().daemon, ())
            .daemon(false)
            .start()
            .unwrap()
            .join()
            .unwrap();
        (offspring::current().daemon, inherited, set)
    };
    let child = offspring::target(flags, ()).daemon(true).start().unwrap();
    assert!(child.is_daemon());
    assert_eq!(child.join().unwrap(), (true, true, false));
}

/// Runs the fixture to an end of the given kind; the daemon's number, the code, and what was written.
fn end_of(how: &str) -> (u32, Option<i32>, String, String) {
    let mut command = program(env!("CARGO_BIN_EXE_fixture"), &["exit-rules", how]);
    let mut root = command.stdin(Stdio::piped()).spawn().expect("it starts");
    let daemon = numbers_after(&mut root, "daemon ")[0];
    writeln!(root.stdin.take().expect("piped"), "go").expect("it reads");
    let done = root.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (daemon, done.status.code(), text(&done.stdout), text(&done.stderr))
}

#[test]
fn at_every_kind_of_end_workers_are_waited_for_and_daemons_are_terminated() {
    let _dog = watchdog();
    for (how, code) in [("return", 0), ("exit", 5), ("thread", 6), ("panic", 101), ("stubborn", 0)] {
        let (daemon, status, out, err) = end_of(how);
        assert_eq!(status, Some(code), "{how}: {out}{err}");
        assert!(out.contains("worker done"), "{how}: the worker was not waited for: {out}{err}");
        assert!(!runs(daemon), "{how}: the daemon lives");
    }
}

#[test]
fn fork_works_in_a_program_without_other_threads() {
    let _dog = watchdog();
    let done = finish(&mut program(env!("CARGO_BIN_EXE_fixture"), &["forks"]));
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), "done\n"), "{}", done.stderr);
}

#[test]
fn a_copy_made_by_raw_fork_has_no_children_and_its_end_touches_nobody() {
    let _dog = watchdog();
    let done = finish(&mut program(env!("CARGO_BIN_EXE_fixture"), &["raw-fork"]));
    assert_eq!(done.stdout, "copy exit code 11, child alive true\n", "{}", done.stderr);
}

#[offspring::test]
fn fork_is_refused_in_a_program_with_other_threads() {
    let _dog = watchdog();
    let error = offspring::target(|| (), ()).start_method(StartMethod::Fork).start().unwrap_err();
    assert!(matches!(error, offspring::StartError::ForkWithThreads { threads: 2.. }), "{error}");
}

#[offspring::test]
fn a_builder_starts_as_many_processes_as_it_is_asked_to() {
    let _dog = watchdog();
    let work = Downloader(0);
    let builder = work.builder();
    let pids: Vec<u32> = (0..5).map(|_| builder.start().unwrap().pid()).collect();
    assert!(pids.windows(2).all(|pair| pair[0] != pair[1]), "{pids:?}");
}

#[offspring::test]
fn a_parent_that_ends_leaves_no_process() {
    let _dog = watchdog();
    let grandchild = offspring::spawn(
        || {
            let child = offspring::target(forever, ()).daemon(true).start().expect("a child starts");
            child.pid()
        },
        (),
    );
    let grandchild = grandchild.unwrap().join().unwrap();
    assert!(!runs(grandchild));
}

#[offspring::test]
fn a_child_that_is_terminated_at_once_ended_by_that_signal() {
    let _dog = watchdog();
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        for _ in 0..10 {
            let child = offspring::target(forever, ()).start_method(method).start().unwrap();
            child.terminate().unwrap();
            let Err(JoinError::Ended { status, .. }) = child.join() else { panic!("it was terminated") };
            assert_eq!(status.signal(), Some(15), "{method}");
        }
    }
}

#[offspring::test]
fn exit_hooks_run_last_first_and_a_panic_in_one_stops_no_other() {
    let _dog = watchdog();
    let hooked = || {
        offspring::at_exit(|| println!("last"));
        offspring::at_exit(|| panic!("in a hook"));
        offspring::at_exit(|| println!("second"));
        println!("first");
        7
    };
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let builder = offspring::target(hooked, ()).start_method(method);
        let child =
            builder.stdout(offspring::Stdio::piped()).stderr(offspring::Stdio::null()).start().unwrap();
        assert_eq!(std::io::read_to_string(child.stdout().unwrap()).unwrap(), "first\nsecond\nlast\n");
        assert_eq!(child.join().unwrap(), 7);
    }
}

fn exits_with_hook() {
    offspring::at_exit(|| println!("hook"));
    std::process::exit(4)
}

#[offspring::test]
fn exit_hooks_run_at_an_exit_in_run_too() {
    let _dog = watchdog();
    let child = offspring::target(exits_with_hook, ()).stdout(offspring::Stdio::piped()).start().unwrap();
    assert_eq!(std::io::read_to_string(child.stdout().unwrap()).unwrap(), "hook\n");
    assert_eq!(child.wait().unwrap().exitcode(), 4);
}

#[test]
fn copies_within_a_child_do_not_speak_for_it() {
    let _dog = watchdog();
    let done = finish(&mut program(env!("CARGO_BIN_EXE_fixture"), &["copies-within"]));
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), "original\ntrue\n"), "{}", done.stderr);
}

#[test]
fn a_process_that_is_ending_starts_no_others_and_ends() {
    let _dog = watchdog();
    for method in ["forkserver", "spawn"] {
        let mut command = program(env!("CARGO_BIN_EXE_fixture"), &["busy-end"]);
        let done = finish(command.env("OFFSPRING_START_METHOD", method));
        assert_eq!(done.code, Some(0), "{method}: {}", done.stderr);
        assert_eq!(done.stdout, "this process is ending, and starts no others\n", "{method}");
    }
}
