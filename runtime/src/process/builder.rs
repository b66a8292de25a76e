//! Settings for a start.

use std::ffi::OsString;
use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::child::Child;
use super::class::Process;
use super::record::Record;
use super::stdio::Stdio;
use super::{exit, watcher};
use crate::launch::order::Target;
use crate::launch::plan::{Environment, Streams};
use crate::launch::{self, Class, Plan, StartError, StartMethod, forkserver, identity, method, registry};
use crate::wire::codec::CodecError;
use crate::wire::parcel::{self, Parcel};

/// Settings for the start of a process class or a function.
///
/// Like [`std::process::Command`], a builder can start any number of processes.
///
/// ```
/// use offspring::{Process, Run, Stdio};
/// use serde::{Deserialize, Serialize};
/// use std::io::Read;
///
/// #[derive(Process, Serialize, Deserialize)]
/// struct Greeter;
///
/// impl Run for Greeter {
///     type Output = ();
///     fn run(self) {
///         println!("{} greets {}", offspring::current().name, std::env::var("WHOM").unwrap());
///     }
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let child = Greeter.builder().name("host").env("WHOM", "you").stdout(Stdio::piped()).start()?;
///     let mut said = String::new();
///     child.stdout().unwrap().read_to_string(&mut said)?;
///     child.join()?;
///     assert_eq!(said, "host greets you\n");
///     Ok(())
/// }
/// ```
#[must_use = "a builder does nothing until `start`"]
pub struct Builder<'a, T> {
    work: Work<'a>,
    name: Option<String>,
    daemon: Option<bool>,
    method: Option<StartMethod>,
    detached: bool,
    own_group: bool,
    stdin: Stdio,
    stdout: Stdio,
    stderr: Stdio,
    environment: Environment,
    directory: Option<PathBuf>,
    output: PhantomData<fn() -> T>,
}

/// What is to be started.
pub(crate) struct Work<'a> {
    /// What names of its processes begin with.
    pub(crate) base_name: &'a str,
    /// Where a process class has its defaults from.
    pub(crate) class: Option<&'static Class>,
    /// What the child runs; `None` for a function that no other process could find.
    pub(crate) target: Option<Target>,
    /// Encodes the value.
    pub(crate) pack: Box<dyn Fn() -> Result<Parcel, CodecError> + 'a>,
}

impl<'a, T> Builder<'a, T> {
    /// A builder for a value of a process class.
    pub(crate) fn of_class<P: Process<Output = T>>(value: &'a P) -> Self {
        Self::new(Work {
            base_name: P::CLASS.name,
            class: Some(P::CLASS),
            target: Some(Target::Class(P::CLASS.key.into())),
            pack: Box::new(|| parcel::pack(value)),
        })
    }

    pub(crate) fn new(work: Work<'a>) -> Self {
        Self {
            name: None,
            daemon: work.class.and_then(|class| class.daemon),
            method: work.class.and_then(|class| class.start_method),
            work,
            detached: false,
            own_group: true,
            stdin: Stdio::inherit(),
            stdout: Stdio::inherit(),
            stderr: Stdio::inherit(),
            environment: Environment::default(),
            directory: None,
            output: PhantomData,
        }
    }

