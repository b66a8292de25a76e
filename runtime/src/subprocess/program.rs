//! The process class that becomes another program.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::launch::{Class, Entry};
use crate::process::{Builder, Child, Process, Run, run};
use crate::sys::{Object, ambient, borrow, lifeline, poller, runtime};
use crate::wire::attachment::Attachment;

/// What shells say of a program that cannot be executed.
const CANNOT_EXECUTE: i32 = 127;

/// A program with its arguments.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Program {
    pub(super) path: OsString,
    pub(super) arguments: Vec<OsString>,
    /// Outlives its parent.
    pub(super) detached: bool,
}

/// The process that becomes a program. Its `run` does not return.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Becoming {
    program: Program,
    /// A pipe that closes when it has become the program, and carries the error number if it cannot.
    report: Attachment<Object>,
}

impl Run for Becoming {
    type Output = ();

    fn run(self) {
        let Self { program, report } = self;
        let kept = if program.detached { Ok(()) } else { lifeline::keep_over_exec() };
        let error = kept.map_or_else(|error| error, |()| program.execute());
        let number = error.raw_os_error().unwrap_or_default();
        let _starter_gone = std::fs::File::from(report.into_inner()).write_all(&number.to_le_bytes());
        runtime::exit_now(CANNOT_EXECUTE)
    }
}

impl Program {
    fn execute(&self) -> io::Error {
        runtime::execute(std::process::Command::new(&self.path).args(&self.arguments))
    }

    /// Whether something is given that no program can be given.
    pub(super) fn holds_zero_byte(&self) -> bool {
        self.arguments.iter().chain([&self.path]).any(|text| text.as_encoded_bytes().contains(&0))
    }

    /// Starts the program and waits until it has been executed.
    pub(super) fn start(
        self,
        configure: impl FnOnce(Builder<'_, ()>) -> Builder<'_, ()>,
    ) -> Result<Result<Child<()>, crate::StartError>, io::Error> {
        let (reader, writer) = ambient::pipe()?;
        let becoming = Becoming { program: self, report: Attachment::new(writer) };
        let started = configure(becoming.builder()).start();
        drop(becoming); // from here on only the process holds the pipe
        let Ok(child) = started else { return Ok(started) };
        // The pipe is at its end when the program has been executed, or the process has ended.
        let sentinels = [borrow(&reader), child.record().sentinel()];
        let said = poller::wait(&sentinels, None)?[0]
            || poller::wait(&sentinels[..1], poller::deadline(Some(Duration::ZERO)))?[0];
        match said.then(|| failure(reader)).transpose()?.flatten() {
            None => Ok(Ok(child)),
            Some(error) => {
                let _status_is_known = child.wait();
                Err(error)
            }
        }
    }
}

/// What kept the process from becoming the program.
fn failure(report: Object) -> io::Result<Option<io::Error>> {
    let mut number = [0; 4];
    let length = std::fs::File::from(report).read(&mut number)?;
    Ok((length == number.len()).then(|| io::Error::from_raw_os_error(i32::from_le_bytes(number))))
}

impl Process for Becoming {
    const CLASS: &'static Class = &Class {
        key: concat!(env!("CARGO_PKG_NAME"), "::", module_path!(), "::Becoming"),
        name: "Program",
        schema: 0,
        file: file!(),
        line: line!(),
        daemon: None,
        start_method: None,
        run: run::<Self>,
    };
}

inventory::submit! { Entry(Becoming::CLASS) }
