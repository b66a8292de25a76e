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

fn echo_input() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    line
}

#[offspring::test]
fn a_child_reads_what_is_written_to_its_input() {
    let child = offspring::target(echo_input, ())
        .start_method(StartMethod::Spawn)
        .stdin(offspring::Stdio::piped())
        .start()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin().unwrap(), b"to the child\n").unwrap();
    assert_eq!(child.join().unwrap().trim_end(), "to the child");
}

/// Polls a future on this thread, which sleeps in between.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

#[offspring::test]
fn a_child_can_be_awaited() {
    assert_eq!(block_on(spawn!(nested, (1,)).into_future()).unwrap(), 3);
}

/// Answers each byte with the next number, until there is none.
fn count_up(port: u16) {
    use std::io::{Read, Write};
    let mut peer = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut byte = [0];
    while let Ok(1) = peer.read(&mut byte) {
        peer.write_all(&[byte[0] + 1]).unwrap();
    }
}

/// Asks it: the answer, if it lives.
fn ask(peer: &mut std::net::TcpStream, number: u8) -> Option<u8> {
    use std::io::{Read, Write};
    let mut byte = [number];
    peer.write_all(&byte).ok()?;
    peer.read_exact(&mut byte).ok()?;
    Some(byte[0])
}

fn start_and_leave(port: u16, daemon: bool) {
    let _child =
        offspring::target(count_up, (port,)).start_method(StartMethod::Spawn).daemon(daemon).start().unwrap();
}

fn start_detached_and_sleep(port: u16) {
    let _child =
        offspring::target(count_up, (port,)).start_method(StartMethod::Spawn).detached().start().unwrap();
    sleep();
}

#[offspring::test]
fn a_child_that_is_no_daemon_is_waited_for_and_a_daemon_is_not() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let parent = spawn!(start_and_leave, (port, false));
    let (mut grandchild, _) = listener.accept().unwrap();
    assert_eq!(ask(&mut grandchild, 1), Some(2));
    assert!(parent.is_alive(), "it waits for its child");
    drop(grandchild); // which ends it
    parent.join().unwrap();
    // A daemon ends with its parent, whether it has come as far as this or not.
    spawn!(start_and_leave, (port, true)).join().unwrap();
    listener.set_nonblocking(true).unwrap();
    if let Ok((mut grandchild, _)) = listener.accept() {
        grandchild.set_nonblocking(false).unwrap();
        assert_eq!(ask(&mut grandchild, 1), None);
    }
}

#[offspring::test]
fn a_detached_child_outlives_the_one_that_started_it() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let parent = spawn!(start_detached_and_sleep, (listener.local_addr().unwrap().port(),));
    let (mut grandchild, _) = listener.accept().unwrap();
    assert_eq!(ask(&mut grandchild, 1), Some(2));
    parent.kill().unwrap();
    assert_eq!(parent.wait().unwrap().exitcode(), -9);
    assert_eq!(ask(&mut grandchild, 2), Some(3));
}

const WITHOUT_GUARD: &str = "WITHOUT_GUARD";

/// Does something in a process of its own alone: in others a test may have been the guard.
#[test]
fn without_guard() {
    if std::env::var_os(WITHOUT_GUARD).is_some() {
        let refused = offspring::spawn(sleep, ()).unwrap_err();
        assert!(matches!(refused, offspring::StartError::NoGuard), "{refused}");
        println!("it was refused: {refused}");
    }
}

#[offspring::test]
fn a_start_without_the_guard_is_refused_and_says_what_to_add() {
    let me = std::env::current_exe().unwrap();
    let ran = offspring::subprocess::Command::new(me)
        .args(["--exact", "without_guard", "--nocapture"])
        .env(WITHOUT_GUARD, "1")
        .capture_output()
        .run()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(
        ran.status.success() && said.contains("it was refused") && said.contains("offspring::main"),
        "{ran:?}"
    );
}
