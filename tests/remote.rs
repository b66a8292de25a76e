//! Links over TCP and local sockets: who is let in, what arrives, and what happens when a side ends.

#![allow(clippy::cast_possible_truncation)] // bytes that are any
#![allow(clippy::needless_pass_by_value)] // what a child runs owns its arguments

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{self, SigHandler, Signal};
use offspring::net::remote::{
    Acceptor, AuthKey, Caller, Endpoint, Limits, Link, RemoteError, TlsClient, TlsServer,
};
use offspring_tests::{open_descriptors, until, watchdog};

fn key() -> AuthKey {
    AuthKey::from("a key of the tests")
}

fn acceptor_with(limits: Limits) -> Acceptor {
    Acceptor::bind(&Endpoint::tcp("127.0.0.1", 0), Some(key()), limits).unwrap()
}

fn acceptor() -> Acceptor {
    acceptor_with(Limits::new())
}

fn connect(acceptor: &Acceptor) -> Result<Link, RemoteError> {
    Link::connect(acceptor.endpoint(), Some(&key()), &Limits::new())
}

/// The client's side of a link, and the server's.
fn linked(acceptor: &Acceptor) -> (Link, Link) {
    (connect(acceptor).unwrap(), acceptor.accept().unwrap())
}

fn port(acceptor: &Acceptor) -> u16 {
    let Endpoint::Tcp { port, .. } = acceptor.endpoint() else { panic!("a port") };
    *port
}

/// Somebody who connects, and is no link.
fn stranger(acceptor: &Acceptor) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port(acceptor))).unwrap()
}

/// What a client says first, of some version.
fn hello(version: u16, verdict: u8) -> Vec<u8> {
    [&b"OFFSPRNG"[..], &version.to_le_bytes(), &[verdict, 0], &u32::MAX.to_le_bytes(), &[7; 32]].concat()
}

/// Waits until an acceptor has refused so many: why it refused the last.
fn refusal(acceptor: &Acceptor, count: u64) -> RemoteError {
    until("somebody is refused", || acceptor.refusals().count >= count);
    acceptor.refusals().latest.pop_back().unwrap().error
}

fn both_kinds() -> [Acceptor; 3] {
    let local = Acceptor::bind(&Endpoint::fresh(), None, Limits::new()).unwrap();
    let local_with_key = Acceptor::bind(&Endpoint::fresh(), Some(key()), Limits::new()).unwrap();
    [acceptor(), local, local_with_key]
}

fn connect_to(acceptor: &Acceptor, number: usize) -> Link {
    let key = (number != 1).then(key);
    Link::connect(acceptor.endpoint(), key.as_ref(), &Limits::new()).unwrap()
}

#[offspring::test]
fn messages_arrive_whole_and_in_order_both_ways() {
    let _dog = watchdog();
    for (number, acceptor) in both_kinds().iter().enumerate() {
        let client = connect_to(acceptor, number);
        let server = acceptor.accept().unwrap();
        let lengths = [0, 1, 3, 4, 5, 65_531, 65_532, 65_533, 65_536, 1, 3_000_000, 0, 0, 200_000, 7];
        let message =
            |length: usize| (0..length).map(|place| ((place * 7 + length) % 256) as u8).collect::<Vec<_>>();
        let (there, mut back) = client.split();
        let answering = thread::spawn(move || {
            let (sender, mut receiver) = server.split();
            let mut buffer = Vec::new();
            while receiver.recv_into(&mut buffer).is_ok() {
                let (one, other) = buffer.split_at(buffer.len() / 2);
                sender.send_parts(&[IoSlice::new(one), IoSlice::new(&[]), IoSlice::new(other)]).unwrap();
            }
        });
        let sending = thread::spawn(move || {
            for length in lengths {
                there.send(&message(length)).unwrap();
            }
            there // until all has come back
        });
        for length in lengths {
            assert!(back.recv().unwrap() == message(length), "{length} bytes");
        }
        drop(sending.join().unwrap());
        drop(back);
        answering.join().unwrap();
    }
}

