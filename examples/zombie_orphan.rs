//! A child that is never joined and is no zombie; an orphan that knows that it is one.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use offspring::{Process, Run, Stdio};
use serde::{Deserialize, Serialize};

/// Outlives its parent, and sees it end.
#[derive(Process, Serialize, Deserialize)]
struct Orphan;

impl Run for Orphan {
    type Output = ();

    fn run(self) {
        let parent = offspring::parent().expect("it was started by a parent");
        println!(
            "orphan (pid {}): parent {} is alive: {}",
            std::process::id(),
            parent.pid(),
            parent.is_alive()
        );
        eprintln!("ready"); // what the parent waits for
        let ended = parent.join_timeout(Duration::from_secs(30));
        println!("orphan: parent has ended: {ended}, is alive: {}", parent.is_alive());
    }
}

/// Starts the orphan and ends before it.
#[derive(Process, Serialize, Deserialize)]
struct Middle;

impl Run for Middle {
    type Output = u32;

    fn run(self) -> u32 {
        // Without `detached` the orphan would die with its parent: nothing is left behind by accident.
        let orphan = Orphan.builder().detached().stderr(Stdio::piped()).start().expect("the orphan starts");
        let stderr = orphan.stderr().expect("it is piped, and nobody took it");
        BufReader::new(stderr).read_line(&mut String::new()).expect("the orphan is ready");
        orphan.pid()
    }
}

/// A child that has ended, and whose parent has not asked how, is a zombie: here it is one for a moment only.
fn no_zombie() -> anyhow::Result<()> {
    let child = offspring::spawn(|| 42, ())?;
    offspring::wait(&[&child.sentinel()], None)?;
    println!("child (pid {}): has ended", child.pid());

    // On Linux every process has a directory in /proc, zombies too.
    let directory = PathBuf::from(format!("/proc/{}", child.pid()));
    let deadline = Instant::now() + Duration::from_secs(10);
    while directory.exists() && Instant::now() < deadline {
        std::thread::yield_now();
    }
    println!("child: is a zombie: {}", directory.exists());
    println!("child: its output is still there: {}", child.join()?);
    Ok(())
}

/// The orphan writes to the pipe that its parent had as standard output: the pipe ends when both have ended.
fn orphan() -> anyhow::Result<()> {
    let middle = Middle.builder().stdout(Stdio::piped()).start()?;
    let said = middle.stdout().expect("it is piped, and nobody took it");
    let orphan = middle.join()?;
    println!("middle (pid {}): has ended, and left {orphan} behind", middle.pid());
    print!("{}", std::io::read_to_string(said)?);
    Ok(())
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    no_zombie()?;
    orphan()
}
