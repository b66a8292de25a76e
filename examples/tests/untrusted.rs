//! The example `untrusted`.
#![cfg(unix)]

mod support;

#[test]
fn tasks_that_misbehave_are_reported_and_harm_nobody() {
    let example = support::run("untrusted", &[]);
    let lines: Vec<&str> = example.stdout.lines().collect();
    assert_eq!(lines[0], "Count(100): 5050");
    // The runtime aborts when memory or the stack ends; some systems end the process themselves.
    assert!(lines[1].starts_with("Hoard: crashed with signal "), "{}", lines[1]);
    assert!(lines[2].starts_with("Recurse(0): crashed with signal "), "{}", lines[2]);
    assert_eq!(lines[3], "Panic: panicked: the task is upset");
    assert_eq!(lines[4], "Spin: took more than 100ms, and was ended");
    assert_eq!(lines[5..], ["main is well"]);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
}
