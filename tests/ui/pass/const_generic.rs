//! A class with type and const parameters, a default among them, and instances named through a path.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
#[process(instances(Grid<3>, self::Grid<4, u8>,))]
struct Grid<const ROWS: usize, T = u32> {
    cell: T,
}

impl<const ROWS: usize, T: Into<u64>> Run for Grid<ROWS, T> {
    type Output = u64;
    fn run(self) -> u64 {
        self.cell.into() * ROWS as u64
    }
}

#[offspring::main]
fn main() {
    assert!(<Grid<3> as Process>::CLASS.key.ends_with("::Grid<3>"));
    assert!(
        <Grid<4, u8> as Process>::CLASS
            .key
            .ends_with("::Grid<4, u8>")
    );
    assert_eq!(Grid::<4, u8> { cell: 2 }.run(), 8);
}
