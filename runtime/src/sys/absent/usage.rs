//! How much a process uses: to be `GetProcessMemoryInfo` on Windows, `proc_pid_rusage(3)` on macOS and `kinfo_getproc(3)` on FreeBSD.

/// How many bytes of memory a process has resident: not known here yet.
pub(crate) fn resident(_pid: u32) -> Option<u64> {
    None
}

/// How many bytes of memory this process has resident that are nobody else's: not known here yet.
pub(crate) fn own() -> Option<u64> {
    None
}
