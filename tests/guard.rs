//! The guard: children that do not come by it, and programs that do not have it.

use offspring_tests::{finish, program, watchdog};

const METHODS: [&str; 2] = ["forkserver", "spawn"];

fn before_guard(mode: &str, method: &str) -> offspring_tests::Finished {
    finish(
        program(env!("CARGO_BIN_EXE_before_guard"), &[mode])
            .env("OFFSPRING_START_METHOD", method)
            .env("OFFSPRING_BOOT_TIMEOUT", "0.5"),
    )
}

#[test]
fn a_program_without_the_guard_is_told_what_to_add_and_starts_nothing() {
    let _dog = watchdog();
    let done = finish(&mut program(env!("CARGO_BIN_EXE_no_guard"), &[]));
    assert_eq!(done.code, Some(0));
    assert_eq!(done.stdout.matches("main ").count(), 1, "main ran once: {}", done.stdout);
    assert!(done.stdout.contains("refused: offspring::init() has not run"), "{}", done.stdout);
    assert!(done.stdout.contains("#[offspring::main]"), "{}", done.stdout);
}

#[test]
fn a_child_that_exits_before_the_guard_is_reported_with_its_code() {
    let _dog = watchdog();
    for method in METHODS {
        let done = before_guard("exits", method);
        assert!(
            done.stdout.contains("it ended with exit code 9 before offspring::init()"),
            "{method}: {done:?}"
        );
    }
}

#[test]
fn a_child_that_is_killed_before_the_guard_is_reported_with_its_signal() {
    let _dog = watchdog();
    for method in METHODS {
        let done = before_guard("killed", method);
        assert!(done.stdout.contains("it ended with signal 6 (SIGABRT)"), "{method}: {done:?}");
    }
}

#[test]
fn a_child_that_never_reaches_the_guard_is_killed_and_reported() {
    let _dog = watchdog();
    for method in METHODS {
        let done = before_guard("never", method);
        assert!(done.stdout.contains("did not call offspring::init() within 500ms"), "{method}: {done:?}");
    }
}

#[test]
fn a_child_that_starts_processes_before_the_guard_is_refused() {
    let _dog = watchdog();
    for method in METHODS {
        let done = before_guard("never-starts", method);
        assert!(done.stderr.contains("in the child: offspring::init() has not run"), "{method}: {done:?}");
        assert!(
            done.stdout.contains("it ended with exit code 3 before offspring::init()"),
            "{method}: {done:?}"
        );
    }
}

#[test]
fn a_recursion_of_starts_ends_at_the_limit_with_an_error() {
    let _dog = watchdog();
    for method in METHODS {
        let done = before_guard("deep", method);
        let limit = "would be nested 17 deep, the limit is 16";
        assert!(done.stdout.contains(limit) && done.stdout.starts_with("Err("), "{method}: {done:?}");
    }
    let done = finish(program(env!("CARGO_BIN_EXE_before_guard"), &["deep"]).env("OFFSPRING_MAX_DEPTH", "3"));
    assert!(done.stdout.contains("would be nested 4 deep, the limit is 3"), "{done:?}");
}

#[test]
fn a_boot_variable_that_strayed_into_another_program_is_refused_and_main_does_not_run() {
    let _dog = watchdog();
    for stray in ["7.123", "0.1", "nonsense", "-1.5", "99999999999.1"] {
        let done =
            finish(program(env!("CARGO_BIN_EXE_before_guard"), &["deep"]).env("OFFSPRING_BOOT", stray));
        assert_eq!(done.code, Some(70), "{stray}: {done:?}");
        assert!(done.stderr.contains("OFFSPRING_BOOT was inherited"), "{stray}: {done:?}");
        assert_eq!(done.stdout, "", "{stray}");
    }
}

#[test]
fn shared_memory_that_is_made_before_the_guard_is_no_childs_alone() {
    let _dog = watchdog();
    let alone = |method| {
        let mut program = program(env!("CARGO_BIN_EXE_before_guard"), &["early"]);
        finish(program.env("OFFSPRING_START_METHOD", method)).stdout
    };
    assert_eq!(alone("forkserver"), "[false, false]\n");
    // There each runs what stands before the guard itself.
    assert_eq!(alone("spawn"), "[true, true]\n");
}
