//! The example `python_worker`.
#![cfg(target_os = "linux")]

mod support;

#[test]
fn a_worker_in_python_squares_what_a_master_in_rust_gives_it() {
    let python = std::process::Command::new("python3").args(["-c", ""]).output();
    assert!(
        python.is_ok_and(|output| output.status.success()),
        "no python3 is there to talk to: install one"
    );
    let example = support::run("python_worker", &[]);
    let tasks = (1..=5).map(|n| format!("task: {n}"));
    let results = (1..=5).map(|n| format!("{n} squared is {}, says Python", n * n));
    let lines: Vec<_> = tasks.chain(results).chain(["the worker: exit code 0".to_owned()]).collect();
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
    assert_eq!(example.stdout.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn without_a_python_it_says_so() {
    let example = support::run("python_worker", &["/nowhere/python3"]);
    assert_eq!(example.code, Some(1));
    assert!(example.stderr.contains("there is no `/nowhere/python3`"), "{}", example.stderr);
}
