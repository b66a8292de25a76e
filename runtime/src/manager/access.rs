//! The ways of a process to an object: over a link, or on the spot if the process has the server itself.

use std::sync::Arc;

use super::CallError;
use super::client::{self, Arguments, Connection, Reply};
use super::home::Home;
use super::message::Request;
use super::patience::Patience;
use super::pending::Started;
use super::resident::{self, Resident};
use crate::sys::poller;

/// How a process gets at the objects of a server.
#[derive(Clone)]
pub(super) enum Access {
    Link(Arc<Connection>),
    Here(Arc<Resident>),
}

impl Access {
    /// Finds the server: in this process, at the end of a link that there is, or of a new one.
    pub(super) fn find(home: &Home) -> Result<Self, CallError> {
        if let Some(resident) = home.server.and_then(resident::of) {
            return Ok(Self::Here(resident));
        }
        let connection = client::connect(home)?;
        // The number of a server is known only then, if just its endpoint was.
        let resident = connection.home().server.and_then(resident::of);
        Ok(resident.map_or(Self::Link(connection), Self::Here))
    }

    pub(super) fn home(&self) -> &Arc<Home> {
        match self {
            Self::Link(connection) => connection.home(),
            Self::Here(resident) => resident.home(),
        }
    }

    /// Whether this process is a copy of that which it belongs to.
    pub(super) fn is_of_another(&self) -> bool {
        match self {
            Self::Link(connection) => connection.is_of_another(),
            Self::Here(resident) => resident.is_of_another(),
        }
    }

    /// Asks for something, and waits for the answer.
    pub(super) fn call(
        &self,
        request: &Request,
        arguments: Option<Arguments<'_>>,
        patience: &Patience,
    ) -> Result<Reply, CallError> {
        match self {
            Self::Link(connection) => connection.call(request, arguments, patience),
            Self::Here(resident) => resident.call(request, arguments, patience),
        }
    }

    /// Whether the way is cut, as far as this process can know without asking for anything.
    pub(super) fn is_cut(&self) -> bool {
        match self {
            Self::Link(connection) => connection.is_cut(),
            Self::Here(_) => false,
        }
    }

    /// Asks for something whose answer is waited for later. In the server's own process it is done at once.
    pub(super) fn start(
        &self,
        request: &Request,
        arguments: Option<Arguments<'_>>,
        patience: &Patience,
    ) -> Result<Started, CallError> {
        match self {
            Self::Link(connection) => {
                let deadline = poller::deadline(patience.limit);
                let (seat, number) = connection.start(request, arguments, patience, deadline)?;
                let (connection, patience) = (Arc::clone(connection), patience.clone());
                Ok(Started::Sent { connection, seat, number, deadline, patience })
            }
            Self::Here(resident) => resident.call(request, arguments, patience).map(Started::Done),
        }
    }

    /// Asks for something that is not answered.
    pub(super) fn tell(&self, request: &Request, arguments: Option<Arguments<'_>>) {
        match self {
            Self::Link(connection) => connection.tell(request, arguments),
            Self::Here(resident) => resident.tell(request, arguments),
        }
    }
}
