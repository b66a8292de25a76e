//! The facts about the machine that the figures depend on.

use std::fs;
use std::process::Command;

use serde::Serialize;

use crate::procfs;
use crate::units;

/// What the figures depend on.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    pub(crate) kernel: String,
    pub(crate) cpu: String,
    pub(crate) cpus: usize,
    /// A virtual machine pays more for exec, page faults and wake-ups across CPUs.
    pub(crate) virtual_machine: bool,
    pub(crate) memory_gib: u64,
    /// With `always`, a large heap has few page-table entries, and fork is cheap again.
    pub(crate) transparent_huge_pages: String,
    pub(crate) rustc: String,
    pub(crate) python: String,
    /// Of the program that is executed again by several contestants.
    pub(crate) program: String,
}

impl Facts {
    /// Looks around.
    pub(crate) fn gather(python: &str) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let value = |name: &str| cpuinfo.lines().find_map(|line| line.strip_prefix(name)?.split_once(": "));
        let release = read("/proc/sys/kernel/osrelease");
        let huge_pages = read("/sys/kernel/mm/transparent_hugepage/enabled");
        let chosen = huge_pages.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
        let kib = procfs::field(&read("/proc/meminfo"), "MemTotal:").unwrap_or_default();
        let program = std::env::current_exe().and_then(fs::metadata).map_or(0, |metadata| metadata.len());
        Self {
            // What stands behind the version is the builder's own affair.
            kernel: format!("Linux {}", release.trim().split('-').next().unwrap_or_default()),
            cpu: value("model name").map_or("unknown", |(_, name)| name).to_owned(),
            cpus: std::thread::available_parallelism().map_or(0, Into::into),
            virtual_machine: value("flags").is_some_and(|(_, flags)| flags.contains(" hypervisor")),
            memory_gib: kib.div_ceil(1 << 20),
            transparent_huge_pages: chosen.map_or("unknown", |(word, _)| word).to_owned(),
            rustc: env!("BENCH_RUSTC").to_owned(),
            python: version_of(python),
            program: program_size(program),
        }
    }

    /// As lines of a list.
    pub(crate) fn lines(&self) -> Vec<String> {
        let place = if self.virtual_machine { "virtual machine" } else { "bare machine" };
        vec![
            format!("{}, {place}", self.kernel),
            format!("{} × {}, {} GiB", self.cpus, self.cpu, self.memory_gib),
            format!("transparent huge pages: {}", self.transparent_huge_pages),
            format!("{}; the program that is executed again has {}", self.rustc, self.program),
            format!(
                "{}; procspawn 1.0.2, ipc-channel 0.23.1, iceoryx2 0.10.0, crossbeam-channel 0.5.17, rayon 1.12.0",
                self.python
            ),
        ]
    }
}

#[expect(clippy::cast_precision_loss, reason = "programs have no 2^52 bytes")]
fn program_size(bytes: u64) -> String {
    units::memory(bytes as f64 / 1024.0)
}

fn version_of(python: &str) -> String {
    let said = Command::new(python).arg("--version").output();
    said.map_or_else(|_| "no Python".into(), |said| String::from_utf8_lossy(&said.stdout).trim().to_owned())
}
