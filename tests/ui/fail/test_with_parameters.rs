//! A test with parameters, generics and qualifiers.

#[offspring::test]
unsafe fn doubles<T: Copy>(number: T) -> T {
    number
}

fn main() {}
