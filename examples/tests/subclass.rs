//! The example `subclass`.

mod support;

#[test]
fn run_runs_in_the_child_and_its_output_comes_back() {
    let example = support::run("subclass", &[]);
    let child = support::number_after(&example.stdout, "Greeter-1 (pid ");
    let expected = format!(
        "Greeter-1 (pid {child}): hello, world\nmain (pid {}): Greeter-1 said 12 bytes\n",
        example.pid
    );
    assert_eq!(example.stdout, expected);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
    assert_ne!(child, example.pid);
}
