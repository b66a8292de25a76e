//! The example `five_children`.

use std::collections::HashSet;

mod support;

#[test]
fn each_child_has_one_parent_and_an_id_of_its_own() {
    let example = support::run("five_children", &[]);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
    // They run at the same time, so their lines come in any order.
    let mut lines: Vec<&str> = example.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), 6);
    assert_eq!(lines[0], format!("MainProcess: pid {}", example.pid));
    let mut pids = HashSet::from([example.pid]);
    for (number, line) in (1..).zip(&lines[1..]) {
        let pid = support::number_after(line, ", pid ");
        assert_eq!(*line, format!("child {number}: parent {}, pid {pid}", example.pid));
        assert!(pids.insert(pid), "{pid} is there twice: {lines:?}");
    }
}
