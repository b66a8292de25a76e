//! A process class: a struct with a `run` method.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
struct Greeter {
    whom: String,
}

impl Run for Greeter {
    type Output = usize;

    // This runs in the child. What it returns comes back from `join` in the parent.
    fn run(self) -> usize {
        let greeting = format!("hello, {}", self.whom);
        println!("{} (pid {}): {greeting}", offspring::current().name, std::process::id());
        greeting.len()
    }
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let greeter = Greeter { whom: "world".into() };
    let child = greeter.start()?;
    let length = child.join()?;
    println!("main (pid {}): {} said {length} bytes", std::process::id(), child.name());
    Ok(())
}
