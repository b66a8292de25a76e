//! Death: whoever is killed, at whatever moment, leaves nothing behind and nobody waiting.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

use offspring_tests::{children_of, numbers_after, program, runs, until, watchdog};

fn fixture(arguments: &[&str]) -> std::process::Command {
    program(env!("CARGO_BIN_EXE_fixture"), arguments)
}

/// Starts three generations, and waits until all of them live.
fn family(kind: &str, method: &str) -> (Child, Vec<u32>) {
    let mut root =
        fixture(&["family", kind]).env("OFFSPRING_START_METHOD", method).spawn().expect("it starts");
    let members: Vec<u32> = (0..3).flat_map(|_| numbers_after(&mut root, "alive ")).collect();
    (root, members)
}

#[test]
fn a_killed_parent_takes_three_generations_along() {
    let _dog = watchdog();
    for method in ["forkserver", "spawn", "fork"] {
        let (mut root, members) = family("plain", method);
        assert!(members.iter().all(|pid| runs(*pid)), "{method}: {members:?}");
        let helpers = children_of(root.id());
        root.kill().expect("it can be killed");
        root.wait().expect("it can be waited for");
        until("all generations are gone", || !members.iter().any(|pid| runs(*pid)));
        until("their servers are gone", || !helpers.iter().any(|helper| runs(helper.pid)));
    }
}

#[test]
fn detached_generations_outlive_a_killed_parent() {
    let _dog = watchdog();
    for method in ["forkserver", "spawn"] {
        let (mut root, members) = family("detached", method);
        root.kill().expect("it can be killed");
        root.wait().expect("it can be waited for");
        until("the first is an orphan", || {
            offspring_tests::look(members[0]).is_some_and(|seen| seen.parent != root.id())
        });
        assert!(members.iter().all(|pid| runs(*pid)), "{method}: {members:?}");
        for pid in members {
            kill(pid);
        }
    }
}

#[test]
fn a_killed_middle_takes_those_below_along_and_nobody_else() {
    let _dog = watchdog();
    let (mut root, members) = family("plain", "forkserver");
    kill(members[1]);
    until("the lower ones are gone", || !members[1..].iter().any(|pid| runs(*pid)));
    assert!(runs(members[0]) && runs(root.id()));
    root.kill().expect("it can be killed");
    root.wait().expect("it can be waited for");
}

#[test]
fn a_killed_forkserver_harms_no_running_child_and_is_replaced() {
    let _dog = watchdog();
    let mut root = fixture(&["on-command"]).stdin(Stdio::piped()).spawn().expect("it starts");
    let mut commands = root.stdin.take().expect("piped");
    let mut lines =
        BufReader::new(root.stdout.take().expect("piped")).lines().map(|line| line.expect("text"));
    assert_eq!(lines.next().as_deref(), Some("ready"));
    for _ in 0..20 {
        writeln!(commands, "forkserver").expect("it reads");
        assert_eq!(lines.next().as_deref(), Some("Ok(Ok(7))"));
        let servers: Vec<_> =
            children_of(root.id()).into_iter().filter(|seen| seen.title == "offspring-fork").collect();
        let alive: Vec<_> = servers.iter().filter(|seen| seen.state != 'Z').collect();
        assert_eq!(alive.len(), 1, "{servers:?}");
        kill(alive[0].pid);
    }
    writeln!(commands, "forkserver").expect("it reads");
    assert_eq!(lines.next().as_deref(), Some("Ok(Ok(7))"));
    until("the dead servers are reaped", || children_of(root.id()).iter().all(|seen| seen.state != 'Z'));
    drop(commands);
    assert!(root.wait().expect("it ends").success());
}

#[test]
fn a_killed_forkserver_is_no_zombie_even_if_nothing_is_started_after_it() {
    let _dog = watchdog();
    let mut root = fixture(&["on-command"]).stdin(Stdio::piped()).spawn().expect("it starts");
    let mut commands = root.stdin.take().expect("piped");
    writeln!(commands, "forkserver").expect("it reads");
    let server = || children_of(root.id()).into_iter().find(|seen| seen.title == "offspring-fork");
    until("the server is there", || server().is_some());
    let server = server().expect("it is there");
    kill(server.pid);
    until("it is reaped", || offspring_tests::look(server.pid).is_none());
    drop(commands);
    assert!(root.wait().expect("it ends").success());
}

#[test]
fn a_copy_of_a_killed_parent_does_not_keep_its_children_alive() {
    let _dog = watchdog();
    let mut root = fixture(&["lingering-copy"]).spawn().expect("it starts");
    let pids = numbers_after(&mut root, "child and copy ");
    root.kill().expect("it can be killed");
    root.wait().expect("it can be waited for");
    until("the child is gone", || !runs(pids[0]));
    assert!(runs(pids[1]), "the copy is nobody's business");
    kill(pids[1]);
}

fn kill(pid: u32) {
    let status = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(status.expect("kill runs").success(), "{pid} can be killed");
}
