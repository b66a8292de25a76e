//! The example `pool_squares`.

mod support;

#[test]
fn a_task_that_kills_its_worker_fails_alone() {
    let example = support::run("pool_squares", &[]);
    let lines = [
        "squares: [1, 4, 9, 16, 25, 36, 49, 64, 81, 100]",
        "all have slept: a b c d e",
        "1: 10",
        "2: 20",
        "3: its worker ended: signal 6 (SIGABRT)",
        "4: 40",
        "5: 50",
        "joined",
    ];
    let printed: Vec<&str> =
        example.stdout.lines().map(|line| line.split(", core dumped").next().unwrap_or(line)).collect();
    assert_eq!(printed, lines);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
}