#[offspring::test]
fn many_threads_send_over_one_link_and_no_message_is_torn() {
    const THREADS: u8 = 8;
    const EACH: u32 = 2_000;
    let _dog = watchdog();
    for (number, acceptor) in both_kinds().iter().enumerate() {
        let client = connect_to(acceptor, number);
        let (sender, mut receiver) = acceptor.accept().unwrap().split();
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let sender = sender.clone();
                thread::spawn(move || {
                    for turn in 0..EACH {
                        let length = if turn % 500 == 0 { 300_000 } else { turn as usize % 90 };
                        let mut message = vec![thread; length + 5];
                        message[1..5].copy_from_slice(&turn.to_le_bytes());
                        sender.send(&message).unwrap();
                    }
                })
            })
            .collect();
        let (answering, mut client) = client.split();
        let mut turns = [0_u32; THREADS as usize];
        for _ in 0..u32::from(THREADS) * EACH {
            let message = client.recv().unwrap();
            let (thread, turn) = (message[0], u32::from_le_bytes(*message[1..].first_chunk().unwrap()));
            assert_eq!(turn, turns[usize::from(thread)], "those of one thread keep their order");
            assert!(message[5..].iter().all(|byte| *byte == thread));
            turns[usize::from(thread)] += 1;
        }
        for thread in threads {
            thread.join().unwrap();
        }
        answering.send(b"all").unwrap();
        assert_eq!(receiver.recv().unwrap(), b"all");
    }
}

#[offspring::test]
fn another_key_is_told_to_both_sides_and_the_acceptor_goes_on() {
    let _dog = watchdog();
    let acceptor = acceptor();
    let other = AuthKey::random();
    let error = Link::connect(acceptor.endpoint(), Some(&other), &Limits::new()).unwrap_err();
    assert!(matches!(error, RemoteError::WrongKey), "{error}");
    assert!(matches!(refusal(&acceptor, 1), RemoteError::WrongKey));
    assert!(matches!(acceptor.refusals().latest[0].peer, Some(Caller::Tcp(from)) if from.ip().is_loopback()));
    linked(&acceptor);
}

#[offspring::test]
fn a_key_that_one_side_lacks_is_told_to_both() {
    let _dog = watchdog();
    let with = Acceptor::bind(&Endpoint::fresh(), Some(key()), Limits::new()).unwrap();
    let error = Link::connect(with.endpoint(), None, &Limits::new()).unwrap_err();
    assert!(matches!(error, RemoteError::KeyNeeded), "{error}");
    assert!(matches!(refusal(&with, 1), RemoteError::KeyNeeded));
    let without = Acceptor::bind(&Endpoint::fresh(), None, Limits::new()).unwrap();
    let error = Link::connect(without.endpoint(), Some(&key()), &Limits::new()).unwrap_err();
    assert!(matches!(error, RemoteError::NoKey), "{error}");
    assert!(matches!(refusal(&without, 1), RemoteError::NoKey));
}

#[offspring::test]
fn a_port_needs_a_key_at_both_ends() {
    let _dog = watchdog();
    let error = Acceptor::bind(&Endpoint::tcp("127.0.0.1", 0), None, Limits::new()).unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidInput && error.to_string().contains("with a key"), "{error}");
    let acceptor = acceptor();
    let error = Link::connect(acceptor.endpoint(), None, &Limits::new()).unwrap_err();
    assert!(matches!(error, RemoteError::KeyNeeded), "{error}");
}

#[offspring::test]
fn another_version_is_told_to_both_sides() {
    let _dog = watchdog();
    let acceptor = acceptor();
    let mut old = stranger(&acceptor);
    old.write_all(&hello(9, 1)).unwrap();
    let mut told = Vec::new();
    old.read_to_end(&mut told).unwrap();
    assert_eq!(
        (&told[..8], told[8], told[10]),
        (&b"OFFSPRNG"[..], 1, 2),
        "its version, and that it is another"
    );
    let error = {
        drop(old);
        refusal(&acceptor, 1)
    };
    assert!(matches!(error, RemoteError::OtherVersion { theirs: 9, ours: 1 }), "{error}");

    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint::tcp("127.0.0.1", server.local_addr().unwrap().port());
    let new = thread::spawn(move || {
        let mut client = server.accept().unwrap().0;
        client.write_all(&hello(2, 2)[..11]).unwrap();
        let _ended = client.read_to_end(&mut Vec::new());
    });
    let error = Link::connect(&endpoint, Some(&key()), &Limits::new()).unwrap_err();
    assert!(matches!(error, RemoteError::OtherVersion { theirs: 2, ours: 1 }), "{error}");
    new.join().unwrap();
}

