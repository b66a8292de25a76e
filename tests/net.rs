//! Listeners and those who connect to them.

#![allow(clippy::needless_pass_by_value)] // what a child runs owns its arguments
#![allow(clippy::items_after_statements)] // it stands where it is used

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr, bind, connect, listen, send, socket,
};
use offspring::channel::RecvError;
use offspring::net::{self, Address, Builder, Client, ConnectError, Connection, Listener};
use offspring::{Attachment, Bytes};
use offspring_tests::{block_on, finish, numbers_after, open_descriptors, program, until, watchdog};

/// Sends answers, receives questions.
type Answering = Listener<String, u64>;
type Asking = Connection<u64, String>;

const NOBODY: u32 = 65534;
const STRANGER: &str = env!("CARGO_BIN_EXE_stranger");

/// A directory of one test, which ends with it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("offspring-net-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        Self(path)
    }

    fn address(&self, name: &str) -> Address {
        Address::Path(self.0.join(name))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Another program, which has said that it listens.
fn listening(mode: &str, address: &Address, further: &[&str]) -> Child {
    let address = address.to_string();
    let mut child = program(STRANGER, &[&[mode, &address][..], further].concat()).spawn().unwrap();
    assert!(numbers_after(&mut child, "listening").is_empty());
    child
}

fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("skipped: only root can become another user");
    }
    root
}

fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A socket that is connected to a listener, and says nothing.
fn silent(address: &Address) -> OwnedFd {
    let client = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).unwrap();
    connect(client.as_raw_fd(), &unix(address)).unwrap();
    client
}

fn unix(address: &Address) -> UnixAddr {
    match address {
        Address::Path(path) => UnixAddr::new(path).unwrap(),
        Address::Name(name) => UnixAddr::new_abstract(name.as_bytes()).unwrap(),
        _ => unreachable!("no other kind"),
    }
}

fn in_use() -> String {
    std::fs::read_to_string("/proc/net/unix").unwrap()
}

/// Answers one question.
fn answer(connection: &Connection<String, u64>) {
    let number = connection.recv().unwrap();
    connection.send((number * number).to_string()).unwrap();
}

fn ask(address: Address, number: u64) -> String {
    let connection: Asking = net::connect(&address).unwrap();
    connection.send(number).unwrap();
    connection.recv().unwrap()
}

#[offspring::test]
fn a_child_an_unrelated_program_and_a_thread_connect_alike() {
    let _dog = watchdog();
    let directory = Directory::new();
    for listener in [Answering::new().unwrap(), Answering::bind(&directory.address("socket")).unwrap()] {
        let address = listener.address().clone();
        let child = offspring::spawn(ask, (address.clone(), 5)).unwrap();
        let (connection, peer) = listener.accept_with_peer().unwrap();
        assert_eq!((peer.pid(), peer.uid()), (Some(child.pid()), Some(nix::unistd::geteuid().as_raw())));
        answer(&connection);
        assert_eq!(child.join().unwrap(), "25");
        assert!(matches!(connection.recv(), Err(RecvError::Disconnected)));

        let text = address.to_string();
        let stranger = std::thread::spawn(move || finish(&mut program(STRANGER, &["ask", &text])));
        answer(&listener.accept().unwrap());
        assert_eq!(stranger.join().unwrap().stdout, "49\n");

        let thread = std::thread::spawn(move || ask(address, 9));
        answer(&listener.accept().unwrap());
        assert_eq!(thread.join().unwrap(), "81");
    }
}

#[offspring::test]
fn everything_travels_through_a_connection() {
    let _dog = watchdog();
    type Item = (Bytes, Attachment<io::PipeWriter>, Option<Asking>);
    let listener = Listener::<Item>::new().unwrap();
    let client = |address: Address| {
        use std::io::Write;
        let connection = net::connect::<Item, Item>(&address).unwrap();
        let (bytes, mut writer, other) = connection.recv().unwrap();
        writer.write_all(b"written").unwrap();
        other.unwrap().send(bytes.len() as u64).unwrap();
    };
    let child = offspring::spawn(client, (listener.address().clone(),)).unwrap();
    let connection = listener.accept().unwrap();
    let (mut reader, writer) = io::pipe().unwrap();
    let (ours, theirs) = offspring::pipe::<String, u64>().unwrap();
    connection.send((Bytes::from(vec![1; 3_000_000]), Attachment::new(writer), Some(theirs))).unwrap();
    child.join().unwrap();
    assert_eq!(ours.recv().unwrap(), 3_000_000);
    let mut text = String::new();
    io::Read::read_to_string(&mut reader, &mut text).unwrap();
    assert_eq!(text, "written");
}

