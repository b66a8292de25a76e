//! The example `raw_fork`.
#![cfg(unix)]

mod support;

#[test]
fn fork_returns_twice_and_the_copy_has_its_own_memory() {
    let example = support::run("raw_fork", &[]);
    let (parent, child) = (example.pid, support::number_after(&example.stdout, "child: pid "));
    let expected = format!(
        "before the fork: pid {parent}\n\
         child: pid {child}, number 666\n\
         parent: pid {parent}, number 1\n\
         parent: child {child} ended with exit code 7\n"
    );
    assert_eq!(example.stdout, expected);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
    assert_ne!(child, parent);
}
