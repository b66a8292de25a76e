//! `#[offspring::test]`: a test whose children turn off before its body.

use crate::attr::{arguments, runtime};
use crate::ctxt::Ctxt;
use crate::function::Function;
use crate::schema::text;
use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{Attribute, Path};

/// The whole attribute.
pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    let cx = Ctxt::new();
    let krate = arguments(&cx, args, "test");
    let Ok(function) = syn::parse2::<Function>(item.clone()) else {
        cx.error(
            item,
            "`#[offspring::test]` belongs on a function: put it above `fn name_of_the_test() { .. }`",
        );
        let errors = cx.check().err();
        return quote!(#errors #item);
    };
    check(&cx, &function);
    match cx.check() {
        Ok(()) => guard(&function, &runtime(&krate)),
        Err(errors) => fallback(&errors, function),
    }
}

fn check(cx: &Ctxt, function: &Function) {
    const BY_HAND: &str = "write a plain `fn` that builds its runtime, e.g. `tokio::runtime::Runtime::new()?.block_on(async { .. })`";
    let is_async = function.sig.asyncness.is_some();
    let mut others = function.attrs.iter().filter(|attr| is_test(attr)).peekable();
    if is_async && others.peek().is_none() && !function.has_macro() {
        cx.error(function.sig.asyncness, format!("an async test needs a runtime: {BY_HAND}"));
    }
    for attr in others {
        let written = text(attr.meta.to_token_stream());
        let instead = if is_async { format!(", and {BY_HAND}") } else { String::new() };
        cx.error(
            attr,
            format!("`#[offspring::test]` makes a test already, and two attributes would collect it twice: remove `#[{written}]`{instead}"),
        );
    }
    function.check_head(cx, "make the values in the body");
}

/// `#[test]`, `#[tokio::test]` and their like. One that stands above was expanded before, and left no trace.
fn is_test(attr: &Attribute) -> bool {
    let last = attr.path().segments.last();
    last.is_some_and(|last| last.ident == "test")
}

/// Calls the guard first. `#[test]` comes last, so that what is above it sees the function, and may make it sync.
fn guard(function: &Function, krate: &Path) -> TokenStream {
    let Function { attrs, vis, sig, .. } = function;
    let name = sig.ident.to_string();
    let guard = quote! {
        #krate::__private::test_guard(::core::concat!(::core::module_path!(), "::", #name));
    };
    let body = function.guarded_body(&guard);
    quote! {
        #(#attrs)*
        #[::core::prelude::v1::test]
        #vis #sig #body
    }
}

/// The function, as a function that nobody calls: its body is checked, and no second test attribute is at work.
fn fallback(errors: &TokenStream, mut function: Function) -> TokenStream {
    function.attrs.retain(|attr| !is_test(attr));
    quote!(#errors #[allow(dead_code)] #function)
}
