//! Handles of processes in the hands of others than their parent.

#![allow(clippy::needless_pass_by_value)] // what a child runs owns its arguments

use std::time::Duration;

use offspring::channel::{Receiver, Sender, channel};
use offspring::{Child, ExitStatus, JoinError, ProcessHandle, StartMethod, subprocess};
use offspring_tests::{block_on, finish, open_descriptors, program, runs, until, watchdog};

const KILLED: ExitStatus = ExitStatus::Signaled { signal: 9, core_dumped: false };

fn forever() {
    loop {
        std::thread::park();
    }
}

/// Exits with a code when it is told to.
fn exit_with(codes: Receiver<i32>) {
    std::process::exit(codes.recv().unwrap());
}

/// Starts a process that exits when the sender says with which code.
fn obedient() -> (Child<()>, Sender<i32>) {
    let (say, codes) = channel().unwrap();
    (offspring::spawn(exit_with, (codes,)).unwrap(), say)
}

fn exitcode_of(process: ProcessHandle) -> i32 {
    process.wait().unwrap().exitcode()
}

#[offspring::test]
fn a_sibling_waits_for_a_process_and_learns_how_it_ended() {
    let _dog = watchdog();
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let (child, say) = obedient();
        let siblings = [(); 3].map(|()| {
            let start = offspring::target(exitcode_of, (child.handle().unwrap(),)).start_method(method);
            start.start().unwrap()
        });
        say.send(7).unwrap();
        for sibling in siblings {
            assert_eq!(sibling.join().unwrap(), 7);
        }
        assert_eq!(child.wait().unwrap(), ExitStatus::Exited(7));
    }
}

#[offspring::test]
fn who_neither_joins_nor_holds_the_child_still_passes_its_status_on() {
    let _dog = watchdog();
    let (child, say) = obedient();
    let handle = child.handle().unwrap();
    drop(child);
    let sibling = offspring::spawn(exitcode_of, (handle.clone(),)).unwrap();
    say.send(8).unwrap();
    assert_eq!(handle.wait().unwrap(), ExitStatus::Exited(8));
    assert_eq!(sibling.join().unwrap(), 8);
}

#[offspring::test]
fn a_process_that_has_ended_is_known_to_all_who_get_its_handle_later() {
    let _dog = watchdog();
    let (child, say) = obedient();
    let before = child.handle().unwrap();
    say.send(9).unwrap();
    child.wait().unwrap();
    for handle in [before.clone(), child.handle().unwrap()] {
        assert!(!handle.is_alive());
        assert_eq!(handle.exitcode(), Some(9));
        assert_eq!(offspring::spawn(exitcode_of, (handle.clone(),)).unwrap().join().unwrap(), 9);
        for signal in [ProcessHandle::interrupt, ProcessHandle::terminate, ProcessHandle::kill] {
            signal(&handle).unwrap(); // to nobody
        }
        assert_eq!(handle.terminate_tree(Duration::ZERO).unwrap(), ExitStatus::Exited(9));
    }
    assert_eq!(
        format!("{before:?}"),
        format!(
            "ProcessHandle {{ name: {:?}, pid: {}, stopped: exit code 9, .. }}",
            child.name(),
            child.pid()
        )
    );
}

#[offspring::test]
fn a_kill_by_a_sibling_is_seen_by_the_parents_join() {
    let _dog = watchdog();
    let child = offspring::spawn(forever, ()).unwrap();
    let kill = |process: ProcessHandle| {
        assert!(process.is_alive());
        assert!(process.wait_timeout(Duration::ZERO).unwrap().is_none());
        process.kill().unwrap();
    };
    offspring::spawn(kill, (child.handle().unwrap(),)).unwrap().join().unwrap();
    match child.join() {
        Err(JoinError::Ended { status, .. }) => assert_eq!(status, KILLED),
        other => panic!("{other:?}"),
    }
}

#[offspring::test]
fn handles_travel_in_messages_and_to_grandchildren() {
    let _dog = watchdog();
    let (child, say) = obedient();
    let (sender, receiver) = channel::<Vec<ProcessHandle>>().unwrap();
    let below = |handles: Receiver<Vec<ProcessHandle>>| {
        let handle = handles.recv().unwrap().remove(0);
        offspring::spawn(|handle: ProcessHandle| (handle.pid(), exitcode_of(handle)), (handle,))
            .unwrap()
            .join()
            .unwrap()
    };
    let below = offspring::spawn(below, (receiver,)).unwrap();
    sender.send(vec![child.handle().unwrap()]).unwrap();
    say.send(3).unwrap();
    assert_eq!(below.join().unwrap(), (child.pid(), 3));
}

#[offspring::test]
fn a_sibling_ends_a_process_with_all_that_descends_from_it() {
    let _dog = watchdog();
    let (pids, below) = channel().unwrap();
    let ancestor = |pids: Sender<u32>| {
        let child = offspring::spawn(forever, ()).unwrap();
        pids.send(child.pid()).unwrap();
        forever();
    };
    let child = offspring::spawn(ancestor, (pids,)).unwrap();
    let grandchild = below.recv().unwrap();
    assert!(runs(grandchild));
    let end = |process: ProcessHandle| process.terminate_tree(Duration::ZERO).unwrap().exitcode();
    assert_eq!(offspring::spawn(end, (child.handle().unwrap(),)).unwrap().join().unwrap(), -9);
    assert!(!runs(grandchild));
    assert_eq!(child.wait().unwrap(), KILLED);
}

