//! The macros of the `offspring` crate: `#[derive(Process)]`, `#[derive(Shareable)]`, `#[offspring::main]`,
//! `#[offspring::test]` and `#[offspring::service]`.
//!
//! Programs do not name this crate: `offspring` re-exports what is here, beside the traits that it implements.
//!
//! A derive goes through the files in this order: `ast` and `attr` read the input (`meta` takes attributes apart),
//! `check` refuses what cannot be a process class (`borrow` and `instance` know the details) and `layout` what cannot
//! lie in shared memory, and `expand` writes the code, or `fallback` what stands in for it beside errors. `ctxt`
//! collects those, so that all of them are seen at once. The attributes for functions share `function`.

mod ast;
mod attr;
mod borrow;
mod check;
mod ctxt;
mod expand;
mod fallback;
mod function;
mod instance;
mod layout;
mod meta;
mod schema;
mod suggest;
mod symbol;

use proc_macro::TokenStream;

/// Makes a type a **process class**: its values can be started in a process of their own.
///
/// The type also implements `Run`, which says what the child does, and serde's `Serialize` and `Deserialize`, for the
/// value travels to the child as bytes. Structs and enums of all shapes can be process classes.
///
/// ```
/// use offspring::{Process, Run};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Process, Serialize, Deserialize)]
/// struct Downloader {
///     url: String,
///     size: u64,
/// }
///
/// impl Run for Downloader {
///     type Output = u64;
///     fn run(self) -> u64 {
///         self.size // computed in the child
///     }
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let child = Downloader { url: "http://localhost".into(), size: 1 << 20 }.start()?;
///     assert_eq!(child.join()?, 1 << 20);
///     Ok(())
/// }
/// ```
///
/// # Attributes
///
/// They stand above the type, in one `#[process(..)]` or in several:
///
/// | attribute | meaning | without it |
/// |---|---|---|
/// | `name = "loader"` | what the class is called, in names such as `loader-1` and as its **key** | the name of the type, and the key below |
/// | `daemon`, `daemon = true`, `daemon = false` | whether its processes are ended, and not waited for, when the program ends | decided at `start` |
/// | `start_method = "spawn"`, `"forkserver"`, `"fork"` | how its processes are made | the program's start method |
/// | `instances(Worker<u32>, Worker<String>)` | the instances of a generic class that can be started | not generic |
/// | `crate = ::my::offspring` | where the `offspring` crate is, if it has another name or is re-exported | `::offspring` |
///
/// ```
/// # use {offspring::{Process, Run}, serde::{Deserialize, Serialize}, std::time::Duration};
/// #[derive(Process, Serialize, Deserialize)]
/// #[process(name = "heartbeat", daemon, start_method = "spawn")]
/// struct Heartbeat {
///     every: Duration,
/// }
/// # impl Run for Heartbeat { type Output = (); fn run(self) { let _ = self.every; } }
/// ```
///
/// # The key
///
/// A child finds its class by a key, `package::module::Type`, which is the same in every build of the program. Two
/// classes with one key are refused when one of them is started. That happens to two classes of one name in the bodies of
/// two functions of one module, for functions are not part of the key: give one of them a `name`.
///
/// # Generic classes
///
/// A child can only be handed a class that was compiled into the program, so a generic class lists its instances:
///
/// ```
/// # use {offspring::{Process, Run}, serde::{Deserialize, Serialize, de::DeserializeOwned}};
/// #[derive(Process, Serialize, Deserialize)]
/// #[process(instances(Worker<u32>, Worker<Vec<u8>>))]
/// struct Worker<T> {
///     item: T,
/// }
///
/// impl<T: Serialize + DeserializeOwned + 'static> Run for Worker<T> {
///     type Output = T;
///     fn run(self) -> T {
///         self.item
///     }
/// }
/// ```
///
/// Each instance has a key of its own, such as `package::module::Worker<u32>`, made of the arguments as they are
/// written. The arguments own their data, too.
///
/// # What cannot be a process class
///
/// The child lives in an address space of its own. So a class has no lifetime parameters, no references, not even
/// `&'static str`, and no raw pointers: own the data, with a `String` or a `Vec`. A field that serde skips, or that has
/// a `#[serde(with = "…")]`, may hold a reference all the same. A union cannot be a process class; an enum can.
#[proc_macro_derive(Process, attributes(process))]
pub fn derive_process(definition: TokenStream) -> TokenStream {
    expand::process::derive(definition.into()).into()
}

