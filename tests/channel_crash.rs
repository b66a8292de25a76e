//! Processes that are killed, stopped and interrupted at any moment while they send and receive.
//!
//! `OFFSPRING_TORTURE=n` kills n times as many.

#![allow(clippy::incompatible_msrv)] // the tests are for the current compiler
#![allow(clippy::needless_pass_by_value)] // what a child runs owns its arguments
#![allow(clippy::needless_for_each)]
#![allow(clippy::cast_possible_truncation)] // numbers of rounds are small
#![allow(clippy::items_after_statements)] // it stands where it is used

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use offspring::channel::{self, Builder, Receiver, RecvError, Sender};
use offspring::shm::Shared;
use offspring::{Attachment, Child};
use offspring_tests::{look, open_descriptors, torture, until, watchdog};
use serde::{Deserialize, Serialize};

/// Far longer than anybody may wait.
const LONG: Duration = Duration::from_secs(20);

#[derive(Debug, Serialize, Deserialize)]
struct Message {
    producer: u64,
    number: u64,
    text: String,
    pipe: Option<Attachment<std::io::PipeReader>>,
}

/// What is sent: how long it is at most, and whether a pipe's end goes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Small,
    Large,
    Pipe,
}

impl Kind {
    fn message(self, producer: u64, number: u64) -> Message {
        let length = match self {
            Self::Small | Self::Pipe => number % 300,
            // From 20 KiB to 1 MiB, most of them short.
            Self::Large => (20 << 10) << (number * 7 % 23 / 4),
        };
        let length = usize::try_from(length).expect("it is small");
        let pipe = (self == Self::Pipe).then(|| std::io::pipe().expect("there are descriptors").0);
        Message {
            producer,
            number,
            text: letter(producer, number).repeat(length),
            pipe: pipe.map(Attachment::new),
        }
    }
}

fn letter(producer: u64, number: u64) -> &'static str {
    let at = usize::try_from((producer + number) % 26).expect("it is small");
    &"abcdefghijklmnopqrstuvwxyz"[at..=at]
}

/// Whose message it is, and which, if it is as it was sent.
fn check(message: &Message, kind: Kind) -> (u64, u64) {
    let &Message { producer, number, ref text, ref pipe } = message;
    let expected = kind.message(producer, number);
    assert!(*text == expected.text, "message {number} of {producer} has the text of another");
    assert_eq!(pipe.is_some(), expected.pipe.is_some(), "message {number} of {producer}");
    (producer, number)
}

fn kind(number: u8) -> Kind {
    [Kind::Small, Kind::Large, Kind::Pipe][usize::from(number)]
}

/// Sends until it is killed. How many it has surely sent is in memory that outlives it.
fn produce(sender: Sender<Message>, confirmed: Shared<AtomicU64>, producer: u64, of: u8) {
    for number in 0.. {
        sender.send(kind(of).message(producer, number)).expect("there is a receiver");
        confirmed.store(number + 1, Ordering::SeqCst);
    }
}

/// Receives until it is killed, and reports what it got through a channel of its own.
fn consume(receiver: Receiver<Message>, report: Sender<(u64, u64)>, of: u8) {
    loop {
        let got = check(&receiver.recv().expect("there is a sender"), kind(of));
        report.send(got).expect("the parent reads");
    }
}

/// Numbers that look random and are not.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// How many mappings this process has of channels.
fn mappings() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("it can be read");
    maps.lines().filter(|line| line.contains("memfd")).count()
}

/// Waits a short time, longer than it sends a few messages: without sleep, which takes longer.
fn linger(micros: u64) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_micros(micros) {
        std::thread::yield_now();
    }
}

fn let_die(child: &Child<()>) {
    child.kill().expect("it can be killed");
    child.wait().expect("it can be waited for");
}

/// What arrived of one producer's.
#[derive(Debug, Default)]
struct Account {
    got: Vec<u64>,
}

fn book(accounts: &mut BTreeMap<u64, Account>, (producer, number): (u64, u64)) {
    accounts.entry(producer).or_default().got.push(number);
}

/// The number of the test itself, as a producer.
const OWN: u64 = 1 << 40;

