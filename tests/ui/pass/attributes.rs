//! What `name`, `daemon` and `start_method` become.

use offspring::{Process, Run, StartMethod};
use serde::{Deserialize, Serialize};

macro_rules! class {
    ($ident:ident, $(#[$attr:meta])*) => {
        #[derive(Process, Serialize, Deserialize)]
        $(#[$attr])*
        struct $ident;

        impl Run for $ident {
            type Output = ();
            fn run(self) {}
        }
    };
}

class!(Plain,);
class!(Named, #[process(name = "über-loader")]);
class!(Background, #[process(daemon)]);
class!(Foreground, #[process(daemon = false)]);
class!(Spawned, #[process(start_method = "spawn")]);
class!(Served, #[process(start_method = "forkserver")]);
class!(Forked, #[process(start_method = "fork")]);
class!(All, #[process(name = "all", daemon = true)] #[process()] #[process(start_method = "fork",)]);
class!(r#Type,);

#[offspring::main]
fn main() {
    assert_eq!(Plain::CLASS.daemon, None);
    assert!(Plain::CLASS.start_method.is_none());
    assert_eq!(
        (Named::CLASS.key, Named::CLASS.name),
        ("über-loader", "über-loader")
    );
    assert_eq!(Background::CLASS.daemon, Some(true));
    assert_eq!(Foreground::CLASS.daemon, Some(false));
    assert!(matches!(
        Spawned::CLASS.start_method,
        Some(StartMethod::Spawn)
    ));
    assert!(matches!(
        Served::CLASS.start_method,
        Some(StartMethod::ForkServer)
    ));
    assert!(matches!(
        Forked::CLASS.start_method,
        Some(StartMethod::Fork)
    ));
    assert_eq!((All::CLASS.key, All::CLASS.daemon), ("all", Some(true)));
    assert!(matches!(All::CLASS.start_method, Some(StartMethod::Fork)));
    assert_eq!(r#Type::CLASS.name, "Type");
    assert!(r#Type::CLASS.key.ends_with("::Type"));
}
