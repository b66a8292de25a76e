//! The example `pool_slice`.

mod support;

#[test]
fn a_slice_is_changed_in_place_and_the_range_that_kills_its_worker_is_told() {
    let example = support::run("pool_slice", &[]);
    let lines = [
        "samples: 0 -0.25 1 -0.5",
        "in 16 bits: 0 -8191 32767 -16383",
        "one range is not done, with the broken sample: true",
        "the task ended its worker: signal 6 (SIGABRT)",
        "what others may read is not changed",
    ];
    let printed: Vec<&str> =
        example.stdout.lines().map(|line| line.split(", core dumped").next().unwrap_or(line)).collect();
    assert_eq!(printed, lines);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
}
