//! The three ways to make a process.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::StartError;
use crate::sys;

/// How a child process comes to be.
///
/// What a child sees does not depend on it: arguments, directory, environment, standard streams, signal state and
/// resource limits are those of the starter. The names are those of Python's `multiprocessing`.
///
/// | | cost of a start | memory of the parent | with threads |
/// |---|---|---|---|
/// | `ForkServer` | about one fork of a small process | not copied | safe |
/// | `Spawn` | loading the program again | not copied | safe |
/// | `Fork` | grows with the parent's memory | copied on write | refused |
///
/// ```
/// use offspring::StartMethod;
///
/// assert_eq!("spawn".parse(), Ok(StartMethod::Spawn));
/// let error = "zzz".parse::<StartMethod>().unwrap_err();
/// assert_eq!(error.to_string(), "cannot find start method `zzz`: it is one of forkserver, spawn, fork");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StartMethod {
    /// A small server, made of this program at the first start, clones itself for each child. The default on Linux.
    ForkServer,
    /// The program is executed again. The default elsewhere, and available everywhere.
    Spawn,
    /// This process is copied by `fork(2)`. Refused while the program has other threads.
    Fork,
}

/// A name that no start method has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot find start method `{0}`: it is one of forkserver, spawn, fork")]
pub struct UnknownStartMethod(String);

/// The start method of the program has been chosen already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the start method has already been set to {0}: it can be set once, before the first start")]
pub struct StartMethodAlreadySet(StartMethod);

impl fmt::Display for StartMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ForkServer => "forkserver",
            Self::Spawn => "spawn",
            Self::Fork => "fork",
        })
    }
}

impl FromStr for StartMethod {
    type Err = UnknownStartMethod;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "forkserver" => Ok(Self::ForkServer),
            "spawn" => Ok(Self::Spawn),
            "fork" => Ok(Self::Fork),
            _ => Err(UnknownStartMethod(name.into())),
        }
    }
}

static CHOSEN: OnceLock<StartMethod> = OnceLock::new();

/// The environment variable that chooses the start method of a program from outside.
const VARIABLE: &str = "OFFSPRING_START_METHOD";

/// The start methods of this system, the default first.
///
/// ```
/// assert!(offspring::start_methods().contains(&offspring::StartMethod::Spawn));
/// ```
#[must_use]
#[doc(alias = "get_all_start_methods")]
pub fn start_methods() -> Vec<StartMethod> {
    let mut methods = vec![StartMethod::Spawn];
    if sys::zygote::SUPPORTED {
        methods.insert(0, StartMethod::ForkServer);
    }
    if sys::fork::SUPPORTED {
        methods.push(StartMethod::Fork);
    }
    methods
}

/// The start method of processes that do not choose one themselves.
///
/// It is what [`set_start_method`] chose, else the environment variable `OFFSPRING_START_METHOD`, else the system's
/// default. The first use settles it, and a start fails if the variable names none; children use what their parent used.
#[must_use]
#[doc(alias = "get_start_method")]
pub fn start_method() -> StartMethod {
    *CHOSEN.get_or_init(|| wished().ok().flatten().unwrap_or_else(|| start_methods()[0]))
}

/// What the environment variable wishes for.
fn wished() -> Result<Option<StartMethod>, StartError> {
    let Some(name) = std::env::var_os(VARIABLE) else { return Ok(None) };
    let invalid = |why: &dyn fmt::Display| StartError::Invalid(format!("{VARIABLE}: {why}"));
    let method = name.to_string_lossy().parse().map_err(|error: UnknownStartMethod| invalid(&error))?;
    if start_methods().contains(&method) {
        Ok(Some(method))
    } else {
        Err(invalid(&format_args!("start method {method} does not exist on this system")))
    }
}

/// [`start_method`], but a wish that cannot be fulfilled is an error.
pub(crate) fn settled() -> Result<StartMethod, StartError> {
    if CHOSEN.get().is_none() {
        wished()?;
    }
    Ok(start_method())
}

/// Chooses the start method of the whole program, once, before the first start.
///
/// Single processes choose with [`Builder::start_method`](crate::Builder::start_method) or
/// `#[process(start_method = "…")]`.
///
/// # Errors
/// When it was set before, or a process has been started already.
pub fn set_start_method(method: StartMethod) -> Result<(), StartMethodAlreadySet> {
    CHOSEN.set(method).map_err(|_| StartMethodAlreadySet(start_method()))
}

/// In a child: what its parent used.
pub(crate) fn inherit(method: StartMethod) {
    let _already_settled_in_a_copy = CHOSEN.set(method);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_known_by_its_name() {
        for method in [StartMethod::ForkServer, StartMethod::Spawn, StartMethod::Fork] {
            assert_eq!(method.to_string().parse(), Ok(method));
        }
    }

    #[test]
    fn the_default_comes_first() {
        let default = if sys::zygote::SUPPORTED { StartMethod::ForkServer } else { StartMethod::Spawn };
        assert_eq!(start_methods()[0], default);
    }
}
