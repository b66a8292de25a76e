//! What becomes of children when `main` returns: one is waited for, a daemon is terminated.

use offspring::{Process, Run, Stdio};
use serde::{Deserialize, Serialize};

/// Runs until it is ended. As a daemon it need not be joined.
#[derive(Process, Serialize, Deserialize)]
#[process(daemon)]
struct Heartbeat;

impl Run for Heartbeat {
    type Output = ();

    fn run(self) {
        loop {
            std::thread::park();
        }
    }
}

/// Has something to finish, whatever `main` does.
#[derive(Process, Serialize, Deserialize)]
struct Archivist;

impl Run for Archivist {
    type Output = ();

    fn run(self) {
        let notes = std::io::read_to_string(std::io::stdin()).expect("standard input is text");
        println!("archivist: filed {} notes", notes.lines().count());
    }
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let heartbeat = Heartbeat.start()?;
    println!("{} (pid {}) is a daemon: {}", heartbeat.name(), heartbeat.pid(), heartbeat.is_daemon());

    let archivist = Archivist.builder().stdin(Stdio::piped()).start()?;
    println!("{} (pid {}) is a daemon: {}", archivist.name(), archivist.pid(), archivist.is_daemon());

    let mut notes = archivist.stdin().expect("it is piped, and nobody took it");
    std::io::Write::write_all(&mut notes, b"one\ntwo\n")?;
    println!("main: returns");
    Ok(())
    // Here `notes` is dropped, so the archivist reads the end of its input. The program ends when it has filed them,
    // although nobody joins it; the daemon would go on for ever, and is terminated.
}
