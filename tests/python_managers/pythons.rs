//! Which CPythons there are.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Every CPython 3 of the path, and those that `OFFSPRING_PYTHONS` names, one of each version.
pub(crate) fn pythons() -> &'static [PathBuf] {
    static FOUND: OnceLock<Vec<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let named = std::env::var_os("OFFSPRING_PYTHONS").unwrap_or_default();
        let mut candidates = std::env::split_paths(&named).collect::<Vec<_>>();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let directories = std::env::split_paths(&path).collect::<Vec<_>>();
        let programs = (0..20).map(|minor| format!("python3.{minor}")).chain(["python3".to_owned()]);
        for program in programs {
            candidates.extend(directories.iter().map(|directory| directory.join(&program)));
        }
        let mut found = BTreeMap::new();
        for python in
            candidates.into_iter().filter(|python| !python.as_os_str().is_empty() && python.is_file())
        {
            let script = "import platform, multiprocessing.connection; print(platform.python_version())";
            // What cannot be run, as the stand-in of a version manager, is none.
            let Ok(output) = Command::new(&python).args(["-c", script]).stdin(Stdio::null()).output() else {
                continue;
            };
            if output.status.success() {
                let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                found.entry(version).or_insert(python);
            }
        }
        for (version, python) in &found {
            println!("found CPython {version}: {}", python.display());
        }
        assert!(
            !found.is_empty(),
            "no python3 is there to talk to: install one, or name it in OFFSPRING_PYTHONS"
        );
        found.into_values().collect()
    })
}

/// A directory of one test, which ends with it.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("offspring-python-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}
