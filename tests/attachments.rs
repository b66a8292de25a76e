//! Handles in values: files, sockets and pipes as fields, arguments and results, nested anywhere; closed when nobody
//! receives them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use offspring::{Attachment, Process, Run, StartMethod};
use offspring_tests::{finish, pipe, program, watchdog};
use serde::{Deserialize, Serialize};

const METHODS: [StartMethod; 2] = [StartMethod::ForkServer, StartMethod::Spawn];

/// Runs a mode of the program that counts its descriptors, with every start method.
fn counted(arguments: &[&str]) {
    for method in ["forkserver", "spawn", "fork"] {
        let mut command = program(env!("CARGO_BIN_EXE_attached"), arguments);
        let done = finish(command.env("OFFSPRING_START_METHOD", method));
        assert_eq!((done.code, done.stdout.as_str()), (Some(0), "done\n"), "{method}: {}", done.stderr);
    }
}

/// An open file that has no name.
fn file() -> File {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("offspring-attached-{}-{number}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

/// Says its line into whatever can be written to.
fn say(mut to: impl Write, line: &str) {
    to.write_all(line.as_bytes()).unwrap();
}

/// Hears a line.
fn hear(mut from: impl Read, line: &str) {
    let mut bytes = vec![0; line.len()];
    from.read_exact(&mut bytes).unwrap();
    assert_eq!(std::str::from_utf8(&bytes).unwrap(), line);
}

/// One of each kind, plain and wrapped.
#[derive(Process, Serialize, Deserialize)]
struct Each {
    file: Attachment<File>,
    stream: Attachment<TcpStream>,
    listener: Attachment<TcpListener>,
    unix: Attachment<UnixStream>,
    datagrams: Attachment<UdpSocket>,
    owned: Attachment<OwnedFd>,
    reader: Attachment<File>,
    writer: Attachment<File>,
    #[serde(with = "offspring::attachment")]
    plain_file: File,
    #[serde(with = "offspring::attachment")]
    plain_stream: UnixStream,
    #[serde(with = "offspring::attachment")]
    plain_owned: OwnedFd,
}

/// The other ends.
struct Others {
    file: File,
    plain_file: File,
    stream: TcpStream,
    address: std::net::SocketAddr,
    unix: UnixStream,
    datagrams: UdpSocket,
    owned: UnixStream,
    to_reader: File,
    from_writer: File,
    plain_stream: UnixStream,
    plain_owned: UnixStream,
}

fn each() -> (Each, Others) {
    let local = || "127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap();
    let listener = TcpListener::bind(local()).unwrap();
    let address = listener.local_addr().unwrap();
    let stream = TcpStream::connect(address).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    let (ours, theirs) = (UdpSocket::bind(local()).unwrap(), UdpSocket::bind(local()).unwrap());
    ours.connect(theirs.local_addr().unwrap()).unwrap();
    theirs.connect(ours.local_addr().unwrap()).unwrap();
    let (unix, their_unix) = UnixStream::pair().unwrap();
    let (owned, their_owned) = UnixStream::pair().unwrap();
    let (plain_stream, their_plain_stream) = UnixStream::pair().unwrap();
    let (plain_owned, their_plain_owned) = UnixStream::pair().unwrap();
    let (reader, to_reader) = pipe();
    let (from_writer, writer) = pipe();
    let (file, plain_file) = (file(), self::file());
    let each = Each {
        file: file.try_clone().unwrap().into(),
        stream: stream.into(),
        listener: listener.into(),
        unix: their_unix.into(),
        datagrams: theirs.into(),
        owned: OwnedFd::from(their_owned).into(),
        reader: reader.into(),
        writer: writer.into(),
        plain_file: plain_file.try_clone().unwrap(),
        plain_stream: their_plain_stream,
        plain_owned: their_plain_owned.into(),
    };
    let others = Others {
        file,
        plain_file,
        stream: accepted,
        address,
        unix,
        datagrams: ours,
        owned,
        to_reader,
        from_writer,
        plain_stream,
        plain_owned,
    };
    (each, others)
}

impl Each {
    /// Says and hears a line through each.
    fn talk(self) {
        say(&*self.file, "file");
        say(&self.plain_file, "plain file");
        say(&*self.stream, "stream");
        hear(self.listener.accept().unwrap().0, "listener");
        say(&*self.unix, "unix");
        self.datagrams.send(b"datagram").unwrap();
        say(UnixStream::from(self.owned.into_inner()), "owned");
        hear(self.reader.into_inner(), "reader");
        say(self.writer.into_inner(), "writer");
        say(&self.plain_stream, "plain stream");
        say(UnixStream::from(self.plain_owned), "plain owned");
    }
}

impl Others {
    /// The other side of [`Each::talk`], which runs at the same time.
    fn listen(&self) {
        say(&self.to_reader, "reader");
        say(TcpStream::connect(self.address).unwrap(), "listener");
        hear(&self.stream, "stream");
        hear(&self.unix, "unix");
        let mut datagram = [0; 8];
        assert_eq!((self.datagrams.recv(&mut datagram).unwrap(), &datagram), (8, b"datagram"));
        hear(&self.owned, "owned");
        hear(&self.from_writer, "writer");
        hear(&self.plain_stream, "plain stream");
        hear(&self.plain_owned, "plain owned");
    }

    /// The files, once all is said: their position is shared.
    fn read_files(&self) {
        for (mut file, line) in [(&self.file, "file"), (&self.plain_file, "plain file")] {
            assert_eq!(file.stream_position().unwrap(), line.len() as u64);
            file.rewind().unwrap();
            hear(file, line);
            file.rewind().unwrap();
        }
    }
}

impl Run for Each {
    type Output = ();

    fn run(self) {
        self.talk();
    }
}

#[offspring::test]
fn every_kind_of_handle_is_a_field_an_argument_and_a_result() {
    let _dog = watchdog();
    for method in METHODS {
        let (each, others) = each();
        let as_fields = each.builder().start_method(method).start().unwrap();
        others.listen();
        as_fields.join().unwrap();
        others.read_files();

        let builder = offspring::target(|each: Each| each, (each,)).start_method(method);
        let back = builder.start().unwrap().join().unwrap();
        drop(builder);
        std::thread::scope(|scope| {
            scope.spawn(|| back.talk());
            others.listen();
        });
        others.read_files();
        // All duplicates are closed: the other ends see it.
        let mut rest = Vec::new();
        (&others.unix).read_to_end(&mut rest).unwrap();
        (&others.plain_stream).read_to_end(&mut rest).unwrap();
        (&others.from_writer).read_to_end(&mut rest).unwrap();
        (&others.stream).read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty());
    }
}

#[derive(Serialize, Deserialize)]
enum Shape {
    Nothing,
    One(Attachment<File>),
    Named { writer: Box<Attachment<File>>, line: String },
    Deeper(Box<Shape>),
}

type Nested = (
    HashMap<String, Vec<Option<Shape>>>,
    Option<Box<(u8, Attachment<File>)>>,
    Result<Attachment<File>, [Attachment<File>; 2]>,
);

fn nested() -> (Nested, Vec<File>) {
    let mut readers = Vec::new();
    let mut writer = || {
        let (reader, writer) = pipe();
        readers.push(reader);
        Attachment::new(writer)
    };
    let named = Shape::Named { writer: Box::new(writer()), line: "named".into() };
    let several = vec![None, Some(Shape::One(writer())), Some(Shape::Nothing), Some(named)];
    let deeper = Shape::Deeper(Box::new(Shape::Deeper(Box::new(Shape::One(writer())))));
    let map = HashMap::from([("several".to_owned(), several), ("deeper".to_owned(), vec![Some(deeper)])]);
    let value = (map, Some(Box::new((7, writer()))), Err([writer(), writer()]));
    (value, readers)
}

fn speak(nested: Nested) {
    fn one(shape: Shape) {
        match shape {
            Shape::Nothing => {}
            Shape::One(writer) => say(writer.into_inner(), "one"),
            Shape::Named { writer, line } => say(writer.into_inner(), &line),
            Shape::Deeper(shape) => one(*shape),
        }
    }
    let (map, option, result) = nested;
    map.into_values().flatten().flatten().for_each(one);
    say(option.unwrap().1.into_inner(), "option");
    result.unwrap_err().into_iter().for_each(|writer| say(writer.into_inner(), "array"));
}

#[offspring::test]
fn handles_travel_nested_anywhere() {
    let _dog = watchdog();
    for method in METHODS {
        let (value, readers) = nested();
        let back = offspring::target(|value: Nested| value, (value,)).start_method(method).start().unwrap();
        let back = back.join().unwrap();
        let builder = offspring::target(speak, (back,)).start_method(method);
        let speaker = builder.start().unwrap();
        drop(builder);
        let lines: Vec<String> =
            readers.into_iter().map(|reader| std::io::read_to_string(reader).unwrap()).collect();
        assert_eq!(lines, ["named", "one", "one", "option", "array", "array"]);
        speaker.join().unwrap();
    }
}

#[offspring::test]
fn handles_arrive_whatever_else_goes_along_with_an_order() {
    let _dog = watchdog();
    let copy = |to: Attachment<File>, also: Attachment<File>| {
        std::io::copy(&mut std::io::stdin(), &mut &*to).unwrap();
        say(&*also, std::env::current_dir().unwrap().to_str().unwrap());
    };
    for method in METHODS {
        for choice in 0..16_u8 {
            let ((from_to, to), (from_also, also)) = (pipe(), pipe());
            let builder = offspring::target(copy, (to.into(), also.into())).start_method(method);
            let builder = builder.stdin(offspring::Stdio::piped()).cwd("/");
            let builder = if choice & 1 == 0 { builder } else { builder.detached() };
            let builder = if choice & 2 == 0 { builder } else { builder.process_group(false) };
            let builder = if choice & 4 == 0 { builder } else { builder.stdout(offspring::Stdio::null()) };
            let builder = if choice & 8 == 0 { builder } else { builder.env_clear() };
            let child = builder.start().unwrap();
            drop(builder);
            say(child.stdin().unwrap(), "input");
            assert_eq!(std::io::read_to_string(from_to).unwrap(), "input", "{method}, {choice}");
            assert_eq!(std::io::read_to_string(from_also).unwrap(), "/", "{method}, {choice}");
            child.join().unwrap();
        }
    }
}

/// Mentions one handle in two places.
#[derive(Deserialize)]
struct Twice(Attachment<File>, Attachment<File>);

impl Serialize for Twice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.0, &self.0).serialize(serializer)
    }
}

