//! A closure that captures something cannot be started: what it captures must be an argument.

#[offspring::main]
fn main() {
    let captured = 3_u64;
    let child = offspring::spawn(move |n: u64| n + captured, (1_u64,));
    drop(child);
}
