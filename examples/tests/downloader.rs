//! The example `downloader`.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use sha2::{Digest, Sha256};
use tiny_http::{Response, Server, StatusCode};

mod support;

/// What the test's own server serves as `/good`.
const GOOD: &[u8] = &[7; 1_000_000];

/// Nobody listens on this port of this machine: it is that of `tcpmux`, RFC 1078.
const REFUSED: &str = "http://127.0.0.1:1/file";

/// Serves `/good`; of `/stalled` it serves the half. All else is not found. Returns the server's address.
fn serve() -> String {
    let server = Server::http("127.0.0.1:0").expect("this machine has a loopback");
    let address = format!("http://{}", server.server_addr());
    thread::spawn(move || {
        for request in server.incoming_requests() {
            thread::spawn(move || match request.url() {
                "/good" => request.respond(Response::from_data(GOOD).with_chunked_threshold(usize::MAX)),
                "/stalled" => {
                    let (_never_used, never) = mpsc::channel();
                    let body = GOOD[..GOOD.len() / 2].chain(Never(never));
                    request.respond(
                        Response::new(StatusCode(200), vec![], body, Some(GOOD.len()), None)
                            .with_chunked_threshold(usize::MAX),
                    )
                }
                _ => request.respond(Response::empty(404)),
            });
        }
    });
    address
}

/// A reader that blocks until the test ends.
struct Never(mpsc::Receiver<()>);

impl Read for Never {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        let _nobody_sends = self.0.recv();
        Ok(0)
    }
}

/// The last line that begins with `name` tells how its download went: this is what follows its name and pid.
fn verdict<'a>(stdout: &'a str, name: &str) -> &'a str {
    let pid = support::number_after(stdout, &format!("{name} (pid "));
    let begin = format!("{name} (pid {pid}): ");
    stdout
        .lines()
        .filter_map(|line| line.strip_prefix(&begin))
        .next_back()
        .expect("each download has a verdict")
}

/// `1000000 bytes in 0.01 s, SHA-256 …` without the time.
fn bytes_and_hash(verdict: &str) -> (u32, &str) {
    let (bytes, rest) = verdict.split_once(" bytes in ").unwrap_or_else(|| panic!("it failed: {verdict}"));
    let (seconds, hash) = rest.split_once(" s, SHA-256 ").expect("time and hash follow");
    assert!(seconds.parse::<f64>().is_ok(), "{seconds}");
    (bytes.parse().expect("bytes are a number"), hash)
}

fn assert_good(verdict: &str) {
    assert_eq!(bytes_and_hash(verdict), (1_000_000, format!("{:x}", Sha256::digest(GOOD)).as_str()));
}

#[test]
fn all_that_its_own_server_serves_is_downloaded() {
    let example = support::run("downloader", &[]);
    assert_eq!((example.code, example.stderr.as_str()), (Some(0), ""));
    for (name, size) in [(1, 8 << 20), (2, 5 << 20), (3, (3 << 20) + 1), (4, 2 << 20)] {
        let (bytes, hash) = bytes_and_hash(verdict(&example.stdout, &format!("Downloader-{name}")));
        assert_eq!(bytes, size);
        assert_eq!(hash.len(), 64);
    }
    assert_eq!(example.stdout.lines().last(), Some("4 downloaded, 0 failed"));
}

#[test]
fn without_a_terminal_progress_is_plain_lines() {
    let example = support::run("downloader", &[]);
    for name in 1..=4 {
        let full = format!("Downloader-{name}: 100 %");
        assert_eq!(example.stdout.lines().filter(|line| **line == full).count(), 1, "{}", example.stdout);
    }
    let control = |character: char| character.is_control() && character != '\n';
    assert!(!example.stdout.contains(control), "{:?}", example.stdout);
    assert_eq!(example.stderr, "");
}

#[test]
fn the_hash_is_that_of_what_was_served() {
    let example = support::run("downloader", &[&format!("{}/good", serve())]);
    assert_good(verdict(&example.stdout, "Downloader-1"));
    assert_eq!(example.code, Some(0));
}

