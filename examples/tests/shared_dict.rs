//! The example `shared_dict`.

mod support;

#[test]
fn nothing_that_a_worker_adds_is_lost() {
    let example = support::run("shared_dict", &[]);
    let (first, last) = ("680 words, 8 of them different", "bird: None");
    let said: Vec<_> = example.stdout.lines().collect();
    assert_eq!((said.first(), said.last()), (Some(&first), Some(&last)));
    assert_eq!(said[1..4], ["the: 200", "sat: 120", "cat: 80"]);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
}
