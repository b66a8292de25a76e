//! The client of a manager in Python.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_pickle::Value;

use super::super::object::{Instance, Object};
use super::super::{AuthKey, Builder, Connection, Endpoint, PythonError, handshake, plain};
use super::{CallError, DictProxy, ListProxy, QueueProxy};

/// A manager in Python, whose server runs elsewhere: what `BaseManager.connect()` makes there.
///
/// Clones are the same manager, and threads may share it. See [the module](super).
#[derive(Clone, Debug)]
pub struct Manager {
    link: Arc<Link>,
    /// How long a call may take.
    limit: Option<Duration>,
}

#[derive(Debug)]
struct Link {
    endpoint: Endpoint,
    settings: Builder,
    /// Connections for calls of methods, which nobody uses just now.
    idle: Mutex<Vec<Connection>>,
}

impl Manager {
    /// Connects to the server of a manager.
    ///
    /// # Errors
    /// As [`connect`](super::super::connect), in [`CallError::Python`].
    pub fn connect(endpoint: impl Into<Endpoint>, key: impl Into<AuthKey>) -> Result<Self, CallError> {
        Self::connect_with(&Builder::new().authkey(key), endpoint)
    }

    /// Connects with other limits. One on [the time of calls](Builder::call_timeout) counts for this, too.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_with(settings: &Builder, endpoint: impl Into<Endpoint>) -> Result<Self, CallError> {
        let link = Link { endpoint: endpoint.into(), settings: settings.clone(), idle: Mutex::default() };
        let manager = Self { link: Arc::new(link), limit: settings.call() };
        manager.ask("dummy", Vec::new())?;
        Ok(manager)
    }

    /// Does something that belongs to a call, until its time is over.
    fn in_time<T>(
        &self,
        call: impl FnOnce(&Link, Option<Instant>) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let deadline = self.limit.and_then(|limit| Instant::now().checked_add(limit));
        call(&self.link, deadline).map_err(|error| match error {
            CallError::Python(PythonError::System(why))
                if deadline.is_some()
                    && matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
            {
                CallError::TimedOut
            }
            CallError::Python(PythonError::HandshakeTimedOut)
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) =>
            {
                CallError::TimedOut
            }
            other => other,
        })
    }

    /// Asks the server itself, which takes a connection for each question.
    fn ask(&self, function: &str, arguments: Vec<Object>) -> Result<Object, CallError> {
        self.in_time(|link, deadline| link.ask(function, arguments, deadline))
    }

    /// Makes an object, or finds it, whichever the server does for this name: `manager.name(*args)` in Python.
    ///
    /// `args` are [the arguments](Proxy::call).
    ///
    /// # Errors
    /// [`CallError::Remote`] when the server has no such name, or what it calls for it raises an exception.
    pub fn create<A: Serialize + ?Sized>(&self, name: &str, args: &A) -> Result<Proxy, CallError> {
        let mut arguments = vec![Object::text(name)];
        arguments.extend(arguments_of(args)?.into_iter().map(Object::Plain));
        let Some([ident, exposed]) = self.ask("create", arguments)?.parts() else {
            return Err(no_manager("it has created something that has no identity"));
        };
        // The reference that creating it made is this one's: CPython takes another, and gives this one back.
        self.proxy(name.to_owned(), ident, exposed)
    }

    /// A queue: `manager.name()` in Python.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn queue(&self, name: &str) -> Result<QueueProxy, CallError> {
        self.create(name, &()).map(QueueProxy::from)
    }

    /// A dictionary: `manager.name()` in Python.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn dict(&self, name: &str) -> Result<DictProxy, CallError> {
        self.create(name, &()).map(DictProxy::from)
    }

    /// A list: `manager.name()` in Python.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn list(&self, name: &str) -> Result<ListProxy, CallError> {
        self.create(name, &()).map(ListProxy::from)
    }

    /// How many objects of the server have references.
    ///
    /// # Errors
    /// When the server is gone.
    pub fn number_of_objects(&self) -> Result<usize, CallError> {
        match self.ask("number_of_objects", Vec::new())? {
            Object::Plain(value) => CallError::shape(value),
            _ => Err(no_manager("it counts its objects with no number")),
        }
    }

    fn proxy(&self, name: String, ident: Object, exposed: Object) -> Result<Proxy, CallError> {
        let ident = ident.into_text().ok_or_else(|| no_manager("the identity of an object is no text"))?;
        // From here on its end is told to the server, whatever else is wrong.
        let mut proxy = Proxy { manager: self.clone(), name, ident, exposed: Vec::new() };
        let exposed = exposed.plain().ok_or_else(|| no_manager("the names of methods are no text"))?;
        proxy.exposed = CallError::shape(exposed)?;
        Ok(proxy)
    }
}

