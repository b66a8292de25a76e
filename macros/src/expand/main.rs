//! `#[offspring::main]`: a child of this program turns off before the body of `main`.

use crate::attr::{arguments, runtime};
use crate::ctxt::Ctxt;
use crate::function::{Function, is_of_the_item};
use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{Attribute, Path};

/// The whole attribute.
pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    let cx = Ctxt::new();
    let krate = arguments(&cx, args, "main");
    let Ok(function) = syn::parse2::<Function>(item.clone()) else {
        cx.error(item, "`#[offspring::main]` belongs on a function: put it above `fn main() { .. }`");
        let errors = cx.check().err();
        return quote!(#errors #item);
    };
    check(&cx, &function);
    match cx.check() {
        Ok(()) => guard(function, &runtime(&krate)),
        Err(errors) => fallback(&errors, &function),
    }
}

fn check(cx: &Ctxt, function: &Function) {
    let (sig, name) = (&function.sig, &function.sig.ident);
    if name != "main" {
        cx.error(
            name,
            format!("`#[offspring::main]` belongs on `fn main`: remove it from `{name}`, and call `offspring::init()` first in its body if a program starts there"),
        );
    }
    function.check_head(cx, "read `std::env::args()` in the body");
    if sig.asyncness.is_some() && !function.has_macro() {
        cx.error(
            sig.asyncness,
            "an async `main` needs a runtime: put one below `#[offspring::main]`, for example `#[tokio::main]`",
        );
    }
}

/// Calls `init` first.
///
/// Where another macro is below, what it makes of the function is called after that, so that a child starts no
/// runtime of the parent's. The inner function is called `main` too, for there are macros that insist on the name.
fn guard(mut function: Function, krate: &Path) -> TokenStream {
    let init = quote!(#krate::init(););
    if !function.has_macro() {
        let Function { attrs, vis, sig, .. } = &function;
        let body = function.guarded_body(&init);
        return quote!(#(#attrs)* #vis #sig #body);
    }
    let (outer, inner): (Vec<Attribute>, _) = function.attrs.drain(..).partition(is_of_the_item);
    let Function { vis, sig, body, .. } = &function;
    let mut sync = sig.clone();
    sync.asyncness = None;
    let name = &sig.ident;
    quote! {
        #(#outer)*
        #vis #sync {
            #(#inner)*
            #sig #body
            #init
            #name()
        }
    }
}

/// A `main` without a guard around what the user wrote: the program has a `main`, and its body is checked.
fn fallback(errors: &TokenStream, function: &Function) -> TokenStream {
    if function.sig.ident != "main" {
        let function = function.to_token_stream();
        return quote!(#errors #function);
    }
    quote! {
        #errors
        fn main() {
            #[allow(dead_code)]
            #function
        }
    }
}

#[cfg(test)]
mod tests {
    use super::expand;
    use proc_macro2::TokenStream;
    use quote::quote;

    fn main(item: &TokenStream) -> String {
        expand(TokenStream::new(), item).to_string()
    }

    #[test]
    fn a_plain_main_calls_the_guard_first() {
        let expected = quote! {
            #[inline]
            fn main() -> u8 {
                #![allow(unused)]
                ::offspring::init();
                { body() }
            }
        };
        let item = quote!(
            #[inline]
            fn main() -> u8 {
                #![allow(unused)]
                body()
            }
        );
        assert_eq!(main(&item), expected.to_string());
    }

    #[test]
    fn the_guard_runs_before_the_runtime_of_an_async_main() {
        let expected = quote! {
            #[doc = "Docs."]
            #[cfg(unix)]
            fn main() -> u8 {
                #[tokio::main(flavor = "current_thread")]
                #[inline]
                async fn main() -> u8 { body().await }
                ::offspring::init();
                main()
            }
        };
        let item = quote! {
            #[doc = "Docs."]
            #[tokio::main(flavor = "current_thread")]
            #[cfg(unix)]
            #[inline]
            async fn main() -> u8 { body().await }
        };
        assert_eq!(main(&item), expected.to_string());
    }

    #[test]
    fn attributes_of_the_language_are_no_runtime() {
        let item = quote!(
            #[inline] #[allow(unused)] #[rustfmt::skip] async fn main() {}
        );
        assert!(main(&item).contains("needs a runtime"));
        let item = quote!(
            #[cfg_attr(feature = "async", tokio::main)]
            async fn main() {}
        );
        assert!(!main(&item).contains("compile_error"));
    }
}
