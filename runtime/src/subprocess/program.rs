//! The process class that becomes another program.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::launch::{Class, Entry, link};
use crate::process::{Builder, Child, Process, Run, run};
use crate::sys::{Object, ambient, borrow, lifeline, poller, runtime};

/// What shells say of a program that cannot be executed.
const CANNOT_EXECUTE: i32 = 127;

/// A program with its arguments. Its `run` does not return.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Program {
    pub(super) path: OsString,
    pub(super) arguments: Vec<OsString>,
    /// Outlives its parent.
    pub(super) detached: bool,
}

impl Run for Program {
    type Output = ();

    /// Becomes the program. The attachment is a pipe that closes when it has, and carries the error number if it cannot.
    fn run(self) {
        let mut attachments = link::take_attachments().into_iter();
        let kept = if self.detached { Ok(()) } else { lifeline::keep_over_exec() };
        let error = kept.map_or_else(|error| error, |()| self.execute());
        if let Some(report) = attachments.next() {
            let number = error.raw_os_error().unwrap_or_default();
            let _starter_gone = std::fs::File::from(report).write_all(&number.to_le_bytes());
        }
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
    pub(super) fn start(builder: Builder<'_, ()>) -> Result<Result<Child<()>, crate::StartError>, io::Error> {
        let (reader, writer) = ambient::pipe()?;
        let started = {
            let builder = builder.attach(writer);
            builder.start()
        };
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

impl Process for Program {
    const CLASS: &'static Class = &Class {
        key: concat!(env!("CARGO_PKG_NAME"), "::", module_path!(), "::Program"),
        name: "Program",
        schema: 0,
        file: file!(),
        line: line!(),
        daemon: None,
        start_method: None,
        run: run::<Self>,
    };
}

inventory::submit! { Entry(Program::CLASS) }
