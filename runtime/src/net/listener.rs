//! The side that listens.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::peer::{Allowed, Peer};
use super::{AcceptFuture, Address, greeting};
use crate::channel::{self, Connection};
use crate::process::{Sentinel, Waitable};
use crate::sys::Borrowed;
use crate::sys::channel::{Channel, Received};
use crate::sys::local::{self, Listening};
use crate::sys::poller::{self, Bundle};
use crate::wire::attachment::{Arrived, Lent};
use crate::wire::{envelope, parcel};

/// How many clients may have been offered a connection that they have not taken yet.
const MAX_GUESTS: usize = 64;

/// How long a client may take for it when that many are before it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Listens at an [`Address`] for clients, which [`connect`](super::connect) to it. See [the module](super).
///
/// Its connections send `S` and receive `R`; both are the same if one is left out.
///
/// It can be cloned, and travels: all clones in all processes accept from the same address, each client once. A path is removed
/// when its last clone in the process that bound it is dropped: keep one as long as others accept. A name stays as long as any of them.
pub struct Listener<S, R = S>(Arc<Inner<S, R>>);

struct Inner<S, R> {
    /// Those who have not answered yet.
    guests: Mutex<VecDeque<Guest<S, R>>>,
    /// The socket, and those of the guests.
    bundle: Bundle,
    socket: Listening,
    address: Address,
    settings: Builder,
}

/// A client that has been offered a connection, and has to say whether it takes it.
struct Guest<S, R> {
    client: Channel,
    connection: Connection<S, R>,
    peer: Peer,
    since: Instant,
}

/// Settings for a listener.
///
/// ```
/// use offspring::channel;
/// use offspring::net::Builder;
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let limits = channel::Builder::new().max_bytes(1 << 20);
///     let listener = Builder::new().allow_uid(1000).connections(limits).build::<String, u32>()?;
///     println!("this user and user 1000 may connect to {}", listener.address());
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[must_use = "a builder does nothing until `bind` or `build`"]
pub struct Builder {
    allowed: Allowed,
    connections: channel::Builder,
}

impl Builder {
    /// A listener for clients of its own user, whose connections have no limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes clients of this user, too. The user is trusted.
    pub fn allow_uid(mut self, uid: u32) -> Self {
        self.allowed.add(uid);
        self
    }

    /// Takes clients of all users, whom it trusts.
    pub fn allow_any_user(mut self) -> Self {
        self.allowed.add_everybody();
        self
    }

    /// The limits of each connection.
    pub fn connections(mut self, limits: channel::Builder) -> Self {
        self.connections = limits;
        self
    }

    /// Listens at a free name.
    ///
    /// # Errors
    /// When the system lacks memory or descriptors.
    pub fn build<S, R>(&self) -> io::Result<Listener<S, R>> {
        loop {
            match self.bind(&Address::fresh()) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                bound => return bound,
            }
        }
    }

    /// Listens at an address.
    ///
    /// A socket's file has rights for its owner alone, or for all if other users are allowed.
    ///
    /// # Errors
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) when somebody listens there already or a file is in the way,
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for an address that cannot be one; when the system refuses.
    pub fn bind<S, R>(&self, address: &Address) -> io::Result<Listener<S, R>> {
        let address = address.absolute()?;
        let socket = Listening::bind(address.place()?, self.allowed.has_others()).map_err(|error| {
            let why = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    format!("cannot listen at `{address}`: somebody does, or a file is in the way")
                }
                _ => format!("cannot listen at `{address}`: {error}"),
            };
            io::Error::new(error.kind(), why)
        })?;
        Listener::new_with(socket, address, self.clone())
    }
}

impl<S, R> Listener<S, R> {
    /// Listens at a free name, which [`address`](Self::address) tells.
    ///
    /// # Errors
    /// When the system lacks memory or descriptors.
    pub fn new() -> io::Result<Self> {
        Builder::new().build()
    }

    /// Listens at an address.
    ///
    /// # Errors
    /// As [`Builder::bind`].
    pub fn bind(address: &Address) -> io::Result<Self> {
        Builder::new().bind(address)
    }

    fn new_with(socket: Listening, address: Address, settings: Builder) -> io::Result<Self> {
        let bundle = Bundle::new()?;
        bundle.add(socket.sentinel())?;
        Ok(Self(Arc::new(Inner { guests: Mutex::default(), bundle, socket, address, settings })))
    }

