//! Python's packages from outside its standard library: they are installed beside what cargo builds, and nowhere else.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// An interpreter like this one that has a package of this version. It is made if there is none yet, which takes pip and a
/// network.
pub(crate) fn interpreter_with(python: &str, package: &str, version: &str) -> Result<PathBuf> {
    let said = Command::new(python).args(["-c", "import sys; print(sys.version.split()[0])"]).output();
    let said = said.with_context(|| format!("run `{python}`"))?;
    let name = format!("target/venv-{}", String::from_utf8_lossy(&said.stdout).trim());
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let interpreter = directory.join("bin/python");
    if installed(&interpreter, package).as_deref() != Some(version) {
        let made = Command::new(python).args(["-m", "venv"]).arg(&directory).status()?;
        ensure!(
            made.success(),
            "there is no virtual environment to install it into: `{python} -m venv` failed"
        );
        let wanted = format!("{package}=={version}");
        let pip = Command::new(&interpreter)
            .args(["-m", "pip", "--disable-pip-version-check", "install", "--quiet", &wanted])
            .status()?;
        ensure!(pip.success(), "pip could not install {wanted}");
    }
    let installed = installed(&interpreter, package);
    ensure!(
        installed.as_deref() == Some(version),
        "{package} {version} is not there although it was installed"
    );
    Ok(interpreter)
}

/// The version of a package that an interpreter has.
fn installed(interpreter: &Path, package: &str) -> Option<String> {
    let program = format!("import importlib.metadata as m; print(m.version('{package}'))");
    let said = Command::new(interpreter).args(["-c", &program]).output().ok()?;
    said.status.success().then(|| String::from_utf8_lossy(&said.stdout).trim().to_owned())
}