/// Makes a type one whose values can lie in memory that processes share: `offspring::Shareable`.
///
/// For structs whose fields are all `Shareable`, and for enums without fields:
///
/// ```
/// use offspring::Shareable;
/// use std::sync::atomic::AtomicU64;
///
/// #[derive(Shareable)]
/// #[repr(C)]
/// struct Progress {
///     done: AtomicU64,
///     stage: [Stage; 4],
/// }
///
/// #[derive(Clone, Copy, Shareable)]
/// #[repr(u8)]
/// enum Stage {
///     Waiting,
///     Running,
///     Done,
/// }
///
/// #[derive(Shareable)]
/// #[repr(C, align(64))]
/// struct Padded<T>(T); // `Shareable` for each `T` that is
/// # fn shareable<T: Shareable>() {}
/// # shareable::<Padded<Progress>>();
/// ```
///
/// # What it insists on
///
/// - A struct is `#[repr(C)]` or `#[repr(transparent)]`: its layout is the same in every program. Alignment and packing
///   may be given beside it.
/// - An enum has no fields and is `#[repr(u8)]` (or `i8`): a process that is killed while it writes a value leaves the old one or the
///   new one, for a single byte is never half written.
/// - Nothing points anywhere, and nothing has to be dropped.
///
/// A union says nothing of what its bytes are, and is refused.
///
/// # Attributes
///
/// `#[shareable(crate = ::my::offspring)]` says where the `offspring` crate is, if it has another name or is
/// re-exported.
#[proc_macro_derive(Shareable, attributes(shareable))]
pub fn derive_shareable(definition: TokenStream) -> TokenStream {
    expand::shareable::derive(definition.into()).into()
}

/// Calls `offspring::init()` before the body of `main`, so that the program's children never reach that body.
///
/// Children are started by running the program again. They find out what they are in `init`, do their work there, and
/// exit. Without this attribute, or that call, `start` returns an error that says so.
///
/// ```
/// #[offspring::main]
/// fn main() -> std::process::ExitCode {
///     println!("only the parent prints this");
///     std::process::ExitCode::SUCCESS
/// }
/// ```
///
/// `main` may return whatever it may return without the attribute.
///
/// # With other attributes
///
/// Attribute macros go **below** this one. What they make of the function is called after the guard, so a child does not
/// start the runtime of its parent:
///
/// ```
/// #[offspring::main]
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let child = offspring::spawn(|a: u32, b: u32| a + b, (1, 2))?;
///     assert_eq!(child.await?, 3);
///     Ok(())
/// }
/// ```
///
/// A macro that changes the return type of the function goes above.
///
/// # Arguments
///
/// `#[offspring::main(crate = ::my::offspring)]` says where the `offspring` crate is, if it has another name or is
/// re-exported.
///
/// # Elsewhere than on `main`
///
/// The attribute insists on a function of that name. Where a program starts in another way, call `offspring::init()`
/// there, before anything else.
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::main::expand(args.into(), &item.into()).into()
}

