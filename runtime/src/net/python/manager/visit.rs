//! One connection of a client with a server: CPython's `Server.handle_request` and `Server.serve_client`.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_pickle::Value;

use super::super::object::{Instance, Object};
use super::super::{Connection, PythonError, plain};
use super::served::{Arguments, Caller, Fault};
use super::server::Serving;

/// What is asked, of whom: an object, or nobody for the server itself.
struct Request {
    of: Value,
    method: String,
    arguments: Vec<Object>,
    named: Value,
}

/// Serves a client until it ends.
pub(super) fn serve(serving: &Serving, connection: &Arc<Connection>) -> Result<(), PythonError> {
    let Some(request) = hear(serving, connection)? else { return Ok(()) };
    let answer = match &request.method[..] {
        "accept_connection" => {
            say(connection, &returned(Value::None))?;
            return serve_objects(serving, connection);
        }
        _ => function(serving, request).unwrap_or_else(|why| traceback(&why)),
    };
    say(connection, &answer)
}

/// What managers and proxies ask of the server itself.
fn function(serving: &Serving, request: Request) -> Result<Object, String> {
    let mut arguments = request.arguments.into_iter();
    let mut argument = || arguments.next().ok_or("TypeError: an argument is missing");
    let text = |argument: Object| argument.into_text().ok_or("TypeError: an argument is no text");
    let value = match &request.method[..] {
        "dummy" => Value::None,
        "create" => {
            let name = text(argument()?)?;
            if arguments.next().is_some() || matches!(&request.named, Value::Dict(named) if !named.is_empty())
            {
                return Err(format!("TypeError: '{name}' takes no arguments: the object is there already"));
            }
            let (ident, methods) = serving.create(&name)?;
            Value::Tuple(vec![Value::String(ident), methods])
        }
        "incref" => serving.count(&text(argument()?)?, 1)?,
        "decref" => serving.count(&text(argument()?)?, -1)?,
        "get_methods" => serving.methods(&token(argument()?).ok_or("TypeError: an argument is no token")?)?,
        "number_of_objects" => Value::I64(serving.referenced() as i64),
        "debug_info" => Value::String(serving.debug_info()),
        "shutdown" => {
            return Err("PermissionError: this server belongs to a program in Rust, which ends it".into());
        }
        other => return Err(format!("AssertionError: '{other}' unrecognized")),
    };
    Ok(returned(value))
}

/// The identity in a `Token(typeid, address, id)`.
fn token(object: Object) -> Option<String> {
    let Object::Instance(token) = object else { return None };
    let Instance { module, name, state, .. } = *token;
    let [_, _, ident] = state.filter(|_| module == "multiprocessing.managers" && name == "Token")?.parts()?;
    ident.into_text()
}

/// Serves proxies of a thread.
fn serve_objects(serving: &Serving, connection: &Arc<Connection>) -> Result<(), PythonError> {
    let caller = Caller::new(Arc::clone(connection));
    loop {
        let Some(Request { of, method, arguments, named }) = hear(serving, connection)? else { continue };
        let object = match serving.find(&of) {
            Ok(object) => object,
            Err(why) => {
                say(connection, &traceback(&why))?;
                continue;
            }
        };
        if !object.methods().contains(&method.as_str()) {
            let answer = match &method[..] {
                "__str__" | "__repr__" => returned(Value::String(object.describe())),
                "#GETVALUE" => object.value().map_or_else(|| unserializable(object.class()), returned),
                _ => traceback(&format!(
                    "AttributeError: method '{method}' of '{}' object is not in exposed={:?}",
                    object.class(),
                    object.methods()
                )),
            };
            say(connection, &answer)?;
            continue;
        }
        let placed = arguments.into_iter().map(Object::plain).collect::<Option<VecDeque<_>>>();
        let (Some(placed), Value::Dict(named)) = (placed, named) else {
            say(connection, &traceback("TypeError: only plain data is taken"))?;
            continue;
        };
        match object.call(&method, Arguments { placed, named }, &caller) {
            Ok(value) if caller.is_gone() => {
                object.take_back(&method, value);
                return Err(PythonError::Closed);
            }
            Ok(value) => {
                let said = say(connection, &returned(value.clone()));
                if said.is_err() {
                    object.take_back(&method, value);
                }
                said?;
            }
            Err(Fault::Raised(error)) => {
                say(connection, &Object::tuple(vec![Object::text("#ERROR"), Object::Instance(error)]))?;
            }
            Err(Fault::Gone) => return Err(PythonError::Closed),
        }
    }
}

/// A request, or `None` when it was none and the client has been told.
fn hear(serving: &Serving, connection: &Connection) -> Result<Option<Request>, PythonError> {
    let message = connection.recv_bytes()?;
    let why = match plain::decode_object(&message, serving.max_message) {
        Ok(object) => match understand(object) {
            Some(request) => return Ok(Some(request)),
            None => "ValueError: this is no request of a proxy".to_owned(),
        },
        Err(error) => format!("_pickle.UnpicklingError: {error}"),
    };
    say(connection, &traceback(&why))?;
    Ok(None)
}

fn understand(object: Object) -> Option<Request> {
    let [of, method, arguments, named] = object.parts()?;
    let arguments = match arguments {
        Object::Plain(Value::Tuple(values) | Value::List(values)) => {
            values.into_iter().map(Object::Plain).collect()
        }
        Object::Tuple(objects) => objects,
        _ => return None,
    };
    Some(Request { of: of.plain()?, method: method.into_text()?, arguments, named: named.plain()? })
}

fn say(connection: &Connection, answer: &Object) -> Result<(), PythonError> {
    connection.send_bytes(&answer.encode()?)
}

fn returned(value: Value) -> Object {
    Object::tuple(vec![Object::text("#RETURN"), Object::Plain(value)])
}

/// As CPython tells of what went wrong in the server.
fn traceback(why: &str) -> Object {
    let text = format!("Traceback (most recent call last):\n  in a manager's server in Rust\n{why}\n");
    Object::tuple(vec![Object::text("#TRACEBACK"), Object::text(text)])
}

fn unserializable(class: &str) -> Object {
    let text = format!("TypeError: a '{class}' object is not plain data");
    Object::tuple(vec![Object::text("#UNSERIALIZABLE"), Object::text(text)])
}
