//! What `/proc` knows of a process: proc(5).

use std::fs;

use anyhow::{Context, Result};

/// The memory that only this process has, in KiB: what its end would set free (USS).
pub(crate) fn private_kib(pid: u32) -> Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let fields = ["Private_Clean:", "Private_Dirty:"].map(|name| field(&rollup, name));
    Ok(fields.into_iter().flatten().sum())
}

/// The memory that is mapped and present, in KiB.
pub(crate) fn resident_kib(pid: u32) -> Result<u64> {
    field(&fs::read_to_string(format!("/proc/{pid}/status"))?, "VmRSS:").context("no VmRSS")
}

/// How many threads a process has.
pub(crate) fn threads(pid: u32) -> Result<u64> {
    field(&fs::read_to_string(format!("/proc/{pid}/status"))?, "Threads:").context("no Threads")
}

/// The ids of a process's threads.
pub(crate) fn thread_ids(pid: u32) -> Result<Vec<i32>> {
    let names = fs::read_dir(format!("/proc/{pid}/task"))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.map(|name| Ok(name.parse()?)).collect()
}

/// The number in the line of `text` that begins with `name`.
pub(crate) fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What `/proc/PID/stat` says.
#[derive(Debug)]
pub(crate) struct Stat {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    /// User and system time together, in clock ticks of 10 ms.
    pub(crate) ticks: u64,
    /// When it was made, in clock ticks.
    pub(crate) born: u64,
}

/// Reads `/proc/PID/stat`.
pub(crate) fn stat(pid: u32) -> Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is a name in brackets, which may hold anything.
    let (_, rest) = text.rsplit_once(')').context("no name in stat")?;
    let fields: Vec<u64> = rest.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    let at = |number: usize| fields.get(number - 3).copied().context("stat is too short");
    Ok(Stat { pid, parent: u32::try_from(at(4)?)?, ticks: at(14)? + at(15)?, born: at(22)? })
}

/// A process and its children.
pub(crate) fn family(parent: u32) -> Result<Vec<u32>> {
    Ok([parent].into_iter().chain(children(parent)?.iter().map(|child| child.pid)).collect())
}

/// The children of a process, the eldest first.
pub(crate) fn children(parent: u32) -> Result<Vec<Stat>> {
    let names = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let stats = names.filter_map(|name| stat(name.parse().ok()?).ok()); // some have ended meanwhile
    let mut children: Vec<Stat> = stats.filter(|stat| stat.parent == parent).collect();
    children.sort_by_key(|stat| (stat.born, stat.pid));
    Ok(children)
}
