//! Changes to the environment of this process, while nothing else runs in it.

use std::ffi::{OsStr, OsString};

/// Removes a variable from the environment.
///
/// Called by the guard, first thing in `main` of a child that this library started.
pub(crate) fn remove_variable(name: &str) {
    // SAFETY: the guard runs before the program made threads; a child of ours has just begun.
    unsafe { std::env::remove_var(name) };
}

/// Makes the environment equal to `wanted`.
///
/// Called in a child that has just been cloned from a single-threaded forkserver.
pub(crate) fn replace_environment(wanted: &[(OsString, OsString)]) {
    let has = |name: &OsStr| wanted.iter().any(|(other, _)| other == name);
    for (name, _) in std::env::vars_os() {
        if !has(&name) {
            // SAFETY: this process has one thread.
            unsafe { std::env::remove_var(&name) };
        }
    }
    for (name, value) in wanted {
        if std::env::var_os(name).as_ref() != Some(value) {
            // SAFETY: this process has one thread.
            unsafe { std::env::set_var(name, value) };
        }
    }
}
