//! How much a process uses, as `/proc` tells (`proc_pid_status(5)`).

/// How many bytes of memory a process has resident, what it shares with others included; `None` when it has ended, and without a usable
/// `/proc`.
pub(crate) fn resident(pid: u32) -> Option<u64> {
    read(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// How many bytes of memory this process has resident that are no file's and nobody else's; `None` without a usable `/proc`.
pub(crate) fn own() -> Option<u64> {
    read("/proc/self/status", "RssAnon:")
}

fn read(path: &str, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(path).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_process_has_memory_and_one_that_is_not_there_has_none() {
        let own = super::resident(std::process::id()).unwrap();
        assert!(own > 4096, "{own}");
        assert_eq!(super::resident(u32::MAX), None);
        // Whatever other tests of this process let go meanwhile: what is held is there.
        let held = std::hint::black_box(vec![1_u8; 32 << 20]);
        let own = super::own().unwrap();
        assert!(own > 16 << 20, "{own}");
        drop(std::hint::black_box(held));
    }
}