#[offspring::test]
fn many_clients_connect_at_once() {
    let _dog = watchdog();
    let listener = Answering::new().unwrap();
    let ask_often = |address: Address, from: u64| {
        (from..from + 40).all(|number| ask(address.clone(), number) == (number * number).to_string())
    };
    let children: Vec<_> = (0..4)
        .map(|number| offspring::spawn(ask_often, (listener.address().clone(), number * 1000)).unwrap())
        .collect();
    let threads: Vec<_> = (0..40)
        .map(|number| {
            let address = listener.address().clone();
            std::thread::spawn(move || ask(address, number))
        })
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| listener.incoming().take(100).for_each(|connection| answer(&connection.unwrap())));
        }
    });
    assert!(children.into_iter().all(|child| child.join().unwrap()));
    for (number, thread) in (0..).zip(threads) {
        assert_eq!(thread.join().unwrap(), (number * number).to_string());
    }
}

fn serve(listener: Answering, stop: offspring::Receiver<()>) -> u32 {
    let mut served = 0;
    loop {
        let ready = offspring::wait(&[&listener, &stop], None).unwrap();
        if ready.contains(&1) {
            return served;
        }
        if let Some(connection) = listener.try_accept().unwrap() {
            answer(&connection);
            served += 1;
        }
    }
}

#[offspring::test]
fn a_listener_travels_and_several_processes_accept_from_it() {
    let _dog = watchdog();
    let directory = Directory::new();
    let address = directory.address("socket");
    let listener = Answering::bind(&address).unwrap();
    let (stop, stopped) = offspring::channel::channel().unwrap();
    let servers: Vec<_> = (0..3)
        .map(|_| {
            // Each goes through two processes, and the one in between ends.
            let pass_on = |listener: Answering| listener;
            let listener = offspring::spawn(pass_on, (listener.clone(),)).unwrap().join().unwrap();
            offspring::spawn(serve, (listener, stopped.clone())).unwrap()
        })
        .collect();
    for number in 0..30 {
        assert_eq!(ask(address.clone(), number), (number * number).to_string());
    }
    assert!(matches!(&address, Address::Path(path) if path.exists()), "copies leave the file alone");
    drop(listener);
    assert!(matches!(&address, Address::Path(path) if !path.exists()));
    drop(stop);
    assert_eq!(servers.into_iter().map(|server| server.join().unwrap()).sum::<u32>(), 30);
}

#[offspring::test]
fn a_listener_can_be_waited_for_with_receivers_and_children() {
    let _dog = watchdog();
    let listener = Answering::new().unwrap();
    let (sender, receiver) = offspring::channel::channel::<u8>().unwrap();
    let child = offspring::spawn(ask, (listener.address().clone(), 3)).unwrap();
    let mut connections = Vec::new();
    while connections.is_empty() {
        assert_eq!(offspring::wait(&[&receiver, &listener, &child], None).unwrap(), [1]);
        connections.extend(listener.try_accept().unwrap());
    }
    assert!(offspring::wait(&[&receiver, &listener], Some(Duration::ZERO)).unwrap().is_empty());
    sender.send(1).unwrap();
    assert_eq!(offspring::wait(&[&receiver, &listener, &child], None).unwrap(), [0]);
    receiver.recv().unwrap();
    answer(&connections[0]);
    assert_eq!(offspring::wait(&[&receiver, &listener, &child], None).unwrap(), [2]);
    assert_eq!(child.join().unwrap(), "9");
    assert!(listener.try_accept().unwrap().is_none());
    assert!(listener.accept_timeout(Duration::from_millis(10)).unwrap().is_none());
}

#[offspring::test]
fn a_connection_can_be_awaited() {
    let _dog = watchdog();
    let listener = Answering::new().unwrap();
    for number in 0..20 {
        let child = offspring::spawn(ask, (listener.address().clone(), number)).unwrap();
        let answered = block_on(async {
            let connection = listener.accept_async().await.unwrap();
            let number = connection.recv_async().await.unwrap();
            connection.send_async((number * number).to_string()).await.unwrap();
            child.await.unwrap()
        });
        assert_eq!(answered, (number * number).to_string());
    }
}

