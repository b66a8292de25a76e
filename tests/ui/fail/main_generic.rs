//! A generic `main`.

#[offspring::main]
fn main<T: Default + std::fmt::Debug>() {
    println!("{:?}", T::default());
}
