//! The attribute on a struct, and on the methods of a trait.

#[offspring::service]
struct Book(Vec<String>);

#[offspring::service]
impl Clone for Book {
    fn clone(&self) -> Self {
        Book(self.0.clone())
    }
}

struct Empty;

struct Void;

#[offspring::service(name = "nothing")]
impl Empty {
    fn private(&self) {}
}

#[offspring::service]
impl Void {
    fn also_private(&self) {}
}

fn main() {}
