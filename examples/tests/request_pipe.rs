//! The example `request_pipe`.

mod support;

#[test]
fn methods_answer_and_say_what_became_of_the_process() {
    let example = support::run("request_pipe", &[]);
    let (lines, ends) = example.stdout.split_at(example.stdout.find("0 / 0").expect("it divides by zero"));
    let answers = [
        "there was None",
        "there was Some(6)",
        "x is Some(91), y is Some(7), z is None",
        "x / y is Some(13), x / z is None",
        "it has served 8 requests",
    ];
    assert_eq!(lines.lines().collect::<Vec<_>>(), answers);
    let ends: Vec<&str> = ends.lines().collect();
    assert!(ends[0].starts_with("0 / 0: process `Calculator` (pid "), "{}", ends[0]);
    assert!(ends[0].contains("attempt to divide by zero"), "{}", ends[0]);
    assert!(ends[1].starts_with("x: process `Calculator` (pid "), "{}", ends[1]);
    if cfg!(unix) {
        assert!(ends[1].ends_with("signal 9 (SIGKILL)"), "{}", ends[1]);
    }
    assert_eq!(ends.len(), 2);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
}