#[offspring::test]
fn what_is_no_link_is_refused_at_its_first_byte_and_the_acceptor_goes_on() {
    let _dog = watchdog();
    let acceptor = acceptor();
    let texts: [&[u8]; 4] = [b"GET / HTTP/1.1\r\n\r\n", &[0; 10_000], b"OFFSPRINT", &[0x16, 3, 1, 2, 0, 1]];
    for (number, garbage) in texts.into_iter().enumerate() {
        let mut client = stranger(&acceptor);
        let _it_may_be_gone = client.write_all(garbage);
        let mut told = Vec::new();
        client.read_to_end(&mut told).unwrap();
        assert_eq!(told.get(10), Some(&8), "that it understood nothing");
        drop(client);
        let error = refusal(&acceptor, number as u64 + 1);
        assert!(matches!(error, RemoteError::Protocol { .. }), "{error}");
    }
    linked(&acceptor);
}

#[offspring::test]
fn a_server_that_is_no_acceptor_is_an_error_that_says_so() {
    let _dog = watchdog();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint::tcp("127.0.0.1", server.local_addr().unwrap().port());
    let other = thread::spawn(move || {
        let mut client = server.accept().unwrap().0;
        client.write_all(b"\0\0\0\x1e#CHALLENGE#").unwrap();
        let _ended = client.read_to_end(&mut Vec::new());
    });
    let error = Link::connect(&endpoint, Some(&key()), &Limits::new()).unwrap_err();
    assert!(matches!(error, RemoteError::Protocol { .. }), "{error}");
    other.join().unwrap();
}

#[offspring::test]
fn those_who_say_nothing_keep_nobody_out() {
    let _dog = watchdog();
    let acceptor =
        acceptor_with(Limits::new().max_handshakes(4).handshake_timeout(Duration::from_secs(3600)));
    // Some say nothing, others begin well.
    let mut silent: Vec<_> = (0..48)
        .map(|number| {
            let mut client = stranger(&acceptor);
            let _given_up_already = client.write_all(&hello(1, 1)[..number]);
            client
        })
        .collect();
    let (mut client, server) = linked(&acceptor);
    server.send(b"welcome").unwrap();
    assert_eq!(client.recv().unwrap(), b"welcome");
    assert!(matches!(refusal(&acceptor, 45), RemoteError::TooMany));
    let _ended = silent[0].read(&mut [0]); // returns, because it was given up
    assert_eq!(acceptor.connections(), 1);
}

