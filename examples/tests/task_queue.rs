//! The example `task_queue`.
#![cfg(target_os = "linux")]

mod support;

#[test]
fn no_task_is_lost_when_a_worker_is_killed_and_a_link_is_cut() {
    let example = support::run("task_queue", &[]);
    let lines = [
        "the first worker is killed",
        "the link of the second is cut",
        "the sum of 60 squares is 73810",
        "the first worker: signal 9 (SIGKILL)",
        "the second worker: exit code 0",
        "the third worker: exit code 0",
    ];
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
    assert_eq!(example.stdout.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn a_worker_without_a_master_is_an_error() {
    let example = support::run("task_queue", &["worker", "tcp://127.0.0.1:1"]);
    assert_eq!((example.code, example.stdout.as_str()), (Some(1), ""));
    assert!(example.stderr.contains("the key on the standard input is too short"), "{}", example.stderr);
}
