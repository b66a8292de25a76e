//! `#[offspring::main]` on something that does not run.

#[offspring::main]
struct Program;

fn main() {
    let _ = Program;
}
