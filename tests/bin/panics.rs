//! A child that panics, in a program that may be compiled to abort on a panic.

#[offspring::main]
fn main() {
    for method in [offspring::StartMethod::ForkServer, offspring::StartMethod::Spawn] {
        let child = offspring::target(|| panic!("out of {}", "cheese"), ()).start_method(method).start();
        let child: offspring::Child<()> = child.expect("a child starts");
        if let Err(error) = child.join() {
            println!("{error}; {}", child.exit_status().expect("it has ended"));
        }
    }
}
