//! Errors arrive typed and whole, and harm nobody but the process that they belong to.

use offspring::{ExitStatus, JoinError, Panic, Process, Run, StartError, StartMethod};
use offspring_tests::{finish, program, watchdog};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const METHODS: [StartMethod; 2] = [StartMethod::ForkServer, StartMethod::Spawn];

/// Starts a function with every method, and joins it.
fn outcomes<T, F>(function: F) -> Vec<Result<T, JoinError>>
where
    T: Serialize + DeserializeOwned + 'static,
    F: Fn() -> T + Copy + 'static,
{
    let start = |method| {
        let builder = offspring::target(function, ()).start_method(method).env("RUST_BACKTRACE", "1");
        builder.env_remove("RUST_LIB_BACKTRACE").start().unwrap().join()
    };
    METHODS.into_iter().map(start).collect()
}

fn panics<F: Fn() + Copy + 'static>(function: F) -> Vec<(Panic, ExitStatus)> {
    let panic = |outcome| match outcome {
        Err(JoinError::Panicked { panic, status, .. }) => (*panic, status),
        other => panic!("no panic came back: {other:?}"),
    };
    outcomes(function).into_iter().map(panic).collect()
}

#[offspring::test]
fn a_panic_comes_back_with_message_location_and_backtrace() {
    let _dog = watchdog();
    let line = line!() + 1;
    for (panic, status) in panics(|| panic!("out of {}", "cheese")) {
        assert_eq!(panic.message, "out of cheese");
        let location = panic.location.expect("panics have a location");
        assert!(location.file.ends_with("errors.rs") && location.line == line, "{location:?}");
        assert!(panic.backtrace.expect("a backtrace").contains("errors"), "it has this file's functions");
        assert_eq!(status, ExitStatus::Exited(101));
    }
}

#[offspring::test]
fn a_panic_whose_payload_is_no_text_is_still_a_panic() {
    let _dog = watchdog();
    for (panic, _) in panics(|| std::panic::panic_any(7_u32)) {
        assert_eq!(panic.message, "a panic whose payload is no text");
        assert!(panic.location.is_some());
    }
}

struct PanicsWhenDropped(&'static str);

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

#[offspring::test]
fn a_destructor_that_panics_is_a_panic() {
    let _dog = watchdog();
    for (panic, status) in panics(|| drop(PanicsWhenDropped("in a destructor"))) {
        assert_eq!((panic.message.as_str(), status.code()), ("in a destructor", Some(101)));
    }
}

#[offspring::test]
fn a_panic_within_a_panic_aborts_and_both_come_back() {
    let _dog = watchdog();
    let twice = || {
        let _guard = PanicsWhenDropped("second");
        panic!("first");
    };
    for (panic, status) in panics(twice) {
        assert!(panic.message.starts_with("second") && panic.message.contains("first"), "{}", panic.message);
        assert!(panic.location.is_some() && panic.backtrace.is_some());
        assert_eq!(status.signal(), Some(6));
    }
}

#[offspring::test]
fn a_panic_payload_whose_destructor_panics_changes_nothing() {
    let _dog = watchdog();
    for (panic, status) in panics(|| std::panic::panic_any(PanicsWhenDropped("the payload"))) {
        assert_eq!((panic.message.as_str(), status.code()), ("a panic whose payload is no text", Some(101)));
    }
}

#[offspring::test]
fn a_panic_that_was_caught_is_nobodys_business() {
    let _dog = watchdog();
    let caught = || (0..3).filter(|_| std::panic::catch_unwind(|| panic!("caught")).is_err()).count();
    for outcome in outcomes(caught) {
        assert_eq!(outcome.unwrap(), 3);
    }
}

#[offspring::test]
fn a_huge_panic_message_is_shortened_and_not_lost() {
    let _dog = watchdog();
    for (panic, _) in panics(|| panic!("{}", "x".repeat(10 << 20))) {
        assert!(panic.message.starts_with("xxx") && panic.message.len() < 1 << 20);
    }
}

fn exits(code: i32) {
    std::process::exit(code)
}

#[offspring::test]
fn an_exit_in_run_is_an_end_without_a_result_and_has_its_code() {
    let _dog = watchdog();
    for method in METHODS {
        for code in [0, 3, 101, 255] {
            let child = offspring::target(exits, (code,)).start_method(method).start().unwrap();
            let Err(JoinError::Ended { status, .. }) = child.join() else { panic!("no result can come") };
            assert_eq!(status, ExitStatus::Exited(code));
            assert_eq!(child.exitcode(), Some(code));
        }
    }
}

fn raises(signal: i32) {
    #![allow(unsafe_code)]
    // SAFETY: integers. Rust's own handler for 11 would let a raised one pass: it knows that no memory was touched.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: raise takes an integer.
    unsafe { libc::raise(signal) };
}

#[offspring::test]
fn a_signal_comes_back_with_its_number() {
    let _dog = watchdog();
    for method in METHODS {
        for signal in [6, 9, 11, 15] {
            let child = offspring::target(raises, (signal,)).start_method(method).start().unwrap();
            let Err(JoinError::Ended { status, .. }) = child.join() else { panic!("no result can come") };
            assert_eq!((status.signal(), status.exitcode()), (Some(signal), -signal));
        }
    }
}

#[derive(Debug)]
struct Picky(u8);

impl Serialize for Picky {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 == 13 {
            Err(serde::ser::Error::custom("13 is not written"))
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            7 => Err(serde::de::Error::custom("7 is not read")),
            number => Ok(Self(number)),
        }
    }
}

