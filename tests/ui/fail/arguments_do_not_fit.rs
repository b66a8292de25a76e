//! The arguments are a tuple of what the function takes.

fn power(base: u64, exponent: u32) -> u64 {
    base.pow(exponent)
}

#[offspring::main]
fn main() {
    let child = offspring::spawn(power, 2_u64);
    drop(child);
}
