//! What the behaviour tests share: a watchdog, an executor, a look at the processes of the system, the
//! fixture programs.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::FromRawFd;
use std::pin::{Pin, pin};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use offspring::pool::{Pool, WorkerStats};

/// Far longer than anything takes, and short enough to say that something hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Aborts the test program when the test that holds this does not end.
#[derive(Debug)]
pub struct Watchdog(#[allow(dead_code)] Sender<()>); // dropping it is what calls the dog back

/// Watches over the calling test.
#[must_use]
pub fn watchdog() -> Watchdog {
    let (ended, watch) = channel::<()>();
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let patience = PATIENCE * u32::try_from(torture()).unwrap_or(u32::MAX);
    std::thread::spawn(move || {
        if watch.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            eprintln!("`{test}` hangs");
            std::process::abort();
        }
    });
    Watchdog(ended)
}

/// How many times more than usual the tests of endurance are to do: `OFFSPRING_TORTURE`, or once.
///
/// # Panics
/// When that is no number.
#[must_use]
pub fn torture() -> usize {
    let times = std::env::var("OFFSPRING_TORTURE").ok();
    times.map_or(1, |times| times.parse::<usize>().expect("OFFSPRING_TORTURE is a number").max(1))
}

/// Looks again and again until it is so.
///
/// # Panics
/// When it does not become so.
pub fn until(what: &str, mut it_is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE / 2;
    while !it_is_so() {
        assert!(Instant::now() < deadline, "it never came true that {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs a future on this thread: the smallest executor there is.
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}

/// Polls a future once: whether it waits.
pub async fn is_pending(future: &mut (impl Future + Unpin)) -> bool {
    std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context).is_pending())).await
}

/// One process as `/proc` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its number.
    pub pid: u32,
    /// The number of its parent.
    pub parent: u32,
    /// `R`, `S`, `Z` and so on.
    pub state: char,
    /// Its name, cut to 15 bytes.
    pub title: String,
}

/// Looks at a process.
#[must_use]
pub fn look(pid: u32) -> Option<Seen> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (open, close) = (stat.find('(')?, stat.rfind(')')?);
    let mut fields = stat[close + 2..].split(' ');
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    Some(Seen { pid, parent, state, title: stat[open + 1..close].to_owned() })
}

/// Whether a process runs: it exists and is no zombie.
#[must_use]
pub fn runs(pid: u32) -> bool {
    look(pid).is_some_and(|seen| seen.state != 'Z' && seen.state != 'X')
}

/// The children of a process, zombies included.
#[must_use]
pub fn children_of(pid: u32) -> Vec<Seen> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(look).filter(|seen| seen.parent == pid).collect()
}

/// The descriptors that are open in this process, with what they lead to.
#[must_use]
pub fn open_descriptors() -> BTreeMap<u32, String> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return BTreeMap::new() };
    let descriptors = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let target = std::fs::read_link(entry.path()).ok()?;
        Some((entry.file_name().to_str()?.parse().ok()?, target.to_string_lossy().into_owned()))
    });
    descriptors.filter(|(_, target)| !target.ends_with("/fd")).collect()
}

/// A pipe: the end to read from, and the end to write to.
///
/// # Panics
/// When there are no more descriptors.
#[must_use]
#[allow(unsafe_code)]
pub fn pipe() -> (File, File) {
    let mut ends = [0; 2];
    // SAFETY: two numbers are written.
    let made = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    assert_eq!(made, 0, "a pipe can be made: {}", std::io::Error::last_os_error());
    // SAFETY: the kernel just made it for us.
    let reader = unsafe { File::from_raw_fd(ends[0]) };
    // SAFETY: as above.
    let writer = unsafe { File::from_raw_fd(ends[1]) };
    (reader, writer)
}

/// A fixture program with its arguments, its streams captured.
#[must_use]
pub fn program(path: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(path);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command to its end.
///
/// # Panics
/// When it cannot be run.
#[must_use]
pub fn finish(command: &mut Command) -> Finished {
    let Output { status, stdout, stderr } = command.output().expect("the program runs");
    Finished {
        code: status.code(),
        signal: std::os::unix::process::ExitStatusExt::signal(&status),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

/// Reads lines of a running program until one begins with `prefix`, and returns the numbers that follow it.
///
/// # Panics
/// When the output ends before.
pub fn numbers_after(child: &mut Child, prefix: &str) -> Vec<u32> {
    use std::io::{BufRead, BufReader};
    let stdout = child.stdout.as_mut().expect("the output is piped");
    for line in BufReader::with_capacity(1, stdout).lines() {
        let line = line.expect("the output is text");
        if let Some(rest) = line.strip_prefix(prefix) {
            return rest.split_whitespace().map(|word| word.parse().expect("a number")).collect();
        }
    }
    panic!("no line begins with `{prefix}`");
}

/// Kills a worker of a pool every few milliseconds, of those that are like this, while something is done: how many were killed.
///
/// # Panics
/// When what is done does.
pub fn while_workers_are_killed(
    pool: &Pool,
    like: impl Fn(&WorkerStats) -> bool + Send,
    action: impl FnOnce(),
) -> usize {
    const MOST: usize = 60;
    let (stop, stopped) = channel::<()>();
    std::thread::scope(|scope| {
        let killing = scope.spawn(move || {
            let mut kills = 0;
            let goes_on = || stopped.recv_timeout(Duration::from_millis(5)) == Err(RecvTimeoutError::Timeout);
            while goes_on() && kills < MOST {
                if let Some(worker) = pool.stats().workers.iter().find(|worker| like(worker)) {
                    let pid = Pid::from_raw(i32::try_from(worker.pid).expect("a process id"));
                    kills += usize::from(signal::kill(pid, Signal::SIGKILL).is_ok());
                }
            }
            kills
        });
        action();
        drop(stop);
        killing.join().expect("it kills")
    })
}