/// Kills producers, one after the other and two at a time: the one receiver gets what each has sent, in order.
fn killed_producers(of: u8, limit: usize, kills: u64) -> u64 {
    let mut dice = Dice(0x9E37_79B9 + u64::from(of));
    let mut total = 0;
    {
        let builder = if limit > 0 { Builder::new().max_messages(limit) } else { Builder::new() };
        let (sender, receiver) = builder.build::<Message>().expect("there is memory");
        let mut accounts = BTreeMap::new();
        for round in 0..kills / 2 {
            let pair: Vec<_> = [2 * round, 2 * round + 1]
                .into_iter()
                .map(|producer| {
                    let confirmed = Shared::new(AtomicU64::new(0)).expect("there is memory");
                    let child = offspring::spawn(produce, (sender.clone(), confirmed.clone(), producer, of));
                    (producer, child.expect("it starts"), confirmed)
                })
                .collect();
            // The first message of one of them says that it has begun.
            let first = receiver.recv_timeout(LONG).expect("the producers send");
            book(&mut accounts, check(&first, kind(of)));
            let end = Instant::now() + Duration::from_micros(dice.roll(400));
            while Instant::now() < end {
                match receiver.try_recv() {
                    Ok(message) => book(&mut accounts, check(&message, kind(of))),
                    Err(RecvError::Empty) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            let order = if dice.roll(2) == 0 { [0, 1] } else { [1, 0] };
            order.iter().for_each(|index| pair[*index].1.kill().expect("it can be killed"));
            for (_, child, _) in &pair {
                child.wait().expect("it can be waited for");
            }
            loop {
                match receiver.try_recv() {
                    Ok(message) => book(&mut accounts, check(&message, kind(of))),
                    Err(RecvError::Empty) => break,
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(receiver.len(), 0);
            for (producer, _, confirmed) in pair {
                let confirmed = confirmed.load(Ordering::SeqCst);
                let got = accounts.remove(&producer).unwrap_or_default().got;
                assert!(got.iter().copied().eq(0..got.len() as u64), "of {producer} came {got:?}");
                let count = got.len() as u64;
                assert!(count == confirmed || count == confirmed + 1, "{producer}: {count} of {confirmed}");
                total += count;
            }
            assert!(accounts.is_empty());
            sender.send_timeout(kind(of).message(OWN, round), LONG).expect("others can send");
            let own = receiver.recv_timeout(LONG).expect("others can receive");
            assert_eq!(check(&own, kind(of)), (OWN, round));
        }
    }
    total
}

/// Kills consumers while others receive: each takes at most one message along.
fn killed_consumers(of: u8, limit: usize, kills: u64) -> (u64, u64) {
    let mut dice = Dice(0xC2B2_AE35 + u64::from(of));
    let mut sent = 0;
    let mut got = Vec::new();
    {
        let builder = if limit > 0 { Builder::new().max_messages(limit) } else { Builder::new() };
        let (sender, receiver) = builder.build::<Message>().expect("there is memory");
        for _ in 0..kills / 2 {
            let (report, reports) = channel::channel().expect("there is memory");
            let pair = [(); 2].map(|()| {
                offspring::spawn(consume, (receiver.clone(), report.clone(), of)).expect("it starts")
            });
            drop(report);
            // One round trip, so that at least one of them has begun.
            sender.send_timeout(kind(of).message(0, sent), LONG).expect("others receive");
            sent += 1;
            got.push(reports.recv_timeout(LONG).expect("one of them reports"));
            let end = Instant::now() + Duration::from_micros(dice.roll(400));
            while Instant::now() < end {
                match sender.try_send(kind(of).message(0, sent)) {
                    Ok(()) => sent += 1,
                    Err(error) => assert!(error.is_full(), "{error}"),
                }
                linger(dice.roll(20));
            }
            let order = if dice.roll(2) == 0 { [0, 1] } else { [1, 0] };
            order.iter().for_each(|index| pair[*index].kill().expect("it can be killed"));
            for child in &pair {
                child.wait().expect("it can be waited for");
            }
            got.extend(reports.try_iter().map(|report| report.expect("it can be decoded")));
            loop {
                match receiver.try_recv() {
                    Ok(message) => got.push(check(&message, kind(of))),
                    Err(RecvError::Empty) => break,
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(sender.len(), 0);
        }
    }
    let count = got.len() as u64;
    got.sort_unstable();
    got.dedup();
    assert_eq!(got.len() as u64, count, "something was received twice");
    assert!(got.iter().all(|(producer, number)| *producer == 0 && *number < sent));
    let lost = sent - count;
    // Taken and not yet reported, or taken and being reported.
    assert!(lost <= kills, "{lost} are lost with {kills} consumers");
    (sent, lost)
}

/// Does it a little, which opens what stays open, and then in earnest: nothing more is open and mapped afterwards.
fn leaving_nothing<R>(kill: impl Fn(u64) -> R, kills: u64) -> R {
    kill(2);
    let before = (open_descriptors().len(), mappings());
    let result = kill(kills);
    assert_eq!((open_descriptors().len(), mappings()), before, "something is left");
    result
}

macro_rules! kills {
    ($($producers:ident $consumers:ident: $of:expr, $limit:expr, $kills:expr;)*) => {$(
        #[offspring::test]
        fn $producers() {
            let _dog = watchdog();
            let kills = $kills * torture() as u64;
            let sent = offspring::spawn(|kills: u64| leaving_nothing(|kills| killed_producers($of, $limit, kills), kills), (kills,)).unwrap().join().unwrap();
            eprintln!("{kills} producers killed, {sent} messages");
        }

        #[offspring::test]
        fn $consumers() {
            let _dog = watchdog();
            let kills = $kills * torture() as u64;
            let (sent, lost) = offspring::spawn(|kills: u64| leaving_nothing(|kills| killed_consumers($of, $limit, kills), kills), (kills,)).unwrap().join().unwrap();
            eprintln!("{kills} consumers killed, {sent} messages, {lost} lost with them");
        }
    )*};
}

kills! {
    killed_producers_of_small_messages killed_consumers_of_small_messages: 0, 0, 500;
    killed_producers_of_small_messages_with_a_limit killed_consumers_of_small_messages_with_a_limit: 0, 3, 400;
    killed_producers_of_large_messages killed_consumers_of_large_messages: 1, 8, 200;
    killed_producers_of_pipes killed_consumers_of_pipes: 2, 0, 400;
    killed_producers_of_pipes_with_a_limit killed_consumers_of_pipes_with_a_limit: 2, 2, 400;
}

#[offspring::test]
fn slots_of_dead_readers_are_taken_back() {
    fn hold(receiver: Receiver<offspring::Bytes>, ready: Sender<()>) {
        let _held: Vec<_> = (0..100).map(|_| receiver.recv().unwrap()).collect();
        ready.send(()).unwrap();
        loop {
            std::thread::park();
        }
    }
    let _dog = watchdog();
    let (sender, receiver) = channel::channel::<offspring::Bytes>().unwrap();
    let (ready, is_ready) = channel::channel().unwrap();
    for _ in 0..30 {
        let child = offspring::spawn(hold, (receiver.clone(), ready.clone())).unwrap();
        for _ in 0..100 {
            sender.send(vec![1; 64 * 1024].into()).unwrap();
        }
        is_ready.recv_timeout(LONG).unwrap();
        let_die(&child);
    }
    for _ in 0..3000 {
        sender.send_timeout(vec![2; 64 * 1024].into(), LONG).unwrap();
        assert_eq!(receiver.recv_timeout(LONG).unwrap()[..], *vec![2; 64 * 1024]);
    }
}

#[offspring::test]
fn a_thousand_free_slots_of_one_length_are_no_hindrance_to_messages_of_another() {
    let _dog = watchdog();
    let (sender, receiver) = channel::channel::<offspring::Bytes>().unwrap();
    let burst = |length: usize| {
        for _ in 0..1024 {
            sender.send_timeout(vec![3; length].into(), LONG).unwrap();
        }
        for _ in 0..1024 {
            assert_eq!(receiver.recv_timeout(LONG).unwrap().len(), length);
        }
    };
    burst(20_000);
    for length in [1 << 20, 20_000, 3 << 20, 300_000] {
        sender.send_timeout(vec![4; length].into(), LONG).unwrap();
        assert_eq!(receiver.recv_timeout(LONG).unwrap()[..], vec![4; length][..]);
    }
    burst(100_000);
    burst(20_000);
}

#[offspring::test]
fn thousands_of_large_messages_wait_and_are_held() {
    const COUNT: u32 = 3_000;
    let _dog = watchdog();
    let (sender, receiver) = channel::channel::<(u32, offspring::Bytes)>().unwrap();
    let send = |sender: Sender<(u32, offspring::Bytes)>, from: u32| {
        for number in from..from + COUNT {
            sender.send((number, number.to_le_bytes().repeat(5_000).into())).unwrap();
        }
    };
    for round in 0..2 {
        let child = offspring::spawn(send, (sender.clone(), round * COUNT)).unwrap();
        child.join().unwrap();
        assert_eq!(receiver.len(), COUNT as usize);
        let mut held = Vec::new();
        for number in round * COUNT..(round + 1) * COUNT {
            let (got, bytes) = receiver.recv().unwrap();
            assert_eq!(got, number);
            held.push(bytes);
        }
        // While all are held, more come.
        sender.send((0, vec![1; 100_000].into())).unwrap();
        assert_eq!(receiver.recv().unwrap().1.len(), 100_000);
        for (number, bytes) in (round * COUNT..).zip(&held) {
            assert!(bytes.chunks(4).all(|chunk| *chunk == number.to_le_bytes()), "{number}");
        }
    }
}

#[offspring::test]
fn whoever_is_killed_while_thousands_wait_hinders_nobody() {
    let _dog = watchdog();
    let (sender, receiver) = channel::channel::<offspring::Bytes>().unwrap();
    let send = |sender: Sender<offspring::Bytes>| {
        loop {
            sender.send(vec![1; 20_000].into()).unwrap();
        }
    };
    let receive = |receiver: Receiver<offspring::Bytes>| {
        let mut held = Vec::new();
        loop {
            held.push(receiver.recv().unwrap());
        }
    };
    let mut dice = Dice(0x1234_5678);
    for _ in 0..25 * torture() {
        while receiver.len() < 1_500 {
            sender.send(vec![1; 20_000].into()).unwrap();
        }
        let child = offspring::spawn(send, (sender.clone(),)).unwrap();
        until("it sends", || receiver.len() > 1_510);
        linger(dice.roll(300));
        let_die(&child);
        let before = receiver.len();
        let child = offspring::spawn(receive, (receiver.clone(),)).unwrap();
        until("it receives", || receiver.len() < before - 300);
        linger(dice.roll(300));
        let_die(&child);
    }
    while !receiver.is_empty() {
        assert_eq!(receiver.recv_timeout(LONG).unwrap()[..], *vec![1; 20_000]);
    }
    sender.send(vec![2; 30_000].into()).unwrap();
    assert_eq!(receiver.recv_timeout(LONG).unwrap()[..], *vec![2; 30_000]);
}

fn signal<T>(child: &Child<T>, signal: Signal) {
    kill(Pid::from_raw(child.pid().cast_signed()), signal).expect("a child can be signalled");
}

/// Waits until a process sleeps in `poll`.
fn until_it_polls(pid: u32) {
    until("it sleeps", || {
        let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
        let polls = [7, 271, 73]; // poll and ppoll of x86_64, ppoll of aarch64
        polls.iter().any(|poll| call.starts_with(&format!("{poll} ")))
    });
}

#[offspring::test]
fn one_that_sleeps_is_woken_though_another_took_its_token_out_with_a_pipe() {
    type Item = Option<Attachment<std::io::PipeReader>>;
    fn sleep(receiver: Receiver<Item>) -> bool {
        receiver.recv().unwrap().is_none()
    }
    let _dog = watchdog();
    let (sender, receiver) = channel::channel::<Item>().unwrap();
    let sleeper = offspring::spawn(sleep, (receiver.clone(),)).unwrap();
    until_it_polls(sleeper.pid());
    // It does not get to look at anything for a while.
    signal(&sleeper, Signal::SIGSTOP);
    until("it has stopped", || look(sleeper.pid()).is_some_and(|seen| seen.state == 'T'));
    sender.send(None).unwrap();
    sender.send(Some(Attachment::new(std::io::pipe().unwrap().0))).unwrap();
    assert!(receiver.recv().unwrap().is_none());
    assert!(receiver.recv().unwrap().is_some());
    sender.send(None).unwrap();
    signal(&sleeper, Signal::SIGCONT);
    assert!(sleeper.join().unwrap());
}

#[offspring::test]
fn signals_and_stops_do_not_disturb_a_channel() {
    fn echo(requests: Receiver<u64>, answers: Sender<u64>) {
        requests.iter().for_each(|request| answers.send(request.unwrap()).unwrap());
    }
    let _dog = watchdog();
    let (to, requests) = channel::bounded(2).unwrap();
    let (answers, from) = channel::bounded(2).unwrap();
    let child = offspring::spawn(echo, (requests, answers)).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut dice = Dice(7);
            while !over.load(Ordering::Relaxed) {
                signal(&child, Signal::SIGSTOP);
                linger(dice.roll(300));
                signal(&child, Signal::SIGCONT);
                linger(dice.roll(3000));
            }
        });
        for number in 0..3000 {
            to.send_timeout(number, LONG).unwrap();
            assert_eq!(from.recv_timeout(LONG).unwrap(), number);
        }
        over.store(true, Ordering::Relaxed);
    });
    drop(to);
    child.join().unwrap();
}

#[offspring::test]
fn many_producers_in_tight_loops_all_get_their_turn() {
    fn produce(sender: Sender<u64>, me: u64) {
        while sender.send(me).is_ok() {}
    }
    let _dog = watchdog();
    for limit in [1, 1000] {
        let (sender, receiver) = channel::bounded(limit).unwrap();
        let producers: Vec<_> =
            (0..6).map(|me| offspring::spawn(produce, (sender.clone(), me)).unwrap()).collect();
        drop(sender);
        let mut counts = [0_u64; 6];
        let mut longest = [Duration::ZERO; 6];
        let mut last = [Instant::now(); 6];
        let mut timeouts = 0;
        while counts.iter().any(|count| *count < 200) {
            match receiver.recv_timeout(Duration::from_micros(100)) {
                Ok(me) => {
                    let me = usize::try_from(me).unwrap();
                    counts[me] += 1;
                    longest[me] = longest[me].max(last[me].elapsed());
                    last[me] = Instant::now();
                }
                Err(error) => {
                    assert!(error.is_empty(), "{error}");
                    timeouts += 1;
                }
            }
        }
        eprintln!("limit {limit}: {counts:?}, longest without {longest:?}, {timeouts} timeouts");
        drop(receiver);
        producers.into_iter().for_each(|producer| producer.join().unwrap());
    }
}

/// How much memory this process uses, in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("it can be read");
    4096 * statm.split(' ').nth(1).expect("it has fields").parse::<u64>().expect("a number")
}

#[offspring::test]
fn ten_thousand_channels_in_one_process() {
    fn many(count: usize) -> (usize, u64, Duration) {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
        // Each channel takes three descriptors: its memory, and a socket's two ends.
        let count = count.min((usize::try_from(hard).unwrap_or(usize::MAX) - 100) / 3);
        let (before, begun) = (resident(), Instant::now());
        let channels: Vec<_> = (0..count).map(|_| channel::channel().unwrap()).collect();
        for (number, (sender, _)) in channels.iter().enumerate() {
            sender.send(number).unwrap();
        }
        for (number, (_, receiver)) in channels.iter().enumerate() {
            assert_eq!(receiver.recv().unwrap(), number);
        }
        let took = begun.elapsed();
        (count, resident().saturating_sub(before), took)
    }
    let _dog = watchdog();
    let (count, bytes, took) = offspring::spawn(many, (10_000,)).unwrap().join().unwrap();
    eprintln!(
        "{count} channels, {} bytes and {:?} each",
        bytes / count as u64,
        took / u32::try_from(count).unwrap()
    );
}
