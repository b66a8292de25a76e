//! Connections with programs in Python: with every CPython that is found.

#![allow(clippy::doc_markdown)] // CPython is a name

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use offspring::Bytes;
use offspring::net::python::{
    self, AuthKey, Builder, Connection, Endpoint, HashableValue, Listener, PythonError, Value,
};
use offspring_tests::watchdog;
use serde::{Deserialize, Serialize};

#[path = "python_managers/pythons.rs"]
mod pythons;

use pythons::{Directory, pythons};

/// Each CPython with each kind of endpoint to listen at.
fn each(mut test: impl FnMut(&PathBuf, Endpoint)) {
    for python in pythons() {
        let directory = Directory::new();
        for endpoint in [Endpoint::from(("127.0.0.1", 0)), directory.0.join("socket").into()] {
            println!("{} at {endpoint}", python.display());
            test(python, endpoint);
        }
    }
}

/// What every script begins with: `address` is where to connect or to listen.
const PRELUDE: &str = r"
import os, signal, sys
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
host, port = sys.argv[1], sys.argv[2]
address = (host, int(port)) if port else host
def listen(**how):
    # Tells where, and waits for one client.
    listener = Listener(address, **how)
    print(listener.address[1] if port else '', flush=True)
    return listener
";

/// A program in Python, with an endpoint.
fn run(python: &PathBuf, endpoint: &Endpoint, script: &str) -> Command {
    let (host, port) = match endpoint {
        Endpoint::Tcp(host, port) => (host.clone(), port.to_string()),
        Endpoint::Path(path) => (path.display().to_string(), String::new()),
        _ => unreachable!("no other kind"),
    };
    let mut command = Command::new(python);
    command.arg("-c").arg(format!("{PRELUDE}{script}")).args([host, port]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A program in Python that connects to a listener of ours.
fn start(python: &PathBuf, listener: &Listener, script: &str) -> Child {
    run(python, listener.endpoint(), script).spawn().unwrap()
}

/// A program in Python that listens, and where.
fn start_listening(python: &PathBuf, endpoint: &Endpoint, script: &str) -> (Child, Endpoint) {
    let mut child = run(python, endpoint, script).spawn().unwrap();
    let mut line = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    // Nothing beyond the line may be taken from it.
    std::io::BufRead::read_line(&mut std::io::BufReader::with_capacity(1, stdout), &mut line).unwrap();
    let endpoint = match endpoint {
        Endpoint::Tcp(host, _) => {
            Endpoint::Tcp(host.clone(), line.trim().parse().expect("the script listens"))
        }
        path => path.clone(),
    };
    (child, endpoint)
}

/// Waits for a program that has to succeed: what it printed.
fn succeed(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    none: Option<i64>,
    yes: bool,
    small: i64,
    large: i64,
    negative: i64,
    half: f64,
    text: String,
    bytes: Bytes,
    list: Vec<i64>,
    pair: (i64, String),
    dict: BTreeMap<String, Vec<Option<i64>>>,
}

fn everything() -> Everything {
    Everything {
        none: None,
        yes: true,
        small: 255,
        large: i64::MAX,
        negative: i64::MIN,
        half: 0.5,
        text: "na\u{ef}ve \u{1f40d}".to_owned(),
        bytes: Bytes::from(vec![0, 255, 10]),
        list: (0..3000).collect(),
        pair: (7, "b".to_owned()),
        dict: BTreeMap::from([("a".to_owned(), vec![Some(1), None]), (String::new(), vec![])]),
    }
}

/// The same in Python; tuples come there as tuples, and go as tuples.
const EVERYTHING: &str = r"
everything = {
    'none': None, 'yes': True, 'small': 255, 'large': 2**63 - 1, 'negative': -2**63, 'half': 0.5,
    'text': 'na\u00efve \U0001f40d', 'bytes': b'\0\xff\n', 'list': list(range(3000)), 'pair': (7, 'b'),
    'dict': {'a': [1, None], '': []},
}
";

/// What a script in Python does with a connection, whoever listens: checks what comes, sends the like.
const TALK: &str = r"
got = connection.recv()
assert got == everything, got
connection.send(everything)
shared = ['x']
connection.send((shared, shared, {1, 2}, frozenset([3]), 2**200, -2**200, bytearray(b'ba')))
assert connection.recv() == ([], {4}, frozenset([5]), -2**200)
for length in (0, 1, 16384, 16385, 5 << 20):
    got = connection.recv_bytes()
    assert got == b'r' * length, (len(got), length)
    connection.send_bytes(b'p' * length)
connection.send(b'v' * (5 << 20))
try:
    connection.recv()
except EOFError:
    print('ended')
";

fn talk(connection: &Connection) {
    connection.send(&everything()).unwrap();
    assert_eq!(connection.recv::<Everything>().unwrap(), everything());
    let Value::Tuple(several) = connection.recv_value().unwrap() else { panic!("a tuple is one") };
    let list = || Value::List(vec![Value::String("x".to_owned())]);
    let numbers = |numbers: &[i64]| numbers.iter().copied().map(HashableValue::I64).collect::<BTreeSet<_>>();
    assert_eq!(several[..2], [list(), list()]);
    assert_eq!(several[2..4], [Value::Set(numbers(&[1, 2])), Value::FrozenSet(numbers(&[3]))]);
    assert!(matches!((&several[4], &several[5]), (Value::Int(_), Value::Int(_))), "{several:?}");
    assert_eq!(several[6], Value::Bytes(b"ba".to_vec()));
    let sets =
        [Value::List(vec![]), Value::Set(numbers(&[4])), Value::FrozenSet(numbers(&[5])), several[5].clone()];
    connection.send_value(&Value::Tuple(sets.to_vec())).unwrap();
    for length in [0, 1, 16384, 16385, 5 << 20] {
        connection.send_bytes(&vec![b'r'; length]).unwrap();
        assert!(connection.recv_bytes().unwrap() == vec![b'p'; length], "{length} bytes come back");
    }
    assert_eq!(connection.recv::<Bytes>().unwrap()[..], vec![b'v'; 5 << 20]);
}

#[offspring::test]
fn clients_in_python_talk_to_our_listener() {
    let _dog = watchdog();
    each(|python, endpoint| {
        let listener = Listener::bind(endpoint, "abc").unwrap();
        let script = format!("{EVERYTHING}connection = Client(address, authkey=b'abc'){TALK}");
        let client = start(python, &listener, &script);
        let connection = listener.accept().unwrap();
        talk(&connection);
        drop(connection);
        assert_eq!(succeed(client), "ended");
    });
}

#[offspring::test]
fn we_talk_to_listeners_in_python() {
    let _dog = watchdog();
    each(|python, endpoint| {
        let script = format!("{EVERYTHING}connection = listen(authkey=b'abc').accept(){TALK}");
        let (child, endpoint) = start_listening(python, &endpoint, &script);
        let connection = python::connect(endpoint, "abc").unwrap();
        talk(&connection);
        drop(connection);
        assert_eq!(succeed(child), "ended");
    });
}

#[offspring::test]
fn without_a_key_on_either_side_there_is_no_handshake() {
    let _dog = watchdog();
    each(|python, endpoint| {
        let listener = Builder::new().bind(endpoint).unwrap();
        let client = start(python, &listener, "Client(address).send('hello')");
        assert_eq!(listener.accept().unwrap().recv::<String>().unwrap(), "hello");
        succeed(client);
    });
}

/// A script that says whether the keys were found to differ.
const TRY: &str = r"
try:
    connect()
    print('in')
except (AuthenticationError, EOFError, ConnectionResetError, BrokenPipeError) as error:
    print(type(error).__name__)
";

#[offspring::test]
fn a_client_with_another_key_is_refused_and_the_next_is_not() {
    let _dog = watchdog();
    each(|python, endpoint| {
        let listener = Listener::bind(endpoint, "abc").unwrap();
        let script = format!("connect = lambda: Client(address, authkey=b'other'){TRY}");
        let client = start(python, &listener, &script);
        let error = listener.accept().unwrap_err();
        assert!(matches!(error, PythonError::WrongKey) && error.is_authentication(), "{error:?}");
        assert_eq!(succeed(client), "AuthenticationError");

        let client = start(python, &listener, "Client(address, authkey=b'abc').send(1)");
        assert_eq!(listener.accept().unwrap().recv::<u8>().unwrap(), 1);
        succeed(client);
    });
}

#[offspring::test]
fn a_listener_in_python_refuses_our_wrong_key() {
    let _dog = watchdog();
    each(|python, endpoint| {
        let script = format!("listener = listen(authkey=b'abc')\nconnect = listener.accept{TRY}");
        let (child, endpoint) = start_listening(python, &endpoint, &script);
        let error = python::connect(endpoint, "other").unwrap_err();
        assert!(matches!(error, PythonError::Rejected) && error.is_authentication(), "{error:?}");
        assert_eq!(succeed(child), "AuthenticationError");
    });
}

#[offspring::test]
fn a_client_in_python_without_a_key_does_not_get_in() {
    let _dog = watchdog();
    each(|python, endpoint| {
        let listener = Listener::bind(endpoint, "abc").unwrap();
        let client =
            start(python, &listener, "c = Client(address)\nc.send('let me in')\nprint(c.recv_bytes()[:11])");
        let error = listener.accept().unwrap_err();
        assert!(matches!(error, PythonError::Protocol(_)), "{error:?}");
        assert!(error.to_string().contains("without an `authkey`"), "{error}");
        assert_eq!(succeed(client), "b'#CHALLENGE#'");
    });
}

#[offspring::test]
fn without_a_key_we_are_told_that_a_listener_in_python_wants_one() {
    let _dog = watchdog();
    each(|python, endpoint| {
        let script = format!("listener = listen(authkey=b'abc')\nconnect = listener.accept{TRY}");
        let (child, endpoint) = start_listening(python, &endpoint, &script);
        let connection = Builder::new().connect(endpoint).unwrap();
        let error = connection.recv::<String>().unwrap_err();
        assert!(matches!(error, PythonError::KeyRequired), "{error:?}");
        drop(connection);
        assert_ne!(succeed(child), "in");
    });
}

#[offspring::test]
fn a_listener_in_python_without_a_key_is_not_waited_for_without_end() {
    let _dog = watchdog();
    each(|python, endpoint| {
        let (child, endpoint) =
            start_listening(python, &endpoint, "c = listen().accept()\nprint(c.poll(None))");
        let settings = Builder::new().authkey("abc").handshake_timeout(Duration::from_millis(20));
        let error = settings.connect(endpoint).unwrap_err();
        assert!(matches!(error, PythonError::HandshakeTimedOut), "{error:?}");
        assert_eq!(succeed(child), "True"); // the end
    });
}

#[offspring::test]
fn a_peer_that_is_killed_in_the_middle_of_a_message_is_noticed() {
    let _dog = watchdog();
    let cut = r"
connection.send('whole')
os.write(connection.fileno(), b'\0\0\x10\0' + b'x' * 100)
os.kill(os.getpid(), signal.SIGKILL)
";
    each(|python, endpoint| {
        let listener = Listener::bind(endpoint, "abc").unwrap();
        let script = format!("connection = Client(address, authkey=b'abc'){cut}");
        let client = start(python, &listener, &script);
        let connection = listener.accept().unwrap();
        assert_eq!(connection.recv::<String>().unwrap(), "whole");
        let error = connection.recv::<String>().unwrap_err();
        assert!(matches!(error, PythonError::Truncated { received: 100, announced: 4096 }), "{error:?}");
        assert!(error.is_disconnected());
        let error = connection.recv::<String>().unwrap_err();
        assert!(matches!(error, PythonError::Closed), "{error:?}");
        assert!(!client.wait_with_output().unwrap().status.success());
    });
}

#[offspring::test]
fn a_peer_in_python_gets_the_end_when_ours_ends() {
    let _dog = watchdog();
    each(|python, endpoint| {
        let listener = Listener::bind(endpoint, "abc").unwrap();
        let script = format!("connect = lambda: Client(address, authkey=b'abc').recv(){TRY}");
        let client = start(python, &listener, &script);
        drop(listener.accept().unwrap());
        assert_eq!(succeed(client), "EOFError");
    });
}

#[offspring::test]
fn objects_and_functions_are_refused_and_the_next_message_is_not() {
    let _dog = watchdog();
    let script = r"
import datetime
connection = Client(address, authkey=b'abc')
class Own: pass
for bad in (print, datetime.date(2000, 1, 1), 1j, ValueError('x'), Own(), {'deep': [Own]}, '\ud800'):
    connection.send(bad)
loop = []
loop.append(loop)
connection.send(loop)
connection.send_bytes(b'garbage')
connection.send('text')
connection.send('good')
connection.recv_bytes()
";
    each(|python, endpoint| {
        let listener = Listener::bind(endpoint, "abc").unwrap();
        let client = start(python, &listener, script);
        let connection = listener.accept().unwrap();
        for _ in 0..9 {
            let error = connection.recv_value().unwrap_err();
            assert!(matches!(error, PythonError::NotPlain(_)), "{error:?}");
        }
        let error = connection.recv::<u8>().unwrap_err();
        assert!(matches!(error, PythonError::OtherShape(_)), "{error:?}");
        assert_eq!(connection.recv::<String>().unwrap(), "good");
        connection.send_bytes(b"").unwrap();
        succeed(client);
    });
}

#[offspring::test]
fn a_message_that_is_too_long_closes_the_connection() {
    let _dog = watchdog();
    each(|python, endpoint| {
        let listener = Builder::new().authkey("abc").max_message(1000).bind(endpoint).unwrap();
        let script = format!(
            "def connect():\n c = Client(address, authkey=b'abc')\n c.send_bytes(b'x' * 1000)\n c.send_bytes(b'x' * 1001)\n c.recv()\n{TRY}"
        );
        let client = start(python, &listener, &script);
        let connection = listener.accept().unwrap();
        assert_eq!(connection.recv_bytes().unwrap().len(), 1000);
        let error = connection.recv_bytes().unwrap_err();
        assert!(matches!(error, PythonError::TooLong { length: 1001, limit: 1000 }), "{error:?}");
        drop(connection);
        assert_ne!(succeed(client), "in");
    });
}

#[offspring::test]
fn python_before_3_12_can_be_kept_out() {
    let _dog = watchdog();
    each(|python, endpoint| {
        let listener = Builder::new().authkey("abc").md5(false).bind(endpoint).unwrap();
        let script = format!(
            "print(sys.version_info >= (3, 12))\nconnect = lambda: Client(address, authkey=b'abc'){TRY}"
        );
        let client = start(python, &listener, &script);
        let accepted = listener.accept();
        let is_in = accepted.is_ok();
        if let Err(error) = accepted {
            assert!(error.to_string().contains("3.12"), "{error}");
        }
        assert_eq!(succeed(client), if is_in { "True\nin" } else { "False\nAuthenticationError" });
    });
}

#[offspring::test]
fn what_is_no_python_gets_no_further_than_the_handshake() {
    let _dog = watchdog();
    let listener = Listener::bind(("127.0.0.1", 0), "abc").unwrap();
    let Endpoint::Tcp(_, port) = *listener.endpoint() else { unreachable!("it is one") };
    let client = || TcpStream::connect(("127.0.0.1", port)).unwrap();

    let mut browser = client();
    browser.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let error = listener.accept().unwrap_err();
    assert!(matches!(error, PythonError::Protocol(_)), "{error:?}");

    drop(client());
    let error = listener.accept().unwrap_err();
    assert!(matches!(error, PythonError::HandshakeClosed) && error.is_disconnected(), "{error:?}");

    let mut negative = client();
    negative.write_all(b"\x80\0\0\0").unwrap();
    let error = listener.accept().unwrap_err();
    assert!(matches!(error, PythonError::Protocol(_)), "{error:?}");
}

#[offspring::test]
fn a_client_that_is_silent_or_answers_byte_by_byte_has_no_more_time_than_others() {
    let _dog = watchdog();
    let settings = Builder::new().authkey("abc").handshake_timeout(Duration::from_millis(200));
    let listener = settings.bind(("127.0.0.1", 0)).unwrap();
    let Endpoint::Tcp(_, port) = *listener.endpoint() else { unreachable!("it is one") };
    let silent = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let error = listener.accept().unwrap_err();
    assert!(matches!(error, PythonError::HandshakeTimedOut), "{error:?}");
    drop(silent);

    let mut slow = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let slow = std::thread::spawn(move || {
        slow.write_all(&256_u32.to_be_bytes()).unwrap();
        while slow.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(20)); // the client's pace
        }
    });
    let error = listener.accept().unwrap_err();
    assert!(matches!(error, PythonError::HandshakeTimedOut), "{error:?}");
    slow.join().unwrap();
}

