//! `fork(2)`, which returns twice, and `waitpid(2)`: for those who know what they do.
//!
//! A process class is the better tool nearly always: it is safe in a program with threads, its result is typed, and
//! it dies with its parent.
#![allow(unsafe_code)]

use offspring::Fork;

fn main() -> anyhow::Result<()> {
    println!("before the fork: pid {}", std::process::id());
    let mut number = 1;
    // SAFETY: this program has one thread, so no lock can be held by a thread that the copy does not have.
    match unsafe { offspring::fork() }? {
        Fork::Child => {
            number = 666;
            println!("child: pid {}, number {number}", std::process::id());
            // The copy must not go on with what its original does after the fork.
            std::process::exit(7)
        }
        Fork::Parent(child) => {
            let status = offspring::waitpid(child, true)?.expect("a wait that blocks has a status");
            println!("parent: pid {}, number {number}", std::process::id());
            println!("parent: child {child} ended with {status}");
        }
    }
    Ok(())
}
