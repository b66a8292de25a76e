//! The example `long_computation`.

use std::fs;
use std::path::PathBuf;

mod support;

#[test]
fn progress_report_and_timeline_are_there() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("long-{}", std::process::id()));
    let path = folder.to_str().expect("its name is text");
    let example = support::run("long_computation", &["1000000", path]);
    assert_eq!(example.code, Some(0), "{}", example.stderr);
    let lines: Vec<&str> = example.stdout.lines().collect();
    assert_eq!(lines[0], "below 1000000 the way of 837799 is longest: 524 steps"); // https://oeis.org/A006877
    let (trace, page) = (folder.join("timeline.json"), folder.join("timeline.html"));
    let last = [
        format!("timeline: {} for https://ui.perfetto.dev", trace.display()),
        format!("timeline: {} for a browser", page.display()),
    ];
    assert_eq!(lines[lines.len() - 2..], last);
    // The report names each worker and the function of the slowest inputs.
    for text in ["walker-1", "longest_way"] {
        assert!(lines[1..lines.len() - 2].join("\n").contains(text), "no {text} in: {}", example.stdout);
    }

    // Progress, where there is no terminal.
    assert!(example.stderr.lines().all(|line| line.starts_with("longest_way: ")), "{}", example.stderr);
    let last = example.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("longest_way: 100 of 100 (100 %), done after "), "{}", example.stderr);

    let trace = fs::read_to_string(trace).expect("it is written");
    assert!(trace.starts_with('{') && trace.trim_end().ends_with('}'));
    assert!(trace.contains("\"traceEvents\"") && trace.contains("longest_way") && trace.contains("walker-1"));
    let page = fs::read_to_string(page).expect("it is written");
    assert!(page.contains("longest_way") && !page.contains("http"), "a page of its own, without a network");
    fs::remove_dir_all(folder).expect("it is ours");
}
