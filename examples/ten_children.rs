//! Ten children, all started before the first is joined: they run at the same time.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
struct Square(u64);

impl Run for Square {
    type Output = u64;

    fn run(self) -> u64 {
        self.0 * self.0
    }
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let children = (1..=10).map(|number| Square(number).start()).collect::<Result<Vec<_>, _>>()?;
    println!("{} started", children.len());

    let mut sum = 0;
    for child in &children {
        let square = child.join()?;
        println!("{}: {square}", child.name());
        sum += square;
    }
    println!("sum: {sum}");
    Ok(())
}