#[test]
fn files_are_kept_when_they_are_whole() {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("kept-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("the directory for tests is there");
    let (server, output) = (serve(), directory.to_str().expect("its name is text"));
    let urls = [format!("{server}/good?once"), format!("{server}/good"), format!("{server}/missing")];
    let example = support::run("downloader", &["--output", output, &urls[0], &urls[1], &urls[2]]);
    assert_eq!(example.code, Some(1), "{}", example.stdout);
    let mut names: Vec<_> = directory
        .read_dir()
        .expect("it is a directory")
        .map(|entry| entry.expect("it is read").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["2-good"], "the server knows no /good?once, and nothing is missing");
    assert!(std::fs::read(directory.join("2-good")).expect("it is kept") == GOOD);
    std::fs::remove_dir_all(directory).expect("it is ours");
}

#[test]
fn a_directory_that_is_not_there_fails_each_download_alone() {
    let missing = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("is/not/there");
    let output = missing.to_str().expect("its name is text");
    let example = support::run("downloader", &["--output", output, &format!("{}/good", serve())]);
    let line = verdict(&example.stdout, "Downloader-1");
    assert!(line.contains("/good: cannot keep it: "), "{line}");
    assert_eq!((example.code, example.stderr.as_str()), (Some(1), ""));
}

#[test]
fn a_refused_connection_is_one_line_and_others_finish() {
    let example = support::run("downloader", &[REFUSED, &format!("{}/good", serve())]);
    let line = verdict(&example.stdout, "Downloader-1");
    assert!(line.starts_with(&format!("cannot download {REFUSED}: cannot connect: ")), "{line}");
    assert_good(verdict(&example.stdout, "Downloader-2"));
    assert_eq!(example.stdout.lines().last(), Some("1 downloaded, 1 failed"));
    assert_eq!((example.code, example.stderr.as_str()), (Some(1), ""));
}

#[test]
fn a_404_is_one_line_and_others_finish() {
    let server = serve();
    let example = support::run("downloader", &[&format!("{server}/missing"), &format!("{server}/good")]);
    assert_eq!(
        verdict(&example.stdout, "Downloader-1"),
        format!("cannot download {server}/missing: the server answered with status 404")
    );
    assert_good(verdict(&example.stdout, "Downloader-2"));
    assert_eq!((example.code, example.stderr.as_str()), (Some(1), ""));
}

#[test]
fn a_connection_that_breaks_is_one_line() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("this machine has a loopback");
    let url = format!("http://{}/short", listener.local_addr().expect("it is bound"));
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the example connects");
        let _request = stream.read(&mut [0; 4096]);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort").expect("the example reads");
    });
    let example = support::run("downloader", &[&url]);
    let line = verdict(&example.stdout, "Downloader-1");
    assert!(
        line.starts_with(&format!("cannot download {url}: the connection broke after 5 bytes: ")),
        "{line}"
    );
    assert_eq!((example.code, example.stderr.as_str()), (Some(1), ""));
}

#[test]
fn a_child_killed_in_mid_download_is_one_line_and_others_finish() {
    let server = serve();
    let urls = [format!("{server}/good"), format!("{server}/stalled"), format!("{server}/good")];
    let mut example = support::start("downloader", &[&urls[0], &urls[1], &urls[2]]);
    let pid = support::number_after(&example.line_with("/stalled"), "Downloader-2 (pid ");
    example.line_with("Downloader-2: ");
    support::kill(pid);
    let example = example.finish();
    let line = verdict(&example.stdout, "Downloader-2");
    assert!(
        line.starts_with(&format!("cannot download {}: process `Downloader-2` (pid {pid}) ", urls[1])),
        "{line}"
    );
    if cfg!(unix) {
        assert!(line.ends_with(" ended without a result: signal 9 (SIGKILL)"), "{line}");
    }
    assert_good(verdict(&example.stdout, "Downloader-1"));
    assert_good(verdict(&example.stdout, "Downloader-3"));
    assert_eq!(example.stdout.lines().last(), Some("2 downloaded, 1 failed"));
    assert_eq!((example.code, example.stderr.as_str()), (Some(1), ""));
}

#[test]
fn a_program_killed_in_mid_download_takes_its_children_along() {
    let mut example = support::start("downloader", &[&format!("{}/stalled", serve())]);
    example.line_with("Downloader-1: ");
    support::kill(example.pid());
    let example = example.finish(); // which sees that the child is gone
    assert_ne!(example.code, Some(0));
}

#[test]
fn an_option_that_does_not_exist_is_refused() {
    let example = support::run("downloader", &["--slow"]);
    assert_eq!((example.code, example.stdout.as_str()), (Some(1), ""));
    assert!(example.stderr.contains("unknown option --slow: the usage is"), "{}", example.stderr);
}
