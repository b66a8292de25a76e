//! The example `zombie_orphan`.

mod support;

#[test]
fn a_child_is_no_zombie_and_an_orphan_knows_that_it_is_one() {
    let example = support::run("zombie_orphan", &[]);
    let child = support::number_after(&example.stdout, "child (pid ");
    let middle = support::number_after(&example.stdout, "middle (pid ");
    let orphan = support::number_after(&example.stdout, "orphan (pid ");
    let lines = [
        format!("child (pid {child}): has ended"),
        "child: is a zombie: false".into(),
        "child: its output is still there: 42".into(),
        format!("middle (pid {middle}): has ended, and left {orphan} behind"),
        format!("orphan (pid {orphan}): parent {middle} is alive: true"),
        "orphan: parent has ended: true, is alive: false".into(),
    ];
    assert_eq!(example.stdout.lines().collect::<Vec<_>>(), lines);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
    assert!(child != middle && middle != orphan && orphan != example.pid);
}