    /// Where it listens: a path is absolute.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.0.address
    }

    /// Waits for a client, and is connected with it.
    ///
    /// # Errors
    /// When the system lacks memory or descriptors. The listener is as before, and the client that was next may be gone.
    pub fn accept(&self) -> io::Result<Connection<S, R>> {
        self.accept_with_peer().map(|(connection, _)| connection)
    }

    /// Waits for a client, and is connected with it; who it is.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    #[doc(alias = "last_accepted")]
    pub fn accept_with_peer(&self) -> io::Result<(Connection<S, R>, Peer)> {
        loop {
            if let Some(accepted) = self.0.accept_until(None)? {
                return Ok(accepted);
            }
        }
    }

    /// Waits at most this long for a client: `None` if there was none.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn accept_timeout(&self, timeout: Duration) -> io::Result<Option<Connection<S, R>>> {
        let accepted = self.0.accept_until(poller::deadline(Some(timeout)))?;
        Ok(accepted.map(|(connection, _)| connection))
    }

    /// Is connected with a client, if one is there.
    ///
    /// A client that came just now has to answer first, which takes some microseconds: `None` says that there is none who has, and
    /// [`wait`](crate::wait()) wakes when one does.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn try_accept(&self) -> io::Result<Option<Connection<S, R>>> {
        Ok(self.0.look()?.map(|(connection, _)| connection))
    }

    /// Waits for a client without a thread that waits, on any executor.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn accept_async(&self) -> AcceptFuture<'_, S, R> {
        AcceptFuture::new(self)
    }

    /// The connections, one after the other, without end.
    #[must_use]
    pub fn incoming(&self) -> Incoming<'_, S, R> {
        Incoming(self)
    }

    pub(super) fn object(&self) -> Borrowed<'_> {
        self.0.bundle.object()
    }
}

impl<S, R> Inner<S, R> {
    fn accept_until(&self, deadline: Option<Instant>) -> io::Result<Option<(Connection<S, R>, Peer)>> {
        loop {
            if let Some(accepted) = self.look()? {
                return Ok(Some(accepted));
            }
            let over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if over || !poller::wait(&[self.bundle.sentinel()], deadline)?[0] {
                return Ok(None);
            }
        }
    }

    /// A client that has taken its end. If there is none, the next who came is offered one.
    fn look(&self) -> io::Result<Option<(Connection<S, R>, Peer)>> {
        let mut guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(accepted) = self.next_taken(&mut guests)? {
            return Ok(Some(accepted));
        }
        if guests.len() >= MAX_GUESTS {
            // They may be stopped, or mean ill. The one that has had the most time makes room.
            if guests[0].since.elapsed() < PATIENCE {
                std::thread::yield_now();
                return Ok(None);
            }
            self.dismiss(&mut guests, 0)?;
        }
        if let Some(client) = self.socket.accept()? {
            if let Some(guest) = self.receive(client)? {
                self.bundle.add(guest.client.sentinel())?;
                guests.push_back(guest);
            }
        }
        Ok(None)
    }

    /// The first guest that has taken its end. Those that are gone go.
    fn next_taken(&self, guests: &mut VecDeque<Guest<S, R>>) -> io::Result<Option<(Connection<S, R>, Peer)>> {
        let mut index = 0;
        while let Some(guest) = guests.get(index) {
            match guest.client.try_receive() {
                Ok(Received::Empty) => index += 1,
                Ok(Received::Message(message)) if greeting::is_taken(&message) => {
                    let guest = self.dismiss(guests, index)?;
                    return Ok(guest.map(|guest| (guest.connection, guest.peer)));
                }
                // It ended, it wanted other types, or it is no client at all.
                Ok(Received::Message(_) | Received::Closed) | Err(_) => {
                    self.dismiss(guests, index)?;
                }
            }
        }
        Ok(None)
    }

    fn dismiss(&self, guests: &mut VecDeque<Guest<S, R>>, index: usize) -> io::Result<Option<Guest<S, R>>> {
        let guest = guests.remove(index);
        if let Some(guest) = &guest {
            self.bundle.remove(guest.client.sentinel())?;
        }
        Ok(guest)
    }

    /// Offers a client a connection, unless it is of a wrong user or gone.
    fn receive(&self, client: Channel) -> io::Result<Option<Guest<S, R>>> {
        let credentials = local::peer(&client)?;
        if !self.settings.allowed.admits(credentials.user) {
            let _it_may_be_gone = greeting::refuse(&client);
            return Ok(None);
        }
        match greeting::offer(&client, &self.settings.connections) {
            Ok(connection) => {
                let peer = credentials.into();
                Ok(Some(Guest { client, connection, peer, since: Instant::now() }))
            }
            Err(error) if envelope::is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Ready when a client has come, or has answered: then the next call that accepts has something to do.
impl<S, R> Waitable for Listener<S, R> {
    fn sentinel(&self) -> Sentinel<'_> {
        Sentinel::new(self.0.bundle.sentinel())
    }
}

/// Connections without end. See [`Listener::incoming`].
#[derive(Debug)]
pub struct Incoming<'a, S, R = S>(&'a Listener<S, R>);

impl<S, R> Iterator for Incoming<'_, S, R> {
    type Item = io::Result<Connection<S, R>>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.accept())
    }
}

impl<S, R> Clone for Listener<S, R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S, R> fmt::Debug for Listener<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("address", &self.0.address).finish_non_exhaustive()
    }
}

impl<S, R> Serialize for Listener<S, R> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        (Lent(self.0.socket.object()), &self.0.address, &self.0.settings).serialize(serializer)
    }
}

impl<'de, S, R> Deserialize<'de> for Listener<S, R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (socket, address, settings) = <(Arrived, Address, Builder)>::deserialize(deserializer)?;
        let socket = Listening::from_object(socket.0).map_err(parcel::unreadable)?;
        Self::new_with(socket, address, settings).map_err(parcel::unreadable)
    }
}