    /// The name of the process, in place of `Class-N`. Names need not differ.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether the process is terminated when its parent ends, rather than waited for. Unless set here or on the
    /// class, it is what it is for the parent.
    ///
    /// At the parent's end a daemon gets SIGTERM, and two seconds later SIGKILL. A daemon may have children. (It is
    /// not a daemon in the sense of Unix: see [`detached`](Self::detached).) A parent that is *killed* takes all its
    /// children along, daemons or not.
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.daemon = Some(daemon);
        self
    }

    /// How the process is made, in place of [`start_method()`](crate::start_method()).
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.method = Some(method);
        self
    }

    /// Lets the process outlive its parent, in a session of its own. It can still be joined while the parent runs.
    pub fn detached(mut self) -> Self {
        self.detached = true;
        self
    }

    /// Whether the process leads a process group of its own (the default), or is in its parent's. No effect on Windows.
    ///
    /// In a group of its own it does not get the Ctrl-C of a terminal, which leaves it to the parent to end its
    /// children in order, and [`terminate_tree`](Child::terminate_tree) finds descendants whose parents have ended. But it
    /// cannot read from the terminal: that fails with `EIO`.
    pub fn process_group(mut self, own: bool) -> Self {
        self.own_group = own;
        self
    }

    /// Where standard input comes from. The default is the parent's.
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = stdin.into();
        self
    }

    /// Where standard output goes. The default is where the parent's goes.
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = stdout.into();
        self
    }

    /// Where standard error goes. The default is where the parent's goes.
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.stderr = stderr.into();
        self
    }

    /// Sets an environment variable of the process, which else has the parent's environment of the moment of the start.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.changes.insert(name.into(), Some(value.into()));
        self
    }

    /// Removes an environment variable of the process.
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.environment.changes.insert(name.into(), None);
        self
    }

    /// Removes all environment variables, also those set on this builder before.
    pub fn env_clear(mut self) -> Self {
        self.environment = Environment { clear: true, ..Environment::default() };
        self
    }

    /// The directory that the process begins in. The default is the parent's at the moment of the start.
    #[doc(alias = "current_dir")]
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Starts a process.
    ///
    /// # Errors
    /// See [`StartError`]. No process is left behind, and the builder can start again.
    pub fn start(&self) -> Result<Child<T>, StartError> {
        launch::guard::check()?;
        let Self { work, environment, .. } = self;
        if let Some(class) = work.class {
            registry::check_unique(class)?;
        }
        environment.check()?;
        if self.name.as_ref().is_some_and(|name| name.contains('\0')) {
            return Err(StartError::Invalid("the name of a process cannot hold a zero byte".into()));
        }
        let identity = identity::of_next_child(work.base_name, self.name.as_deref(), self.daemon)?;
        let encode =
            |error: CodecError| StartError::Encode { name: identity.name.clone(), reason: error.to_string() };
        let parcel = Mutex::new((work.pack)().map_err(encode)?);
        let refused = || StartError::system("open the standard streams of a process");
        let (stdin, to_child) = self.stdin.open(true).map_err(refused())?;
        let (stdout, from_child) = self.stdout.open(false).map_err(refused())?;
        let (stderr, errors_from_child) = self.stderr.open(false).map_err(refused())?;

        let far_ends = Mutex::new(Streams { stdin: to_child, stdout: from_child, stderr: errors_from_child });
        exit::register()?;
        watcher::ensure().map_err(StartError::system("make the watcher"))?;
        let method = self.method.map_or_else(method::settled, Ok)?;
        // A copy that was made between the start and the entry in the table would keep the child's lifeline.
        let _no_fork_meanwhile = (method != StartMethod::Fork).then(crate::sys::fork::enter);
        let launched = launch::launch(&Plan {
            method,
            target: work.target.clone().ok_or(StartError::ForeignFunction)?,
            parcel: &parcel,
            identity: identity.clone(),
            detached: self.detached,
            own_group: self.own_group,
            standard: [stdin, stdout, stderr],
            far_ends: &far_ends,
            environment,
            directory: self.directory.as_ref(),
        });
        // A stray that cannot be watched at the moment becomes a zombie until this process ends: no reason to fail.
        let _unwatched = watcher::watch_strays(forkserver::strays());
        let launched = launched?;
        let streams = far_ends.into_inner().unwrap_or_else(PoisonError::into_inner);
        let record = Arc::new(Record::new(identity, self.detached, self.own_group, launched, streams));
        Ok(Child::new(record))
    }
}

impl<T> fmt::Debug for Builder<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("class", &self.work.base_name)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
