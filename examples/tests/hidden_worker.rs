//! The example `hidden_worker`.
#![cfg(unix)]

mod support;

#[test]
fn hostile_input_does_not_reach_the_application() {
    let example = support::run("hidden_worker", &[]);
    let lines: Vec<&str> = example.stdout.lines().collect();
    assert_eq!(lines[0], "well-meant: [1 2 [3 4]] 7 7 7");
    assert_eq!(lines[1], "unfinished: refused, at byte 4 of the input there should be a closing bracket");
    for (line, name) in lines[2..5].iter().zip(["deep", "long", "aborting"]) {
        let crash = format!("{name}: refused, it crashes the decoder (signal ");
        assert!(line.starts_with(&crash), "{line}");
    }
    assert!(lines[5].starts_with("panicking: refused, the input made the decoder panic: "), "{}", lines[5]);
    assert_eq!(lines[6..], ["endless: refused, it takes more than 100ms", "the application is well"]);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
}
