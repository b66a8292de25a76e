//! The program for the benchmarks `channels` and `locks`.

use std::process::ExitCode;

fn main() -> ExitCode {
    offspring_bench::measure_talk()
}
