//! Names for shared memory: the process that made it answers under the name, and gives it to who asks.

use std::io;
use std::time::Duration;

use super::block::{cannot, invalid};
use crate::process::watcher::{self, Offer, Service};
use crate::sys::rendezvous::{self, Host, MAX_NAME};
use crate::sys::{Object, borrow, poller};

/// How long the process that made a memory may take to answer: it may be stopped.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Named {
    host: Host,
    object: Object,
}

impl Service for Named {
    fn sentinel(&self) -> poller::Sentinel<'_> {
        self.host.sentinel()
    }

    fn serve(&self) {
        // Whom it could not be given to sees that nobody answered.
        let _no_descriptor_left = self.host.serve(borrow(&self.object));
    }
}

/// Gives memory a name, until the offer is dropped.
pub(super) fn offer(name: &str, object: &Object) -> io::Result<Offer> {
    check(name)?;
    let make = || Ok(Named { host: Host::new(name)?, object: object.try_clone()? });
    watcher::offer(make).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            let why = format!("a shared memory named `{name}` exists already: open it, or take another name");
            io::Error::new(io::ErrorKind::AlreadyExists, why)
        }
        _ => cannot(&format!("give shared memory the name `{name}`"), &error),
    })
}

/// The memory that has a name.
pub(super) fn open(name: &str) -> io::Result<Object> {
    check(name)?;
    match rendezvous::ask(name, PATIENCE) {
        Ok(Some(object)) => Ok(object),
        Ok(None) => {
            let why = format!("no running process of this user has made a shared memory named `{name}`");
            Err(io::Error::new(io::ErrorKind::NotFound, why))
        }
        Err(error) => Err(cannot(&format!("open the shared memory `{name}`"), &error)),
    }
}

fn check(name: &str) -> io::Result<()> {
    if name.is_empty() {
        return Err(invalid("the name of a shared memory is empty: leave it out, or write one"));
    }
    if name.contains('\0') {
        return Err(invalid("the name of a shared memory contains a NUL: remove it"));
    }
    if name.len() > MAX_NAME {
        return Err(invalid(format!(
            "the name of a shared memory has {} bytes: at most {MAX_NAME}",
            name.len()
        )));
    }
    Ok(())
}
