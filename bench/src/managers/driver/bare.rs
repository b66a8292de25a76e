//! A request that is written to a socket, and an answer that is read from it: what one would write by hand for one kind of call. Each caller
//! has a socket of its own, with a thread at the server that reads and answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener, UnixStream};
use std::thread;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::Contender;
use crate::forked::{Forked, fork};
use crate::managers::contestant::{Crowd, Socket};
use crate::managers::protocol::{VALUE, Window};

/// How many bytes a proxy of `offspring` sends for a call without arguments, and how many it gets back with a number.
const REQUEST: usize = 24;
const ANSWER: usize = 22;

/// The server, and a connection to it.
pub(crate) struct Bare {
    server: Pid,
    place: Place,
    caller: Caller,
}

/// Where the server listens.
#[derive(Clone)]
enum Place {
    Local(UnixAddr),
    Tcp(SocketAddr),
}

/// One end of a connection.
trait Stream: Read + Write + Send + 'static {}

impl<S: Read + Write + Send + 'static> Stream for S {}

struct Caller(Box<dyn Stream>);

impl Caller {
    fn call(&mut self) -> Result<u64> {
        let mut answer = [0; ANSWER];
        self.0.write_all(&[1; REQUEST])?;
        self.0.read_exact(&mut answer)?;
        Ok(value(&answer))
    }

    /// Writes so many requests at once, and reads all answers.
    fn call_ahead(&mut self, requests: &[u8], answers: &mut [u8]) -> Result<()> {
        self.0.write_all(requests)?;
        self.0.read_exact(answers)?;
        ensure!(answers.chunks(ANSWER).all(|answer| value(answer) == VALUE), "not each answer was the value");
        Ok(())
    }
}

fn value(answer: &[u8]) -> u64 {
    answer.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn answer(mut stream: impl Stream) {
    let mut request = [0; REQUEST];
    let mut answer = [0; ANSWER];
    answer[..8].copy_from_slice(&VALUE.to_le_bytes());
    // Until the caller is gone.
    while stream.read_exact(&mut request).is_ok() && stream.write_all(&answer).is_ok() {}
}

impl Bare {
    pub(crate) fn start(socket: Socket) -> Result<Self> {
        let (place, server) = match socket {
            Socket::Local => {
                let name = format!("offspring-bench/{}", std::process::id());
                let address = UnixAddr::from_abstract_name(name)?;
                let listener = UnixListener::bind_addr(&address)?;
                let server = fork(|| {
                    for stream in listener.incoming().map_while(Result::ok) {
                        thread::spawn(move || answer(stream));
                    }
                })?;
                (Place::Local(address), server)
            }
            Socket::Tcp => {
                let listener = TcpListener::bind(("127.0.0.1", 0))?;
                let address = listener.local_addr()?;
                let server = fork(|| {
                    for stream in listener.incoming().map_while(Result::ok) {
                        let _slow_then = stream.set_nodelay(true);
                        thread::spawn(move || answer(stream));
                    }
                })?;
                (Place::Tcp(address), server)
            }
        };
        Ok(Self { server, caller: place.connect()?, place })
    }
}

impl Place {
    fn connect(&self) -> Result<Caller> {
        Ok(Caller(match self {
            Self::Local(address) => Box::new(UnixStream::connect_addr(address)?),
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        }))
    }
}

impl Contender for Bare {
    fn call(&mut self) -> Result<u64> {
        self.caller.call()
    }

    fn crowd(&self, crowd: Crowd, window: Window) -> Result<u64> {
        let life = || {
            let threads = (0..crowd.threads).map(|_| {
                let place = self.place.clone();
                thread::spawn(move || {
                    let mut caller = place.connect()?;
                    let (requests, mut answers) =
                        (vec![1; REQUEST * crowd.ahead], vec![0; ANSWER * crowd.ahead]);
                    window.fill(crowd.ahead, || caller.call_ahead(&requests, &mut answers))
                })
            });
            let threads: Vec<_> = threads.collect();
            threads
                .into_iter()
                .map(|thread| thread.join().ok().context("a thread panicked")?)
                .sum::<Result<u64>>()
        };
        let processes = (0..crowd.processes).map(|_| Forked::start(life)).collect::<Result<Vec<_>>>()?;
        let counts = processes.into_iter().map(Forked::join::<u64>).collect::<Result<Vec<_>>>()?;
        ensure!(counts.iter().all(|count| *count > 0), "somebody called nobody: {counts:?}");
        Ok(counts.iter().sum())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ended_meanwhile = kill(self.server, Signal::SIGKILL);
        let _reaped = waitpid(self.server, None);
    }
}
