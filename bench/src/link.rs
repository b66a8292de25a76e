//! The conductor's end of a driver: requests go to its standard input, answers come from its standard output, a line
//! of JSON each.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A driver that is silent for longer hangs.
const PATIENCE: Duration = Duration::from_secs(150);

/// How long a driver may take to end once its input has ended.
const GRACE: Duration = Duration::from_secs(10);

/// A driver that runs.
#[derive(Debug)]
pub(crate) struct Link {
    process: Child,
    requests: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Link {
    /// Starts a driver.
    pub(crate) fn open(command: &mut Command) -> Result<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let requests = process.stdin.take();
        let lines = BufReader::new(process.stdout.take().context("no standard output")?).lines();
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { process, requests, answers })
    }

    /// The driver's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Asks, and waits for the answer.
    pub(crate) fn ask<A: DeserializeOwned>(&mut self, request: &impl Serialize) -> Result<A> {
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        self.requests.as_mut().context("the driver was closed")?.write_all(line.as_bytes())?;
        self.hear()
    }

    /// Waits for what the driver says next.
    pub(crate) fn hear<A: DeserializeOwned>(&mut self) -> Result<A> {
        match self.answers.recv_timeout(PATIENCE) {
            Ok(line) => serde_json::from_str(&line).with_context(|| format!("the driver said `{line}`")),
            Err(RecvTimeoutError::Disconnected) => bail!("the driver ended: {}", self.process.wait()?),
            Err(RecvTimeoutError::Timeout) => {
                self.process.kill()?;
                bail!("the driver was silent for {PATIENCE:?}, and has been killed")
            }
        }
    }
}

impl Drop for Link {
    /// Ends the input, at which the driver ends.
    fn drop(&mut self) {
        self.requests = None;
        let deadline = Instant::now() + GRACE;
        while matches!(self.process.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                eprintln!("bench: a driver does not end, and is killed");
                let _ended_meanwhile = self.process.kill();
                let _reaped = self.process.wait();
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}
