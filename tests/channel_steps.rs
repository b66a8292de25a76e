//! A process is killed in the middle of a send or a receive, at one instruction after the other: whoever is left goes on, with all
//! messages but at most the one that the dead process was taking. Or it is stopped there for a while: then the others wait no longer
//! than they want to, and nothing is lost.
//!
//! One process makes the call step by step (`PTRACE_SINGLESTEP`, `ptrace(2)`), which gives the list of its instructions, and tells
//! after which of them the memory of the channel has changed or the kernel was called. Then one process after the other runs up to one of
//! these, where a breakpoint stops it, and is killed there: by default at the changes, around them and at some others;
//! `OFFSPRING_TORTURE=1000` takes every instruction.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::incompatible_msrv)] // the tests are for the current compiler
#![allow(clippy::needless_pass_by_value)] // what a child runs owns its arguments
#![allow(clippy::needless_for_each)]
#![allow(clippy::cast_possible_truncation)] // numbers of rounds are small
#![allow(clippy::items_after_statements)] // it stands where it is used

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, gettid};
use offspring::channel::{Builder, Receiver, RecvError, Sender};
use offspring::{Attachment, Child};
use offspring_tests::{look, open_descriptors, torture, until, watchdog};
use serde::{Deserialize, Serialize};

/// What travels: a number, text that follows from it, and perhaps a pipe's end.
#[derive(Debug, Serialize, Deserialize)]
struct Message {
    number: u64,
    text: String,
    pipe: Option<Attachment<std::io::PipeReader>>,
}

impl Message {
    fn new(number: u64, length: usize, with_pipe: bool) -> Self {
        let pipe = with_pipe.then(|| Attachment::new(std::io::pipe().expect("there are descriptors").0));
        Self { number, text: pattern(number).repeat(length), pipe }
    }

    /// The number, if the rest is as it was sent.
    fn check(self) -> u64 {
        let number = self.number;
        assert!(self.text == pattern(number).repeat(self.text.len()), "{number} has the text of another");
        number
    }
}

fn pattern(number: u64) -> &'static str {
    let at = usize::try_from(number % 25).expect("it is small");
    &"abcdefghijklmnopqrstuvwxyz"[at..=at]
}

/// The number of what the victim sends, and of the first that is sent after its death.
const VICTIM: u64 = 100_000;
const AFTER: u64 = 200_000;

/// Far longer than anybody may wait.
const LONG: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Call {
    Send,
    Receive,
}

/// What the victim does, and what the channel is like when it does.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Scene {
    call: Call,
    /// How long the messages are that were sent before, how many of them, and how many were received.
    before: (usize, u64),
    received: u64,
    /// Whether those were received only when the last of them had been sent: the ring has grown for them.
    late: bool,
    /// The length of what the victim sends.
    length: usize,
    pipes: bool,
    limit: Option<usize>,
    /// Another sleeps on the other side.
    sleeper: bool,
}

const PLAIN: Scene = Scene {
    call: Call::Send,
    before: (100, 0),
    received: 0,
    late: false,
    length: 100,
    pipes: false,
    limit: None,
    sleeper: false,
};

/// One run of the victim, stopped before its call.
struct Run {
    sender: Sender<Message>,
    receiver: Receiver<Message>,
    victim: Child<()>,
    sleeper: Option<JoinHandle<Vec<u64>>>,
    got: Vec<u64>,
}

fn victim(call: (Option<Sender<Message>>, Option<Receiver<Message>>), length: usize, pipes: bool) {
    let stop = |signal| raise(signal).expect("a process may signal itself");
    match call {
        (Some(sender), _) => {
            let message = Message::new(VICTIM, length, pipes);
            stop(Signal::SIGSTOP);
            sender.send(message).expect("there is a receiver");
            stop(Signal::SIGUSR1);
        }
        (_, receiver) => {
            let receiver = receiver.expect("one of both ends");
            stop(Signal::SIGSTOP);
            let message = receiver.recv().expect("there is a message");
            stop(Signal::SIGUSR1);
            drop(message);
        }
    }
}

/// Waits until a thread of this process sleeps in `poll`.
fn until_it_polls(thread: Pid) {
    until("the other side sleeps", || {
        let call = std::fs::read_to_string(format!("/proc/self/task/{thread}/syscall")).unwrap_or_default();
        [nix::libc::SYS_poll, nix::libc::SYS_ppoll].iter().any(|poll| call.starts_with(&format!("{poll} ")))
    });
}

