//! The example `daemon`.

mod support;

#[test]
fn a_daemon_ends_with_its_parent_and_others_are_waited_for() {
    let example = support::run("daemon", &[]); // which sees that the daemon is gone
    let daemon = support::number_after(&example.stdout, "Heartbeat-1 (pid ");
    let other = support::number_after(&example.stdout, "Archivist-2 (pid ");
    let lines = [
        format!("Heartbeat-1 (pid {daemon}) is a daemon: true"),
        format!("Archivist-2 (pid {other}) is a daemon: false"),
        "main: returns".into(),
        "archivist: filed 2 notes".into(),
    ];
    assert_eq!(example.stdout.lines().collect::<Vec<_>>(), lines);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
    assert_ne!(daemon, other);
}
