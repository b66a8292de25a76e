//! A generic class with its instances: each has a key of its own.

use offspring::{Process, Run};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(instances(Worker<u32>, Worker<Vec<u8>>), daemon)]
struct Worker<T>
where
    T: Clone,
{
    item: T,
}

impl<T: Clone + Serialize + DeserializeOwned + 'static> Run for Worker<T> {
    type Output = T;
    fn run(self) -> T {
        self.item
    }
}

#[offspring::main]
fn main() {
    let numbers = <Worker<u32> as Process>::CLASS;
    let bytes = <Worker<Vec<u8>> as Process>::CLASS;
    assert!(numbers.key.ends_with("::Worker<u32>"), "{}", numbers.key);
    assert!(bytes.key.ends_with("::Worker<Vec<u8>>"), "{}", bytes.key);
    assert_eq!((numbers.name, bytes.name), ("Worker", "Worker"));
    assert_eq!((numbers.daemon, bytes.daemon), (Some(true), Some(true)));
    assert_eq!(numbers.schema, bytes.schema);
    assert_eq!(Worker { item: 7_u32 }.run(), 7);
}