#[offspring::test]
fn a_listener_that_is_no_python_does_not_get_the_key() {
    let _dog = watchdog();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let connect = move || python::connect(("127.0.0.1", port), AuthKey::new("abc")).unwrap_err();
    for (says, hears) in [
        (&b"220 mail.example ESMTP\r\n"[..], 0),
        (b"\0\0\0\x05hello", 0),
        // A challenge that is too short, and one with a digest that is none.
        (b"\0\0\0\x0c#CHALLENGE#x", 0),
        (b"\0\0\0\x2a#CHALLENGE#{none}xxxxxxxxxxxxxxxxxxxxxxxxx", 0),
        // One who cannot tell a right answer, and does not send a proof of its own.
        (b"\0\0\0\x1f#CHALLENGE#xxxxxxxxxxxxxxxxxxxx\0\0\0\x05MAYBE", 20),
    ] {
        let client = std::thread::spawn(connect);
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(says).unwrap();
        let mut heard = vec![0; hears];
        stream.read_exact(&mut heard).unwrap();
        let error = client.join().unwrap();
        assert!(matches!(error, PythonError::Protocol(_)), "{error:?}");
        assert!(!heard.windows(3).any(|bytes| bytes == b"abc"));
    }
}

#[offspring::test]
fn a_listener_that_welcomes_everybody_has_to_prove_itself_too() {
    let _dog = watchdog();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = std::thread::spawn(move || python::connect(("127.0.0.1", port), "abc").unwrap_err());
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(b"\0\0\0\x1f#CHALLENGE#xxxxxxxxxxxxxxxxxxxx\0\0\0\x09#WELCOME#").unwrap();
    // Its answer, its own challenge, and a proof that is made up.
    stream.read_exact(&mut [0; 4 + 16 + 4 + 11 + 8 + 40]).unwrap();
    stream.write_all(b"\0\0\0\x10xxxxxxxxxxxxxxxx").unwrap();
    let mut verdict = [0; 4 + 9];
    stream.read_exact(&mut verdict).unwrap();
    assert_eq!(verdict[4..], *b"#FAILURE#");
    assert!(matches!(client.join().unwrap(), PythonError::WrongKey));
}

