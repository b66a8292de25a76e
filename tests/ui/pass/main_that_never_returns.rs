//! A `main` that ends the program itself.

#![deny(warnings)]

#[offspring::main()]
fn main() -> ! {
    let code = i32::from(module_path!().is_empty());
    assert_eq!(code, 0);
    std::process::exit(code)
}
