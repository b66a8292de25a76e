//! `Ctxt`: collects the errors of one input, so that the user sees all of them at once.

use proc_macro2::TokenStream;
use quote::ToTokens;
use std::cell::RefCell;
use std::fmt::Display;
use std::thread;

/// Collects errors until [`Ctxt::check`] hands them over; panics when dropped unchecked, for then errors are lost.
pub(crate) struct Ctxt {
    /// `None` once checked.
    errors: RefCell<Option<Vec<syn::Error>>>,
}

impl Ctxt {
    pub(crate) fn new() -> Self {
        Ctxt { errors: RefCell::new(Some(Vec::new())) }
    }

    /// Adds an error that underlines all of `at`.
    pub(crate) fn error(&self, at: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(at, message));
    }

    /// Adds an error that was made elsewhere.
    pub(crate) fn push(&self, error: syn::Error) {
        self.errors.borrow_mut().as_mut().expect("no error comes after the check").push(error);
    }

    /// Keeps the value, or adds the error.
    pub(crate) fn keep<T>(&self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// The end of collecting: `Err` holds one `compile_error!` per error, in the order in which they were found.
    pub(crate) fn check(self) -> Result<(), TokenStream> {
        let errors = self.errors.take().expect("a context is checked once");
        if errors.is_empty() {
            return Ok(());
        }
        Err(errors.iter().map(syn::Error::to_compile_error).collect())
    }
}

impl Drop for Ctxt {
    fn drop(&mut self) {
        assert!(
            self.errors.borrow().is_none() || thread::panicking(),
            "the errors of a context were never checked"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::Ctxt;
    use quote::quote;

    #[test]
    fn all_errors_come_out_in_order() {
        let cx = Ctxt::new();
        cx.error(quote!(a), "first");
        cx.error(quote!(b), "second");
        let errors = cx.check().unwrap_err().to_string();
        assert!(errors.find("first").unwrap() < errors.find("second").unwrap());
    }

    #[test]
    #[should_panic(expected = "never checked")]
    fn an_unchecked_context_is_a_bug() {
        drop(Ctxt::new());
    }
}
