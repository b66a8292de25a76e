//! What `/proc` tells of this process (`proc_pid_status(5)`).

use std::fs;

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
pub(crate) fn status() -> Option<Status> {
    let text = fs::read_to_string("/proc/thread-self/status").ok()?;
    let mut status = Status::default();
    for line in text.lines() {
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
    Some(status)
}

/// How many threads this process has; `None` without a usable `/proc`.
pub(crate) fn threads() -> Option<usize> {
    Some(fs::read_dir("/proc/self/task").ok()?.count())
}
