//! What the soak looks at: what this process holds, and whether it gets anywhere.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use offspring_tests::{children_of, open_descriptors};

/// Counts every outcome.
pub(crate) static PROGRESS: AtomicU64 = AtomicU64::new(0);

/// What each thread is at.
static DOING: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// How long nothing may come of anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Says what this thread is at.
pub(crate) fn doing(what: impl fmt::Display) {
    PROGRESS.fetch_add(1, Ordering::Relaxed);
    let name = std::thread::current().name().unwrap_or("main").to_owned();
    let mut doing = DOING.lock().expect("nobody panics with it");
    match doing.iter_mut().find(|(other, _)| *other == name) {
        Some((_, at)) => *at = what.to_string(),
        None => doing.push((name, what.to_string())),
    }
}

/// What this process holds.
#[derive(Clone, Debug)]
pub(crate) struct Vitals {
    pub(crate) resident: u64,
    /// Of that, what has been allocated and not freed; 0 where the allocator does not say.
    pub(crate) allocated: u64,
    pub(crate) mappings: usize,
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
    pub(crate) children: usize,
}

impl Vitals {
    pub(crate) fn take() -> Self {
        trim();
        let status = std::fs::read_to_string("/proc/self/status").expect("there is /proc");
        let field = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the field is there");
            line.trim().trim_end_matches(" kB").parse().expect("a number")
        };
        let maps = std::fs::read_to_string("/proc/self/maps").expect("there is /proc");
        Self {
            resident: field("VmRSS:") * 1024,
            allocated: allocated(),
            mappings: maps.lines().count(),
            descriptors: open_descriptors().len(),
            threads: usize::try_from(field("Threads:")).expect("a small number"),
            children: children_of(std::process::id()).len(),
        }
    }

    /// What there is more of than there was before, by more than what comes and goes.
    pub(crate) fn growth_since(&self, before: &Self) -> Option<String> {
        let grown = |what: &str, before: u64, now: u64, room: u64| {
            (now > before + room).then(|| format!("{what}: {before} before, {now} now"))
        };
        grown("bytes of memory", before.resident, self.resident, (64 << 20) + before.resident / 2)
            .or_else(|| grown("bytes allocated", before.allocated, self.allocated, 4 << 20))
            .or_else(|| grown("mappings", before.mappings as u64, self.mappings as u64, 200))
            .or_else(|| grown("descriptors", before.descriptors as u64, self.descriptors as u64, 16))
            .or_else(|| grown("threads", before.threads as u64, self.threads as u64, 2))
            .or_else(|| grown("children", before.children as u64, self.children as u64, 2))
    }
}

impl fmt::Display for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resident, allocated, mappings, descriptors, threads, children } = self;
        let (resident, allocated) = (resident / 1024, allocated / 1024);
        write!(
            f,
            "{resident} KiB ({allocated} in use), {mappings} mappings, {descriptors} descriptors, {threads} threads, {children} children"
        )
    }
}

/// Gives back to the system what was freed, so that what is left is what is held.
#[allow(unsafe_code)]
fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it frees only what is free.
    unsafe {
        libc::malloc_trim(0)
    };
}

/// What has been allocated and not freed.
#[allow(unsafe_code)]
fn allocated() -> u64 {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: it takes nothing and returns numbers.
        let info = unsafe { libc::mallinfo2() };
        (info.uordblks + info.hblkhd) as u64
    }
    #[cfg(not(target_env = "gnu"))]
    0
}

/// Says what everybody is at and aborts when nothing has come of anything for too long.
pub(crate) fn watch(tell: impl Fn() + Send + Sync + 'static) {
    let watch = move || {
        let (mut seen, mut since) = (0, Instant::now());
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let progress = PROGRESS.load(Ordering::Relaxed);
            if progress != seen {
                (seen, since) = (progress, Instant::now());
            } else if since.elapsed() > PATIENCE {
                break;
            }
        }
        eprintln!("no progress for {PATIENCE:?}");
        // What follows may hang as well.
        std::thread::spawn(|| {
            std::thread::sleep(Duration::from_secs(5));
            std::process::abort();
        });
        threads();
        for child in children_of(std::process::id()) {
            eprintln!("  {child:?}");
        }
        if let Ok(doing) = DOING.try_lock() {
            for (name, what) in doing.iter() {
                eprintln!("  {name}: {what}");
            }
        }
        tell();
        std::process::abort();
    };
    std::thread::Builder::new().name("watchdog".into()).spawn(watch).expect("a thread starts");
}

fn threads() {
    for entry in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |what: &str| std::fs::read_to_string(entry.path().join(what)).unwrap_or_default();
        let (name, call) = (read("comm"), read("syscall"));
        eprintln!("  thread {:?} {}: {}", entry.file_name(), name.trim(), call.trim());
    }
}