#[offspring::test]
fn a_greeting_that_is_too_slow_ends() {
    let _dog = watchdog();
    let acceptor = acceptor_with(Limits::new().handshake_timeout(Duration::from_millis(50)));
    let mut slow = stranger(&acceptor);
    // Every byte comes within the time, all of them do not.
    let dripping = thread::spawn(move || {
        for byte in hello(1, 1).iter().cycle() {
            if slow.write_all(&[*byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
    });
    assert!(matches!(refusal(&acceptor, 1), RemoteError::HandshakeTimeout));
    dripping.join().unwrap();

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint::tcp("127.0.0.1", silent.local_addr().unwrap().port());
    let soon = Duration::from_millis(20);
    let error = Link::connect_timeout(&endpoint, Some(&key()), &Limits::new(), soon).unwrap_err();
    assert!(matches!(error, RemoteError::HandshakeTimeout), "{error}");
}

#[offspring::test]
fn there_are_as_many_links_as_are_allowed() {
    let _dog = watchdog();
    let acceptor = acceptor_with(Limits::new().max_connections(2));
    let one = linked(&acceptor);
    let _other = linked(&acceptor);
    let error = connect(&acceptor).unwrap_err();
    assert!(matches!(error, RemoteError::TooMany), "{error}");
    assert!(matches!(refusal(&acceptor, 1), RemoteError::TooMany));
    drop(one);
    until("its place is free", || acceptor.connections() == 1);
    linked(&acceptor);
}

#[offspring::test]
fn a_message_that_is_too_long_is_not_sent_and_the_link_goes_on() {
    let _dog = watchdog();
    let acceptor = acceptor_with(Limits::new().max_message(100));
    let (client, mut server) = linked(&acceptor);
    let error = client.send(&[0; 101]).unwrap_err();
    assert!(matches!(error, RemoteError::TooLarge { size: 101, limit: 100 }), "{error}");
    client.send(&[1; 100]).unwrap();
    assert_eq!(server.recv().unwrap(), [1; 100]);
    server.send(&[2; 101]).unwrap(); // the limit is the receiver's
}

/// A client that greets, and then says what it likes.
fn insider(acceptor: &Acceptor) -> std::os::unix::net::UnixStream {
    use std::os::linux::net::SocketAddrExt;
    let Endpoint::Local(offspring::net::Address::Name(name)) = acceptor.endpoint() else { panic!("a name") };
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
    let mut stream = std::os::unix::net::UnixStream::connect_addr(&address).unwrap();
    stream.write_all(&hello(1, 0)).unwrap();
    stream.read_exact(&mut [0; 48]).unwrap();
    stream
}

#[offspring::test]
fn a_length_that_is_too_large_ends_the_link_and_takes_no_memory() {
    let _dog = watchdog();
    let acceptor = Acceptor::bind(&Endpoint::fresh(), None, Limits::new()).unwrap();
    let mut liar = insider(&acceptor);
    let mut server = acceptor.accept().unwrap();
    liar.write_all(&u32::MAX.to_le_bytes()).unwrap();
    let error = server.recv().unwrap_err();
    assert!(matches!(error, RemoteError::TooLarge { size: 0xFFFF_FFFF, limit: 0x0400_0000 }), "{error}");
    assert!(server.recv().is_err());
    assert_eq!(liar.read(&mut [0]).unwrap(), 0, "it is told");
}

#[offspring::test]
fn a_stream_that_ends_within_a_message_is_lost_and_one_that_ends_behind_it_is_closed() {
    let _dog = watchdog();
    let acceptor = Acceptor::bind(&Endpoint::fresh(), None, Limits::new()).unwrap();
    for cut in 0..9 {
        let mut client = insider(&acceptor);
        let mut server = acceptor.accept().unwrap();
        client
            .write_all(
                &[&[4, 0, 0, 0, b'd', b'o', b'n', b'e'][..], &[4, 0, 0, 0, 1, 2, 3, 4][..cut % 8]].concat(),
            )
            .unwrap();
        drop(client);
        assert_eq!(server.recv().unwrap(), b"done");
        let error = server.recv().unwrap_err();
        assert!(
            error.is_closed() && matches!(error, RemoteError::Closed) == (cut % 8 == 0),
            "{cut}: {error}"
        );
    }
}

#[offspring::test]
fn a_wait_that_times_out_loses_nothing() {
    let _dog = watchdog();
    let acceptor = Acceptor::bind(&Endpoint::fresh(), None, Limits::new()).unwrap();
    let mut client = insider(&acceptor);
    let (_sender, mut server) = acceptor.accept().unwrap().split();
    let long = vec![5; 300_000];
    let bytes = [&300_000_u32.to_le_bytes()[..], &long].concat();
    for part in bytes.chunks(70_001) {
        assert!(server.recv_timeout(Duration::from_micros(10)).unwrap_err().is_timed_out());
        client.write_all(part).unwrap();
    }
    assert!(server.recv_timeout(Duration::from_secs(3600)).unwrap() == long);
    assert!(!server.has_message());
    client.write_all(&[1, 0, 0, 0, 9, 1, 0, 0, 0, 8, 1, 0]).unwrap();
    assert_eq!(server.recv().unwrap(), [9]);
    assert!(server.has_message());
    assert_eq!(server.recv().unwrap(), [8]);
    assert!(!server.has_message());
}

/// Connects, and does not end.
fn stay(endpoint: Endpoint, key: AuthKey) {
    let mut link = Link::connect(&endpoint, Some(&key), &Limits::new()).unwrap();
    link.send(b"here").unwrap();
    while link.recv().is_ok() {}
}

#[offspring::test]
fn a_peer_that_is_killed_ends_the_link_at_once() {
    let _dog = watchdog();
    for endpoint in [Endpoint::tcp("127.0.0.1", 0), Endpoint::fresh()] {
        let acceptor = Acceptor::bind(&endpoint, Some(key()), Limits::new()).unwrap();
        let child = offspring::spawn(stay, (acceptor.endpoint().clone(), key())).unwrap();
        let mut link = acceptor.accept().unwrap();
        assert_eq!(link.recv().unwrap(), b"here");
        child.kill().unwrap();
        assert!(link.recv().unwrap_err().is_closed());
        until("nothing can be sent", || link.send(b"?").is_err());
        assert!(child.join().is_err());
    }
}

/// Listens until it is killed.
fn serve(endpoint: Endpoint, key: AuthKey, port: offspring::Sender<Endpoint>) {
    let acceptor = Acceptor::bind(&endpoint, Some(key), Limits::new()).unwrap();
    port.send(acceptor.endpoint().clone()).unwrap();
    let mut links = Vec::new();
    while let Ok(link) = acceptor.accept() {
        links.push(link);
    }
}

#[offspring::test]
fn a_server_that_is_killed_is_an_error_at_once_and_not_there_thereafter() {
    let _dog = watchdog();
    let (sender, receiver) = offspring::channel().unwrap();
    let server = offspring::spawn(serve, (Endpoint::tcp("127.0.0.1", 0), key(), sender)).unwrap();
    let endpoint = receiver.recv().unwrap();
    let mut link = Link::connect(&endpoint, Some(&key()), &Limits::new()).unwrap();
    server.kill().unwrap();
    assert!(link.recv().unwrap_err().is_closed());
    assert!(server.join().is_err());
    assert!(Link::connect(&endpoint, Some(&key()), &Limits::new()).unwrap_err().is_not_listening());
}

/// Sends to peers that are gone, where `SIGPIPE` kills: whether each was an error in the end.
#[allow(unsafe_code)]
fn send_without_net() -> bool {
    // SAFETY: no handler is installed, and nobody else in this process changes how signals are handled.
    unsafe { signal::signal(Signal::SIGPIPE, SigHandler::SigDfl) }.unwrap();
    both_kinds().iter().enumerate().all(|(number, acceptor)| {
        let client = connect_to(acceptor, number);
        drop(acceptor.accept().unwrap());
        let (sender, _receiver) = client.split();
        (0..10_000).any(|_| sender.send(&[0; 1000]).is_err())
    })
}

#[offspring::test]
fn who_sends_to_a_peer_that_is_gone_gets_an_error_and_no_signal() {
    let _dog = watchdog();
    assert!(offspring::spawn(send_without_net, ()).unwrap().join().unwrap());
}

#[offspring::test]
fn shutdown_wakes_who_waits_on_both_sides() {
    let _dog = watchdog();
    for (number, acceptor) in both_kinds().iter().enumerate() {
        let (here, mut hears) = connect_to(acceptor, number).split();
        let server = acceptor.accept().unwrap();
        let full = {
            let here = here.clone();
            thread::spawn(move || {
                let message = vec![0; 1 << 20];
                loop {
                    if let Err(error) = here.send(&message) {
                        return error;
                    }
                }
            })
        };
        let waiting = thread::spawn(move || hears.recv().unwrap_err());
        let (_, mut receiver) = server.split();
        receiver.recv().unwrap();
        here.shutdown();
        assert!(matches!(full.join().unwrap(), RemoteError::Closed));
        assert!(matches!(waiting.join().unwrap(), RemoteError::Closed));
        while receiver.recv().is_ok() {}
        assert!(matches!(here.send(b"?").unwrap_err(), RemoteError::Closed));
    }
}

#[offspring::test]
fn a_half_that_is_dropped_lets_the_other_receive_what_was_sent() {
    let _dog = watchdog();
    for (number, acceptor) in both_kinds().iter().enumerate() {
        let (sender, mut receiver) = connect_to(acceptor, number).split();
        let mut server = acceptor.accept().unwrap();
        sender.send(b"last").unwrap();
        drop(sender);
        assert_eq!(server.recv().unwrap(), b"last");
        assert!(matches!(server.recv().unwrap_err(), RemoteError::Closed));
        server.send(b"answer").unwrap();
        assert_eq!(receiver.recv().unwrap(), b"answer");
    }
}

#[offspring::test]
fn close_wakes_who_accepts_and_the_endpoint_is_free_again() {
    let _dog = watchdog();
    for mut acceptor in both_kinds() {
        let endpoint = acceptor.endpoint().clone();
        for _ in 0..3 {
            let silent = (!endpoint.is_local()).then(|| stranger(&acceptor));
            let error = thread::scope(|scope| {
                let waiting = scope.spawn(|| acceptor.accept().unwrap_err());
                acceptor.close();
                waiting.join().unwrap()
            });
            assert!(matches!(error, RemoteError::AcceptorClosed), "{error}");
            let soon = acceptor.accept_timeout(Duration::from_secs(3600)).unwrap_err();
            assert!(matches!(soon, RemoteError::AcceptorClosed));
            drop(acceptor);
            drop(silent);
            acceptor = Acceptor::bind(&endpoint, Some(key()), Limits::new()).unwrap();
        }
        let error = acceptor.accept_timeout(Duration::from_millis(1)).unwrap_err();
        assert!(error.is_timed_out());
    }
}

#[offspring::test]
fn many_clients_come_at_once() {
    let _dog = watchdog();
    let acceptor = acceptor();
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                let mut link = connect(&acceptor).unwrap();
                link.send(b"?").unwrap();
                assert_eq!(link.recv().unwrap(), b"!");
            });
        }
        for _ in 0..50 {
            let mut link = acceptor.accept().unwrap();
            assert_eq!(link.recv().unwrap(), b"?");
            link.send(b"!").unwrap();
        }
    });
}