#[offspring::test]
fn a_value_that_cannot_be_written_or_read_harms_only_itself() {
    let _dog = watchdog();
    for method in METHODS {
        let start = |argument, result| {
            offspring::target(|_: Picky, result| Picky(result), (Picky(argument), result))
                .start_method(method)
                .start()
        };
        let error = start(13, 1).unwrap_err();
        let told = matches!(&error, StartError::Encode { reason, .. } if reason == "13 is not written");
        assert!(told, "{error}");
        let error = start(7, 1).unwrap().join().unwrap_err();
        assert!(matches!(&error, JoinError::Argument { .. }), "{error}");
        assert!(error.to_string().contains("7 is not read"), "{error}");
        for (unusable, text) in [(13, "13 is not written"), (7, "7 is not read")] {
            let error = start(1, unusable).unwrap().join().unwrap_err();
            assert!(matches!(&error, JoinError::Output { .. }), "{error}");
            assert!(error.to_string().contains(text), "{error}");
        }
        assert_eq!(start(1, 2).unwrap().join().unwrap().0, 2);
    }
}

/// Written as a variant that there is not.
#[derive(Debug, Deserialize)]
enum Light {
    #[allow(dead_code)] // only read
    Red,
    Green,
}

impl Serialize for Light {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit_variant("Light", 7, "Blue")
    }
}

#[offspring::test]
fn what_serde_says_of_a_value_arrives_as_well() {
    let _dog = watchdog();
    let told = "integer `7`, expected variant index 0 <= i < 2";
    for method in METHODS {
        let outcome =
            offspring::target(|_: Light| (), (Light::Green,)).start_method(method).start().unwrap().join();
        assert!(
            matches!(&outcome, Err(JoinError::Argument { reason, .. }) if reason.contains(told)),
            "{outcome:?}"
        );
        let outcome = offspring::target(|| Light::Green, ()).start_method(method).start().unwrap().join();
        assert!(
            matches!(&outcome, Err(JoinError::Output { reason, .. }) if reason.contains(told)),
            "{outcome:?}"
        );
    }
}

mod left {
    use offspring::{Process, Run};
    use serde::{Deserialize, Serialize};

    #[derive(Process, Serialize, Deserialize)]
    pub(crate) struct Twin;

    impl Run for Twin {
        type Output = String;
        fn run(self) -> String {
            "left".into()
        }
    }
}

mod right {
    use offspring::{Process, Run};
    use serde::{Deserialize, Serialize};

    #[derive(Process, Serialize, Deserialize)]
    pub(crate) struct Twin;

    impl Run for Twin {
        type Output = String;
        fn run(self) -> String {
            "right".into()
        }
    }
}

