"""Where processes may run, as in `src/cpu.rs` and `src/procfs.rs`."""

import contextlib
import os


def children():
    """The process ids of this process's children."""
    found, me = [], str(os.getpid())
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as stat:
                parent = stat.read().rpartition(")")[2].split()[1]
        except OSError:
            continue  # it has ended meanwhile
        if parent == me:
            found.append(int(name))
    return found


def part(here, there):
    """Confines all threads of this process to a CPU, and those of its children to another."""
    for pid, cpu in [(os.getpid(), here), *((child, there) for child in children())]:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setaffinity(int(thread), {cpu})