#[offspring::test]
fn an_endpoint_in_use_and_one_that_cannot_be_are_errors_that_name_it() {
    let _dog = watchdog();
    let acceptor = acceptor();
    let error = Acceptor::bind(acceptor.endpoint(), Some(key()), Limits::new()).unwrap_err();
    assert!(
        error.kind() == ErrorKind::AddrInUse && error.to_string().contains("tcp://127.0.0.1:"),
        "{error}"
    );
    let empty = Endpoint::local(offspring::net::Address::Name(String::new()));
    assert_eq!(Acceptor::bind(&empty, None, Limits::new()).unwrap_err().kind(), ErrorKind::InvalidInput);
    let error = Link::connect(&empty, None, &Limits::new()).unwrap_err();
    assert!(matches!(error, RemoteError::InvalidEndpoint { .. }), "{error}");
}

#[offspring::test]
fn a_local_client_is_known_by_its_process() {
    let _dog = watchdog();
    let acceptor = Acceptor::bind(&Endpoint::fresh(), None, Limits::new()).unwrap();
    let client = Link::connect(acceptor.endpoint(), None, &Limits::new()).unwrap();
    let server = acceptor.accept().unwrap();
    for link in [&client, &server] {
        assert!(matches!(link.peer(), Caller::Local(peer) if peer.pid() == Some(std::process::id())));
    }
}