impl Scene {
    fn begin(self) -> Run {
        let builder = self.limit.map_or(Builder::new(), |limit| Builder::new().max_messages(limit));
        let (sender, receiver) = builder.build::<Message>().expect("there is memory");
        let (length, count) = self.before;
        let mut got = Vec::new();
        for number in 0..count {
            sender.send(Message::new(number, length, self.pipes)).expect("there is room");
            let due = match self.late {
                false => u64::from(number < self.received),
                true if number + 1 == self.received => self.received,
                true => 0,
            };
            (0..due).for_each(|_| got.push(receiver.recv().expect("it is there").check()));
        }
        let sleeper = self.sleeper.then(|| self.sleep(&sender, &receiver));
        let ends = match self.call {
            Call::Send => (Some(sender.clone()), None),
            Call::Receive => (None, Some(receiver.clone())),
        };
        // A daemon: when an assertion fails, it is not waited for.
        let victim = offspring::target(victim, (ends, self.length, self.pipes)).daemon(true);
        let victim = victim.start().expect("it starts");
        until_stopped(victim.pid());
        let pid = pid_of(&victim);
        ptrace::attach(pid).expect("a child can be traced");
        assert!(matches!(wait(pid), WaitStatus::Stopped(..)));
        Run { sender, receiver, victim, sleeper, got }
    }

    /// A thread that sleeps on the other side. It receives up to the last message, or sends one.
    fn sleep(self, sender: &Sender<Message>, receiver: &Receiver<Message>) -> JoinHandle<Vec<u64>> {
        let (tell, told) = std::sync::mpsc::channel();
        let (sender, receiver) = (sender.clone(), receiver.clone());
        let thread = std::thread::spawn(move || {
            tell.send(gettid()).expect("it is read");
            if self.call == Call::Receive {
                sender.send(Message::new(self.before.1, 100, false)).expect("there is a receiver");
                return Vec::new();
            }
            drop(sender);
            let numbers = std::iter::repeat_with(|| receiver.recv().expect("it can be received").check());
            let mut got = Vec::new();
            for number in numbers {
                got.push(number);
                if number == AFTER + 2 {
                    break;
                }
            }
            got
        });
        until_it_polls(told.recv().expect("it is sent"));
        thread
    }

