//! The objects of a server, by number, and who holds them.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use super::message::Fault;
use super::object::Object;
use crate::net::remote::random_number;

/// How long a proxy may be on its way after the process that sent it has ended.
pub const TRANSIT: Duration = Duration::from_secs(60);

/// An object that nobody holds any more: to be dropped when nothing is locked.
#[must_use = "an object is dropped when nothing is locked"]
pub(super) struct Dropped(Option<Arc<dyn Object>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        // What its destructor panics with, the hook has printed. The server goes on.
        let object = self.0.take();
        let _it_has_been_printed = super::object::guarded(|| {
            drop(object);
            Ok(())
        });
    }
}

pub(super) struct Table(RwLock<Inner>);

struct Inner {
    objects: HashMap<u64, Entry>,
    names: HashMap<String, u64>,
    tickets: HashMap<u64, Ticket>,
    next: u64,
}

struct Entry {
    object: Arc<dyn Object>,
    holds: u64,
}

/// A hold of a proxy that is on its way.
struct Ticket {
    object: u64,
    /// The visit of who sent it, while that is there.
    sender: u64,
    /// When it ends, if the sender is gone.
    until: Option<Instant>,
}

impl Table {
    /// An empty table, whose numbers are not those of any server before it.
    pub(super) fn new() -> io::Result<Self> {
        let next = random_number()? >> 1;
        let (objects, names, tickets) = Default::default();
        Ok(Self(RwLock::new(Inner { objects, names, tickets, next })))
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn object(&self, number: u64) -> Result<Arc<dyn Object>, Fault> {
        self.read().objects.get(&number).map(|entry| Arc::clone(&entry.object)).ok_or(Fault::UnknownObject)
    }

    /// Enters an object that is held once.
    pub(super) fn enter(&self, object: Arc<dyn Object>) -> u64 {
        let mut inner = self.write();
        let number = inner.number();
        inner.objects.insert(number, Entry { object, holds: 1 });
        number
    }

    /// Holds an object once more, and takes the ticket for it.
    pub(super) fn hold(&self, number: u64, service: u64, ticket: u64) -> Result<(), Fault> {
        let mut inner = self.write();
        inner.check(number, service)?;
        // The ticket's hold becomes the holder's. A value that is decoded twice has a ticket for the first time only.
        if inner.tickets.get(&ticket).is_some_and(|ticket| ticket.object == number) {
            inner.tickets.remove(&ticket);
            return Ok(());
        }
        inner.add(number)
    }

    pub(super) fn release(&self, number: u64, holds: u64) -> Dropped {
        self.write().release(number, holds)
    }

    pub(super) fn ticket(&self, object: u64, sender: u64) -> Result<u64, Fault> {
        let mut inner = self.write();
        inner.add(object)?;
        let ticket = inner.number();
        inner.tickets.insert(ticket, Ticket { object, sender, until: None });
        Ok(ticket)
    }

    /// The tickets of who is gone end in a while.
    pub(super) fn sender_gone(&self, sender: u64) {
        let until = Some(Instant::now() + TRANSIT);
        for ticket in self.write().tickets.values_mut().filter(|ticket| ticket.sender == sender) {
            ticket.until = until;
        }
    }

    /// Ends the tickets whose time is over; when the next is, if any is to.
    pub(super) fn expire(&self, now: Instant) -> (Option<Instant>, Vec<Dropped>) {
        let mut inner = self.write();
        let mut over = Vec::new();
        inner.tickets.retain(|_, ticket| {
            let stays = ticket.until.is_none_or(|until| until > now);
            if !stays {
                over.push(ticket.object);
            }
            stays
        });
        let dropped = over.into_iter().map(|object| inner.release(object, 1)).collect();
        (inner.tickets.values().filter_map(|ticket| ticket.until).min(), dropped)
    }

    pub(super) fn register(&self, name: String, number: u64) -> Result<(), Fault> {
        let mut inner = self.write();
        match inner.names.get(&name) {
            Some(known) if *known == number => return Ok(()),
            Some(_) => return Err(Fault::NameTaken(name)),
            None => {}
        }
        inner.add(number)?;
        inner.names.insert(name, number);
        Ok(())
    }

    pub(super) fn unregister(&self, name: &str) -> Option<Dropped> {
        let mut inner = self.write();
        let number = inner.names.remove(name)?;
        Some(inner.release(number, 1))
    }

    /// Holds the object with a name.
    pub(super) fn find(&self, name: String, service: u64) -> Result<u64, Fault> {
        let mut inner = self.write();
        let number = *inner.names.get(&name).ok_or(Fault::UnknownName(name))?;
        inner.check(number, service)?;
        inner.add(number)?;
        Ok(number)
    }

    pub(super) fn count(&self) -> usize {
        self.read().objects.len()
    }

    /// Takes all objects out.
    pub(super) fn clear(&self) -> Vec<Dropped> {
        let objects = std::mem::take(&mut self.write().objects);
        objects.into_values().map(|entry| Dropped(Some(entry.object))).collect()
    }
}

impl Inner {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn check(&self, number: u64, service: u64) -> Result<(), Fault> {
        let entry = self.objects.get(&number).ok_or(Fault::UnknownObject)?;
        if entry.object.service() == service { Ok(()) } else { Err(Fault::OtherService) }
    }

    fn add(&mut self, number: u64) -> Result<(), Fault> {
        self.objects.get_mut(&number).ok_or(Fault::UnknownObject)?.holds += 1;
        Ok(())
    }

    fn release(&mut self, number: u64, holds: u64) -> Dropped {
        let Some(entry) = self.objects.get_mut(&number) else { return Dropped(None) };
        entry.holds = entry.holds.saturating_sub(holds);
        if entry.holds > 0 {
            return Dropped(None);
        }
        Dropped(self.objects.remove(&number).map(|entry| entry.object))
    }
}