/// Opens and closes all there is: how many descriptors are open thereafter.
fn come_and_go() -> (usize, usize) {
    let before = open_descriptors().len();
    for _ in 0..20 {
        let acceptor = acceptor();
        let links = linked(&acceptor);
        drop(stranger(&acceptor));
        refusal(&acceptor, 1);
        drop(links);
    }
    until("greetings are over", || open_descriptors().len() <= before);
    (before, open_descriptors().len())
}

#[offspring::test]
fn nothing_stays_open() {
    let _dog = watchdog();
    let (before, after) = offspring::spawn(come_and_go, ()).unwrap().join().unwrap();
    assert_eq!(before, after);
}

#[offspring::test]
fn a_key_is_not_printed() {
    let _dog = watchdog();
    assert_eq!(format!("{:?}", AuthKey::from("secret")), "AuthKey(..)");
    assert!(!format!("{:?}", acceptor()).contains("tests"));
    assert_ne!(AuthKey::random().as_bytes(), AuthKey::random().as_bytes());
}

/// A certificate for `localhost`, and its key, as PEM; signed by an authority, whose certificate comes third.
fn certificate() -> (String, String, String) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let signed = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    (certificate.pem(), key.serialize_pem(), signed.pem())
}

fn tls_acceptor((certificate, its_key, _): &(String, String, String)) -> Acceptor {
    let tls = TlsServer::from_pem(certificate.as_bytes(), its_key.as_bytes()).unwrap();
    Acceptor::bind_tls(&Endpoint::tcp("127.0.0.1", 0), Some(key()), Limits::new(), tls).unwrap()
}

