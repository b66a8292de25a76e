//! A class with several kinds of parameters, and without a list of its instances.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

#[derive(Process, Serialize, Deserialize)]
struct Grid<T, const WIDE: bool, const ROWS: usize> {
    cell: T,
}

impl<T, const WIDE: bool, const ROWS: usize> Run for Grid<T, WIDE, ROWS> {
    type Output = ();
    fn run(self) {}
}

fn main() {
    Grid::<u32, true, 2> { cell: 1 }.start().unwrap();
}