impl Link {
    fn ask(
        &self,
        function: &str,
        arguments: Vec<Object>,
        deadline: Option<Instant>,
    ) -> Result<Object, CallError> {
        let connection = self.settings.connect_until(self.endpoint.clone(), deadline)?;
        let request = request(Value::None, function, arguments, Value::Dict([].into()));
        self.dispatch(&connection, &request, deadline)?.returned()
    }

    fn dispatch(
        &self,
        connection: &Connection,
        request: &Object,
        deadline: Option<Instant>,
    ) -> Result<Answer, CallError> {
        let message = connection.exchange(&request.encode()?, deadline)?;
        if handshake::is_challenge(&message) {
            return Err(PythonError::KeyRequired.into());
        }
        let answer = match plain::decode_object(&message, self.settings.limit()) {
            Ok(answer) => answer,
            // It was whole, and the next one is not lost.
            Err(PythonError::NotPlain(why)) => return Ok(Answer::Failed(CallError::Unserializable(why))),
            Err(other) => return Err(other.into()),
        };
        Answer::understand(answer).ok_or_else(|| no_manager("its answer is none of a manager's server"))
    }

    /// Calls a method, on a connection that nobody else uses meanwhile.
    fn call(&self, request: &Object, deadline: Option<Instant>) -> Result<Answer, CallError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open(deadline)?,
        };
        let answer = self.dispatch(&connection, request, deadline)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(answer)
    }

    fn open(&self, deadline: Option<Instant>) -> Result<Connection, CallError> {
        let connection = self.settings.connect_until(self.endpoint.clone(), deadline)?;
        let name = Object::text(format!("offspring-{}", std::process::id()));
        let request = request(Value::None, "accept_connection", vec![name], Value::Dict([].into()));
        self.dispatch(&connection, &request, deadline)?.returned()?;
        Ok(connection)
    }
}

/// What is asked, of whom: an object, or nobody for the server itself.
fn request(of: Value, method: &str, arguments: Vec<Object>, named: Value) -> Object {
    Object::tuple(vec![
        Object::Plain(of),
        Object::text(method),
        Object::tuple(arguments),
        Object::Plain(named),
    ])
}

/// What a server answers.
enum Answer {
    Returned(Object),
    /// The names of methods, the name of the kind, and the identity.
    Proxy(Object, String, Object),
    Failed(CallError),
}

impl Answer {
    fn understand(answer: Object) -> Option<Self> {
        let [kind, result] = answer.parts()?;
        Some(match (&*kind.into_text()?, result) {
            ("#RETURN", result) => Self::Returned(result),
            ("#ERROR", Object::Instance(error)) => Self::Failed(CallError::from_instance(*error)),
            ("#TRACEBACK", text) => Self::Failed(CallError::Remote(text.into_text()?)),
            ("#UNSERIALIZABLE", text) => Self::Failed(CallError::Unserializable(text.into_text()?)),
            ("#PROXY", result) => {
                let [exposed, Object::Instance(token)] = result.parts()? else { return None };
                let Instance { name, state, .. } = *token;
                let [kind, _, ident] = state.filter(|_| name == "Token")?.parts()?;
                Self::Proxy(exposed, kind.into_text()?, ident)
            }
            _ => return None,
        })
    }

    fn returned(self) -> Result<Object, CallError> {
        match self {
            Self::Returned(object) => Ok(object),
            Self::Proxy(..) => Err(no_manager("it answers with a proxy where there can be none")),
            Self::Failed(error) => Err(error),
        }
    }
}

fn no_manager(why: &str) -> CallError {
    CallError::Protocol(why.to_owned())
}

/// The arguments that a tuple has.
fn arguments_of<A: Serialize + ?Sized>(args: &A) -> Result<Vec<Value>, CallError> {
    Ok(match plain::decode_value(&plain::encode(args)?, u64::MAX)? {
        Value::Tuple(args) => args,
        Value::None => Vec::new(),
        one => vec![one],
    })
}

