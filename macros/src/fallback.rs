//! What is emitted beside the errors, so that one mistake does not cause a row of others.
//!
//! Without the trait, each `.start()` of a class with a misspelled attribute would be an error too.

use crate::ast::{Input, Kind};
use crate::attr::{Attrs, runtime};
use crate::borrow;
use proc_macro2::TokenStream;
use quote::quote;
use syn::parse_quote;

/// An implementation of `Process` that can be named but not run; nothing where none is possible.
pub(crate) fn process(input: &Input<'_>, attrs: &Attrs) -> TokenStream {
    let borrows = input.lifetimes().next().is_some() || !borrow::in_fields(input).is_empty();
    if input.kind == Kind::Union || borrows || attrs.krate.is_wrong() {
        return TokenStream::new();
    }
    let krate = runtime(&attrs.krate);
    let ident = input.ident;
    let mut generics = input.generics.clone();
    if input.parameters().next().is_some() {
        // Which instances are processes is unknown: believe of all of them what the trait requires.
        let (_, arguments, _) = input.generics.split_for_impl();
        generics.make_where_clause().predicates.push(parse_quote! {
            #ident #arguments: #krate::Run
                + #krate::__private::serde::Serialize
                + #krate::__private::serde::de::DeserializeOwned
                + 'static
        });
    }
    let (parameters, arguments, bounds) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #parameters #krate::Process for #ident #arguments #bounds {
            const CLASS: &'static #krate::__private::Class =
                ::core::panic!("the class has an error, which the compiler reports");
        }
    }
}
