//! An enum whose variants have all shapes.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
enum Step {
    Fetch { url: String },
    Count(u64, u64),
    Stop,
}

impl Run for Step {
    type Output = u64;
    fn run(self) -> u64 {
        match self {
            Step::Fetch { url } => url.len() as u64,
            Step::Count(from, to) => to - from,
            Step::Stop => 0,
        }
    }
}

#[offspring::main]
fn main() {
    let class = <Step as Process>::CLASS;
    assert!(class.key.ends_with("::Step"));
    assert_eq!(class.name, "Step");
    assert_eq!(
        Step::Fetch {
            url: "four".to_owned()
        }
        .run(),
        4
    );
    assert_eq!(Step::Count(2, 5).run() + Step::Stop.run(), 3);
}