/// An object that lives in a manager's server in Python: `BaseProxy`.
///
/// Threads may share it, and call at the same time: each call that is under way has a connection of its own, which later
/// ones take over. Dropping it tells the server that there is one reference less, as far as it is still there, and takes as long as that takes, or [a call may](Builder::call_timeout);
/// the object goes with its last one.
#[derive(Debug)]
pub struct Proxy {
    manager: Manager,
    name: String,
    ident: String,
    exposed: Vec<String>,
}

impl Proxy {
    /// The same proxy, whose calls may take as long, with all that belongs to them; `None` for ever. It begins with [what the manager
    /// has](Builder::call_timeout).
    ///
    /// A call that takes longer is [`CallError::TimedOut`]. The server does not learn of it: what it does then it does for nobody, so a value that
    /// it takes out of a queue is lost. [`QueueProxy::get_timeout`] has the server look at the time, and loses nothing when it is over before.
    #[must_use]
    pub fn with_timeout(mut self, limit: Option<Duration>) -> Self {
        self.manager.limit = limit;
        self
    }

    /// Calls a method. `args` is a tuple or an array of the arguments: `(1, 2)` and `[1, 2]` are two. `()` is none, and so is `None`. What is
    /// written as something else, as a `Vec` or a text, is one argument.
    ///
    /// # Errors
    /// What the method raises, and whatever else [`CallError`] says.
    pub fn call<T: DeserializeOwned, A: Serialize + ?Sized>(
        &self,
        method: &str,
        args: &A,
    ) -> Result<T, CallError> {
        CallError::shape(self.call_value(method, arguments_of(args)?, [])?)
    }

    /// Calls a method with values of any shape, some of them by name.
    ///
    /// # Errors
    /// As [`call`](Self::call). A result that is a proxy is [`CallError::Unserializable`]: see [`call_proxy`](Self::call_proxy).
    pub fn call_value(
        &self,
        method: &str,
        args: Vec<Value>,
        kwargs: impl IntoIterator<Item = (String, Value)>,
    ) -> Result<Value, CallError> {
        match self.answer(method, args, kwargs)? {
            Answer::Proxy(exposed, kind, ident) => {
                drop(self.manager.proxy(kind, ident, exposed)?);
                Err(CallError::Unserializable(format!("`{method}` returns a proxy: call it by `call_proxy`")))
            }
            other => other.returned()?.plain().ok_or_else(|| {
                CallError::Unserializable(format!(
                    "`{method}` returns an object of a class, which is not plain data"
                ))
            }),
        }
    }

    /// Calls a method that returns a proxy, as those do that `method_to_typeid` names in Python.
    ///
    /// # Errors
    /// As [`call`](Self::call); [`CallError::Unserializable`] when it returns something else.
    pub fn call_proxy(&self, method: &str, args: Vec<Value>) -> Result<Self, CallError> {
        match self.answer(method, args, [])? {
            Answer::Proxy(exposed, kind, ident) => self.manager.proxy(kind, ident, exposed),
            Answer::Failed(error) => Err(error),
            Answer::Returned(_) => Err(CallError::Unserializable(format!(
                "`{method}` returns a value, and no proxy: use `call`"
            ))),
        }
    }

    fn answer(
        &self,
        method: &str,
        args: Vec<Value>,
        kwargs: impl IntoIterator<Item = (String, Value)>,
    ) -> Result<Answer, CallError> {
        let named =
            kwargs.into_iter().map(|(name, value)| (serde_pickle::HashableValue::String(name), value));
        let args = args.into_iter().map(Object::Plain).collect();
        let of = Value::String(self.ident.clone());
        let request = request(of, method, args, Value::Dict(named.collect()));
        self.manager.in_time(|link, deadline| link.call(&request, deadline))
    }

    /// A copy of the object, if it is plain data: `_getvalue()`.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    #[doc(alias = "_getvalue")]
    pub fn value<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        self.call("#GETVALUE", &())
    }

    /// The name that it was created by.
    #[must_use]
    #[doc(alias = "typeid")]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The methods that the server lets be called.
    #[must_use]
    pub fn exposed(&self) -> &[String] {
        &self.exposed
    }

    pub(super) fn exposes(&self, method: &str) -> bool {
        self.exposed.iter().any(|exposed| exposed == method)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _the_server_may_be_gone = self.manager.ask("decref", vec![Object::text(self.ident.clone())]);
    }
}
