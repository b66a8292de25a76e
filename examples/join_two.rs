//! Two children: name, pid and `is_alive` before and after they are joined.

use offspring::{Child, Process, Run, Stdio};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
struct Worker {
    task: String,
}

impl Run for Worker {
    type Output = String;

    /// Does its task as soon as it is told what with.
    fn run(self) -> String {
        let with = std::io::read_to_string(std::io::stdin()).expect("standard input is text");
        format!("{} {with}", self.task)
    }
}

fn show(child: &Child<String>) {
    println!("{} (pid {}) is alive: {}", child.name(), child.pid(), child.is_alive());
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let washer = Worker { task: "washed".into() }.builder().stdin(Stdio::piped()).start()?;
    let dryer = Worker { task: "dried".into() }.builder().name("Dryer").stdin(Stdio::piped()).start()?;
    show(&washer);
    show(&dryer);

    for child in [&washer, &dryer] {
        let mut stdin = child.stdin().expect("it is piped, and nobody took it");
        std::io::Write::write_all(&mut stdin, b"the dishes")?;
        // Here `stdin` is dropped: that is the end of the child's input.
    }
    println!("{}", washer.join()?);
    println!("{}", dryer.join()?);

    // A child that was joined keeps its name, its pid and its exit code.
    show(&washer);
    show(&dryer);
    println!("exit codes: {:?} and {:?}", washer.exitcode(), dryer.exitcode());
    Ok(())
}
