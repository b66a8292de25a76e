//! A master here, and a worker that is a program in Python, with nothing but what Python brings: tasks to it, results back.
//!
//! It needs a `python3`, or the Python that its argument names. The script could run on any machine that reaches the master; here it is
//! started along, and gets the key by its standard input.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use anyhow::Context;
use offspring::net::python::manager::{CallError, ManagerServer, Queue};
use offspring::net::python::{AuthKey, Endpoint};
use offspring::subprocess::{Command, Popen, SubprocessError};

/// The worker of the tutorials on `multiprocessing.managers`, as it is.
const WORKER: &str = r#"
import queue, sys
from multiprocessing.managers import BaseManager

class QueueManager(BaseManager): pass
QueueManager.register("get_task_queue")
QueueManager.register("get_result_queue")

m = QueueManager(address=(sys.argv[1], int(sys.argv[2])), authkey=sys.stdin.buffer.read())
m.connect()
task, result = m.get_task_queue(), m.get_result_queue()
while True:
    try:
        n = task.get(timeout=0.1)
    except queue.Empty:
        break
    result.put({"n": n, "square": n * n, "by": "Python"})
"#;

/// What the worker makes of a task: a `dict` there.
#[derive(serde::Deserialize)]
struct Outcome {
    n: u64,
    square: u64,
    by: String,
}

const TASKS: u64 = 5;

fn main() -> anyhow::Result<()> {
    offspring::init();
    let (tasks, results) = (Queue::new(0), Queue::new(0));
    let key = AuthKey::random();
    let master = ManagerServer::builder(("127.0.0.1", 0), key.clone())
        .queue("get_task_queue", &tasks)
        .queue("get_result_queue", &results)
        .start()?;
    for n in 1..=TASKS {
        println!("task: {n}");
        tasks.put(&n)?;
    }
    let worker = start_worker(master.endpoint(), &key)?;
    for _ in 0..TASKS {
        let outcome: Outcome = loop {
            // What it did before its end is there after it.
            let is_alive = worker.is_alive();
            match results.get_timeout(Duration::from_millis(100)) {
                Err(CallError::Empty) if is_alive => {}
                outcome => break outcome.context("the worker has ended too early")?,
            }
        };
        println!("{} squared is {}, says {}", outcome.n, outcome.square, outcome.by);
    }
    println!("the worker: {}", worker.join()?);
    Ok(())
}

fn start_worker(endpoint: &Endpoint, key: &AuthKey) -> anyhow::Result<Popen> {
    let Endpoint::Tcp(host, port) = endpoint else { anyhow::bail!("not over TCP") };
    let python = std::env::args().nth(1).unwrap_or_else(|| "python3".to_owned());
    let command = Command::new(&python).args(["-c", WORKER, host, &port.to_string()]);
    let worker = match command.stdin(offspring::Stdio::piped()).start() {
        Err(SubprocessError::Execute { source, .. }) if source.kind() == ErrorKind::NotFound => {
            anyhow::bail!("there is no `{python}` to work here: install Python 3, or name the one to take")
        }
        started => started?,
    };
    worker.stdin().context("it is piped")?.write_all(key.as_bytes())?;
    Ok(worker)
}
