//! Other programs as members of the tree.

use std::io::{Read, Write};
use std::time::Duration;

use offspring::subprocess::{self, Command, SubprocessError};
use offspring::{ExitStatus, Stdio};
use offspring_tests::{children_of, runs, until, watchdog};

#[offspring::test]
fn call_returns_how_the_program_ended() {
    let _dog = watchdog();
    assert_eq!(subprocess::call(["true"]).unwrap(), ExitStatus::Exited(0));
    assert_eq!(subprocess::call(["sh", "-c", "exit 3"]).unwrap().exitcode(), 3);
    assert_eq!(subprocess::call(["sh", "-c", "kill -9 $$"]).unwrap().exitcode(), -9);
}

#[offspring::test]
fn a_program_that_does_not_exist_is_an_error_in_the_parent() {
    let _dog = watchdog();
    for arguments in [vec!["/does/not/exist"], vec!["no-such-program-anywhere", "x"]] {
        let error = subprocess::call(&arguments).unwrap_err();
        let SubprocessError::Execute { source, .. } = &error else { panic!("{error}") };
        assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
    }
    let error = subprocess::call(["/etc/passwd"]).unwrap_err();
    assert!(
        matches!(&error, SubprocessError::Execute { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied)
    );
    assert!(matches!(subprocess::call([""; 0]).unwrap_err(), SubprocessError::NoProgram));
}

#[offspring::test]
fn check_output_returns_what_was_written_or_fails_with_it() {
    let _dog = watchdog();
    assert_eq!(subprocess::check_output(["printf", "%s %s", "a b", "c"]).unwrap(), b"a b c");
    let error = subprocess::check_output(["sh", "-c", "echo partly; exit 4"]).unwrap_err();
    let SubprocessError::Failed { status, stdout, .. } = error else { panic!("{error}") };
    assert_eq!((status.exitcode(), stdout.as_slice()), (4, b"partly\n".as_slice()));
    assert!(subprocess::check_call(["false"]).is_err());
    subprocess::check_call(["true"]).unwrap();
}

#[offspring::test]
fn run_feeds_and_captures_more_than_a_pipe_holds() {
    let _dog = watchdog();
    let input = "0123456789abcdef".repeat(1 << 16);
    let done = Command::new("sh")
        .args(["-c", "tee /dev/stderr"])
        .input(input.as_str())
        .capture_output()
        .run()
        .unwrap();
    assert!(done.status.success());
    assert_eq!(done.stdout.len(), input.len());
    assert!(done.stdout == input.as_bytes() && done.stderr == input.as_bytes());
}

#[offspring::test]
fn a_program_that_does_not_read_its_input_is_no_error() {
    let _dog = watchdog();
    let done = Command::new("true").input(vec![b'x'; 1 << 20]).run().unwrap();
    assert!(done.status.success());
}

#[offspring::test]
fn a_time_out_ends_the_whole_tree_and_has_what_was_written() {
    let _dog = watchdog();
    let begun = std::time::Instant::now();
    let script = "echo $$; sleep 1000 & echo $!; wait";
    let command =
        Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).timeout(Duration::from_millis(500));
    let error = command.run().unwrap_err();
    let SubprocessError::TimedOut { stdout, .. } = error else { panic!("{error}") };
    let pids: Vec<u32> =
        String::from_utf8(stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2);
    until("both are gone", || !pids.iter().any(|pid| runs(*pid)));
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[offspring::test]
fn communicate_can_be_repeated_after_a_time_out_and_loses_nothing() {
    let _dog = watchdog();
    let piped = Stdio::piped;
    let cat = Command::new("sh")
        .args(["-c", "read a; echo got $a; read b; cat; echo $b"])
        .stdin(piped())
        .stdout(piped());
    let cat = cat.start().unwrap();
    let mut stdin = cat.stdin().unwrap();
    writeln!(stdin, "first").unwrap();
    until("the first answer is there", || match cat.communicate(None, Some(Duration::from_millis(1))) {
        Err(SubprocessError::TimedOut { stdout, .. }) => stdout == b"got first\n",
        other => panic!("{other:?}"),
    });
    writeln!(stdin, "second").unwrap();
    drop(stdin);
    assert_eq!(cat.communicate(None, None).unwrap().stdout, b"got first\nsecond\n");
}

#[offspring::test]
fn a_conversation_through_the_pipes() {
    let _dog = watchdog();
    let cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).start().unwrap();
    let (mut to, mut from) = (cat.stdin().unwrap(), cat.stdout().unwrap());
    let mut buffer = [0; 5];
    for word in [b"first", b"again"] {
        to.write_all(word).unwrap();
        from.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, word);
    }
    drop(to);
    assert!(cat.join().unwrap().success());
}

