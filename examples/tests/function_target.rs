//! The example `function_target`.

mod support;

#[test]
fn functions_run_with_their_arguments() {
    let example = support::run("function_target", &[]);
    assert_eq!(
        example.stdout,
        "sorted-1: apple pear quince\nbackwards: quince pear apple\nProcess-3: 1024\n"
    );
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
}
