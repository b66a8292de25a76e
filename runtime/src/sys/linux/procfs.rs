//! What `/proc` tells of this process (`proc_pid_status(5)`).

use std::fs;
use std::io::Read;

/// The lines of `/proc/thread-self/status` that matter to a child of the calling thread.
#[derive(Debug, Default)]
pub(crate) struct Status {
    /// The file mode creation mask.
    pub(crate) umask: Option<u32>,
    /// The ignored signals, one bit each.
    pub(crate) ignored: Option<u64>,
    /// Users, groups, capabilities, seccomp and no-new-privileges, as the kernel prints them: equal text, equal rights.
    pub(crate) credentials: String,
}

/// Reads the status of the calling thread; `None` without a usable `/proc`.
///
/// This is on the path of every start: one open, one read, and no line that does not matter is looked at twice.
pub(crate) fn status() -> Option<Status> {
    let mut buffer = [0; 4096];
    let mut file = fs::File::open("/proc/thread-self/status").ok()?;
    // The kernel gives all of it at once, or as much as there is room for.
    let length = file.read(&mut buffer).ok()?;
    // Whoever is in hundreds of groups needs more room.
    if length == buffer.len() {
        return Some(parse(&fs::read_to_string("/proc/thread-self/status").ok()?));
    }
    Some(parse(std::str::from_utf8(&buffer[..length]).ok()?))
}

fn parse(text: &str) -> Status {
    let mut status = Status::default();
    for line in text.lines() {
        // Most lines are told apart by their first letter.
        if !matches!(line.as_bytes().first(), Some(b'U' | b'G' | b'C' | b'S' | b'N')) {
            continue;
        }
        let Some((name, value)) = line.split_once(":\t") else { continue };
        match name {
            "Umask" => status.umask = u32::from_str_radix(value, 8).ok(),
            "SigIgn" => status.ignored = u64::from_str_radix(value, 16).ok(),
            "Uid" | "Gid" | "Groups" | "CapInh" | "CapPrm" | "CapEff" | "CapBnd" | "CapAmb"
            | "NoNewPrivs" | "Seccomp" | "Seccomp_filters" => {
                status.credentials.push_str(value);
                status.credentials.push('\n');
            }
            _ => {}
        }
    }
    status
}

/// How many threads this process has; `None` without a usable `/proc`.
pub(crate) fn threads() -> Option<usize> {
    Some(fs::read_dir("/proc/self/task").ok()?.count())
}
