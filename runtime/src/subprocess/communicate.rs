//! Feeding a program and draining it at the same time: one thread a stream, so that no pipe fills up unread.

use std::io::{self, Read, Write};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// What is being written and read.
#[derive(Debug)]
pub(super) struct Exchange {
    stdout: Arc<Drain>,
    stderr: Arc<Drain>,
    /// Disconnected when all threads are done.
    done: Receiver<()>,
    finished: bool,
}

/// What has come out of one stream.
#[derive(Debug, Default)]
struct Drain(Mutex<(Vec<u8>, Option<io::Error>)>);

impl Drain {
    fn lock(&self) -> std::sync::MutexGuard<'_, (Vec<u8>, Option<io::Error>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads to the end.
    fn fill(&self, mut stream: impl Read) {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => self.lock().0.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.lock().1 = Some(error);
                    return;
                }
            }
        }
    }
}

impl Exchange {
    /// Begins to write the input and to read the streams. A stream without input to come is closed at once.
    pub(super) fn begin(
        stdin: Option<ChildStdin>,
        input: Option<&[u8]>,
        stdout: Option<ChildStdout>,
        stderr: Option<ChildStderr>,
    ) -> io::Result<Self> {
        let (running, done) = channel();
        let exchange = Self { stdout: Arc::default(), stderr: Arc::default(), done, finished: false };
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            let input = input.to_vec();
            let running = running.clone();
            spawn(move || {
                let _program_does_not_read_on = stdin.write_all(&input);
                drop((stdin, running));
            })?;
        }
        if let Some(stream) = stdout {
            exchange.drain(stream, &exchange.stdout, running.clone())?;
        }
        if let Some(stream) = stderr {
            exchange.drain(stream, &exchange.stderr, running)?;
        }
        Ok(exchange)
    }

    fn drain(
        &self,
        stream: impl Read + Send + 'static,
        drain: &Arc<Drain>,
        running: std::sync::mpsc::Sender<()>,
    ) -> io::Result<()> {
        debug_assert!(!self.finished, "it begins only now");
        let drain = Arc::clone(drain);
        spawn(move || {
            drain.fill(stream);
            drop(running);
        })
    }

    /// Waits until everything is written and read, or the deadline: whether it is.
    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> bool {
        if !self.finished {
            self.finished = match deadline {
                None => self.done.recv().is_err(),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    self.done.recv_timeout(left) == Err(RecvTimeoutError::Disconnected)
                }
            };
        }
        self.finished
    }

    /// What has been read by now.
    pub(super) fn so_far(&self) -> (Vec<u8>, Vec<u8>) {
        (self.stdout.lock().0.clone(), self.stderr.lock().0.clone())
    }

    /// Takes everything that was read.
    pub(super) fn finish(&self) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let take = |drain: &Drain| {
            let (bytes, error) = std::mem::take(&mut *drain.lock());
            error.map_or(Ok(bytes), Err)
        };
        Ok((take(&self.stdout)?, take(&self.stderr)?))
    }
}

fn spawn(body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name("offspring-pipe".into()).stack_size(256 * 1024).spawn(body).map(drop)
}
