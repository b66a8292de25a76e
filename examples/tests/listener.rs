//! The example `listener`.
#![cfg(target_os = "linux")]

mod support;

#[test]
fn programs_that_know_an_address_are_answered() {
    let example = support::run("listener", &[]);
    let mut lines: Vec<_> = example.stdout.lines().collect();
    assert_eq!(lines.pop(), Some("nobody listens at `ADDRESS`: start the listener first"));
    let counted = lines.iter().filter(|line| **line == r#"{"be": 2, "not": 1, "or": 1, "to": 2}"#);
    assert_eq!(counted.count(), 3);
    let came = lines.iter().filter(|line| line.starts_with("process ") && line.ends_with(" has come: true"));
    assert_eq!(came.count(), 3);
    assert_eq!((lines.len(), example.code, example.stderr.as_str()), (6, Some(0), ""));
}

#[test]
fn an_address_at_which_nobody_is_is_an_error() {
    let example = support::run("listener", &["@offspring-example-nobody"]);
    assert_eq!((example.code, example.stdout.as_str()), (Some(1), ""));
    assert!(example.stderr.contains("nobody listens at `@offspring-example-nobody`"), "{}", example.stderr);
}
