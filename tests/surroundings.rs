//! What a child sees around it is what its parent had at the start, whichever method started it.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use offspring::{StartMethod, Stdio};
use offspring_tests::{finish, open_descriptors, program, watchdog};

const METHODS: [StartMethod; 2] = [StartMethod::ForkServer, StartMethod::Spawn];

#[test]
fn no_start_method_shows_in_what_a_child_sees() {
    let _dog = watchdog();
    let done = finish(&mut program(env!("CARGO_BIN_EXE_fixture"), &["surroundings"]));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let mut seen: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in done.stdout.lines() {
        let (method, rest) = line.split_once('|').expect("each line has its method");
        seen.entry(method).or_default().push(rest);
    }
    // The fork method is a copy by the kernel: what it sees is the truth.
    let truth = &seen["fork"];
    for expected in
        ["Umask:\t0123", "yes = indeed", "\"/usr\"", "nice Some(\"7\")", "surroundings", "Cpus_allowed:\t1"]
    {
        assert!(truth.iter().any(|line| line.contains(expected)), "{expected} was changed: {truth:#?}");
    }
    assert!(truth.iter().any(|line| line.contains("Max open files            123                  456")));
    for method in ["forkserver", "spawn"] {
        assert_eq!(&seen[method], truth, "{method}");
    }
}

#[test]
fn a_parent_that_drops_its_rights_has_children_without_them() {
    let _dog = watchdog();
    let done = finish(&mut program(env!("CARGO_BIN_EXE_fixture"), &["drop-privileges"]));
    if done.stderr.contains("a test that needs root") {
        eprintln!("not run: only root can drop its rights");
        return;
    }
    assert_eq!(done.stdout, "Some(0) Ok(Ok(Some(65534)))\n", "{}", done.stderr);
}

#[offspring::test]
fn standard_streams_can_be_piped() {
    let _dog = watchdog();
    let echo = || {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).expect("it can be read");
        print!("out {line}");
        eprint!("err {line}");
    };
    for method in METHODS {
        let piped = Stdio::piped;
        let builder = offspring::target(echo, ()).start_method(method);
        let child = builder.stdin(piped()).stdout(piped()).stderr(piped()).start().unwrap();
        writeln!(child.stdin().unwrap(), "hello").unwrap();
        assert!(child.stdin().is_none(), "a stream can be taken once");
        let (mut out, mut err) = (String::new(), String::new());
        child.stdout().unwrap().read_to_string(&mut out).unwrap();
        child.stderr().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!((out.as_str(), err.as_str()), ("out hello\n", "err hello\n"), "{method}");
        child.join().unwrap();
    }
}

#[offspring::test]
fn standard_streams_can_go_nowhere_or_to_a_file() {
    let _dog = watchdog();
    let path = std::env::temp_dir().join(format!("offspring-streams-{}", std::process::id()));
    for method in METHODS {
        let speak = || {
            println!("to the file");
            std::io::stdin().read(&mut [0]).expect("it is at its end")
        };
        let file = std::fs::File::create(&path).unwrap();
        let child =
            offspring::target(speak, ()).start_method(method).stdout(file).stdin(Stdio::null()).start();
        assert_eq!(child.unwrap().join().unwrap(), 0);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "to the file\n", "{method}");
    }
    std::fs::remove_file(path).unwrap();
}

#[offspring::test]
fn directory_and_environment_can_be_set_for_one_child() {
    let _dog = watchdog();
    let look = || {
        let directory = std::env::current_dir().expect("it exists");
        (
            directory,
            std::env::var("ONE").ok(),
            std::env::var_os("PATH").is_some(),
            std::env::vars_os().count(),
        )
    };
    for method in METHODS {
        let builder = || offspring::target(look, ()).start_method(method);
        let (directory, one, path, _) =
            builder().cwd("/tmp/..").env("ONE", "1").start().unwrap().join().unwrap();
        assert_eq!((directory.to_str(), one.as_deref(), path), (Some("/"), Some("1"), true));
        let (_, one, path, _) =
            builder().env("ONE", "1").env_remove("ONE").env_remove("PATH").start().unwrap().join().unwrap();
        assert_eq!((one, path), (None, false));
        let (_, one, _, count) = builder().env_clear().env("ONE", "2").start().unwrap().join().unwrap();
        assert_eq!((one.as_deref(), count), (Some("2"), 1), "{method}");
    }
}

#[offspring::test]
fn a_child_has_its_streams_its_link_its_lifeline_and_no_descriptor_more() {
    let _dog = watchdog();
    // Whatever this process has open, inheritable descriptors too, is not the child's business.
    let (reader, _writer) = std::io::pipe().unwrap();
    make_inheritable(&reader);
    for method in METHODS {
        let child = offspring::target(open_descriptors, ()).start_method(method).start().unwrap();
        let open = child.join().unwrap();
        let others: Vec<_> = open.into_iter().filter(|(number, _)| *number > 2).collect();
        let kinds: Vec<_> = others.iter().map(|(_, target)| target.split(':').next()).collect();
        assert!(
            kinds == [Some("socket"), Some("pipe")] || kinds == [Some("pipe"), Some("socket")],
            "{method}: {others:?}"
        );
    }
}

fn make_inheritable(fd: &impl std::os::fd::AsRawFd) {
    #![allow(unsafe_code)]
    // SAFETY: fcntl takes integers here.
    assert_eq!(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0) }, 0);
}

#[offspring::test]
fn a_start_and_a_join_leave_no_descriptor_behind() {
    let _dog = watchdog();
    for method in METHODS {
        let once = || offspring::target(|| 1, ()).start_method(method).start().unwrap().join().unwrap();
        once();
        // Other tests of this program come and go: what counts is what many starts add up to.
        let before = open_descriptors().len();
        (0..200).for_each(|_| assert_eq!(once(), 1));
        assert!(open_descriptors().len() < before + 100, "{method}: {:?}", open_descriptors());
    }
}

#[offspring::test]
fn a_process_list_shows_the_name() {
    let _dog = watchdog();
    for method in METHODS {
        let title = || offspring_tests::look(std::process::id()).map(|seen| seen.title);
        let child =
            offspring::target(title, ()).start_method(method).name("a name that is long").start().unwrap();
        assert_eq!(child.join().unwrap().as_deref(), Some("a name that is "));
    }
}