#[offspring::test]
fn a_slow_client_holds_up_nobody_who_is_authenticated_elsewhere() {
    let _dog = watchdog();
    let settings = Builder::new().authkey("abc").handshake_timeout(Duration::MAX);
    let listener = settings.bind(("127.0.0.1", 0)).unwrap();
    let Endpoint::Tcp(_, port) = *listener.endpoint() else { unreachable!("it is one") };
    let silent = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let guest = listener.next().unwrap();
    let slow = std::thread::spawn(move || guest.authenticate());
    let endpoint = listener.endpoint().clone();
    let quick = std::thread::spawn(move || python::connect(endpoint, "abc")?.send("quick"));
    assert_eq!(listener.accept().unwrap().recv::<String>().unwrap(), "quick");
    quick.join().unwrap().unwrap();
    drop(silent);
    assert!(matches!(slow.join().unwrap(), Err(PythonError::HandshakeClosed)));
}

#[offspring::test]
fn threads_share_a_connection_and_one_ends_it_for_all() {
    let _dog = watchdog();
    let listener = Listener::bind(("127.0.0.1", 0), "abc").unwrap();
    let endpoint = listener.endpoint().clone();
    let client = std::thread::spawn(move || python::connect(endpoint, "abc").unwrap());
    let (here, there) = (listener.accept().unwrap(), client.join().unwrap());
    std::thread::scope(|scope| {
        for sender in 0..4_usize {
            let here = &here;
            scope.spawn(move || (0..50).for_each(|_| here.send(&vec![sender; 3000 * (sender + 1)]).unwrap()));
        }
        let mut counts = [0; 4];
        for _ in 0..200 {
            let message = there.recv::<Vec<usize>>().unwrap();
            let sender = message[0];
            assert!(message.len() == 3000 * (sender + 1) && message.iter().all(|item| *item == sender));
            counts[sender] += 1;
        }
        assert_eq!(counts, [50; 4]);
        let waiting = scope.spawn(|| there.recv_bytes());
        there.shutdown().unwrap();
        assert!(matches!(waiting.join().unwrap(), Err(PythonError::Closed)));
    });
    assert!(matches!(here.recv_bytes(), Err(PythonError::Closed)));
}