#[offspring::test]
fn limits_of_a_listener_are_those_of_its_connections() {
    let _dog = watchdog();
    let limits = offspring::channel::Builder::new().max_messages(2);
    let listener = Builder::new().connections(limits).build::<u8, u8>().unwrap();
    let address = listener.address().clone();
    let client = std::thread::spawn(move || net::connect::<u8, u8>(&address).unwrap());
    let server = listener.accept().unwrap();
    let client = client.join().unwrap();
    for end in [&server, &client] {
        end.try_send(1).unwrap();
        end.try_send(2).unwrap();
        assert!(end.try_send(3).unwrap_err().is_full());
    }
}

// --- Who does not come to it ---

#[offspring::test]
fn a_client_that_is_killed_in_between_is_skipped() {
    let _dog = watchdog();
    let listener = Answering::new().unwrap();
    let address = listener.address().clone();
    // One that is gone before it is accepted, one that is killed after, and one that says what no client says.
    drop(silent(&address));
    let babbler = silent(&address);
    send(babbler.as_raw_fd(), b"hello", MsgFlags::empty()).unwrap();
    let stays = |address: Address, began: offspring::Sender<()>| -> () {
        let _silent = silent(&address);
        began.send(()).unwrap();
        loop {
            std::thread::park();
        }
    };
    let (began, begins) = offspring::channel::channel().unwrap();
    let stays = offspring::spawn(stays, (address.clone(), began)).unwrap();
    begins.recv().unwrap();
    assert!(listener.accept_timeout(Duration::from_millis(20)).unwrap().is_none());
    stays.kill().unwrap();
    stays.wait().unwrap();
    let child = offspring::spawn(ask, (address, 4)).unwrap();
    let (connection, peer) = listener.accept_with_peer().unwrap();
    assert_eq!(peer.pid(), Some(child.pid()));
    answer(&connection);
    assert_eq!(child.join().unwrap(), "16");
}

#[offspring::test]
fn a_client_that_does_not_answer_holds_up_nobody() {
    let _dog = watchdog();
    let listener = Answering::new().unwrap();
    let address = listener.address().clone();
    // More of them than the listener keeps waiting.
    let silent: Vec<_> = (0..70).map(|_| silent(&address)).collect();
    for number in 0..10 {
        let child = offspring::spawn(ask, (address.clone(), number)).unwrap();
        answer(&listener.accept().unwrap());
        assert_eq!(child.join().unwrap(), (number * number).to_string());
    }
    drop(silent);
}

#[offspring::test]
fn clients_that_are_killed_at_any_moment_leave_the_listener_at_work() {
    let _dog = watchdog();
    // In a process of its own, whose descriptors nobody else opens.
    offspring::spawn(outlive_clients, ()).unwrap().join().unwrap();
}

fn outlive_clients() {
    const LAST: u64 = 12;
    let listener = Answering::new().unwrap();
    let address = listener.address().clone();
    let text = address.to_string();
    answer_one(&listener, &address);
    let before = open_descriptors().len();
    // Some that have been offered a connection.
    for _ in 0..10 {
        let client = silent(&address);
        assert!(listener.accept_timeout(Duration::from_millis(1)).unwrap().is_none());
        drop(client);
    }
    answer_one(&listener, &address);
    until("no descriptor is left", || open_descriptors().len() <= before);

    // And some at random.
    let accepted = AtomicU32::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for connection in listener.incoming() {
                let connection = connection.unwrap();
                match connection.recv() {
                    Ok(LAST) => return connection.send("goodbye".into()).unwrap(),
                    Ok(_) => {}
                    Err(error) => assert!(error.is_disconnected(), "{error}"),
                }
                accepted.fetch_add(1, Ordering::Relaxed);
            }
        });
        for round in 0..100 {
            let target = accepted.load(Ordering::Relaxed) + round % 7;
            let mut client = program(STRANGER, &["connect-for-ever", &text]).spawn().unwrap();
            until("clients are accepted", || accepted.load(Ordering::Relaxed) >= target);
            kill(&mut client);
        }
        assert_eq!(ask(address.clone(), LAST), "goodbye");
    });
    until("no descriptor is left", || open_descriptors().len() <= before);
}

/// Connects with oneself, through a child.
fn answer_one(listener: &Answering, address: &Address) {
    let child = offspring::spawn(ask, (address.clone(), 2)).unwrap();
    loop {
        let (connection, peer) = listener.accept_with_peer().unwrap();
        if peer.pid() == Some(child.pid()) {
            answer(&connection);
            break;
        }
    }
    assert_eq!(child.join().unwrap(), "4");
}