fn connect_tls(acceptor: &Acceptor, tls: &TlsClient) -> Result<Link, RemoteError> {
    Link::connect_tls(acceptor.endpoint(), Some(&key()), &Limits::new(), tls)
}

#[offspring::test]
fn messages_arrive_whole_through_tls_from_many_threads_in_both_directions() {
    let _dog = watchdog();
    let certificate = certificate();
    let acceptor = tls_acceptor(&certificate);
    let client = connect_tls(&acceptor, &TlsClient::pinned(certificate.0.as_bytes()).unwrap()).unwrap();
    let (sender, mut receiver) = acceptor.accept().unwrap().split();
    let echo = thread::spawn(move || {
        while let Ok(message) = receiver.recv() {
            sender.send(&message).unwrap();
        }
        receiver.recv().unwrap_err()
    });
    let (sender, mut receiver) = client.split();
    let threads: Vec<_> = (0..4_u8)
        .map(|thread| {
            let sender = sender.clone();
            thread::spawn(move || {
                for turn in 0..200 {
                    sender.send(&vec![thread; if turn == 100 { 2_000_000 } else { turn * 7 + 1 }]).unwrap();
                }
            })
        })
        .collect();
    let mut count = [0; 4];
    for _ in 0..800 {
        let message = receiver.recv().unwrap();
        let turn = &mut count[usize::from(message[0])];
        assert!(message.iter().all(|byte| *byte == message[0]));
        assert_eq!(message.len(), if *turn == 100 { 2_000_000 } else { *turn * 7 + 1 });
        *turn += 1;
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(receiver.recv_timeout(Duration::from_millis(1)).unwrap_err().is_timed_out());
    drop((sender, receiver));
    assert!(matches!(echo.join().unwrap(), RemoteError::Closed), "the end was said");
}

#[offspring::test]
fn a_server_with_another_certificate_is_refused_and_told_so() {
    let _dog = watchdog();
    let (ours, other) = (certificate(), certificate());
    let acceptor = tls_acceptor(&ours);
    let refused = [
        TlsClient::pinned(other.0.as_bytes()).unwrap(),
        TlsClient::signed_by(other.2.as_bytes(), "localhost").unwrap(),
        TlsClient::signed_by(ours.2.as_bytes(), "elsewhere").unwrap(),
    ];
    for (count, tls) in (1..).zip(&refused) {
        let error = connect_tls(&acceptor, tls).unwrap_err();
        assert!(matches!(error, RemoteError::Tls(_)), "{error}");
        let error = refusal(&acceptor, count);
        assert!(matches!(error, RemoteError::Tls(_)), "{error}");
    }
    for tls in [
        TlsClient::pinned(ours.0.as_bytes()).unwrap(),
        TlsClient::signed_by(ours.2.as_bytes(), "localhost").unwrap(),
    ] {
        let client = connect_tls(&acceptor, &tls).unwrap();
        client.send(b"hello").unwrap();
        assert_eq!(acceptor.accept().unwrap().recv().unwrap(), b"hello");
    }
}

#[offspring::test]
fn the_key_is_asked_for_within_tls_and_tls_by_both_or_none() {
    let _dog = watchdog();
    let certificate = certificate();
    let (with, without) = (tls_acceptor(&certificate), acceptor());
    let tls = TlsClient::pinned(certificate.0.as_bytes()).unwrap();
    let other = AuthKey::random();
    let error = Link::connect_tls(with.endpoint(), Some(&other), &Limits::new(), &tls).unwrap_err();
    assert!(matches!(error, RemoteError::WrongKey), "{error}");
    assert!(matches!(refusal(&with, 1), RemoteError::WrongKey));
    let error = connect(&with).unwrap_err();
    assert!(matches!(error, RemoteError::Protocol { .. } | RemoteError::Closed), "{error}");
    assert!(matches!(refusal(&with, 2), RemoteError::Tls(_)));
    let error = connect_tls(&without, &tls).unwrap_err();
    assert!(matches!(error, RemoteError::Tls(_)), "{error}");
    assert!(matches!(refusal(&without, 1), RemoteError::Protocol { .. }));
    let error = TlsServer::from_pem(b"no certificate", certificate.1.as_bytes()).unwrap_err();
    assert!(matches!(error, RemoteError::Tls(_)), "{error}");
}
