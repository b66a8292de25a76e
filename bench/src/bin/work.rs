//! The program for the benchmark `pool`.

use std::process::ExitCode;

fn main() -> ExitCode {
    offspring_bench::measure_work()
}
