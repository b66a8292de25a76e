//! Under pressure: few descriptors, many processes, large heaps, large results, missing streams, a replaced program.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use offspring::StartMethod;
use offspring_tests::{finish, program, until, watchdog};

const METHODS: [&str; 2] = ["forkserver", "spawn"];

/// The fixture under a limit of the shell's.
fn limited(limit: &str, arguments: &str, method: &str) -> Command {
    let line = format!("ulimit {limit} && exec \"$0\" {arguments}");
    let mut command = program("sh", &["-c", &line, env!("CARGO_BIN_EXE_fixture")]);
    command.env("OFFSPRING_START_METHOD", method);
    command
}

#[test]
fn a_thousand_starts_in_sequence_need_no_more_than_64_descriptors() {
    let _dog = watchdog();
    for method in METHODS {
        let done = finish(&mut limited("-n 64", "sequence 1000", method));
        assert_eq!(done.stdout, "done 1000\n", "{method}: {}", done.stderr);
    }
}

#[test]
fn a_thousand_children_live_at_once() {
    let _dog = watchdog();
    for method in METHODS {
        // Three descriptors a child are held here: its handle, its link, its input.
        let done = finish(&mut limited("-n 4096", "crowd 1000", method));
        assert_eq!(done.stdout, "done 1000\n", "{method}: {}", done.stderr);
    }
}

#[test]
fn children_of_a_program_that_ignores_sigchld_are_joined_all_the_same() {
    let _dog = watchdog();
    for method in METHODS {
        let mut command = program(env!("CARGO_BIN_EXE_fixture"), &["ignored-sigchld", "500"]);
        let done = finish(command.env("OFFSPRING_START_METHOD", method));
        assert_eq!(done.stdout, "done 500\n", "{method}: {}", done.stderr);
    }
}

#[test]
fn running_out_of_descriptors_is_an_error_that_says_so() {
    let _dog = watchdog();
    for method in METHODS {
        let done = finish(&mut limited("-n 64", "crowd 100", method));
        assert_eq!(done.code, Some(101));
        assert!(done.stderr.contains("does not start: the system refused to"), "{method}: {}", done.stderr);
    }
}

#[test]
fn a_result_larger_than_a_file_may_be_is_an_error_and_not_a_death() {
    let _dog = watchdog();
    let done = finish(&mut program(env!("CARGO_BIN_EXE_fixture"), &["small-files"]));
    assert!(done.stdout.contains("cannot hand over 100003 bytes: File too large"), "{done:?}");
}

#[test]
fn a_parent_with_many_threads_and_a_large_heap_starts_children() {
    let _dog = watchdog();
    let done = finish(&mut program(env!("CARGO_BIN_EXE_fixture"), &["heavy"]));
    assert!(done.stdout.starts_with("fork is refused: 51 threads"), "{done:?}");
}

#[test]
fn a_parent_without_standard_streams_starts_children() {
    let _dog = watchdog();
    let done = finish(&mut program(env!("CARGO_BIN_EXE_fixture"), &["closed-streams"]));
    assert_eq!(done.code, Some(42), "{done:?}");
}

#[test]
fn where_clone3_is_refused_children_start_all_the_same() {
    let _dog = watchdog();
    // With EPERM in place of ENOSYS the C library makes no threads either.
    let error = libc::ENOSYS.to_string();
    let done = finish(&mut program(env!("CARGO_BIN_EXE_fixture"), &["refused-calls", &error]));
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), "done 20\n"), "{}", done.stderr);
}

#[test]
fn a_program_whose_file_is_replaced_goes_on_starting_children() {
    let _dog = watchdog();
    let copy = std::env::temp_dir().join(format!("offspring-replaced-{}", std::process::id()));
    std::fs::copy(env!("CARGO_BIN_EXE_fixture"), &copy).unwrap();
    let mut root = program(copy.to_str().unwrap(), &["on-command"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut commands = root.stdin.take().unwrap();
    let mut lines = BufReader::new(root.stdout.take().unwrap()).lines().map(|line| line.unwrap());
    assert_eq!(lines.next().as_deref(), Some("ready"));
    std::fs::remove_file(&copy).unwrap();
    std::fs::write(&copy, "#!/bin/sh\nexit 1\n").unwrap();
    for method in METHODS {
        writeln!(commands, "{method}").unwrap();
        assert_eq!(lines.next().as_deref(), Some("Ok(Ok(7))"), "{method}");
    }
    drop(commands);
    assert!(root.wait().unwrap().success());
    std::fs::remove_file(copy).unwrap();
}

#[offspring::test]
fn a_large_result_that_nobody_joins_does_not_keep_its_child() {
    let _dog = watchdog();
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let child = offspring::target(|| "x".repeat(256 << 20), ()).start_method(method).start().unwrap();
        until("the child has ended", || !offspring_tests::runs(child.pid()));
        let result = child.join().unwrap();
        assert_eq!((result.len(), result.as_bytes()[255 << 20]), (256 << 20, b'x'));
    }
}

#[offspring::test]
fn arguments_and_results_of_every_size_arrive() {
    let _dog = watchdog();
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        // Around the size of a message, where inline turns into out of line, byte by byte.
        let edge = (64 << 10) - 1000..(64 << 10) + 40;
        for size in [0, 1, 4096, 1 << 20].into_iter().chain(edge.step_by(26)) {
            let child =
                offspring::target(|text: String| text, ("y".repeat(size),)).start_method(method).start();
            assert_eq!(child.unwrap().join().unwrap().len(), size, "{method}");
        }
    }
}

#[offspring::test]
fn many_threads_start_and_join_at_once() {
    let _dog = watchdog();
    let threads: Vec<_> = (0..16_u64)
        .map(|thread| {
            std::thread::spawn(move || {
                for number in 0..20 {
                    let child = offspring::spawn(|a: u64, b: u64| a * 100 + b, (thread, number)).unwrap();
                    assert_eq!(child.join().unwrap(), thread * 100 + number);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[offspring::test]
fn one_child_can_be_joined_by_many_threads() {
    let _dog = watchdog();
    let child = offspring::spawn(|| std::thread::sleep(std::time::Duration::from_millis(50)), ()).unwrap();
    std::thread::scope(|scope| {
        let joins: Vec<_> = (0..8).map(|_| scope.spawn(|| child.join().is_ok())).collect();
        let taken =
            joins.into_iter().filter(|_| true).map(|join| join.join().unwrap()).filter(|ok| *ok).count();
        assert_eq!(taken, 1, "one of them takes the result, the others hear that it was taken");
    });
}
