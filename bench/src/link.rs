//! What conductor and drivers speak through: requests go to a driver's standard input, answers come from its standard
//! output, a line of JSON each. `python/serving.py` has the driver's end for Python.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A driver that is silent for longer hangs.
const PATIENCE: Duration = Duration::from_secs(150);

/// How long a driver may take to end once its input has ended.
const GRACE: Duration = Duration::from_secs(10);

/// What a driver says.
#[derive(Debug, Serialize, Deserialize)]
enum Said<A> {
    /// It listens.
    Hello,
    Done(A),
    /// It could not be done.
    Failed(String),
}

/// The life of a driver: answers one request after the other until there are no more.
pub(crate) fn serve<Q: DeserializeOwned, A: Serialize>(mut answer: impl FnMut(Q) -> Result<A>) -> Result<()> {
    say(&Said::<()>::Hello)?;
    for line in std::io::stdin().lock().lines() {
        let said = answer(serde_json::from_str(&line?)?);
        say(&said.map_or_else(|error| Said::Failed(format!("{error:#}")), Said::Done))?;
    }
    Ok(())
}

fn say<A: Serialize>(said: &Said<A>) -> Result<()> {
    let mut line = serde_json::to_string(said)?;
    line.push('\n');
    let mut output = std::io::stdout().lock();
    output.write_all(line.as_bytes())?;
    Ok(output.flush()?)
}

/// A driver that runs.
#[derive(Debug)]
pub(crate) struct Link {
    process: Child,
    requests: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Link {
    /// Starts a driver, and waits until it listens.
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
        let mut link = Self { process, requests, answers };
        match link.hear::<()>()? {
            Said::Hello => Ok(link),
            said => bail!("the driver began with {said:?}"),
        }
    }

    /// The driver's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Asks, and waits for the answer. A driver that does not answer is lost.
    pub(crate) fn ask<A: DeserializeOwned>(&mut self, request: &impl Serialize) -> Result<A> {
        match self.exchange(request) {
            Ok(Said::Done(answer)) => Ok(answer),
            Ok(Said::Failed(why)) => bail!(why),
            Ok(Said::Hello) => bail!("the driver said hello twice"),
            Err(error) => {
                self.requests = None;
                Err(error)
            }
        }
    }

    /// Whether it is of no use to ask again.
    pub(crate) fn is_lost(&self) -> bool {
        self.requests.is_none()
    }

    fn exchange<A: DeserializeOwned>(&mut self, request: &impl Serialize) -> Result<Said<A>> {
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        self.requests.as_mut().context("the driver was lost")?.write_all(line.as_bytes())?;
        self.hear()
    }

    /// Waits for what the driver says next.
    fn hear<A: DeserializeOwned>(&mut self) -> Result<Said<A>> {
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
