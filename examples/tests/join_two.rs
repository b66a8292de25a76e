//! The example `join_two`.

mod support;

#[test]
fn children_are_alive_before_they_are_joined_and_not_after() {
    let example = support::run("join_two", &[]);
    let washer = support::number_after(&example.stdout, "Worker-1 (pid ");
    let dryer = support::number_after(&example.stdout, "Dryer (pid ");
    let lines = [
        format!("Worker-1 (pid {washer}) is alive: true"),
        format!("Dryer (pid {dryer}) is alive: true"),
        "washed the dishes".into(),
        "dried the dishes".into(),
        format!("Worker-1 (pid {washer}) is alive: false"),
        format!("Dryer (pid {dryer}) is alive: false"),
        "exit codes: Some(0) and Some(0)".into(),
    ];
    assert_eq!(example.stdout.lines().collect::<Vec<_>>(), lines);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
    assert!(washer != dryer && washer != example.pid && dryer != example.pid);
}
