//! How much memory can be had (`/proc/meminfo` in `proc(5)`, and `cgroups(7)`, both versions).
//!
//! A memory file that asks for more than there is does not fail: the kernel ends processes until it fits or the asker is
//! gone. So one looks before.

use std::fs;
use std::path::{Path, PathBuf};

/// About how many bytes of memory this process could still get, if the system tells.
pub(crate) fn available() -> Option<u64> {
    let system = fs::read_to_string("/proc/meminfo").ok().and_then(|text| of_system(&text));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups = groups.lines().filter_map(directory).flat_map(|(root, group)| up_to(root, &group));
    system.into_iter().chain(groups.filter_map(|group| of_group(&group))).min()
}

fn of_system(meminfo: &str) -> Option<u64> {
    let kilobytes = |name: &str| -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    let swap = kilobytes("SwapFree").unwrap_or(0); // shared memory can be swapped
    Some(kilobytes("MemAvailable")?.saturating_add(swap).saturating_mul(1024))
}

/// The directory of the group that a line of `/proc/self/cgroup` names, below the root of its hierarchy, if it may limit memory.
fn directory(line: &str) -> Option<(&'static Path, PathBuf)> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, path) = (parts.next()?, parts.next()?);
    let root = match controllers {
        "" => "/sys/fs/cgroup",
        of_version_1 if of_version_1.split(',').any(|name| name == "memory") => "/sys/fs/cgroup/memory",
        _ => return None,
    };
    Some((Path::new(root), Path::new(root).join(path.trim_start_matches('/'))))
}

/// A group and all that it is in. In a container the path may be that of another namespace: what is not there does not count.
fn up_to(root: &'static Path, group: &Path) -> Vec<PathBuf> {
    group.ancestors().take_while(|path| path.starts_with(root)).map(Path::to_owned).collect()
}

fn of_group(group: &Path) -> Option<u64> {
    let number =
        |name: &str| -> Option<u64> { fs::read_to_string(group.join(name)).ok()?.trim().parse().ok() };
    let limit = number("memory.max").or_else(|| number("memory.limit_in_bytes"))?;
    let used = number("memory.current").or_else(|| number("memory.usage_in_bytes"))?;
    let statistics = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    Some(limit.saturating_sub(used.saturating_sub(cached(&statistics))))
}

/// How much a group would give back for want of memory: files that are on disk as well.
fn cached(statistics: &str) -> u64 {
    let of = |name: &str| {
        let value = statistics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    of("inactive_file").saturating_add(of("active_file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_memory_and_swap_count() {
        let text = "MemTotal:       100 kB\nMemAvailable:    60 kB\nSwapFree:  4 kB\n";
        assert_eq!(of_system(text), Some(64 * 1024));
        assert_eq!(of_system("MemTotal: 100 kB\n"), None);
    }

    #[test]
    fn groups_of_both_versions_are_found() {
        let group = |line| directory(line).map(|(_, path)| path.to_str().unwrap().to_owned());
        assert_eq!(group("0::/a.slice/b").as_deref(), Some("/sys/fs/cgroup/a.slice/b"));
        assert_eq!(group("4:cpu,memory:/c").as_deref(), Some("/sys/fs/cgroup/memory/c"));
        assert_eq!(group("5:devices:/c"), None);
        let (root, path) = directory("0::/a/b").unwrap();
        assert_eq!(up_to(root, &path).len(), 3);
    }

    #[test]
    fn what_can_be_given_back_is_not_used() {
        assert_eq!(cached("anon 5\ninactive_file 7\nactive_file 3\nfile 99\n"), 10);
    }

    #[test]
    fn this_system_tells() {
        assert!(available().is_some_and(|bytes| bytes > 0));
    }
}
