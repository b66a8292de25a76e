//! The example `isolated_globals`.

mod support;

#[test]
fn the_parent_sees_its_own_global() {
    let example = support::run("isolated_globals", &[]);
    assert_eq!(example.stdout, "the child's number: 666\nthe parent's number: 1\n");
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
}
