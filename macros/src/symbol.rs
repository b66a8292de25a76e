//! The words that the attributes are made of, each spelled once.

use syn::{Ident, Path};

/// One word of an attribute, comparable with what the user wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Symbol(pub(crate) &'static str);

pub(crate) const CRATE: Symbol = Symbol("crate");
pub(crate) const DAEMON: Symbol = Symbol("daemon");
pub(crate) const INSTANCES: Symbol = Symbol("instances");
pub(crate) const NAME: Symbol = Symbol("name");
pub(crate) const PROCESS: Symbol = Symbol("process");
pub(crate) const SHAREABLE: Symbol = Symbol("shareable");
pub(crate) const START_METHOD: Symbol = Symbol("start_method");

impl PartialEq<Symbol> for Ident {
    fn eq(&self, word: &Symbol) -> bool {
        self == word.0
    }
}

impl PartialEq<Symbol> for Path {
    fn eq(&self, word: &Symbol) -> bool {
        self.is_ident(word.0)
    }
}
