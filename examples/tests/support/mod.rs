//! Runs an example under a watchdog, and sees what it prints, how it ends, and what it leaves behind.
#![allow(dead_code)] // each file of tests is a program of its own, and uses a part of this

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long an example may take.
const WATCHDOG: Duration = Duration::from_secs(60);

/// How long the system may take to bury what has been killed.
const BURIAL: Duration = Duration::from_secs(10);

/// All processes of a run have this in their environment.
const MARK: &str = "OFFSPRING_EXAMPLES_RUN";

/// An example that runs.
pub(crate) struct Running {
    process: Child,
    mark: String,
    stdout: BufReader<ChildStdout>,
    /// What was read of it.
    read: String,
    stderr: JoinHandle<String>,
    bitten: Arc<AtomicBool>,
    /// Dropped to send the watchdog home.
    leash: mpsc::Sender<()>,
}

/// An example that has ended, and left no process behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) pid: u32,
    /// `None` after a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs an example to its end.
pub(crate) fn run(name: &str, arguments: &[&str]) -> Finished {
    start(name, arguments).finish()
}

/// Starts an example, which is where cargo puts it: beside the directory of the tests.
pub(crate) fn start(name: &str, arguments: &[&str]) -> Running {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mark = format!("{MARK}={}-{number}", std::process::id());
    let test = std::env::current_exe().expect("the test is a file");
    let directory = test.ancestors().nth(2).expect("tests are in target/PROFILE/deps").join("examples");
    let program: PathBuf = directory.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let mut process = Command::new(&program)
        .args(arguments)
        .env(MARK, mark.split_once('=').map_or("", |(_, value)| value))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", program.display()));
    let stdout = BufReader::new(process.stdout.take().expect("it is piped"));
    let mut errors = process.stderr.take().expect("it is piped");
    let stderr = thread::spawn(move || {
        let mut said = String::new();
        errors.read_to_string(&mut said).expect("examples write text");
        said
    });
    let bitten = Arc::new(AtomicBool::new(false));
    let leash = watchdog(process.id(), mark.clone(), Arc::clone(&bitten));
    Running { process, mark, stdout, read: String::new(), stderr, bitten, leash }
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Reads on to the first line that contains `text`.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let length = self.stdout.read_line(&mut line).expect("examples write text");
            self.read.push_str(&line);
            assert!(length > 0, "no line has `{text}`: {}", self.read);
            if line.contains(text) {
                return line.trim_end().to_string();
            }
        }
    }

    /// Reads on until `text` has been printed, now or before: all that was read.
    pub(crate) fn read_until(&mut self, text: &str) -> String {
        if !self.read.contains(text) {
            self.line_with(text);
        }
        self.read.clone()
    }

    /// Waits for the end, and for all processes of the run to be gone.
    pub(crate) fn finish(mut self) -> Finished {
        self.stdout.read_to_string(&mut self.read).expect("examples write text");
        let status = self.process.wait().expect("it is our child");
        let stderr = self.stderr.join().expect("examples write text");
        drop(self.leash);
        assert!(!self.bitten.load(Ordering::SeqCst), "it took too long: {}\n{stderr}", self.read);
        // The main program has ended. Those it had are being killed at this moment, and nobody tells us when they are.
        let deadline = Instant::now() + BURIAL;
        while !marked(&self.mark).is_empty() {
            assert!(Instant::now() < deadline, "it left processes behind: {:?}", marked(&self.mark));
            thread::yield_now();
        }
        Finished { pid: self.process.id(), code: status.code(), stdout: self.read, stderr }
    }
}

/// Kills a run that takes too long, unless what it returns is dropped before.
fn watchdog(pid: u32, mark: String, bitten: Arc<AtomicBool>) -> mpsc::Sender<()> {
    let (leash, end) = mpsc::channel();
    thread::spawn(move || {
        if end.recv_timeout(WATCHDOG) == Err(mpsc::RecvTimeoutError::Timeout) {
            bitten.store(true, Ordering::SeqCst);
            kill(pid);
            marked(&mark).into_iter().for_each(kill);
        }
    });
    leash
}

/// The processes of a run, as far as the system tells: Linux does.
fn marked(mark: &str) -> Vec<u32> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let is_marked = |pid: &u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(is_marked).collect()
}

/// `kill -9`. One that has ended is not minded.
pub(crate) fn kill(pid: u32) {
    #[cfg(unix)]
    {
        use nix::sys::signal::{Signal, kill};
        let pid = i32::try_from(pid).expect("process ids are small");
        let _ended = kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
    }
    #[cfg(windows)]
    {
        let _ended = Command::new("taskkill").args(["/F", "/PID", &pid.to_string()]).status();
    }
}

/// The number that follows the first `text`.
pub(crate) fn number_after(all: &str, text: &str) -> u32 {
    let (_, rest) = all.split_once(text).unwrap_or_else(|| panic!("no `{text}` in: {all}"));
    let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().unwrap_or_else(|_| panic!("no number after `{text}` in: {all}"))
}
