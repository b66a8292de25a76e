//! The example `producers_consumers`.

mod support;

/// How many steps Collatz's rule takes from here to 1.
fn steps(number: u64) -> u32 {
    match number {
        1 => 0,
        even if even % 2 == 0 => 1 + steps(even / 2),
        odd => 1 + steps(3 * odd + 1),
    }
}

/// What has the most steps, and how many; of several the first.
fn longest(numbers: std::ops::RangeInclusive<u64>) -> (u32, u64) {
    let (steps, number) =
        numbers.map(|number| (steps(number), std::cmp::Reverse(number))).max().expect("there are some");
    (steps, number.0)
}

#[test]
fn each_job_is_done_once_and_answered_to_whom_it_came_from() {
    let example = support::run("producers_consumers", &[]);
    let lines: Vec<&str> = example.stdout.lines().collect();
    for (producer, line) in (0..3).zip(&lines) {
        let (steps, number) = longest(1 + producer * 500..=500 + producer * 500);
        let name = format!("Producer-{}", producer + 5);
        assert_eq!(*line, format!("{name}: 500 answers, the longest way has {steps} steps from {number}"));
    }
    let jobs = |consumer: u32| support::number_after(&example.stdout, &format!("Consumer-{consumer}: "));
    assert_eq!((1..=4).map(jobs).sum::<u32>(), 1500, "{}", example.stdout);
    let (steps, number) = longest(1..=1500);
    assert_eq!(lines[7..], [format!("1500 jobs and 1500 answers: {steps} steps from {number}")]);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
}
