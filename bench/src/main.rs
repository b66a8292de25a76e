//! The program for the benchmark `start`.

use std::process::ExitCode;

fn main() -> ExitCode {
    offspring_bench::measure_start()
}
