//! The example `pool_state`.

mod support;

#[test]
fn each_worker_keeps_its_own_state() {
    let example = support::run("pool_state", &[]);
    let lines = ["book of clerk-1, book of clerk-2", "1700 words; the: 500, sat: 300, still: 100"];
    assert_eq!(example.stdout.lines().collect::<Vec<_>>(), lines);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
}