#[offspring::test]
fn a_program_has_the_directory_and_the_environment_that_it_is_given() {
    let _dog = watchdog();
    let command =
        Command::new("sh").args(["-c", "pwd; echo $ONE"]).cwd("/usr").env("ONE", "1").capture_output();
    assert_eq!(command.run().unwrap().stdout, b"/usr\n1\n");
    // It is looked for in the PATH that it is given, as everywhere on Unix.
    let error = Command::new("true").env("PATH", "/nowhere").run().unwrap_err();
    assert!(matches!(error, SubprocessError::Execute { .. }), "{error}");
}

#[offspring::test]
fn a_program_is_our_own_child_and_is_waited_for_with_others() {
    let _dog = watchdog();
    let sleeper = Command::new("sleep").arg("1000").start().unwrap();
    let quick = offspring::spawn(|| 1, ()).unwrap();
    assert_eq!(offspring_tests::look(sleeper.pid()).unwrap().parent, std::process::id());
    assert_eq!(offspring::wait(&[&sleeper, &quick], None).unwrap(), [1]);
    assert!(offspring::active_children().iter().any(|child| child.pid == sleeper.pid()));
    sleeper.terminate().unwrap();
    assert_eq!(sleeper.join().unwrap().exitcode(), -15);
}

#[offspring::test]
fn a_program_dies_with_its_parent() {
    let _dog = watchdog();
    for method in [offspring::StartMethod::ForkServer, offspring::StartMethod::Spawn] {
        let parent = offspring::target(
            || {
                let sleeper =
                    Command::new("sleep").arg("1000").start_method(offspring::start_method()).start();
                println!("{}", sleeper.expect("it starts").pid());
                std::thread::park();
            },
            (),
        );
        let parent =
            parent.env("OFFSPRING_START_METHOD", method.to_string()).stdout(Stdio::piped()).start().unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(parent.stdout().unwrap()), &mut line)
            .unwrap();
        let pid: u32 = line.trim().parse().unwrap();
        assert!(runs(pid));
        parent.kill().unwrap();
        until("the program is gone", || !runs(pid));
    }
}

#[offspring::test]
fn options_that_contradict_each_other_are_refused() {
    let _dog = watchdog();
    let both = Command::new("cat").input("x").stdin(Stdio::null()).run().unwrap_err();
    assert!(matches!(both, SubprocessError::Conflict(_)), "{both}");
    let both = Command::new("cat").capture_output().stdout(Stdio::null()).run().unwrap_err();
    assert!(matches!(both, SubprocessError::Conflict(_)), "{both}");
    let unpiped = Command::new("true").start().unwrap();
    assert!(matches!(unpiped.communicate(Some(b"x"), None).unwrap_err(), SubprocessError::Conflict(_)));
}

#[offspring::test]
fn terminate_tree_takes_grandchildren_along_orphans_too() {
    let _dog = watchdog();
    // The middle shell ends at once, so that the sleeper is an orphan in the child's group.
    let tree = || {
        let script = "trap '' TERM; sh -c 'sleep 1000 & echo $!'; sleep 1000 & echo $!; wait";
        let sh = Command::new("sh").args(["-c", script]).start().expect("it starts");
        println!("{}", sh.pid());
        std::thread::park();
    };
    let child = offspring::target(tree, ()).stdout(Stdio::piped()).start().unwrap();
    let output = std::io::BufReader::new(child.stdout().unwrap());
    let pids: Vec<u32> =
        std::io::BufRead::lines(output).take(3).map(|line| line.unwrap().parse().unwrap()).collect();
    assert!(pids.iter().all(|pid| runs(*pid)), "{pids:?}");
    let status = child.terminate_tree(Duration::from_millis(100)).unwrap();
    assert!(status.signal().is_some());
    assert!(!pids.iter().any(|pid| runs(*pid)), "{pids:?}");
    assert!(children_of(child.pid()).is_empty());
}

