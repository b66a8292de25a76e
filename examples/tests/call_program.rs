//! The example `call_program`.
#![cfg(unix)]

mod support;

#[test]
fn programs_are_called_fed_and_talked_to() {
    let example = support::run("call_program", &[]);
    let cat = support::number_after(&example.stdout, "cat (pid ");
    let lines = [
        "sh: hello".into(),
        "sh ended with exit code 3".into(),
        "echo: no shell reads this: $HOME".into(),
        "sh failed with exit code 4".into(),
        "cannot execute `no-such-program`: No such file or directory (os error 2)".into(),
        "sort: apple, pear".into(),
        format!("cat (pid {cat}): one"),
        format!("cat (pid {cat}): two"),
        "cat ended with exit code 0".into(),
    ];
    assert_eq!(example.stdout.lines().collect::<Vec<_>>(), lines);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
    assert_ne!(cat, example.pid);
}