/// Makes a function a test that can start processes, under plain `cargo test` and under other runners.
///
/// Takes the place of `#[test]`: a test binary has a `main` that belongs to the test harness, so the guard stands before
/// the body of the test instead. A `#[test]` below it is an error; one above is invisible to it, and would run the test
/// twice.
///
/// ```
/// # use offspring::{Process, Run};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Process, Serialize, Deserialize)]
/// # struct Downloader { url: String, size: u64 }
/// # impl Run for Downloader { type Output = u64; fn run(self) -> u64 { self.size } }
/// #[offspring::test]
/// fn a_downloader_returns_its_size() -> Result<(), Box<dyn std::error::Error>> {
///     let child = Downloader { url: "http://localhost".into(), size: 7 }.start()?;
///     assert_eq!(child.join()?, 7);
///     Ok(())
/// }
/// ```
///
/// Other attributes stay on the test, as they do with `#[test]`:
///
/// ```
/// # use offspring::{Process, Run};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Process, Serialize, Deserialize)]
/// # struct Downloader { url: String, size: u64 }
/// # impl Run for Downloader { type Output = u64; fn run(self) -> u64 { self.size } }
/// #[offspring::test]
/// #[should_panic(expected = "no such host")]
/// fn a_panic_comes_back() {
///     Downloader { url: "http://nowhere".into(), size: 0 }.start().unwrap().join().unwrap();
/// }
/// ```
///
/// # Async tests
///
/// `#[tokio::test]` and its like make a test of their own, which does not go together with this one. Write a plain
/// function that builds its runtime:
///
/// ```
/// # use offspring::{Process, Run};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Process, Serialize, Deserialize)]
/// # struct Downloader { url: String, size: u64 }
/// # impl Run for Downloader { type Output = u64; fn run(self) -> u64 { self.size } }
/// #[offspring::test]
/// fn a_child_can_be_awaited() -> Result<(), Box<dyn std::error::Error>> {
///     tokio::runtime::Runtime::new()?.block_on(async {
///         let child = Downloader { url: "http://localhost".into(), size: 7 }.start()?;
///         assert_eq!(child.await?, 7);
///         Ok(())
///     })
/// }
/// ```
///
/// # Arguments
///
/// `#[offspring::test(crate = ::my::offspring)]` says where the `offspring` crate is, if it has another name or is
/// re-exported.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::test::expand(args.into(), &item.into()).into()
}

/// Makes the methods of a type ones that other processes call: a **service**, whose objects live in a `Manager`.
///
/// Above an `impl` block, it makes a type with `Proxy` behind the name that has the same public methods, each with a `Result` for what can happen
/// on the way:
///
/// ```
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// struct Scores(Vec<u32>);
///
/// #[offspring::service]
/// impl Scores {
///     pub fn add(&mut self, score: u32) {
///         self.0.push(score);
///     }
///     pub fn best(&self) -> Option<u32> {
///         self.0.iter().copied().max()
///     }
/// }
///
/// #[offspring::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let manager = offspring::Manager::start()?;
///     let scores: ScoresProxy = manager.serve(Scores::default())?;
///     scores.add(3)?; // Result<(), CallError>
///     offspring::spawn(|scores: ScoresProxy| scores.add(5).unwrap(), (scores.clone(),))?.join()?;
///     assert_eq!(scores.best()?, Some(5));
///     Ok(())
/// }
/// ```
///
/// # What becomes a method of the proxy
///
/// Every `pub fn` with `&self` or `&mut self`. Methods that are private, or have no object, are as they were, and the proxy does not have them. Methods with `&self` are
/// called at the same time, those with `&mut self` one at a time. Arguments and results own their data, and are what serde
/// encodes and decodes; proxies may be among them. What comes one by one is returned as a `manager::Stream`. An object is `Send`, `Sync` and `'static`.
///
/// An `async fn` is run to its end on the thread of its call, which sleeps while the method waits, as that of any method does. Futures of
/// libraries with a runtime of their own need that to run in the server's process.
///
/// A type may be generic: `impl<T: Bounds> Stack<T>` gives `StackProxy<T>`. What a comment above the block says is the documentation of the proxy.
///
/// # Arguments
///
/// `#[offspring::service(crate = ::my::offspring)]` says where the `offspring` crate is, if it has another name or is
/// re-exported.
#[proc_macro_attribute]
pub fn service(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::service::expand(args.into(), &item.into()).into()
}
