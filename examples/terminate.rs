//! Ending a child, and the exit code that tells how a child ended.

use offspring::{Child, JoinError};

fn run_for_ever() {
    loop {
        std::thread::park();
    }
}

fn exit_with_three() {
    std::process::exit(3)
}

fn return_at_once() {}

/// Waits for a child and says how it ended. The exit code is Python's: the child's own, or -N after signal N.
fn report(child: &Child<()>) -> anyhow::Result<()> {
    match child.join() {
        Ok(()) => println!("{}: returned", child.name()),
        Err(JoinError::Ended { status, .. }) => println!("{}: {status}", child.name()),
        Err(other) => return Err(other.into()),
    }
    println!("{}: alive {}, exit code {:?}", child.name(), child.is_alive(), child.exitcode());
    Ok(())
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let child = offspring::spawn(run_for_ever, ())?;
    println!("{}: alive {}, exit code {:?}", child.name(), child.is_alive(), child.exitcode());
    child.terminate()?; // SIGTERM: the child may catch it and tidy up
    report(&child)?;

    let child = offspring::spawn(run_for_ever, ())?;
    child.kill()?; // SIGKILL: no child can help ending
    report(&child)?;

    report(&offspring::spawn(exit_with_three, ())?)?;
    report(&offspring::spawn(return_at_once, ())?)?;
    Ok(())
}