#[offspring::test]
fn what_a_program_started_dies_with_the_parent_too() {
    let _dog = watchdog();
    let parent = || {
        let script = "sleep 1000 & echo $!; sleep 1000; true";
        let sh = Command::new("sh").args(["-c", script]).stdin(Stdio::null()).start().expect("it starts");
        println!("{}", sh.pid());
        std::thread::park();
    };
    let parent = offspring::target(parent, ()).stdout(Stdio::piped()).start().unwrap();
    let output = std::io::BufReader::new(parent.stdout().unwrap());
    let pids: Vec<u32> =
        std::io::BufRead::lines(output).take(2).map(|line| line.unwrap().parse().unwrap()).collect();
    assert!(pids.iter().all(|pid| runs(*pid)), "{pids:?}");
    parent.kill().unwrap();
    until("both are gone", || !pids.iter().any(|pid| runs(*pid)));
}

fn sleep_by_other_means() {
    let mut sleeper = std::process::Command::new("sleep").arg("1000").spawn().expect("it starts");
    println!("{}", sleeper.id());
    sleeper.wait().expect("it is killed, and this process with it");
}

#[offspring::test]
fn what_a_process_class_started_by_other_means_dies_with_the_parent() {
    let _dog = watchdog();
    let parent = offspring::target(
        || {
            let child = offspring::spawn(sleep_by_other_means, ()).expect("it starts");
            drop(child);
            std::thread::park();
        },
        (),
    );
    let parent = parent.stdout(Stdio::piped()).start().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(parent.stdout().unwrap()), &mut line).unwrap();
    let sleeper: u32 = line.trim().parse().unwrap();
    assert!(runs(sleeper));
    parent.kill().unwrap();
    until("it is gone", || !runs(sleeper));
}

#[offspring::test]
fn a_time_out_ends_what_a_program_has_left_at_its_pipe() {
    let _dog = watchdog();
    // The shell ends at once; the sleeper holds the pipe.
    let script =
        Command::new("sh").args(["-c", "sleep 1000 & echo $!"]).stdin(Stdio::null()).capture_output();
    let error = script.timeout(Duration::from_millis(300)).run().unwrap_err();
    let SubprocessError::TimedOut { stdout, .. } = error else { panic!("{error}") };
    let sleeper: u32 = String::from_utf8(stdout).unwrap().trim().parse().unwrap();
    until("it is gone", || !runs(sleeper));
}

fn leave_sleepers_behind() {
    let script = |detached: bool| {
        let command = Command::new("sh").args(["-c", "sleep 1000 >&- & echo $!"]).stdin(Stdio::null());
        let command = if detached { command.detached() } else { command };
        let done = command.stdout(Stdio::piped()).run().expect("it ends");
        String::from_utf8(done.stdout).expect("a number").trim().to_owned()
    };
    println!("{}", script(false));
    println!("{}", script(true));
    std::thread::park();
}

#[offspring::test]
fn what_a_program_leaves_behind_dies_with_the_parent_unless_it_was_detached() {
    let _dog = watchdog();
    let parent = offspring::target(leave_sleepers_behind, ()).stdout(Stdio::piped()).start().unwrap();
    let output = std::io::BufReader::new(parent.stdout().unwrap());
    let pids: Vec<u32> =
        std::io::BufRead::lines(output).take(2).map(|line| line.unwrap().parse().unwrap()).collect();
    assert!(pids.iter().all(|pid| runs(*pid)), "{pids:?}");
    parent.kill().unwrap();
    until("the one is gone", || !runs(pids[0]));
    assert!(runs(pids[1]));
    subprocess::check_call(["kill".to_owned(), pids[1].to_string()]).unwrap();
}

#[offspring::test]
fn an_argument_with_a_zero_byte_is_refused() {
    let _dog = watchdog();
    for arguments in [["true", "a\0b"], ["tr\0ue", ""]] {
        let error = subprocess::call(arguments).unwrap_err();
        let SubprocessError::Execute { source, .. } = &error else { panic!("{error}") };
        assert_eq!(source.kind(), std::io::ErrorKind::InvalidInput);
    }
}
