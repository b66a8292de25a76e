//! A program to be run, with what it is given.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use super::error::SubprocessError;
use super::popen::Popen;
use super::program::Program;
use crate::launch::StartMethod;
use crate::process::{Builder, Stdio};
use crate::sys::ExitStatus;

/// A program to be run, with its arguments and what it is given.
///
/// Unless set otherwise it has this process's streams, environment and directory, as with [`std::process::Command`].
#[derive(Debug)]
#[must_use = "a command does nothing until `run` or `start`"]
pub struct Command {
    program: Program,
    options: Options,
    input: Option<Vec<u8>>,
    capture: bool,
    check: bool,
    timeout: Option<Duration>,
}

/// What goes to the builder of the process.
#[derive(Debug, Default)]
struct Options {
    name: Option<String>,
    environment: Vec<(OsString, Option<OsString>)>,
    clear: bool,
    directory: Option<PathBuf>,
    stdin: Option<Stdio>,
    stdout: Option<Stdio>,
    stderr: Option<Stdio>,
    own_group: Option<bool>,
    daemon: Option<bool>,
    method: Option<StartMethod>,
}

/// A program that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompletedProcess {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output, if that was captured.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error, if that was captured.
    pub stderr: Vec<u8>,
}

impl Command {
    /// A program without arguments. It is looked for in `PATH` unless it has a slash.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self::from_arguments([program])
    }

    /// A program, given with its arguments.
    pub fn from_arguments<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        let mut arguments = arguments.into_iter().map(|argument| argument.as_ref().to_owned());
        let path = arguments.next().unwrap_or_default();
        Self {
            program: Program { path, arguments: arguments.collect(), detached: false },
            options: Options::default(),
            input: None,
            capture: false,
            check: false,
            timeout: None,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.program.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.program.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// The name of the process, in place of `Program-N`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.options.environment.push((name.into(), Some(value.into())));
        self
    }

    /// Removes an environment variable.
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.options.environment.push((name.into(), None));
        self
    }

    /// Removes all environment variables, also those set before.
    pub fn env_clear(mut self) -> Self {
        self.options.environment.clear();
        self.options.clear = true;
        self
    }

    /// The directory to begin in.
    #[doc(alias = "current_dir")]
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.directory = Some(directory.into());
        self
    }

    /// Where standard input comes from.
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.options.stdin = Some(stdin.into());
        self
    }

    /// Where standard output goes.
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.options.stdout = Some(stdout.into());
        self
    }

    /// Where standard error goes.
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.options.stderr = Some(stderr.into());
        self
    }

    /// Whether the program leads a process group of its own; see [`Builder::process_group`].
    ///
    /// Unless set it does, so that its descendants can be found and die with this process too, but for one whose input is
    /// a terminal: that can be read only by the group in the foreground, which is this process's.
    pub fn process_group(mut self, own: bool) -> Self {
        self.options.own_group = Some(own);
        self
    }

    /// Lets the program outlive this process, in a session of its own.
    pub fn detached(mut self) -> Self {
        self.program.detached = true;
        self
    }

    /// Whether the program is terminated when this process ends, rather than waited for.
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.options.daemon = Some(daemon);
        self
    }

    /// How the process is made; see [`Builder::start_method`].
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.options.method = Some(method);
        self
    }

    /// What [`run`](Self::run) writes to standard input.
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// Has [`run`](Self::run) capture standard output and standard error.
    pub fn capture_output(mut self) -> Self {
        self.capture = true;
        self
    }

    /// Has [`run`](Self::run) end the program, with its descendants, when it takes longer than this.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Has [`run`](Self::run) fail when the program ends with anything but code 0.
    pub fn check(mut self) -> Self {
        self.check = true;
        self
    }

    /// Starts the program; it has been executed when this returns.
    ///
    /// # Errors
    /// When it cannot be started or executed; no process is left behind. When something is set that only
    /// [`run`](Self::run) does: input, capture, time-out, check.
    pub fn start(self) -> Result<Popen, SubprocessError> {
        if self.input.is_some() || self.capture || self.check || self.timeout.is_some() {
            return Err(SubprocessError::Conflict(
                "`input`, `capture_output`, `timeout` and `check` are for `run`: with `start`, pipe the streams and communicate",
            ));
        }
        self.execute()
    }

    fn execute(self) -> Result<Popen, SubprocessError> {
        let Self { program, options, .. } = self;
        if program.path.is_empty() {
            return Err(SubprocessError::NoProgram);
        }
        let name = program.path.clone();
        if program.holds_zero_byte() {
            let source =
                std::io::Error::new(std::io::ErrorKind::InvalidInput, "an argument cannot hold a zero byte");
            return Err(SubprocessError::Execute { program: name, source });
        }
        let detached = program.detached;
        let started = program.start(|builder| {
            let builder = options.configure(builder);
            if detached { builder.detached() } else { builder }
        });
        let child = started.map_err(|source| SubprocessError::Execute { program: name.clone(), source })?;
        match child {
            Ok(child) => Ok(Popen::new(child, name)),
            Err(source) => Err(SubprocessError::Start { program: name, source: Box::new(source) }),
        }
    }

    /// Runs the program, and waits for it.
    ///
    /// # Errors
    /// When it cannot be started, takes longer than the [`timeout`](Self::timeout), or fails and that was to be
    /// [checked](Self::check); what was captured is in the error. Ending with another code than 0 is no error by itself.
    pub fn run(mut self) -> Result<CompletedProcess, SubprocessError> {
        if self.input.is_some() && self.options.stdin.is_some() {
            return Err(SubprocessError::Conflict("`input` and `stdin` cannot be given together"));
        }
        if self.capture && (self.options.stdout.is_some() || self.options.stderr.is_some()) {
            return Err(SubprocessError::Conflict(
                "`capture_output` cannot be given together with `stdout` or `stderr`",
            ));
        }
        if self.capture {
            self = self.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let input = self.input.take();
        if input.is_some() {
            self = self.stdin(Stdio::piped());
        }
        let (check, timeout) = (self.check, self.timeout);
        let popen = self.execute()?;
        match popen.communicate(input.as_deref(), timeout) {
            Ok(completed) if check && !completed.status.success() => {
                let CompletedProcess { status, stdout, stderr } = completed;
                Err(SubprocessError::Failed { program: popen.program().to_owned(), status, stdout, stderr })
            }
            Err(error) => {
                popen.terminate_tree(Duration::ZERO)?;
                Err(error)
            }
            completed => completed,
        }
    }
}

impl Options {
    fn configure(self, builder: Builder<'_, ()>) -> Builder<'_, ()> {
        let own_group =
            self.own_group.unwrap_or_else(|| !(self.stdin.is_none() && std::io::stdin().is_terminal()));
        let mut builder = builder.process_group(own_group);
        if let Some(name) = self.name {
            builder = builder.name(name);
        }
        if self.clear {
            builder = builder.env_clear();
        }
        for (name, value) in self.environment {
            builder = match value {
                Some(value) => builder.env(name, value),
                None => builder.env_remove(name),
            };
        }
        if let Some(directory) = self.directory {
            builder = builder.cwd(directory);
        }
        if let Some(daemon) = self.daemon {
            builder = builder.daemon(daemon);
        }
        if let Some(method) = self.method {
            builder = builder.start_method(method);
        }
        let inherit = Stdio::inherit;
        builder
            .stdin(self.stdin.unwrap_or_else(inherit))
            .stdout(self.stdout.unwrap_or_else(inherit))
            .stderr(self.stderr.unwrap_or_else(inherit))
    }
}
