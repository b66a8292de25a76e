//! The main job: one process per file, a progress bar per child, typed errors.
//!
//! `downloader` starts a server of its own and downloads what it serves. `downloader URL…` downloads those, counts
//! and hashes them, and `downloader --output DIR URL…` keeps them as well.
//!
//! Whatever happens to one download, be it a refusal of the server or a `kill -9` of its process, the others finish.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, ExitCode};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use offspring::{Child, Process, Run, Stdio};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The process class: one download. It is a daemon: if the main program fails, its downloads end with it.
#[derive(Process, Serialize, Deserialize)]
#[process(daemon)]
struct Downloader {
    url: String,
    /// Where to keep what comes, if it is to be kept.
    file: Option<PathBuf>,
}

/// What comes back from the child.
#[derive(Serialize, Deserialize)]
struct Report {
    bytes: u64,
    sha256: String,
    elapsed: Duration,
}

/// What can go wrong with a download while its process is well.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
enum DownloadError {
    #[error("the server answered with status {0}")]
    Status(u16),
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("the connection broke after {bytes} bytes: {reason}")]
    Broken { bytes: u64, reason: String },
    #[error("cannot keep it: {0}")]
    Keep(String),
}

impl From<ureq::Error> for DownloadError {
    fn from(error: ureq::Error) -> Self {
        match error {
            ureq::Error::StatusCode(code) => Self::Status(code),
            other => Self::Connect(other.to_string()),
        }
    }
}

impl Run for Downloader {
    type Output = Result<Report, DownloadError>;

    fn run(self) -> Self::Output {
        let begin = Instant::now();
        let response =
            ureq::get(&self.url).config().timeout_connect(Some(Duration::from_secs(10))).build().call()?;
        let total = response.body().content_length();
        let mut body = response.into_body().into_reader();
        let mut file = self.open().map_err(|error| DownloadError::Keep(error.to_string()))?;
        let mut hash = Sha256::new();
        let mut bytes = 0;
        let mut buffer = vec![0; 256 << 10];
        loop {
            tell_progress(bytes, total);
            let broken = |reason: String| DownloadError::Broken { bytes, reason };
            let length = body.read(&mut buffer).map_err(|error| broken(error.to_string()))?;
            if length == 0 {
                break;
            }
            hash.update(&buffer[..length]);
            file.write_all(&buffer[..length]).map_err(|error| DownloadError::Keep(error.to_string()))?;
            bytes += length as u64;
        }
        Ok(Report { bytes, sha256: format!("{:x}", hash.finalize()), elapsed: begin.elapsed() })
    }
}

impl Downloader {
    fn open(&self) -> io::Result<Box<dyn Write>> {
        match &self.file {
            Some(file) => Ok(Box::new(File::create(file)?)),
            None => Ok(Box::new(io::sink())),
        }
    }
}

/// The child's end of the progress bar: the parent reads these lines from the child's standard output, a pipe.
fn tell_progress(bytes: u64, total: Option<u64>) {
    let _nobody_reads_it = writeln!(io::stdout(), "progress {bytes} {}", total.unwrap_or(0));
}

/// The parent's end: reads lines until the child has ended, and moves the bar, or prints where there is no terminal.
fn follow(stdout: ChildStdout, name: &str, bar: &ProgressBar) {
    let mut quarters = 0;
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let Some((bytes, total)) = line.strip_prefix("progress ").and_then(|numbers| numbers.split_once(' '))
        else {
            continue;
        };
        let (Ok(bytes), Ok(total)) = (bytes.parse::<u64>(), total.parse::<u64>()) else { continue };
        if total > 0 {
            bar.set_length(total);
        }
        bar.set_position(bytes);
        if bar.is_hidden() && total > 0 && bytes * 4 / total > quarters {
            quarters = bytes * 4 / total;
            let _nobody_reads_it = writeln!(io::stdout(), "{name}: {} %", quarters * 25);
        }
    }
}

/// Prints a line above the bars.
fn say(bars: &MultiProgress, line: &str) -> anyhow::Result<()> {
    bars.suspend(|| writeln!(io::stdout(), "{line}")).context("cannot print")
}

/// What is to be downloaded.
struct Source {
    url: String,
    file: Option<PathBuf>,
    /// What the hash must be, if that is known.
    sha256: Option<String>,
}

/// A download that is under way.
struct Download {
    source: Source,
    child: Child<Result<Report, DownloadError>>,
    bar: ProgressBar,
    follower: JoinHandle<()>,
}

impl Download {
    fn start(source: Source, bars: &MultiProgress) -> anyhow::Result<Self> {
        let downloader = Downloader { url: source.url.clone(), file: source.file.as_deref().map(part) };
        let child = downloader.builder().stdout(Stdio::piped()).start()?;
        let name = child.name().to_string();
        say(bars, &format!("{name} (pid {}): {}", child.pid(), source.url))?;
        let bar = bars.add(ProgressBar::no_length()).with_style(ProgressStyle::with_template(
            "{prefix:16} {bar:40} {bytes:>10} of {total_bytes:>10}, {bytes_per_sec}",
        )?);
        bar.set_prefix(name.clone());
        let stdout = child.stdout().context("it is piped, and nobody took it")?;
        let follower = thread::spawn({
            let bar = bar.clone();
            move || follow(stdout, &name, &bar)
        });
        Ok(Self { source, child, bar, follower })
    }

