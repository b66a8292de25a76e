//! The example `ten_children`.

use std::fmt::Write;

mod support;

#[test]
fn ten_children_are_joined_in_order() {
    let example = support::run("ten_children", &[]);
    let mut expected = String::from("10 started\n");
    for number in 1..=10 {
        writeln!(expected, "Square-{number}: {}", number * number).expect("a string takes all");
    }
    assert_eq!(example.stdout, expected + "sum: 385\n");
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
}
