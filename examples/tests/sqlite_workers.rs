//! The example `sqlite_workers`.
#![cfg(unix)]

mod support;

/// What the example prints of a station: its weather is made by a formula.
fn climate(station: i64) -> String {
    let days = (0..1000).map(|day| (station * 31 + day * 17) % 400 - 100);
    let (lowest, highest) = (days.clone().min().expect("a day"), days.clone().max().expect("a day"));
    let tenths = (days.sum::<i64>() + 50).div_euclid(100); // of the mean, which is rounded
    format!("station {station}: from {lowest} to {highest}, {}.{} in the mean", tenths / 10, tenths % 10)
}

#[test]
fn a_worker_that_is_killed_is_replaced_by_one_that_opens_the_database_again() {
    let example = support::run("sqlite_workers", &[]);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = example.stdout.lines().collect();
    for (station, line) in (0..50).step_by(10).zip(&lines) {
        assert_eq!(*line, climate(station));
    }
    let failed = lines[5].strip_prefix("the query that does not end: the task in worker `reader-");
    let failed = failed.unwrap_or_else(|| panic!("{}", lines[5]));
    assert!(["1", "2", "3"].contains(&failed.split('`').next().unwrap_or_default()), "{}", lines[5]);
    assert!(failed.ends_with(" ended its worker: signal 9 (SIGKILL)"), "{}", lines[5]);
    let rest =
        ["the answers to 50 queries are what they were", "opened by reader-1, reader-2, reader-3, reader-4"];
    assert_eq!(lines[6..], rest);
    let folder = std::env::temp_dir().join(format!("offspring-sqlite-{}", example.pid));
    assert!(!folder.exists(), "it left {}", folder.display());
}