#[offspring::test]
fn an_endpoint_is_taken_once_and_free_again_afterwards() {
    let _dog = watchdog();
    let directory = Directory::new();
    let path = directory.0.join("socket");
    assert!(matches!(python::connect(path.as_path(), "abc"), Err(PythonError::NotListening { .. })));
    let listener = Listener::bind(path.as_path(), "abc").unwrap();
    let error = Listener::bind(path.as_path(), "abc").unwrap_err();
    assert!(
        matches!(&error, PythonError::System(why) if why.kind() == std::io::ErrorKind::AddrInUse),
        "{error:?}"
    );
    drop(listener);
    assert!(!path.exists());
    Listener::bind(path.as_path(), "abc").unwrap();
}

#[offspring::test]
fn a_connection_is_ready_when_a_message_has_come() {
    let _dog = watchdog();
    let listener = Listener::bind(("127.0.0.1", 0), "abc").unwrap();
    let endpoint = listener.endpoint().clone();
    let client = std::thread::spawn(move || python::connect(endpoint, "abc").unwrap());
    assert_eq!(offspring::wait(&[&listener], None).unwrap(), [0]);
    let (here, there) = (listener.accept().unwrap(), client.join().unwrap());
    assert!(offspring::wait(&[&here, &listener], Some(Duration::ZERO)).unwrap().is_empty());
    there.send(&None::<u8>).unwrap();
    assert_eq!(offspring::wait(&[&here, &listener], None).unwrap(), [0]);
    here.recv::<()>().unwrap();
    drop(there);
    assert_eq!(offspring::wait(&[&here], None).unwrap(), [0]);
}

#[offspring::test]
fn a_peer_whose_machine_vanishes_is_noticed() {
    let _dog = watchdog();
    let listener = Listener::bind(("127.0.0.1", 0), "abc").unwrap();
    let endpoint = listener.endpoint().clone();
    let client = std::thread::spawn(move || python::connect(endpoint, "abc").unwrap());
    let connections = [listener.accept().unwrap(), client.join().unwrap()];
    // What vanishes cannot be had here: that the system is told to ask can be seen.
    for connection in connections {
        let asks = nix::sys::socket::getsockopt(&connection, nix::sys::socket::sockopt::KeepAlive);
        assert!(asks.unwrap());
    }
}
