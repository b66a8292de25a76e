//! A pre-fork echo server: the parent accepts, and hands each socket to a worker that was started before.
//!
//! `prefork_echo` serves for ever, `prefork_echo CONNECTIONS` as many. Try it with `nc 127.0.0.1 PORT`.
//!
//! What harms a worker harms the one connection that it serves: another worker takes its place, and who waits is served.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use offspring::{Attachment, JoinError, Process, Receiver, Run, channel};
use serde::{Deserialize, Serialize};

const WORKERS: usize = 4;

/// How many accepted connections may wait for a worker. More wait with the system, before they are accepted.
const WAITING: usize = 64;

/// How long a client may say nothing while others wait.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a worker is replaced. One that dies of whatever comes would else be replaced for ever.
const REPLACEMENTS: usize = 10;

#[derive(Process, Serialize, Deserialize)]
struct Worker {
    /// One queue for all workers: each socket goes to the next one that has time.
    accepted: Receiver<Attachment<TcpStream>>,
}

/// What has been served.
#[derive(Default, Serialize, Deserialize)]
struct Served {
    connections: u64,
    bytes: u64,
}

impl Run for Worker {
    type Output = Served;

    fn run(self) -> Served {
        let mut served = Served::default();
        for stream in self.accepted {
            let stream = stream.expect("it is of this program").into_inner();
            // A client that breaks off, or says nothing, has been served, too.
            served.bytes += echo(&stream).unwrap_or(0);
            served.connections += 1;
        }
        served
    }
}

/// Sends back what comes, to the end.
fn echo(mut stream: &TcpStream) -> io::Result<u64> {
    stream.set_read_timeout(Some(PATIENCE))?;
    io::copy(&mut stream.try_clone()?, &mut stream)
}

/// Has a worker run until no more sockets come, and replaces it if it dies. This is a thread of the parent's.
fn supervise(worker: &Worker) -> anyhow::Result<Served> {
    for _ in 0..=REPLACEMENTS {
        let child = worker.start()?;
        println!("{} (pid {}) is ready", child.name(), child.pid());
        match child.join() {
            Ok(served) => return Ok(served),
            Err(end @ (JoinError::Ended { .. } | JoinError::Panicked { .. })) => println!("replaced: {end}"),
            Err(other) => return Err(other.into()),
        }
    }
    bail!("a worker died {REPLACEMENTS} times, and is not replaced any more")
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let connections = match std::env::args().nth(1) {
        Some(number) => number.parse().context("CONNECTIONS is a number")?,
        None => usize::MAX,
    };
    let (sockets, accepted) = channel::bounded(WAITING)?;
    let supervisors: Vec<_> = (0..WORKERS)
        .map(|_| {
            let worker = Worker { accepted: accepted.clone() };
            thread::spawn(move || supervise(&worker))
        })
        .collect();
    drop(accepted); // when the workers are gone for good, `send` says so

    let listener = TcpListener::bind("127.0.0.1:0").context("this machine has a loopback")?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming().take(connections) {
        match stream {
            Ok(stream) => sockets.send(stream.into())?,
            Err(error) => eprintln!("a client could not be accepted: {error}"),
        }
    }

    drop(sockets); // so that the workers return when those that wait are served
    let mut served = Served::default();
    for supervisor in supervisors {
        let its = supervisor.join().map_err(|_| anyhow!("a supervisor panicked"))??;
        served.connections += its.connections;
        served.bytes += its.bytes;
    }
    println!("{} connections and {} bytes were served", served.connections, served.bytes);
    Ok(())
}