#[offspring::test]
fn other_types_are_an_error_at_connect_and_the_listener_takes_no_notice() {
    let _dog = watchdog();
    let listener = Answering::new().unwrap();
    let address = listener.address().clone();
    let clients = std::thread::spawn(move || {
        let error = net::connect::<String, u64>(&address).unwrap_err();
        assert!(matches!(
            &error,
            ConnectError::OtherTypes { sends, receives, .. }
                if sends == "alloc::string::String" && receives == "u64"
        ));
        assert!(error.to_string().contains("sends `alloc::string::String` and receives `u64`"), "{error}");
        let error = net::connect::<u64, u64>(&address).unwrap_err();
        assert!(matches!(error, ConnectError::OtherTypes { .. }));
        ask(address, 6)
    });
    answer(&listener.accept().unwrap());
    assert_eq!(clients.join().unwrap(), "36");
}

#[offspring::test]
fn another_user_is_refused_unless_he_is_allowed() {
    let _dog = watchdog();
    if !is_root() {
        return;
    }
    let directory = Directory::new();
    let nobody = NOBODY.to_string();
    let ask = |address: &Address| finish(&mut program(STRANGER, &["ask", &address.to_string(), &nobody]));
    let addresses = [directory.address("socket"), Address::Name(format!("refused-{}", std::process::id()))];
    for address in addresses {
        let listener = Answering::bind(&address).unwrap();
        std::thread::scope(|scope| {
            let refused = scope.spawn(|| ask(&address));
            while !refused.is_finished() {
                assert!(listener.accept_timeout(Duration::from_millis(5)).unwrap().is_none());
            }
            let refused = refused.join().unwrap();
            assert!(refused.stdout.starts_with("NotAllowed"), "{refused:?}");
        });
        drop(listener);
        for builder in [Builder::new().allow_any_user(), Builder::new().allow_uid(NOBODY)] {
            let listener = builder.bind::<String, u64>(&address).unwrap();
            std::thread::scope(|scope| {
                let asks = scope.spawn(|| ask(&address));
                let (connection, peer) = listener.accept_with_peer().unwrap();
                assert_eq!(peer.uid(), Some(NOBODY));
                answer(&connection);
                assert_eq!(asks.join().unwrap().stdout, "49\n");
            });
        }
    }
}

#[offspring::test]
fn a_client_does_not_connect_to_another_users_listener_unless_it_says_so() {
    let _dog = watchdog();
    if !is_root() {
        return;
    }
    let address = Address::Name(format!("impostor-{}", std::process::id()));
    let mut impostor = listening("listen-to-all", &address, &[&NOBODY.to_string()]);
    let error = net::connect::<u64, String>(&address).unwrap_err();
    assert!(matches!(error, ConnectError::OtherUser { uid: NOBODY, .. }), "{error}");
    for client in [Client::new().allow_uid(1), Client::new().timeout(Duration::ZERO)] {
        assert!(matches!(client.connect::<u64, String>(&address), Err(ConnectError::OtherUser { .. })));
    }
    let connection = Client::new().allow_uid(NOBODY).connect::<u64, String>(&address).unwrap();
    drop(connection);
    kill(&mut impostor);
}

// --- Listeners that are not there, or not what they should be ---

#[offspring::test]
fn nobody_at_an_address_is_an_error_at_once() {
    let _dog = watchdog();
    let directory = Directory::new();
    let gone = Answering::new().unwrap().address().clone();
    for address in [gone, directory.address("nothing"), directory.address("no/directory")] {
        let error = net::connect::<u64, String>(&address).unwrap_err();
        assert!(error.is_not_listening(), "{error:?}");
        assert!(error.to_string().contains(&format!("nobody listens at `{address}`")), "{error}");
    }
}

#[offspring::test]
fn a_listener_that_does_not_accept_is_an_error_when_the_time_is_over() {
    let _dog = watchdog();
    let listener = Answering::new().unwrap();
    let short = Duration::from_millis(20);
    for timeout in [Duration::ZERO, short] {
        let error = net::connect_timeout::<u64, String>(listener.address(), timeout).unwrap_err();
        assert!(error.is_timed_out(), "{error:?}");
    }
    // One at which not even a place to wait is free.
    let address = Address::Name(format!("full-{}", std::process::id()));
    let full = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(full.as_raw_fd(), &unix(&address)).unwrap();
    listen(&full, Backlog::new(0).unwrap()).unwrap();
    let waits = silent(&address);
    let error = net::connect_timeout::<u64, String>(&address, short).unwrap_err();
    assert!(error.is_timed_out(), "{error:?}");
    drop((waits, full));
}

