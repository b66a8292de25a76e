//! The example `terminate`.

mod support;

#[test]
fn the_exit_code_tells_how_a_child_ended() {
    let example = support::run("terminate", &[]);
    let lines = [
        "run_for_ever-1: alive true, exit code None",
        "run_for_ever-1: signal 15 (SIGTERM)",
        "run_for_ever-1: alive false, exit code Some(-15)",
        "run_for_ever-2: signal 9 (SIGKILL)",
        "run_for_ever-2: alive false, exit code Some(-9)",
        "exit_with_three-3: exit code 3",
        "exit_with_three-3: alive false, exit code Some(3)",
        "return_at_once-4: returned",
        "return_at_once-4: alive false, exit code Some(0)",
    ];
    assert_eq!(example.stdout.lines().collect::<Vec<_>>(), lines);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
}