/// Starts a process and gives its handle away.
fn middle(handles: Sender<ProcessHandle>, detached: bool) {
    let below = offspring::target(forever, ());
    let below = if detached { below.detached() } else { below }.start().unwrap();
    handles.send(below.handle().unwrap()).unwrap();
    forever();
}

#[offspring::test]
fn a_handle_outlives_the_parent_of_its_process() {
    let _dog = watchdog();
    for detached in [false, true] {
        let (handles, given) = channel().unwrap();
        let parent = offspring::spawn(middle, (handles, detached)).unwrap();
        let below = given.recv().unwrap();
        assert!(below.is_alive() && below.exit_status().is_none());
        parent.kill().unwrap();
        parent.wait().unwrap();
        if detached {
            assert!(below.wait_timeout(Duration::from_millis(20)).unwrap().is_none() && below.is_alive());
            below.kill().unwrap();
        }
        // Nobody is left who would tell; the system does, if it keeps it.
        let status = below.wait().unwrap();
        assert!([KILLED, ExitStatus::Lost].contains(&status), "{status}");
        assert_eq!((below.exit_status(), below.is_alive()), (Some(status), false));
        assert_eq!(block_on(async { (&below).await }).unwrap(), status);
    }
}

#[test]
fn a_status_that_neither_parent_nor_system_tells_is_lost() {
    let _dog = watchdog();
    let done = finish(&mut program(env!("CARGO_BIN_EXE_fixture"), &["orphaned-handle"]));
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), "lost\n"), "{}", done.stderr);
}

#[offspring::test]
fn a_parent_that_is_stopped_delays_the_status_and_nothing_else() {
    let _dog = watchdog();
    let (handles, given) = channel().unwrap();
    let parent = offspring::spawn(middle, (handles, false)).unwrap();
    let below = given.recv().unwrap();
    let pid = nix::unistd::Pid::from_raw(parent.pid().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    until("it is stopped", || offspring_tests::look(parent.pid()).is_some_and(|seen| seen.state == 'T'));
    below.kill().unwrap();
    assert_eq!(offspring::wait(&[&below], None).unwrap(), [0]);
    assert!(!below.is_alive());
    assert_eq!(below.wait_timeout(Duration::from_millis(20)).unwrap(), None);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).unwrap();
    assert_eq!(below.wait().unwrap(), KILLED);
    parent.kill().unwrap();
}

#[offspring::test]
fn a_handle_is_awaited_and_waited_for_with_others() {
    let _dog = watchdog();
    let (child, say) = obedient();
    let handle = child.handle().unwrap();
    let waits = |handle: ProcessHandle, told: Sender<()>| {
        let mut end = Box::pin(async { (&handle).await.unwrap().exitcode() });
        assert!(block_on(offspring_tests::is_pending(&mut end)));
        told.send(()).unwrap();
        block_on(end)
    };
    let (told, waiting) = channel().unwrap();
    let sibling = offspring::spawn(waits, (handle.clone(), told)).unwrap();
    waiting.recv().unwrap();
    let stays = offspring::spawn(forever, ()).unwrap();
    let stays_handle = stays.handle().unwrap();
    say.send(5).unwrap();
    assert_eq!(offspring::wait(&[&stays_handle, &handle], None).unwrap(), [1]);
    assert_eq!(sibling.join().unwrap(), 5);
    assert_eq!(block_on(async { handle.await }).unwrap(), ExitStatus::Exited(5));
    stays.kill().unwrap();
    assert_eq!(stays_handle.wait().unwrap(), KILLED);
}

#[offspring::test]
fn a_process_hands_its_parent_on() {
    let _dog = watchdog();
    let child = offspring::spawn(|| offspring::parent().unwrap().handle().unwrap(), ()).unwrap();
    let us = child.join().unwrap();
    assert_eq!((us.pid(), us.is_alive()), (std::process::id(), true));
    assert_eq!(us.name(), "MainProcess");
}

#[offspring::test]
fn programs_have_handles_as_well() {
    let _dog = watchdog();
    let program = subprocess::Command::new("sleep").arg("1000").start().unwrap();
    let end = |program: ProcessHandle| program.terminate().unwrap();
    offspring::spawn(end, (program.handle().unwrap(),)).unwrap().join().unwrap();
    assert_eq!(program.join().unwrap().signal(), Some(15));
}

#[offspring::test]
fn handles_leave_no_descriptor_behind() {
    let _dog = watchdog();
    let make = || {
        let child = offspring::spawn(forever, ()).unwrap();
        let handles = [(); 10].map(|()| child.handle().unwrap());
        let copies = handles.clone();
        offspring::spawn(|_: Vec<ProcessHandle>| (), (handles.to_vec(),)).unwrap().join().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        drop((handles, copies));
    };
    make(); // what is made at the first start stays
    let before = open_descriptors();
    (0..5).for_each(|_| make());
    until("all are closed", || open_descriptors().len() <= before.len());
}