#[offspring::test]
fn a_listener_that_dies_is_an_error_for_those_who_wait_for_it() {
    let _dog = watchdog();
    for _ in 0..10 {
        let address = Address::Name(format!("dies-{}", std::process::id()));
        let mut listener = listening("die-of-a-client", &address, &[]);
        let error = Client::new().timeout(Duration::MAX).connect::<u64, String>(&address).unwrap_err();
        assert!(matches!(error, ConnectError::Disconnected { .. }), "{error:?}");
        listener.wait().unwrap();
    }
    // One that is dropped, also in the midst of its answer.
    let listener = Answering::new().unwrap();
    let address = listener.address().clone();
    let client = std::thread::spawn(move || net::connect::<u64, String>(&address));
    offspring::wait(&[&listener], None).unwrap();
    drop(listener);
    assert!(matches!(client.join().unwrap(), Err(ConnectError::Disconnected { .. })));
}

#[offspring::test]
fn what_is_no_listener_of_ours_is_said_to_be_none() {
    let _dog = watchdog();
    let directory = Directory::new();
    let address = directory.address("stream");
    let Address::Path(path) = &address else { unreachable!("it is a path") };
    let stream = std::os::unix::net::UnixListener::bind(path).unwrap();
    let error = net::connect::<u64, String>(&address).unwrap_err();
    assert!(matches!(error, ConnectError::Protocol { .. }), "{error:?}");
    let error = Answering::bind(&address).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "it is alive: {error}");
    drop(stream);

    let address = Address::Name(format!("babble-{}", std::process::id()));
    let server = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(server.as_raw_fd(), &unix(&address)).unwrap();
    listen(&server, Backlog::new(8).unwrap()).unwrap();
    for said in [&b"\xff\xff"[..], b"\0\x05hello", b"\x01", &[0; 50]] {
        let client = std::thread::spawn({
            let address = address.clone();
            move || net::connect::<u64, String>(&address)
        });
        let accepted = nix::sys::socket::accept(server.as_raw_fd()).unwrap();
        send(accepted, said, MsgFlags::empty()).unwrap();
        let error = client.join().unwrap().unwrap_err();
        assert!(matches!(error, ConnectError::Protocol { .. }), "{said:?}: {error:?}");
        nix::unistd::close(accepted).unwrap();
    }
}

// --- Addresses ---

#[test]
fn an_address_is_text_and_back() {
    let cases = ["@name", "@", "@@", "/a/b", "./a", "../a", "./@a", "a/b", "a", ""];
    let parsed = cases.map(|text| text.parse::<Address>().ok());
    let name = |name: &str| Some(Address::Name(name.into()));
    let path = |path: &str| Some(Address::Path(path.into()));
    let expected = [
        name("name"),
        None,
        name("@"),
        path("/a/b"),
        path("./a"),
        path("../a"),
        path("./@a"),
        path("a/b"),
        None,
        None,
    ];
    assert_eq!(parsed, expected);
    for address in parsed.into_iter().flatten().chain([Address::Path("a".into()), Address::Path("@a".into())])
    {
        let again: Address = address.to_string().parse().unwrap();
        assert_eq!(again.to_string(), address.to_string());
        let json = serde_json::to_string(&address).unwrap();
        assert_eq!(serde_json::from_str::<Address>(&json).unwrap(), address);
    }
    let error = "calculator".parse::<Address>().unwrap_err();
    assert!(error.to_string().contains("as in `./calculator`"), "{error}");
}

