//! UI tests of the macros: what they accept (`ui/pass`), and what they say of what they do not (`ui/fail`).
//!
//! After a message was changed on purpose, `TRYBUILD=overwrite cargo test --test macros_ui` writes the expected output
//! anew: read the difference before you commit it.

#[test]
fn macros_accept_and_refuse_what_they_should() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/fail/*.rs");
}

/// `#[offspring::test]` makes tests only of what is compiled as a test, which a pass case is not.
mod test_attribute {
    #[offspring::test]
    fn a_test_runs() {
        use std::fmt::Write as _; // an item may come first

        let mut text = String::new();
        write!(text, "{}", 6 * 7).unwrap();
        assert_eq!(text, "42");
    }

    #[offspring::test]
    fn a_test_returns_what_it_likes() -> Result<(), std::num::ParseIntError> {
        #![allow(clippy::no_effect_underscore_binding)] // an inner attribute stays first
        let number: u8 = "42".parse()?;
        assert_eq!(number, 42);
        Ok(())
    }

    #[offspring::test]
    #[should_panic(expected = "as it should")]
    fn an_attribute_below_stays() {
        panic!("panics as it should");
    }

    #[should_panic(expected = "as it should")]
    #[offspring::test]
    fn an_attribute_above_stays() {
        panic!("panics as it should");
    }

    #[offspring::test]
    #[cfg(any())]
    fn a_test_that_is_configured_away_is_not_compiled() {
        does_not_exist();
    }

    mod renamed {
        use offspring as os;

        #[os::test(crate = os)]
        fn the_crate_may_have_another_name() {
            assert!(module_path!().ends_with("renamed"));
        }
    }
}
