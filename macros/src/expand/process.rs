//! `#[derive(Process)]`: implements the trait and enters the class into the registry.

use crate::ast::Input;
use crate::attr::{Attrs, StartMethod, runtime};
use crate::check::check;
use crate::ctxt::Ctxt;
use crate::{fallback, instance, schema};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{DeriveInput, Path};

/// The whole derive.
pub(crate) fn derive(definition: TokenStream) -> TokenStream {
    let schema = schema::hash(definition.clone());
    let definition: DeriveInput = match syn::parse2(definition) {
        Ok(definition) => definition,
        Err(error) => return error.to_compile_error(),
    };
    let cx = Ctxt::new();
    let input = Input::from_syn(&definition);
    let attrs = Attrs::read(&cx, &input);
    check(&cx, &input, &attrs);
    if let Err(errors) = cx.check() {
        let fallback = fallback::process(&input, &attrs);
        return quote!(#errors #fallback);
    }
    let class = Class { input, attrs, schema };
    match class.attrs.instances.get() {
        Some(instances) => {
            instances.iter().map(|instance| class.expand(instance, &instance::name(instance))).collect()
        }
        None => class.expand(class.input.ident, &class.input.name()),
    }
}

/// A class without errors.
struct Class<'a> {
    input: Input<'a>,
    attrs: Attrs,
    schema: u64,
}

impl Class<'_> {
    /// What one instance becomes. `called` is its name in the registry.
    fn expand(&self, instance: &dyn ToTokens, called: &str) -> TokenStream {
        let krate = runtime(&self.attrs.krate);
        let key = self.key(called);
        let name = self.name();
        let schema = self.schema;
        // The span decides which line it is.
        let line = quote_spanned!(self.input.ident.span()=> ::core::line!());
        let daemon = option(self.attrs.daemon.get());
        let start_method = self.attrs.start_method.get().map(|method| method.path(&krate));
        let start_method = option(start_method.as_ref());
        quote! {
            #[allow(deprecated, clippy::absolute_paths)]
            const _: () = {
                const __OFFSPRING_CLASS: &#krate::__private::Class = &#krate::__private::Class {
                    key: #key,
                    name: #name,
                    schema: #schema,
                    file: ::core::file!(),
                    line: #line,
                    daemon: #daemon,
                    start_method: #start_method,
                    run: #krate::__private::run::<#instance>,
                };
                #[automatically_derived]
                impl #krate::Process for #instance {
                    const CLASS: &'static #krate::__private::Class = __OFFSPRING_CLASS;
                }
                #krate::__private::inventory::submit! {
                    #krate::__private::Entry(__OFFSPRING_CLASS)
                }
            };
        }
    }

    /// What the class is found by: equal in every build of the program.
    fn key(&self, called: &str) -> TokenStream {
        if let Some(name) = self.attrs.name.get() {
            return name.to_token_stream();
        }
        match std::env::var("CARGO_PKG_NAME") {
            Ok(package) if !package.is_empty() => {
                quote!(::core::concat!(#package, "::", ::core::module_path!(), "::", #called))
            }
            _ => quote!(::core::concat!(::core::module_path!(), "::", #called)),
        }
    }

    /// What the names of its processes begin with.
    fn name(&self) -> TokenStream {
        match self.attrs.name.get() {
            Some(name) => name.to_token_stream(),
            None => self.input.name().to_token_stream(),
        }
    }
}

impl StartMethod {
    fn path(self, krate: &Path) -> TokenStream {
        match self {
            StartMethod::Spawn => quote!(#krate::StartMethod::Spawn),
            StartMethod::ForkServer => quote!(#krate::StartMethod::ForkServer),
            StartMethod::Fork => quote!(#krate::StartMethod::Fork),
        }
    }
}

fn option(value: Option<&impl ToTokens>) -> TokenStream {
    value.map_or_else(
        || quote!(::core::option::Option::None),
        |value| quote!(::core::option::Option::Some(#value)),
    )
}