#[offspring::test]
fn a_handle_that_is_written_twice_arrives_twice() {
    let _dog = watchdog();
    let write = |twice: Twice| {
        say(&*twice.0, "once ");
        say(&*twice.1, "and again");
    };
    let mut open = file();
    let value = Twice(open.try_clone().unwrap().into(), open.try_clone().unwrap().into());
    offspring::spawn(write, (value,)).unwrap().join().unwrap();
    open.rewind().unwrap();
    assert_eq!(std::io::read_to_string(open).unwrap(), "once and again");
}

#[test]
fn other_serialisers_refuse_a_handle_and_say_why() {
    let error = serde_json::to_string(&Attachment::new(file())).unwrap_err().to_string();
    assert_eq!(error, "a handle travels only between processes of offspring, in its channels and calls");
    let error = serde_json::to_string(&each().0).unwrap_err().to_string();
    assert_eq!(error, "a handle travels only between processes of offspring, in its channels and calls");
    for text in ["0", "4294967295"] {
        let error = serde_json::from_str::<Attachment<File>>(text).unwrap_err().to_string();
        assert_eq!(error, "a handle can be read only from what offspring wrote");
    }
    for text in ["-1", "4294967296", "null", "\"0\""] {
        serde_json::from_str::<Attachment<File>>(text).unwrap_err();
    }
}

#[test]
fn more_handles_than_a_message_takes_travel_both_ways() {
    let _dog = watchdog();
    for count in ["2", "252", "254", "300", "1000"] {
        counted(&["many", count]);
    }
}

#[test]
fn a_handle_that_nobody_receives_is_closed() {
    let _dog = watchdog();
    counted(&["unreceived"]);
}

#[test]
fn a_handle_that_was_received_is_held_once() {
    let _dog = watchdog();
    counted(&["held"]);
}

#[test]
fn a_value_that_lies_about_its_handles_is_an_error_and_leaves_nothing_open() {
    let _dog = watchdog();
    counted(&["lies"]);
}

#[test]
fn lacking_descriptors_is_an_error_that_leaves_nothing_open() {
    let _dog = watchdog();
    counted(&["few"]);
}

#[test]
fn the_memory_of_large_values_is_given_back() {
    let _dog = watchdog();
    counted(&["memory"]);
}
