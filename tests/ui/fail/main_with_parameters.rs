//! A `main` with parameters.

#[offspring::main]
fn main(arguments: Vec<String>, verbose: bool) {
    println!("{arguments:?} {verbose}");
}