    /// Waits for the end. A process that was killed is a `JoinError`, a download that failed a `DownloadError`.
    fn finish(self) -> anyhow::Result<Report> {
        let outcome = self.child.join();
        self.follower.join().map_err(|_| anyhow!("the thread that follows the progress panicked"))?;
        self.bar.finish_and_clear();
        let report = outcome??;
        if let Some(expected) = &self.source.sha256 {
            ensure!(
                report.sha256 == *expected,
                "what came is not what was served: its hash is {}",
                report.sha256
            );
        }
        if let Some(file) = &self.source.file {
            fs::rename(part(file), file).with_context(|| format!("cannot keep {}", file.display()))?;
        }
        Ok(report)
    }
}

/// A file has this name until it is whole, so that what a killed child left is not taken for a download.
fn part(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// Reads the command line.
fn sources() -> anyhow::Result<Vec<Source>> {
    let mut arguments = std::env::args().skip(1).peekable();
    let directory = match arguments.next_if(|argument| argument == "--output") {
        Some(_) => Some(PathBuf::from(arguments.next().context("--output takes a directory")?)),
        None => None,
    };
    let urls: Vec<String> = arguments.collect();
    if let Some(option) = urls.iter().find(|url| url.starts_with('-')) {
        bail!("unknown option {option}: the usage is `downloader [--output DIR] [URL…]`");
    }
    let mut sources: Vec<Source> = if urls.is_empty() {
        serve()?
    } else {
        urls.into_iter().map(|url| Source { url, file: None, sha256: None }).collect()
    };
    if let Some(directory) = directory {
        for (number, source) in sources.iter_mut().enumerate() {
            source.file = Some(directory.join(file_name(number + 1, &source.url)));
        }
    }
    Ok(sources)
}

/// `1-name` for `http://host/path/name?query`: the number keeps files of one name apart.
fn file_name(number: usize, url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    format!("{number}-{}", path.rsplit('/').next().unwrap_or_default())
}

/// Starts a server on this machine, and says what it serves. It ends with the program.
fn serve() -> anyhow::Result<Vec<Source>> {
    let server =
        tiny_http::Server::http("127.0.0.1:0").map_err(|error| anyhow!("cannot start a server: {error}"))?;
    let sizes = [
        ("small.bin", 2 << 20),
        ("medium.bin", (3 << 20) + 1),
        ("large.bin", 5 << 20),
        ("huge.bin", 8 << 20),
    ];
    let files: BTreeMap<String, Vec<u8>> =
        (1..).zip(sizes).map(|(seed, (name, size))| (format!("/{name}"), noise(seed, size))).collect();
    let source = |(path, content): (&String, &Vec<u8>)| Source {
        url: format!("http://{}{path}", server.server_addr()),
        file: None,
        sha256: Some(format!("{:x}", Sha256::digest(content))),
    };
    let sources = files.iter().map(source).collect();
    thread::spawn(move || {
        for request in server.incoming_requests() {
            let content = files.get(request.url()).cloned();
            thread::spawn(move || match content {
                // No chunks: then the client is told the length beforehand.
                Some(data) => {
                    request.respond(tiny_http::Response::from_data(data).with_chunked_threshold(usize::MAX))
                }
                None => request.respond(tiny_http::Response::empty(404)),
            });
        }
    });
    Ok(sources)
}

/// Bytes that look random and are the same each time (the generator is xorshift64).
fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let mut bytes: Vec<u8> = words.by_ref().take(size.div_ceil(8)).flatten().collect();
    bytes.truncate(size);
    bytes
}

#[offspring::main]
fn main() -> anyhow::Result<ExitCode> {
    let bars = MultiProgress::new();
    let downloads: Vec<Download> =
        sources()?.into_iter().map(|source| Download::start(source, &bars)).collect::<Result<_, _>>()?;
    let (mut good, mut bad) = (0, 0);
    for download in downloads {
        let (name, pid, url) =
            (download.child.name().to_string(), download.child.pid(), download.source.url.clone());
        let line = match download.finish() {
            Ok(Report { bytes, sha256, elapsed }) => {
                good += 1;
                format!(
                    "{name} (pid {pid}): {bytes} bytes in {:.2} s, SHA-256 {sha256}",
                    elapsed.as_secs_f64()
                )
            }
            Err(error) => {
                bad += 1;
                format!("{name} (pid {pid}): cannot download {url}: {error:#}")
            }
        };
        say(&bars, &line)?;
    }
    say(&bars, &format!("{good} downloaded, {bad} failed"))?;
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
