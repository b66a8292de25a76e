//! A master and workers that need nothing in common but an endpoint and a key: squares, computed elsewhere.
//!
//! Without an argument it shows how it goes on: a master and three programs that work for it, over TCP on this machine. One of them is
//! killed, and the link of another one is cut. On several machines, with the same secret in a file on each:
//!
//! ```text
//! task_queue master tcp://0.0.0.0:5000 < key
//! task_queue worker tcp://the-master:5000 < key
//! ```

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use offspring::net::remote::{AuthKey, Endpoint};
use offspring::subprocess::{Command, Popen};
use offspring::tasks::{TaskServer, TaskWorker};

type Master = TaskServer<u64, u64>;
type Worker = TaskWorker<u64, u64>;

const TASKS: u64 = 60;

fn main() -> anyhow::Result<()> {
    offspring::init();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => show(),
        ["master", endpoint] => master(&endpoint.parse()?, key()?),
        ["worker", endpoint] => worker(&endpoint.parse()?, &key()?),
        _ => anyhow::bail!("usage: task_queue [master|worker ENDPOINT < KEY]"),
    }
}

/// Nobody else reads the standard input, as others may read arguments.
fn key() -> anyhow::Result<AuthKey> {
    let mut key = Vec::new();
    std::io::stdin().read_to_end(&mut key)?;
    anyhow::ensure!(key.len() >= 16, "the key on the standard input is too short: take 16 random bytes");
    Ok(AuthKey::new(key))
}

fn master(endpoint: &Endpoint, key: AuthKey) -> anyhow::Result<()> {
    let master = Master::bind(endpoint, Some(key))?;
    println!("listening at {}", master.endpoint());
    let (tasks, results) = (master.get_task_queue(), master.get_result_queue());
    tasks.put_all(&(1..=10).collect::<Vec<_>>())?;
    for _ in 0..10 {
        println!("result: {}", results.get()?.into_result()?);
    }
    master.shutdown();
    Ok(())
}

fn worker(endpoint: &Endpoint, key: &AuthKey) -> anyhow::Result<()> {
    Worker::connect(endpoint, Some(key))?.run(|number| {
        thread::sleep(Duration::from_millis(10)); // it is hard work
        number * number
    })?;
    Ok(())
}

fn show() -> anyhow::Result<()> {
    let key = AuthKey::random();
    let master = Master::bind(&Endpoint::tcp("127.0.0.1", 0), Some(key.clone()))?;
    let way = Way::to(master.endpoint())?;
    let workers = [master.endpoint(), &way.endpoint, master.endpoint()]
        .map(|endpoint| start_worker(endpoint, &key).expect("this program can be started"));

    let (tasks, results) = (master.get_task_queue(), master.get_result_queue());
    tasks.put_all(&(1..=TASKS).collect::<Vec<_>>())?;
    // Until each of them works.
    while master.counts().leased < workers.len() && results.len() < 20 {
        thread::sleep(Duration::from_millis(1));
    }
    println!("the first worker is killed");
    workers[0].kill()?;
    println!("the link of the second is cut");
    way.cut();
    // What the first had others do, and the second comes back.
    let mut squares = Vec::new();
    while squares.len() < usize::try_from(TASKS)? {
        squares.push(results.get()?.into_result()?);
    }
    println!("the sum of {TASKS} squares is {}", squares.iter().sum::<u64>());
    master.shutdown();
    for (worker, which) in workers.iter().zip(["first", "second", "third"]) {
        println!("the {which} worker: {}", worker.join()?);
    }
    Ok(())
}

/// Another program, which is told the key where nobody sees it.
fn start_worker(endpoint: &Endpoint, key: &AuthKey) -> anyhow::Result<Popen> {
    let program = std::env::current_exe().context("this program is a file")?;
    let worker = Command::new(program)
        .arg("worker")
        .arg(endpoint.to_string())
        .stdin(offspring::Stdio::piped())
        .start()?;
    worker.stdin().context("it is piped")?.write_all(key.as_bytes())?;
    Ok(worker)
}

/// A way to an endpoint that can be cut, as cables can.
struct Way {
    endpoint: Endpoint,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Way {
    fn to(endpoint: &Endpoint) -> anyhow::Result<Self> {
        let Endpoint::Tcp { host, port } = endpoint.clone() else { anyhow::bail!("not over TCP") };
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let near = Endpoint::tcp("127.0.0.1", listener.local_addr()?.port());
        let streams = Arc::<Mutex<Vec<TcpStream>>>::default();
        let all = Arc::clone(&streams);
        thread::spawn(move || -> anyhow::Result<()> {
            for here in listener.incoming() {
                let here = here?;
                let there = TcpStream::connect((host.as_str(), port))?;
                for (from, to) in [(&here, &there), (&there, &here)] {
                    let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
                    all.lock().expect("nobody panics with it").push(from.try_clone()?);
                    thread::spawn(move || {
                        let _it_was_cut = std::io::copy(&mut from, &mut to);
                        let _it_was_cut = to.shutdown(Shutdown::Write);
                    });
                }
            }
            Ok(())
        });
        Ok(Self { endpoint: near, streams })
    }

    /// Cuts what goes over it. It can be taken again.
    fn cut(&self) {
        for stream in self.streams.lock().expect("nobody panics with it").drain(..) {
            let _it_was_over = stream.shutdown(Shutdown::Both);
        }
    }
}