    /// What is left when the victim is dead: whether all is there, and works.
    fn end(self, run: Run, past: bool, receive_first: bool) {
        let Run { sender, receiver, victim, sleeper, mut got } = run;
        victim.kill().expect("it can be killed");
        victim.wait().expect("it can be waited for");
        let drain = |got: &mut Vec<u64>| loop {
            match receiver.try_recv() {
                Ok(message) => got.push(message.check()),
                Err(RecvError::Empty) => break,
                Err(error) => panic!("{error}"),
            }
        };
        let asleep_to_receive = sleeper.is_some() && self.call == Call::Send;
        if let (Some(sleeper), Call::Receive) = (&sleeper, self.call) {
            // It sends as soon as there is room.
            while !(sleeper.is_finished() && receiver.is_empty()) {
                match receiver.recv_timeout(Duration::from_millis(1)) {
                    Ok(message) => got.push(message.check()),
                    Err(RecvError::TimedOut) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
        for number in AFTER..AFTER + 3 {
            if !asleep_to_receive && (receive_first || self.limit.is_some()) {
                drain(&mut got);
            }
            let length = if number == AFTER + 1 { 40_000 } else { 10 };
            let after = Message::new(number, length, number == AFTER + 2);
            sender.send_timeout(after, LONG).expect("others can send");
        }
        if !asleep_to_receive {
            while got.last() != Some(&(AFTER + 2)) {
                got.push(receiver.recv_timeout(LONG).expect("others can receive").check());
            }
        }
        if let Some(sleeper) = sleeper {
            got.extend(sleeper.join().expect("who slept went on"));
        }
        assert_eq!(sender.len(), 0);
        assert!(receiver.is_empty());

        let before = self.before.1 + u64::from(self.sleeper && self.call == Call::Receive);
        let sent: Vec<u64> = (0..before).chain([VICTIM]).chain(AFTER..AFTER + 3).collect();
        let missing: Vec<u64> = sent.iter().copied().filter(|number| !got.contains(number)).collect();
        assert_eq!(got, sent.iter().copied().filter(|number| got.contains(number)).collect::<Vec<_>>());
        match self.call {
            Call::Send if past => assert_eq!(missing, [], "what was sent is received"),
            Call::Send => assert!(missing.is_empty() || missing == [VICTIM], "{missing:?}"),
            Call::Receive => {
                let taken = [self.received, VICTIM];
                assert!(missing == [VICTIM] || missing == taken, "{missing:?}");
                assert!(!past || missing == taken, "what was received is received once");
            }
        }
    }
}

fn pid_of(child: &Child<()>) -> Pid {
    Pid::from_raw(child.pid().cast_signed())
}

fn until_stopped(pid: u32) {
    while look(pid).is_none_or(|seen| seen.state != 'T') {
        assert!(look(pid).is_some_and(|seen| seen.state != 'Z'), "the victim stops before its call");
        std::thread::yield_now();
    }
}

fn wait(pid: Pid) -> WaitStatus {
    waitpid(pid, Some(WaitPidFlag::__WALL)).expect("a child can be waited for")
}

/// What of the channel's memory tells of a change: its header. The record itself lies elsewhere, and is written between two changes
/// of the header.
fn snapshot(memory: &File, into: &mut Vec<u8>) {
    into.resize(8 * 1024, 0);
    let (both_sides, first_slots) = into.split_at_mut(4 * 1024);
    memory.read_exact_at(both_sides, 0).expect("it is as long");
    memory.read_exact_at(first_slots, 33 * 1024).expect("it is as long");
}

/// The instructions of a call: where each is, and after which of them something has changed that others see.
fn steps(scene: Scene) -> (Vec<u64>, Vec<usize>) {
    let files = open_descriptors();
    let run = scene.begin();
    let is_new = |(number, target): &(&u32, &String)| target.contains("memfd") && !files.contains_key(number);
    let opened = open_descriptors();
    let (number, _) = opened.iter().find(is_new).expect("the channel has its memory");
    let memory = File::open(format!("/proc/self/fd/{number}")).expect("it can be opened");
    let pid = pid_of(&run.victim);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    snapshot(&memory, &mut before);
    let (mut places, mut changes) = (Vec::new(), Vec::new());
    let mut calls_kernel = false;
    loop {
        ptrace::step(pid, None).expect("it can step");
        match wait(pid) {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => {}
            WaitStatus::Stopped(_, Signal::SIGSTOP) => continue, // that of the attach
            WaitStatus::Stopped(_, Signal::SIGUSR1) => break,
            status => panic!("{scene:?}: {status:?}"),
        }
        let place = ptrace::getregs(pid).expect("it has registers").rip;
        places.push(place);
        snapshot(&memory, &mut after);
        if calls_kernel || before != after {
            changes.push(places.len() - 1);
            std::mem::swap(&mut before, &mut after);
        }
        let code = ptrace::read(pid, place as ptrace::AddressType).expect("there is code");
        calls_kernel = code & 0xFFFF == 0x050F; // `syscall`
    }
    scene.end(run, true, true);
    (places, changes)
}

/// A breakpoint in the victim, which is stopped.
struct Breakpoint {
    pid: Pid,
    place: u64,
    code: i64,
}

impl Breakpoint {
    fn new(pid: Pid, place: u64) -> Self {
        let code = ptrace::read(pid, place as ptrace::AddressType).expect("there is code");
        Self { pid, place, code }
    }

    fn set(&self) {
        self.write(self.code & !0xFF | 0xCC);
    }

    fn write(&self, code: i64) {
        ptrace::write(self.pid, self.place as ptrace::AddressType, code).expect("the code can be changed");
    }

    /// Takes it away, with the victim before the instruction that it has come to.
    fn lift(&self) {
        let mut registers = ptrace::getregs(self.pid).expect("it has registers");
        registers.rip = self.place;
        ptrace::setregs(self.pid, registers).expect("it can be set back");
        self.write(self.code);
    }
}

/// Runs the victim up to an instruction: the breakpoint that stops it there, or `None` if its call was over before.
fn run_to(run: &Run, places: &[u64], step: usize) -> Option<Breakpoint> {
    let pid = pid_of(&run.victim);
    let mut times = places[..=step].iter().filter(|other| **other == places[step]).count();
    let breakpoint = Breakpoint::new(pid, places[step]);
    breakpoint.set();
    loop {
        ptrace::cont(pid, None).expect("it goes on");
        match wait(pid) {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => {
                times -= 1;
                if times == 0 {
                    return Some(breakpoint);
                }
                breakpoint.lift();
                ptrace::step(pid, None).expect("it can step");
                match wait(pid) {
                    WaitStatus::Stopped(_, Signal::SIGTRAP) => {}
                    WaitStatus::Stopped(_, Signal::SIGUSR1) => return None,
                    status => panic!("{status:?}"),
                }
                breakpoint.set();
            }
            WaitStatus::Stopped(_, Signal::SIGSTOP) => {}
            // This run took another way, and the call is over.
            WaitStatus::Stopped(_, Signal::SIGUSR1) => return None,
            status => panic!("{status:?}"),
        }
    }
}

/// Runs the victim up to an instruction, and kills it there: whether its call was over before.
fn kill_at(scene: Scene, places: &[u64], step: usize) -> bool {
    let run = scene.begin();
    let past = run_to(&run, places, step).is_none();
    scene.end(run, past, step % 2 == 0);
    past
}

/// The number of the first that is sent while the victim stands still.
const MEANWHILE: u64 = 150_000;

/// As long as others wait meanwhile.
const SHORT: Duration = Duration::from_millis(2);

/// Runs the victim up to an instruction, and lets it stand there for a while: nobody else waits for longer than he wants, and
/// when it goes on, all is as if it had been slow. Whether its call was over before.
fn stop_at(scene: Scene, places: &[u64], step: usize) -> bool {
    let mut run = scene.begin();
    let Some(breakpoint) = run_to(&run, places, step) else {
        scene.end(run, true, true);
        return true;
    };
    let pid = pid_of(&run.victim);
    let Run { sender, receiver, got, .. } = &mut run;
    let mut sent: Vec<u64> = (0..scene.before.1).collect();
    let message = |number| Message::new(number, 10, number % 2 == 0 && scene.pipes);
    for (number, attempt) in (MEANWHILE..).zip([Some(SHORT), None]) {
        let tried = match attempt {
            Some(time) => sender.send_timeout(message(number), time),
            None => sender.try_send(message(number)),
        };
        match tried {
            Ok(()) => sent.push(number),
            Err(error) => assert!(error.is_full() && error.into_inner().number == number),
        }
    }
    for received in [receiver.recv_timeout(SHORT), receiver.try_recv()] {
        match received {
            Ok(message) => got.push(message.check()),
            Err(error) => assert!(error.is_empty(), "{error}"),
        }
    }
    breakpoint.lift();
    ptrace::cont(pid, None).expect("it goes on");

    let mut is_over = false;
    let mut next = AFTER;
    while !is_over || next < AFTER + 3 || !receiver.is_empty() {
        if next < AFTER + 3 && sender.try_send(message(next)).is_ok() {
            sent.push(next);
            next += 1;
        }
        // A victim that receives is to find something; one that sends, room.
        if is_over || scene.call == Call::Send {
            match receiver.recv_timeout(SHORT) {
                Ok(message) => got.push(message.check()),
                Err(error) => assert!(error.is_empty(), "{error}"),
            }
        }
        match waitpid(pid, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG)).expect("it can be waited for") {
            WaitStatus::StillAlive => {}
            WaitStatus::Stopped(_, Signal::SIGSTOP) => ptrace::cont(pid, None).expect("it goes on"),
            WaitStatus::Stopped(_, Signal::SIGUSR1) => is_over = true,
            status => panic!("{scene:?}: {status:?}"),
        }
    }
    let by_others: Vec<u64> = got.iter().copied().filter(|number| *number != VICTIM).collect();
    let missing: Vec<u64> = sent.iter().copied().filter(|number| !got.contains(number)).collect();
    let sent: Vec<u64> = sent.into_iter().filter(|number| !missing.contains(number)).collect();
    assert_eq!(by_others, sent, "each once, and in order");
    match scene.call {
        Call::Send => {
            assert_eq!(missing, []);
            assert_eq!(got.iter().filter(|number| **number == VICTIM).count(), 1);
        }
        Call::Receive => assert_eq!(missing.len(), 1, "the victim has received one: {missing:?}"),
    }
    run.victim.kill().expect("it can be killed");
    run.victim.wait().expect("it can be waited for");
    false
}

/// What becomes of a victim in the middle of its call.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Fate {
    Killed,
    Stopped,
}

/// Up to which round of a loop its instructions are tried.
const MOST_ROUNDS: usize = 500;

/// Kills or stops at many instructions of a call: how many it has, how many were tried, and how many of these were not reached.
fn everywhere(scene: Scene, fate: Fate) -> (usize, usize, usize) {
    let (places, changes) = steps(scene);
    let stride = (places.len() / (10 * torture())).max(1);
    let around = changes.iter().flat_map(|change| change.saturating_sub(1)..(change + 2).min(places.len()));
    let mut tried: Vec<usize> = around.chain((0..places.len()).step_by(stride)).collect();
    tried.sort_unstable();
    tried.dedup();
    // A loop's later rounds are as its first ones, and each costs a stop at the breakpoint.
    let rounds = |step: usize| places[..step].iter().filter(|place| **place == places[step]).count();
    tried.retain(|step| rounds(*step) < MOST_ROUNDS);
    let descriptors = open_descriptors().len();
    let meets = |step: &&usize| match fate {
        Fate::Killed => kill_at(scene, &places, **step),
        Fate::Stopped => stop_at(scene, &places, **step),
    };
    let past = tried.iter().filter(meets).count();
    // The library's thread may be just about to let go of the last victim.
    until("no descriptors are left", || open_descriptors().len() == descriptors);
    (places.len(), tried.len(), past)
}

/// Does so in a process of its own, where nobody else opens anything.
fn in_a_process(scene: Scene, fate: Fate) {
    let child = offspring::spawn(everywhere, (scene, fate)).expect("it starts");
    let (instructions, kills, past) = child.join().unwrap_or_else(|error| panic!("{scene:?}: {error}"));
    eprintln!("{fate:?} at {kills} of {instructions} instructions, {past} of them too late: {scene:?}");
    assert!(kills > past);
}

macro_rules! scenes {
    ($fate:expr; $($name:ident: $scene:expr,)*) => {$(
        #[offspring::test]
        fn $name() {
            let _dog = watchdog();
            in_a_process($scene, $fate);
        }
    )*};
}

const RECEIVE: Scene = Scene { call: Call::Receive, before: (100, 3), ..PLAIN };

scenes! { Fate::Killed;
    sends_into_an_empty_ring: PLAIN,
    sends_to_one_that_sleeps: Scene { sleeper: true, ..PLAIN },
    sends_a_pipe_to_one_that_sleeps: Scene { sleeper: true, pipes: true, ..PLAIN },
    sends_that_wrap: Scene { before: (10_000, 26), received: 5, length: 5000, ..PLAIN },
    sends_that_begin_anew: Scene { before: (10_000, 4), received: 4, length: 5000, ..PLAIN },
    sends_into_the_next_segment: Scene { before: (10_000, 26), length: 5000, ..PLAIN },
    sends_back_into_the_segment_before: Scene { before: (10_000, 31), received: 31, late: true, length: 5000, ..PLAIN },
    sends_in_a_new_slot: Scene { length: 40_000, ..PLAIN },
    sends_in_a_used_slot: Scene { before: (40_000, 2), received: 2, length: 40_000, ..PLAIN },
    sends_with_a_pipe: Scene { before: (100, 1), pipes: true, ..PLAIN },
    sends_in_a_slot_with_a_pipe: Scene { length: 40_000, pipes: true, ..PLAIN },
    sends_into_a_channel_with_a_limit: Scene { limit: Some(4), before: (100, 2), ..PLAIN },
    receives: RECEIVE,
    receives_across_the_end_of_the_ring: Scene { before: (10_000, 27), received: 26, ..RECEIVE },
    receives_out_of_the_next_segment: Scene { before: (16_000, 17), received: 16, ..RECEIVE },
    receives_out_of_the_segment_before: Scene { before: (10_000, 32), received: 31, late: true, ..RECEIVE },
    receives_out_of_slots: Scene { before: (40_000, 3), ..RECEIVE },
    receives_pipes: Scene { pipes: true, ..RECEIVE },
    receives_pipes_and_slots: Scene { before: (40_000, 3), pipes: true, ..RECEIVE },
    receives_what_one_that_sleeps_has_waited_to_send_behind: Scene { limit: Some(3), sleeper: true, ..RECEIVE },
}

scenes! { Fate::Stopped;
    stops_while_it_sends: PLAIN,
    stops_while_it_sends_into_the_next_segment: Scene { before: (10_000, 26), length: 5000, ..PLAIN },
    stops_while_it_sends_in_a_used_slot: Scene { before: (40_000, 2), received: 2, length: 40_000, ..PLAIN },
    stops_while_it_sends_a_pipe: Scene { before: (100, 1), pipes: true, ..PLAIN },
    stops_while_it_sends_into_a_channel_with_a_limit: Scene { limit: Some(4), before: (100, 2), ..PLAIN },
    stops_while_it_receives: RECEIVE,
    stops_while_it_receives_out_of_slots: Scene { before: (40_000, 3), ..RECEIVE },
    stops_while_it_receives_pipes: Scene { pipes: true, ..RECEIVE },
}