#[offspring::test]
fn two_classes_of_one_name_in_different_modules_are_two_classes() {
    let _dog = watchdog();
    for method in METHODS {
        assert_eq!(left::Twin.builder().start_method(method).start().unwrap().join().unwrap(), "left");
        assert_eq!(right::Twin.builder().start_method(method).start().unwrap().join().unwrap(), "right");
    }
}

#[derive(Process, Serialize, Deserialize)]
#[process(name = "claimed twice")]
struct First;

impl Run for First {
    type Output = ();
    fn run(self) {}
}

#[derive(Process, Serialize, Deserialize)]
#[process(name = "claimed twice")]
struct Second;

impl Run for Second {
    type Output = ();
    fn run(self) {}
}

#[offspring::test]
fn two_classes_of_one_key_are_refused_and_both_places_are_named() {
    let _dog = watchdog();
    for error in [First.start().unwrap_err(), Second.start().unwrap_err()] {
        let text = error.to_string();
        assert!(matches!(error, StartError::DuplicateClass { .. }), "{text}");
        assert_eq!(text.matches("errors.rs:").count(), 2, "{text}");
    }
}

#[offspring::test]
fn a_class_of_a_dependency_can_be_started() {
    let _dog = watchdog();
    for method in METHODS {
        let double = offspring_tests_plugin::Double(21);
        assert_eq!(double.builder().start_method(method).start().unwrap().join().unwrap(), 42);
    }
}

#[offspring::test]
fn bad_settings_are_refused_before_anything_is_started() {
    let _dog = watchdog();
    let work = || offspring::target(|| (), ());
    let refused = |builder: offspring::Builder<'_, ()>| builder.start().unwrap_err().to_string();
    assert!(refused(work().cwd("/does/not/exist")).contains("`/does/not/exist`"));
    assert!(refused(work().env("A=B", "")).contains("cannot name an environment variable"));
    assert!(refused(work().env("", "")).contains("cannot name an environment variable"));
    assert!(refused(work().env("A", "x\0y")).contains("zero byte"));
    assert!(refused(work().name("x\0y")).contains("zero byte"));
}

#[test]
fn a_program_that_aborts_on_panic_still_reports_the_panic() {
    let _dog = watchdog();
    let built = std::process::Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--locked",
            "--profile",
            "panic-abort",
            "--bin",
            "panics",
            "--message-format=json",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let messages = String::from_utf8_lossy(&built.stdout).into_owned();
    let path = messages.rsplit("\"executable\":\"").next().and_then(|rest| rest.split('"').next());
    let done = finish(&mut program(path.expect("cargo says what it built"), &[]));
    assert_eq!(done.stdout.matches("out of cheese at ").count(), 2, "{done:?}");
    assert_eq!(done.stdout.matches("signal 6 (SIGABRT)").count(), 2, "{done:?}");
}

/// Nested as deep as a child says, which may be deeper than it could have been made.
#[derive(Debug, Deserialize)]
enum Nested {
    End,
    #[allow(dead_code)] // only read
    Deeper(Box<Nested>),
    #[serde(skip)]
    Claimed(usize),
}

impl Serialize for Nested {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeTuple;
        let depth = if let Self::Claimed(depth) = self { *depth } else { 0 };
        let mut levels = serializer.serialize_tuple(depth + 1)?;
        (0..depth).try_for_each(|_| levels.serialize_element(&1_u8))?;
        levels.serialize_element(&0_u8)?;
        levels.end()
    }
}

#[offspring::test]
fn an_output_that_is_nested_too_deep_to_be_read_is_an_error_and_not_the_end_of_the_parent() {
    let _dog = watchdog();
    let claim = |depth: usize| if depth == 0 { Nested::End } else { Nested::Claimed(depth) };
    for method in METHODS {
        let join =
            |depth: usize| offspring::target(claim, (depth,)).start_method(method).start().unwrap().join();
        assert!(matches!(join(0).unwrap(), Nested::End));
        assert!(matches!(join(200).unwrap(), Nested::Deeper(_)));
        let error = join(5_000_000).unwrap_err();
        assert!(
            matches!(&error, JoinError::Output { reason, .. } if reason.contains("nested deeper")),
            "{error}"
        );
    }
}
