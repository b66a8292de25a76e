//! A function with arguments as the target of a process.

/// Any `fn` will do: it needs no attribute. Arguments and result are whatever serde can carry.
fn sorted(mut words: Vec<String>, reverse: bool) -> Vec<String> {
    words.sort();
    if reverse {
        words.reverse();
    }
    words
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let words: Vec<String> = ["pear", "apple", "quince"].map(String::from).into();

    // The process is named after the function …
    let child = offspring::spawn(sorted, (words.clone(), false))?;
    println!("{}: {}", child.name(), child.join()?.join(" "));

    // … or as you like. A target can be given all that the builder of a process class can.
    let child = offspring::target(sorted, (words, true)).name("backwards").start()?;
    println!("{}: {}", child.name(), child.join()?.join(" "));

    // A closure may not capture anything: what it needs are its arguments.
    let child = offspring::spawn(|base: u64, exponent: u32| base.pow(exponent), (2, 10))?;
    println!("{}: {}", child.name(), child.join()?);
    Ok(())
}
