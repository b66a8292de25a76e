//! A global that a child changes is the child's alone: processes share no memory unless they ask for it.

use std::sync::atomic::{AtomicU32, Ordering};

static NUMBER: AtomicU32 = AtomicU32::new(1);

fn change() -> u32 {
    NUMBER.store(666, Ordering::SeqCst);
    NUMBER.load(Ordering::SeqCst)
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let child = offspring::spawn(change, ())?;
    println!("the child's number: {}", child.join()?);
    println!("the parent's number: {}", NUMBER.load(Ordering::SeqCst));
    Ok(())
}
