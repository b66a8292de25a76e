//! The registry: which process classes this program knows, by key.
//!
//! `#[derive(Process)]` submits one [`Class`] per class (or per listed instance of a generic one); the linker
//! gathers them from every crate of the program. Three facts shape this module:
//!
//! - Entries are complete only once `main` has begun, so nothing here is called before the guard runs.
//! - Their order differs between build profiles, so a class is known by its **key**, never by an index.
//! - A crate that is only in `Cargo.toml`, and named nowhere in source, contributes no entries (`use it as _;` does).

use crate::launch::{Failure, StartError, StartMethod};
use crate::wire::parcel::{Beside, Parcel};

/// Runs one instance of a class in the child: decodes it from its parcel, calls `run`, encodes the answer.
pub(crate) type Runner = fn(&[u8], Beside) -> Result<Parcel, Failure>;

/// What the registry knows of one process class. Built by `#[derive(Process)]`.
#[derive(Debug)]
pub struct Class {
    /// `package::module_path::Ident`, or what `#[process(name = "…")]` says: equal in every build of the program.
    pub key: &'static str,
    /// What names of its processes begin with, as in `Downloader-1`.
    pub name: &'static str,
    /// A hash of the type's definition, to tell two versions of a class apart.
    pub schema: u64,
    /// Where the class is defined: the file.
    pub file: &'static str,
    /// Where the class is defined: the line.
    pub line: u32,
    /// `#[process(daemon)]`.
    pub daemon: Option<bool>,
    /// `#[process(start_method = "…")]`.
    pub start_method: Option<StartMethod>,
    /// The entry point.
    pub run: Runner,
}

/// One registry entry.
#[derive(Debug)]
pub struct Entry(pub &'static Class);

inventory::collect!(Entry);

/// The class of a key.
pub(crate) fn find(key: &str) -> Option<&'static Class> {
    inventory::iter::<Entry>.into_iter().map(|Entry(class)| *class).find(|class| class.key == key)
}

/// Refuses a class whose key another class has too.
pub(crate) fn check_unique(class: &'static Class) -> Result<(), StartError> {
    let of_that_key = inventory::iter::<Entry>.into_iter().map(|Entry(class)| *class);
    let other = of_that_key.filter(|other| other.key == class.key).find(|other| !same_place(other, class));
    let Some(other) = other else { return Ok(()) };
    Err(StartError::DuplicateClass {
        key: class.key.into(),
        first: format!("{}:{}", class.file, class.line),
        second: format!("{}:{}", other.file, other.line),
    })
}

/// One `const` may stand at several addresses, so two are told apart by what they say.
fn same_place(one: &Class, other: &Class) -> bool {
    (one.file, one.line, one.schema) == (other.file, other.line, other.schema)
}