#[offspring::test]
fn what_cannot_be_an_address_is_said_to_be_none() {
    let _dog = watchdog();
    let long = "x".repeat(108);
    let cases = [
        (Address::Path("".into()), "empty"),
        (Address::Name(String::new()), "empty"),
        (Address::Path("/tmp/a\0b".into()), "NUL"),
        (Address::Name("a\0b".into()), "NUL"),
        (Address::Path(format!("/{long}").into()), "109 bytes, and at most 107"),
        (Address::Name(long), "108 bytes, and at most 107"),
    ];
    for (address, said) in cases {
        let error = Answering::bind(&address).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains(said), "{error}");
        let error = net::connect::<u64, String>(&address).unwrap_err();
        assert!(matches!(error, ConnectError::InvalidAddress(_)), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
    let directory = Directory::new();
    let error = Answering::bind(&directory.address("no/directory")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
    let longest = Address::Name("y".repeat(107));
    let listener = Answering::bind(&longest).unwrap();
    assert_eq!(listener.address(), &longest);
}

#[offspring::test]
fn an_address_is_taken_once() {
    let _dog = watchdog();
    let directory = Directory::new();
    let name = Answering::new().unwrap().address().clone();
    for address in [directory.address("socket"), name] {
        let listener = Answering::bind(&address).unwrap();
        for _ in 0..2 {
            let error = Answering::bind(&address).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
            assert!(error.to_string().contains(&address.to_string()), "{error}");
        }
        drop(listener);
        Answering::bind(&address).unwrap();
    }
}

#[offspring::test]
fn a_file_of_somebody_elses_is_left_alone() {
    let _dog = watchdog();
    let directory = Directory::new();
    for (name, content) in [("file", Some("precious")), ("directory", None)] {
        let path = directory.0.join(name);
        match content {
            Some(content) => std::fs::write(&path, content).unwrap(),
            None => std::fs::create_dir(&path).unwrap(),
        }
        let error = Answering::bind(&Address::Path(path.clone())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{error}");
        assert_eq!(std::fs::read_to_string(&path).ok().as_deref(), content);
    }
    // Nor does a listener remove what took the place of its own.
    let path = directory.0.join("socket");
    let listener = Answering::bind(&Address::Path(path.clone())).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    drop(listener);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[offspring::test]
fn what_a_killed_listener_left_is_replaced_by_one_of_those_who_want_to() {
    let _dog = watchdog();
    let directory = Directory::new();
    let address = directory.address("socket");
    for _ in 0..10 {
        kill(&mut listening("listen", &address, &[]));
        assert!(
            matches!(&address, Address::Path(path) if path.symlink_metadata().unwrap().file_type().is_socket())
        );
        let barrier = std::sync::Barrier::new(8);
        let bound: Vec<_> = std::thread::scope(|scope| {
            let bind = || {
                barrier.wait();
                Answering::bind(&address)
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(bind)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let (listeners, errors): (Vec<_>, Vec<_>) = bound.into_iter().partition(Result::is_ok);
        assert_eq!(listeners.len(), 1);
        assert!(
            errors
                .iter()
                .filter_map(|error| error.as_ref().err())
                .all(|error| error.kind() == io::ErrorKind::AddrInUse)
        );
        let child = offspring::spawn(ask, (address.clone(), 8)).unwrap();
        answer(&listeners[0].as_ref().unwrap().accept().unwrap());
        assert_eq!(child.join().unwrap(), "64");
    }
}

#[offspring::test]
fn a_path_is_for_its_user_and_nothing_of_a_listener_is_left() {
    let _dog = watchdog();
    // In a process of its own, whose descriptors nobody else opens.
    offspring::spawn(leave_nothing, ()).unwrap().join().unwrap();
}

fn leave_nothing() {
    let directory = Directory::new();
    let address = directory.address("socket");
    let Address::Path(path) = &address else { unreachable!("it is a path") };
    let descriptors = open_descriptors();
    let listener = Answering::bind(&address).unwrap();
    assert_eq!(path.symlink_metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let name = Answering::new().unwrap();
    let Address::Name(text) = name.address().clone() else { panic!("a new one has a name") };
    assert!(in_use().contains(&text) && in_use().contains(path.to_str().unwrap()));
    drop((listener, name));
    assert!(!in_use().contains(&text) && !in_use().contains(path.to_str().unwrap()));
    assert_eq!(directory.0.read_dir().unwrap().count(), 0);
    assert_eq!(open_descriptors(), descriptors);
    let public = Builder::new().allow_any_user().bind::<u8, u8>(&address).unwrap();
    assert_eq!(path.symlink_metadata().unwrap().permissions().mode() & 0o777, 0o666);
    drop(public);
}

#[offspring::test]
fn a_relative_path_is_reached_from_another_directory() {
    let _dog = watchdog();
    let directory = Directory::new();
    let child = |()| {
        let listener = Answering::bind(&"./socket".parse().unwrap()).unwrap();
        let asks = offspring::target(ask, (listener.address().clone(), 7)).cwd("/").start().unwrap();
        answer(&listener.accept().unwrap());
        asks.join().unwrap()
    };
    let child = offspring::target(child, ((),)).cwd(&directory.0).start().unwrap();
    assert_eq!(child.join().unwrap(), "49");
}
