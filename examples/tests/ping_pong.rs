//! The example `ping_pong`.

mod support;

#[test]
fn the_ball_goes_to_and_fro() {
    let example = support::run("ping_pong", &[]);
    let lines: Vec<&str> = example.stdout.lines().collect();
    assert_eq!(lines[..6], ["ping", "pong", "ping", "pong", "ping", "pong"]);
    assert_eq!(lines[6], "20000 hits in 10000 rounds");
    let time = lines[7].strip_prefix("a round takes ").and_then(|line| line.strip_suffix(" µs"));
    let time: f64 = time.and_then(|time| time.parse().ok()).expect("it says how long a round takes");
    assert!(time > 0.0);
    assert_eq!((lines.len(), example.code, example.stderr.as_str()), (8, Some(0), ""));
}

#[test]
fn a_game_of_no_rounds_ends() {
    let example = support::run("ping_pong", &["0"]);
    assert_eq!(example.stdout, "0 hits in 0 rounds\n");
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
}
