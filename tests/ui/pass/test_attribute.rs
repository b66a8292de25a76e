//! `#[offspring::test]` outside a test build: the function is gone, as it is with `#[test]`.

#[offspring::test]
fn gone() {
    does_not_exist();
}

#[offspring::test(crate = ::offspring)]
#[should_panic(expected = "as it should")]
fn gone_too() -> Result<(), String> {
    does_not_exist()
}

fn gone_for_others() -> bool {
    true
}

#[offspring::main]
fn main() {
    use gone_for_others as gone;
    assert!(gone());
}
