//! Classes that `macro_rules!` generates: names, types, values and instances come through its fragments.

use offspring::{Process, Run};
use serde::{Deserialize, Serialize};

macro_rules! class {
    ($ident:ident, $name:literal, $daemon:expr, { $($field:ident: $ty:ty),* }) => {
        #[derive(Process, Serialize, Deserialize)]
        #[process(name = $name, daemon = $daemon)]
        pub struct $ident {
            $($field: $ty),*
        }

        impl Run for $ident {
            type Output = ($($ty,)*);
            fn run(self) -> Self::Output {
                ($(self.$field,)*)
            }
        }
    };
}

class!(Loader, "loader", true, { url: String, sizes: Vec<u64> });

macro_rules! generic {
    ($ident:ident, $instance:ty, $ty:ty) => {
        #[derive(Process, Serialize, Deserialize)]
        #[process(instances($instance, $ident<$ty>))]
        struct $ident<T> {
            item: T,
        }

        impl<T> Run for $ident<T> {
            type Output = ();
            fn run(self) {}
        }
    };
}

generic!(Worker, Worker<u8>, Vec<u16>);

/// Has no word of its own that the caller could clash with.
macro_rules! hidden {
    () => {{
        #[derive(Process, Serialize, Deserialize)]
        struct Hidden;

        impl Run for Hidden {
            type Output = ();
            fn run(self) {}
        }

        Hidden.run();
        Hidden::CLASS.line
    }};
}

#[offspring::main]
fn main() {
    assert_eq!(Loader::CLASS.key, "loader");
    assert_eq!(Loader::CLASS.daemon, Some(true));
    assert_eq!(Loader::CLASS.line, 23);
    let loader = Loader {
        url: "x".to_owned(),
        sizes: vec![1],
    };
    assert_eq!(loader.run(), ("x".to_owned(), vec![1]));

    assert!(Worker::<u8>::CLASS.key.ends_with("::Worker<u8>"));
    assert!(
        Worker::<Vec<u16>>::CLASS
            .key
            .ends_with("::Worker<Vec<u16>>")
    );
    Worker { item: 1_u8 }.run();

    assert_eq!(hidden!(), line!());
}
