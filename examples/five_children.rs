//! Five children that print their name, their parent's id and their own.

fn info() {
    let parent = offspring::parent().expect("a child has a parent");
    let me = offspring::current();
    println!("{}: parent {}, pid {}", me.name, parent.pid(), me.pid);
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    println!("{}: pid {}", offspring::current().name, std::process::id());
    let mut children = Vec::new();
    for number in 1..=5 {
        children.push(offspring::target(info, ()).name(format!("child {number}")).start()?);
    }
    for child in children {
        child.join()?;
    }
    Ok(())
}
