//! `#[derive(Shareable)]`: has the compiler check each field, and implements the trait.

use crate::ast::{Input, Kind};
use crate::attr::{Slot, runtime, shareable};
use crate::ctxt::Ctxt;
use crate::layout;
use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{DeriveInput, Generics, Member, Path, parse_quote};

/// The whole derive.
pub(crate) fn derive(definition: TokenStream) -> TokenStream {
    let definition: DeriveInput = match syn::parse2(definition) {
        Ok(definition) => definition,
        Err(error) => return error.to_compile_error(),
    };
    let cx = Ctxt::new();
    let input = Input::from_syn(&definition);
    let krate = shareable(&cx, &input);
    layout::check(&cx, &input);
    if let Err(errors) = cx.check() {
        let fallback = fallback(&input, &krate);
        return quote!(#errors #fallback);
    }
    let krate = runtime(&krate);
    let generics = bounded(&input, &krate);
    let (fields, no_drop) = (fields(&input, &generics, &krate), no_drop(&input, &generics));
    let implementation = implementation(&input, &generics, &krate);
    quote! {
        #[allow(deprecated, clippy::absolute_paths)]
        const _: () = {
            #fields
            #no_drop
            #implementation
        };
    }
}

/// The generics of the type, each of whose types is shareable.
fn bounded(input: &Input<'_>, krate: &Path) -> Generics {
    let mut generics = input.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(#krate::Shareable));
    }
    generics
}

/// Takes a value apart, and asks of each part that it is shareable: an error is at the type of the field. It also shows that the
/// fields are these and no others, whatever another macro may have made of the definition.
fn fields(input: &Input<'_>, generics: &Generics, krate: &Path) -> TokenStream {
    if input.kind != Kind::Struct {
        return TokenStream::new();
    }
    let ident = input.ident;
    let (parameters, arguments, bounds) = generics.split_for_impl();
    let members = input.fields.iter().enumerate().map(|(index, field)| match &field.ident {
        Some(name) => Member::Named(name.clone()),
        None => Member::from(index),
    });
    let parts: Vec<_> = (0..input.fields.len()).map(|index| format_ident!("part_{index}")).collect();
    let checks = input.fields.iter().zip(&parts).map(|(field, part)| {
        let ty = &field.ty;
        quote_spanned!(ty.span()=> shareable::<#ty>(#part);)
    });
    quote! {
        fn shareable<T: #krate::Shareable>(_: T) {}

        #[allow(dead_code)]
        fn fields #parameters (value: #ident #arguments) #bounds {
            let #ident { #(#members: #parts),* } = value;
            #(#checks)*
        }
    }
}

/// Two implementations of one trait, if the type implements `Drop`: an error that names the trait.
fn no_drop(input: &Input<'_>, generics: &Generics) -> TokenStream {
    let ident = input.ident;
    let (parameters, arguments, bounds) = generics.split_for_impl();
    quote! {
        #[allow(dead_code)]
        trait WhatProcessesShareCannotImplementDrop {}
        #[allow(drop_bounds)]
        impl<T: ::core::ops::Drop> WhatProcessesShareCannotImplementDrop for T {}
        impl #parameters WhatProcessesShareCannotImplementDrop for #ident #arguments #bounds {}
    }
}

fn implementation(input: &Input<'_>, generics: &Generics, krate: &Path) -> TokenStream {
    let ident = input.ident;
    let (parameters, arguments, bounds) = generics.split_for_impl();
    quote! {
        // SAFETY: the layout is fixed and each field shareable, or all of it is one byte, as was checked; nothing is dropped.
        #[automatically_derived]
        unsafe impl #parameters #krate::Shareable for #ident #arguments #bounds {}
    }
}

/// Beside errors: believes of the type what it claims, so that its uses are no errors too; nothing where that is not possible.
fn fallback(input: &Input<'_>, krate: &Slot<Path>) -> TokenStream {
    let borrows = input.lifetimes().next().is_some() || !layout::borrows(input).is_empty();
    if borrows || krate.is_wrong() {
        return TokenStream::new();
    }
    let krate = runtime(krate);
    let mut generics = bounded(input, &krate);
    let (ident, fields) = (input.ident, &input.generics);
    let (_, arguments, _) = fields.split_for_impl();
    let claim = parse_quote!(#ident #arguments: ::core::marker::Send + ::core::marker::Sync + 'static);
    if generics.params.is_empty() {
        return implementation(input, &generics, &krate);
    }
    generics.make_where_clause().predicates.push(claim);
    implementation(input, &generics, &krate)
}
