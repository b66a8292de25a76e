//! What holds of processes on every system: the package of the behaviour tests needs Unix.

use std::collections::HashSet;
use std::time::Duration;

use offspring::{Process, Run, StartMethod, Waitable};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(crate = offspring)]
struct Double {
    number: u64,
}

impl Run for Double {
    type Output = u64;

    fn run(self) -> u64 {
        self.number * 2
    }
}

fn sleep() {
    loop {
        std::thread::park();
    }
}

fn panic() {
    panic!("it is too much");
}

fn leave() {
    std::process::exit(7);
}

fn numbers(count: usize) -> Vec<u64> {
    vec![7; count]
}

#[allow(clippy::needless_pass_by_value)] // it is sent
fn length(numbers: Vec<u64>) -> usize {
    numbers.len()
}

fn nested(number: u64) -> u64 {
    Double { number }.builder().start_method(StartMethod::Spawn).start().unwrap().join().unwrap() + 1
}

fn surroundings() -> (Vec<String>, Option<String>, String) {
    let directory = std::env::current_dir().unwrap().canonicalize().unwrap();
    let boot = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("OFFSPRING_BOOT"));
    (boot.collect(), std::env::var("GREETING").ok(), directory.to_string_lossy().into_owned())
}

macro_rules! spawn {
    ($function:expr, $arguments:expr) => {
        offspring::target($function, $arguments).start_method(StartMethod::Spawn).start().unwrap()
    };
}

#[offspring::test]
fn a_class_runs_and_answers() {
    let child = Double { number: 21 }.builder().start_method(StartMethod::Spawn).start().unwrap();
    assert_ne!(child.pid(), std::process::id());
    assert_eq!(child.join().unwrap(), 42);
}

#[offspring::test]
fn functions_closures_and_children_of_children_run() {
    assert_eq!(spawn!(|left: u32, right: u32| left + right, (1, 2)).join().unwrap(), 3);
    assert_eq!(spawn!(nested, (4,)).join().unwrap(), 9);
}

#[offspring::test]
fn panics_exits_and_kills_are_told_apart() {
    let panicked = spawn!(panic, ()).join().unwrap_err().to_string();
    assert!(panicked.contains("it is too much"), "{panicked}");
    let left = spawn!(leave, ());
    assert_eq!(left.wait().unwrap().exitcode(), 7);
    let killed = spawn!(sleep, ());
    killed.kill().unwrap();
    assert_eq!(killed.wait().unwrap().exitcode(), -9);
    let terminated = spawn!(sleep, ());
    assert!(terminated.is_alive() && terminated.wait_timeout(Duration::ZERO).unwrap().is_none());
    terminated.terminate().unwrap();
    assert_eq!(terminated.wait().unwrap().exitcode(), -15);
}

#[offspring::test]
fn large_arguments_and_outputs_go_out_of_line() {
    assert_eq!(spawn!(numbers, (300_000,)).join().unwrap(), vec![7; 300_000]);
    assert_eq!(spawn!(length, (vec![7; 300_000],)).join().unwrap(), 300_000);
}

#[offspring::test]
fn a_child_has_the_environment_and_the_directory_that_it_is_given() {
    let directory = std::env::temp_dir().canonicalize().unwrap();
    let child = offspring::target(surroundings, ())
        .start_method(StartMethod::Spawn)
        .env("GREETING", "grüß dich")
        .cwd(&directory)
        .start()
        .unwrap();
    let (boot, greeting, entered) = child.join().unwrap();
    assert_eq!((boot, greeting.as_deref()), (Vec::new(), Some("grüß dich")));
    assert_eq!(entered, directory.to_string_lossy());
}

#[offspring::test]
fn more_children_than_one_wait_takes_are_waited_for() {
    let sleeping: Vec<_> = (0..70).map(|_| spawn!(sleep, ())).collect();
    let things: Vec<&dyn Waitable> = sleeping.iter().map(|child| child as &dyn Waitable).collect();
    assert!(offspring::wait(&things, Some(Duration::ZERO)).unwrap().is_empty());
    sleeping[69].kill().unwrap();
    assert_eq!(offspring::wait(&things, None).unwrap(), [69]);
    let numbers: HashSet<u32> = sleeping.iter().map(offspring::Child::pid).collect();
    assert_eq!(numbers.len(), 70);
    for child in &sleeping {
        child.kill().unwrap();
    }
    for child in sleeping {
        child.wait().unwrap();
    }
}

fn read_all(input: offspring::Attachment<std::fs::File>) -> String {
    let mut text = String::new();
    std::io::Read::read_to_string(&mut input.into_inner(), &mut text).unwrap();
    text
}

#[offspring::test]
fn a_file_travels_to_a_child_and_stays_open_when_its_sender_has_closed_it() {
    let path = std::env::temp_dir().join(format!("offspring-{}", std::process::id()));
    std::fs::write(&path, "what was written").unwrap();
    let child = spawn!(read_all, (offspring::Attachment::from(std::fs::File::open(&path).unwrap()),));
    assert_eq!(child.join().unwrap(), "what was written");
    std::fs::remove_file(&path).unwrap();
}

fn connect_and_sleep(port: u16) {
    let _until_the_end = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    sleep();
}

fn start_one_and_sleep(port: u16) {
    let _grandchild = spawn!(connect_and_sleep, (port,));
    sleep();
}

#[offspring::test]
fn a_child_that_is_killed_takes_its_own_children_along() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let child = spawn!(start_one_and_sleep, (listener.local_addr().unwrap().port(),));
    let (mut grandchild, _) = listener.accept().unwrap();
    child.kill().unwrap();
    // The connection ends with the process that has it: in order, or not.
    let ended = std::io::Read::read(&mut grandchild, &mut [0]);
    assert!(!matches!(ended, Ok(1..)), "it said nothing: {ended:?}");
    assert_eq!(child.wait().unwrap().exitcode(), -9);
}

#[offspring::test]
fn a_tree_is_terminated_from_its_top() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let child = spawn!(start_one_and_sleep, (listener.local_addr().unwrap().port(),));
    let (mut grandchild, _) = listener.accept().unwrap();
    child.terminate_tree(Duration::from_secs(10)).unwrap();
    let ended = std::io::Read::read(&mut grandchild, &mut [0]);
    assert!(!matches!(ended, Ok(1..)), "it said nothing: {ended:?}");
}

#[offspring::test]
fn the_output_of_a_child_is_read_through_a_pipe() {
    let child = offspring::target(|| println!("hello"), ())
        .start_method(StartMethod::Spawn)
        .stdout(offspring::Stdio::piped())
        .start()
        .unwrap();
    let mut text = String::new();
    let mut output = child.stdout().unwrap();
    std::io::Read::read_to_string(&mut output, &mut text).unwrap();
    child.join().unwrap();
    assert!(text.contains("hello"), "{text}");
}
