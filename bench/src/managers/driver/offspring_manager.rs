//! `offspring::Manager`, and `offspring::tasks`.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use offspring::Child;
use offspring::Manager;
use offspring::net::remote::{AuthKey, Endpoint};
use offspring::tasks::{TaskServer, TaskWorker};

use super::Contender;
use crate::managers::contestant::{Crowd, Socket, WORKERS};
use crate::managers::protocol::{VALUE, Window};

/// What the object is called.
const NAME: &str = "number";

/// What lives at the server.
struct Number(u64);

#[offspring::service]
impl Number {
    /// Its value.
    pub fn get(&self) -> u64 {
        self.0
    }
}

/// A manager with an object.
pub(crate) struct Offspring {
    number: NumberProxy,
    tasks: Option<Tasks>,
    socket: Socket,
    _manager: Manager,
    /// Who has the object, if that is not the manager's own process.
    host: Option<Child<()>>,
}

/// A server of tasks, and its workers.
struct Tasks {
    server: TaskServer<u64, u64>,
    workers: Vec<Child<u64>>,
}

#[expect(clippy::needless_pass_by_value, reason = "arguments of a process")]
fn work(server: Endpoint, key: Option<AuthKey>) -> u64 {
    let worker = TaskWorker::<u64, u64>::connect(&server, key.as_ref()).expect("the server listens");
    worker.run(|number| number * number).expect("the server shuts down in order")
}

impl Tasks {
    fn start(socket: Socket) -> Result<Self> {
        let (endpoint, key) = match socket {
            Socket::Local => (Endpoint::fresh(), None),
            Socket::Tcp => (Endpoint::tcp("127.0.0.1", 0), Some(AuthKey::random())),
        };
        let server = TaskServer::bind(&endpoint, key.clone())?;
        let workers = (0..WORKERS).map(|_| offspring::spawn(work, (server.endpoint().clone(), key.clone())));
        let workers = workers.collect::<Result<_, _>>()?;
        Ok(Self { server, workers })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "arguments of a process")]
fn call_at_once(number: NumberProxy, crowd: Crowd, window: Window) -> Result<u64, String> {
    let threads = (0..crowd.threads).map(|_| {
        let number = number.clone();
        thread::spawn(move || {
            if crowd.ahead == 1 {
                wait_for_each(&number, window)
            } else {
                run_ahead(&number, crowd.ahead, window)
            }
        })
    });
    let threads: Vec<_> = threads.collect();
    let counts = threads.into_iter().map(|thread| thread.join().ok().context("a thread panicked")?);
    counts.sum::<Result<u64>>().map_err(|error| format!("{error:#}"))
}

fn wait_for_each(number: &NumberProxy, window: Window) -> Result<u64> {
    window.fill(1, || {
        let value = number.get()?;
        ensure!(value == VALUE, "the value was {value}");
        Ok(())
    })
}

/// Starts half as many as may be on their way, and waits for the half before.
fn run_ahead(number: &NumberProxy, ahead: usize, window: Window) -> Result<u64> {
    let start = || (0..ahead / 2).map(|_| number.start_get()).collect::<Result<Vec<_>, _>>();
    let mut before = start()?;
    window.fill(ahead / 2, || {
        for call in std::mem::replace(&mut before, start()?) {
            let value = call.wait()?;
            ensure!(value == VALUE, "the value was {value}");
        }
        Ok(())
    })
}

/// The process that has the object for who connects by TCP.
#[expect(clippy::needless_pass_by_value, reason = "arguments of a process")]
fn host(key: AuthKey, tells: offspring::Sender<Endpoint>) {
    let server = Manager::builder().listen(Endpoint::tcp("127.0.0.1", 0)).authkey(key).serve();
    let server = server.expect("a port is free");
    let number = server.serve(Number(VALUE));
    server.register(NAME, &number).expect("the name is free");
    tells.send(server.endpoint().clone()).expect("the driver waits");
    server.serve_forever();
}

impl Offspring {
    pub(crate) fn start(socket: Socket) -> Result<Self> {
        let (manager, number, host) = match socket {
            Socket::Local => {
                let manager = Manager::start()?;
                let number = manager.create(Number, (VALUE,))?;
                (manager, number, None)
            }
            Socket::Tcp => {
                let key = AuthKey::random();
                let (tells, hears) = offspring::channel()?;
                let host = offspring::spawn(host, (key.clone(), tells))?;
                let manager = Manager::connect(&hears.recv()?, Some(&key))?;
                let number = manager.get(NAME)?;
                (manager, number, Some(host))
            }
        };
        Ok(Self { number, tasks: None, socket, _manager: manager, host })
    }
}

impl Drop for Offspring {
    fn drop(&mut self) {
        if let Some(host) = &self.host {
            let _ended_meanwhile = host.kill();
        }
    }
}

impl Contender for Offspring {
    fn call(&mut self) -> Result<u64> {
        Ok(self.number.get()?)
    }

    fn crowd(&self, crowd: Crowd, window: Window) -> Result<u64> {
        let processes = (0..crowd.processes)
            .map(|_| offspring::spawn(call_at_once, (self.number.clone(), crowd, window)));
        let processes = processes.collect::<Result<Vec<_>, _>>()?;
        let mut sum = 0;
        for process in processes {
            let count = process.join()?.map_err(anyhow::Error::msg)?;
            ensure!(count > 0, "somebody called nobody");
            sum += count;
        }
        Ok(sum)
    }

    fn tasks(&mut self, count: u64) -> Result<(Duration, u64)> {
        let Tasks { server, .. } = match &mut self.tasks {
            Some(tasks) => tasks,
            none => none.insert(Tasks::start(self.socket)?),
        };
        let (tasks, results) = (server.get_task_queue(), server.get_result_queue());
        let begin = Instant::now();
        for number in 0..count {
            tasks.put(&number)?;
        }
        let mut sum = 0;
        for _ in 0..count {
            sum += results.get()?.into_result()?;
        }
        Ok((begin.elapsed(), sum))
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for worker in &self.workers {
            let _ended_meanwhile = worker.kill();
        }
    }
}
