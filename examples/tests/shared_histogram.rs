//! The example `shared_histogram`.
#![cfg(unix)]

mod support;

#[test]
fn what_a_killed_holder_left_is_repaired_once_and_by_the_next() {
    let example = support::run("shared_histogram", &[]);
    let lines: Vec<&str> = example.stdout.lines().collect();
    let dreamer = support::number_after(&example.stdout, "Dreamer-1 (pid ");
    assert_eq!(lines[0], format!("Dreamer-1 (pid {dreamer}) holds the lock, and is killed"));
    let repair = format!(": the holder before, Some({dreamer}), Died: repaired, 1 value is lost");
    let name = lines[1].strip_suffix(&repair).unwrap_or_else(|| panic!("{}", lines[1]));
    assert!(["Recorder-2", "Recorder-3", "Recorder-4"].contains(&name), "{name}");
    // 300 of each from the recorders, and the one that the dreamer had finished.
    assert_eq!(lines[2..], ["3001 values: [300, 300, 300, 301, 300, 300, 300, 300, 300, 300]"]);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
}
