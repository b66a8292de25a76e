//! Another program as a child: talking to it, and taking its output.

use std::io::{BufRead, BufReader, Write};

use offspring::Stdio;
use offspring::subprocess::{self, Command, SubprocessError};

#[offspring::main]
fn main() -> anyhow::Result<()> {
    // It writes where we write, and how it ended is all that comes back.
    let status = subprocess::call(["sh", "-c", "echo 'sh: hello'; exit 3"])?;
    println!("sh ended with {status}");

    // What it writes comes back, and a failure is an error.
    let output = subprocess::check_output(["echo", "no shell reads this: $HOME"])?;
    print!("echo: {}", String::from_utf8(output)?);
    match subprocess::check_output(["sh", "-c", "exit 4"]) {
        Err(SubprocessError::Failed { status, .. }) => println!("sh failed with {status}"),
        other => println!("{other:?}"),
    }

    // A program that does not exist is an error at the start.
    if let Err(error) = subprocess::call(["no-such-program"]) {
        println!("{:#}", anyhow::Error::from(error));
    }

    // All of the input, then all of the output.
    let sorted = Command::new("sort").input("pear\napple\n").capture_output().check().run()?;
    println!("sort: {}", String::from_utf8(sorted.stdout)?.lines().collect::<Vec<_>>().join(", "));

    // A conversation: a line there, a line back.
    let cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).start()?;
    let mut there = cat.stdin().expect("it is piped, and nobody took it");
    let mut back = BufReader::new(cat.stdout().expect("it is piped, and nobody took it"));
    for word in ["one", "two"] {
        writeln!(there, "{word}")?;
        let mut answer = String::new();
        back.read_line(&mut answer)?;
        print!("cat (pid {}): {answer}", cat.pid());
    }
    drop(there); // the end of its input
    println!("cat ended with {}", cat.join()?);
    Ok(())
}
