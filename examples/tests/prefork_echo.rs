//! The example `prefork_echo`.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

mod support;

const CLIENTS: usize = 40;
const CONNECTIONS: usize = 25;

/// The address on which it listens.
fn address(example: &mut support::Running) -> String {
    let line = example.line_with("listening on ");
    line.strip_prefix("listening on ").expect("the line begins so").to_string()
}

/// Connects, sends and hears all that one client does; returns how many bytes those are.
fn converse(address: &str, client: usize) -> usize {
    let mut stream = TcpStream::connect(address).expect("the example listens");
    let mut bytes = 0;
    for length in [1, 100, 4000] {
        let message: Vec<u8> =
            (0..length).map(|index| u8::try_from((client * 31 + index) % 256).expect("below 256")).collect();
        stream.write_all(&message).expect("it is read");
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).expect("it is answered");
        assert!(answer == message, "client {client} heard something else");
        bytes += length;
    }
    stream.shutdown(Shutdown::Write).expect("it is connected");
    assert_eq!(stream.read(&mut [0]).expect("the end comes"), 0);
    bytes
}

#[test]
fn a_crowd_is_served() {
    let mut example = support::start("prefork_echo", &[&(CLIENTS * CONNECTIONS).to_string()]);
    let address = address(&mut example);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let address = address.clone();
            thread::spawn(move || (0..CONNECTIONS).map(|_| converse(&address, client)).sum::<usize>())
        })
        .collect();
    let bytes: usize = clients.into_iter().map(|client| client.join().expect("it is served")).sum();
    let example = example.finish();
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
    let summary = format!("{} connections and {bytes} bytes were served", CLIENTS * CONNECTIONS);
    assert_eq!(example.stdout.lines().last(), Some(summary.as_str()));
    assert_eq!(example.stdout.matches(" is ready\n").count(), 4, "{}", example.stdout);
}

#[test]
fn a_killed_worker_costs_its_own_connection_and_is_replaced() {
    let mut example = support::start("prefork_echo", &["9"]);
    let address = address(&mut example);
    let mut victim = TcpStream::connect(&address).expect("the example listens");
    victim.write_all(b"x").expect("it is read");
    victim.read_exact(&mut [0]).expect("it is answered");
    let ready = |worker| {
        let begin = format!("Worker-{worker} (pid ");
        support::number_after(&example.read_until(&begin), &begin)
    };
    let pids = [1, 2, 3, 4].map(ready);
    // One of the four serves it. Which, nobody says.
    for pid in pids {
        support::kill(pid);
        example.read_until(&format!(" (pid {pid}) ended without a result"));
    }
    // Its socket was closed by the kernel, and nobody else has it: the end comes.
    assert_eq!(victim.read(&mut [0]).expect("all of it was read, so this is no reset"), 0);

    for client in 0..8 {
        converse(&address, client);
    }
    let example = example.finish();
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
    let bytes = 8 * (1 + 100 + 4000);
    assert_eq!(
        example.stdout.lines().last(),
        Some(format!("8 connections and {bytes} bytes were served").as_str())
    );
    assert_eq!(example.stdout.matches(" is ready\n").count(), 8, "{}", example.stdout);
}
