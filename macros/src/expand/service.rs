//! `#[offspring::service]`: a proxy type beside an `impl` block, and the way of its calls to the methods.

use crate::attr::{arguments, runtime};
use crate::ctxt::Ctxt;
use crate::schema::{hash, text};
use proc_macro2::TokenStream;
use quote::{ToTokens as _, format_ident, quote};
use syn::visit::Visit;
use syn::{
    Attribute, FnArg, GenericParam, Ident, ImplItem, ImplItemFn, ItemImpl, Pat, Path, ReturnType, Type,
    TypePath, Visibility,
};

/// The whole attribute.
pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    let cx = Ctxt::new();
    let krate = arguments(&cx, args, "service");
    let Ok(block) = syn::parse2::<ItemImpl>(item.clone()) else {
        cx.error(
            item,
            "`#[offspring::service]` belongs on the methods of a type: put it above `impl Type { .. }`",
        );
        let errors = cx.check().err();
        return quote!(#errors #item);
    };
    let name = check(&cx, &block);
    let methods: Vec<Method<'_>> = block.items.iter().filter_map(|item| method(&cx, item)).collect();
    if methods.is_empty() && name.is_some() {
        cx.error(
            &block.self_ty,
            "nothing here can be called from other processes: write a method `pub fn name(&self, ..)`",
        );
    }
    let numbers = || (0_u32..).zip(&methods);
    match (cx.check(), name) {
        (Ok(()), Some(name)) => {
            let krate = runtime(&krate);
            let calls = numbers().map(|(number, method)| call(method, &methods, number, &krate)).collect();
            let arms = numbers().map(|(number, method)| arm(method, number, &krate)).collect();
            let made = write(&block, name, &methods, &Bodies { calls, arms }, &krate);
            let mut block = block.clone();
            block.attrs.retain(|attr| !attr.path().is_ident("doc")); // the proxy has them
            // `pub` says what a proxy has, whoever reaches the type, and what travels comes by value.
            quote!(#[allow(unreachable_pub, clippy::needless_pass_by_value, clippy::unused_self)] #block #made)
        }
        (errors, name) => {
            let errors = errors.err();
            // A proxy that can be named and called, but does nothing, so that one mistake does not cause a row of others.
            let made = name.filter(|_| block.generics.lifetimes().next().is_none() && !krate.is_wrong());
            let made = made.map(|name| {
                let krate = runtime(&krate);
                let calls = block.items.iter().filter_map(|item| believed(item, &block, &krate)).collect();
                write(&block, name, &methods, &Bodies { calls, arms: Vec::new() }, &krate)
            });
            quote!(#errors #block #made)
        }
    }
}

/// What the proxy and the server do for each method.
struct Bodies {
    calls: Vec<TokenStream>,
    arms: Vec<TokenStream>,
}

/// The name of the type.
fn check<'a>(cx: &Ctxt, block: &'a ItemImpl) -> Option<&'a Ident> {
    for parameter in &block.generics.params {
        if let GenericParam::Lifetime(lifetime) = parameter {
            cx.error(lifetime, "an object lives at its server, away from what it could borrow: own the data");
        }
    }
    if block.trait_.is_some() {
        cx.error(
            &block.self_ty,
            "a service has methods of its own, not those of a trait: put the attribute above `impl Type { .. }`",
        );
        return None;
    }
    match &*block.self_ty {
        Type::Path(TypePath { qself: None, path, .. }) => path.segments.last().map(|last| &last.ident),
        other => {
            cx.error(other, "only a type with a name can be a service: put it into a struct");
            None
        }
    }
}

/// A method that proxies have.
struct Method<'a> {
    item: &'a ImplItemFn,
    exclusive: bool,
    names: Vec<&'a Ident>,
    types: Vec<&'a Type>,
}

impl Method<'_> {
    fn output(&self) -> TokenStream {
        match &self.item.sig.output {
            ReturnType::Default => quote!(()),
            ReturnType::Type(_, output) => output.to_token_stream(),
        }
    }
}

fn method<'a>(cx: &Ctxt, item: &'a ImplItem) -> Option<Method<'a>> {
    let ImplItem::Fn(item) = item else { return None };
    let sig = &item.sig;
    let mut inputs = sig.inputs.iter();
    // What is private, and what has no object, is the type's own.
    let (Visibility::Public(_), Some(FnArg::Receiver(receiver))) = (&item.vis, inputs.next()) else {
        return None;
    };
    let name = &sig.ident;
    let taken = text(receiver.to_token_stream());
    if taken != "&self" && taken != "&mut self" {
        cx.error(
            receiver,
            format!("the object stays at its server when `{name}` is called: take `&self` or `&mut self`, or remove `pub`"),
        );
    }
    if OWN.iter().any(|own| name == own) {
        cx.error(name, format!("every proxy has a `{name}` of its own: give the method another name"));
    }
    if !sig.generics.params.is_empty() {
        let generics = text(sig.generics.to_token_stream());
        cx.error(
            &sig.generics,
            format!("a call travels to one method, not to one of many: remove `{generics}` from `{name}`, and use concrete types"),
        );
    }
    let (mut names, mut types) = (Vec::new(), Vec::new());
    for input in inputs {
        let FnArg::Typed(argument) = input else { continue };
        match &*argument.pat {
            Pat::Ident(pattern) if pattern.subpat.is_none() && pattern.by_ref.is_none() => {
                names.push(&pattern.ident);
            }
            pattern => cx.error(pattern, "an argument needs a name here: take it apart in the body"),
        }
        refuse_borrowed(
            cx,
            &argument.ty,
            "an argument travels to the server: own it, with a `String` or a `Vec`",
        );
        types.push(&*argument.ty);
    }
    if let ReturnType::Type(_, output) = &sig.output {
        refuse_borrowed(
            cx,
            output,
            "a result travels to the caller: own it, with a `String`, a `Vec` or `.clone()`",
        );
    }
    Some(Method { item, exclusive: taken == "&mut self", names, types })
}

fn refuse_borrowed(cx: &Ctxt, ty: &Type, why: &str) {
    struct Borrowed<'a>(&'a Ctxt, &'a str);
    impl<'ast> Visit<'ast> for Borrowed<'_> {
        fn visit_type(&mut self, ty: &'ast Type) {
            match ty {
                Type::Reference(_) | Type::Ptr(_) => self.0.error(ty, self.1),
                Type::ImplTrait(_) => {
                    self.0.error(ty, "what travels has a type that both sides name: name it");
                }
                _ => syn::visit::visit_type(self, ty),
            }
        }
    }
    Borrowed(cx, why).visit_type(ty);
}

/// Names that every proxy has.
const OWN: [&str; 2] = ["with_timeout", "with_cancel"];

/// A method of the proxy beside errors: it takes and returns what the method says, right or wrong. Nothing where that cannot be written.
fn believed(item: &ImplItem, block: &ItemImpl, krate: &Path) -> Option<TokenStream> {
    struct Hidden(bool);
    impl<'ast> Visit<'ast> for Hidden {
        fn visit_type_impl_trait(&mut self, _: &'ast syn::TypeImplTrait) {
            self.0 = true;
        }
    }
    let ImplItem::Fn(ImplItemFn { attrs, vis: Visibility::Public(_), sig, .. }) = item else { return None };
    let name = &sig.ident;
    let mut hidden = Hidden(false);
    hidden.visit_return_type(&sig.output);
    if sig.receiver().is_none() || hidden.0 || OWN.iter().any(|own| name == own) {
        return None;
    }
    let arguments = (0..).zip(sig.inputs.iter().skip(1)).filter_map(|(number, argument)| match argument {
        FnArg::Typed(argument) => {
            let (name, ty) = (format_ident!("argument_{number}", span = name.span()), &argument.ty);
            Some(quote!(#name: #ty))
        }
        FnArg::Receiver(_) => None,
    });
    let arguments: Vec<_> = arguments.collect();
    let output = match &sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, output) => output.to_token_stream(),
    };
    let (parameters, _, bounds) = sig.generics.split_for_impl();
    let kept: Vec<&Attribute> = attrs.iter().filter(|attr| attr.path().is_ident("cfg")).collect();
    let start = format_ident!("start_{name}");
    let is_taken = |item: &ImplItem| matches!(item, ImplItem::Fn(item) if item.sig.ident == start);
    let result = quote!(::core::result::Result);
    let why = "the service has an error, which the compiler reports";
    let started = (!block.items.iter().any(is_taken)).then(|| {
        quote! {
            #(#kept)*
            pub fn #start #parameters (
                &self, #(#arguments),*
            ) -> #result<#krate::manager::Pending<#output>, #krate::CallError> #bounds {
                ::core::panic!(#why)
            }
        }
    });
    Some(quote! {
        #(#kept)*
        pub fn #name #parameters (&self, #(#arguments),*) -> #result<#output, #krate::CallError> #bounds {
            ::core::panic!(#why)
        }
        #started
    })
}

fn write(
    block: &ItemImpl,
    name: &Ident,
    methods: &[Method<'_>],
    Bodies { calls, arms }: &Bodies,
    krate: &Path,
) -> TokenStream {
    let proxy = format_ident!("{name}Proxy");
    let this = &block.self_ty;
    let (parameters, arguments, bounds) = block.generics.split_for_impl();
    let types = block.generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Type(parameter) => Some(&parameter.ident),
        _ => None,
    });
    let plain = block.generics.params.iter().map(|parameter| match parameter {
        GenericParam::Type(parameter) => parameter.ident.to_token_stream(),
        other => other.to_token_stream(),
    });
    let whole = block.generics.params.iter();
    let schema = hash(methods.iter().map(|method| method.item.sig.to_token_stream()).collect());
    let private = quote!(#krate::__private);
    let told = format!(
        "Stands for a [`{}`] at its server: has the methods of one, for all processes. See [`offspring::manager`]({krate}::manager).",
        text(this.to_token_stream()).split('<').next().unwrap_or_default(),
        krate = text(krate.to_token_stream()),
    );
    // What is said of the methods is said of the proxy.
    let own: Vec<_> = block.attrs.iter().filter(|attr| attr.path().is_ident("doc")).collect();
    let docs = if own.is_empty() { quote!(#[doc = #told]) } else { quote!(#(#own)*) };
    let allowed = quote! {
        #[allow(private_interfaces, private_bounds, unreachable_pub, dead_code, unused_variables, clippy::all, clippy::pedantic, clippy::absolute_paths)]
    };
    quote! {
        #docs
        #allowed
        pub struct #proxy<#(#plain),*>(#private::Stub, ::core::marker::PhantomData<fn() -> (#(#types,)*)>);

        #allowed
        impl #parameters #proxy #arguments #bounds {
            #(#calls)*
        }

        #allowed
        const _: () = {
            #[automatically_derived]
            impl #parameters #krate::manager::Service for #this #bounds {
                type Proxy = #proxy #arguments;
                const SCHEMA: u64 = #schema;
                fn dispatch(
                    object: &::std::sync::RwLock<Self>,
                    call: &mut #private::Invocation<'_>,
                ) -> ::core::result::Result<(), #private::Fault> {
                    match call.method() {
                        #(#arms)*
                        _ => ::core::result::Result::Err(#private::Fault::UnknownMethod),
                    }
                }
            }

            #[automatically_derived]
            impl #parameters #krate::manager::Proxy for #proxy #arguments #bounds {
                fn service() -> u64 {
                    #private::fingerprint::<#this>()
                }
                fn stub(&self) -> &#private::Stub {
                    &self.0
                }
                fn from_stub(stub: #private::Stub) -> Self {
                    Self(stub, ::core::marker::PhantomData)
                }
            }

            #[automatically_derived]
            impl #parameters ::core::clone::Clone for #proxy #arguments #bounds {
                fn clone(&self) -> Self {
                    Self(::core::clone::Clone::clone(&self.0), ::core::marker::PhantomData)
                }
            }

            #[automatically_derived]
            impl #parameters ::core::fmt::Debug for #proxy #arguments #bounds {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    ::core::fmt::Debug::fmt(&self.0, f)
                }
            }

            #[automatically_derived]
            impl #parameters #private::serde::Serialize for #proxy #arguments #bounds {
                fn serialize<__S: #private::serde::Serializer>(
                    &self,
                    serializer: __S,
                ) -> ::core::result::Result<__S::Ok, __S::Error> {
                    #private::serde::Serialize::serialize(&self.0, serializer)
                }
            }

            #[automatically_derived]
            impl<'de, #(#whole),*> #private::serde::Deserialize<'de> for #proxy #arguments #bounds {
                fn deserialize<__D: #private::serde::Deserializer<'de>>(
                    deserializer: __D,
                ) -> ::core::result::Result<Self, __D::Error> {
                    let stub = #private::Stub::decode::<Self, __D>(deserializer)?;
                    ::core::result::Result::Ok(Self(stub, ::core::marker::PhantomData))
                }
            }
        };
    }
}

/// A method of the proxy.
fn call(method: &Method<'_>, methods: &[Method<'_>], number: u32, krate: &Path) -> TokenStream {
    let Method { item, names, types, .. } = method;
    let name = &item.sig.ident;
    let output = method.output();
    let is_kept =
        |attr: &&Attribute| ["doc", "cfg", "deprecated"].iter().any(|word| attr.path().is_ident(word));
    let kept: Vec<&Attribute> = item.attrs.iter().filter(is_kept).collect();
    let errors = format!(
        "\n# Errors\nWhen the call did not get there or back: see [`CallError`]({}::CallError).",
        text(krate.to_token_stream())
    );
    // What the type has itself stands for itself.
    let start = format_ident!("start_{name}");
    let started = (!methods.iter().any(|other| other.item.sig.ident == start)).then(|| {
        let told = format!(
            "Starts [`{name}`](Self::{name}), whose result is waited for later.\n\n# Errors\nAs there, if the call could not be sent."
        );
        let kept = kept.iter().filter(|attr| !attr.path().is_ident("doc"));
        quote! {
            #(#kept)*
            #[doc = #told]
            pub fn #start(
                &self, #(#names: #types),*
            ) -> ::core::result::Result<#krate::manager::Pending<#output>, #krate::CallError> {
                self.0.start(#number, &(#(#names,)*))
            }
        }
    });
    quote! {
        #(#kept)*
        #[doc = #errors]
        pub fn #name(&self, #(#names: #types),*) -> ::core::result::Result<#output, #krate::CallError> {
            self.0.call(#number, &(#(#names,)*))
        }
        #started
    }
}

/// How the server does it.
fn arm(method: &Method<'_>, number: u32, krate: &Path) -> TokenStream {
    let Method { item, names, types, exclusive } = method;
    let name = &item.sig.ident;
    let output = method.output();
    let (lock, object) = if *exclusive {
        (quote!(exclusively), quote!(&mut *__object))
    } else {
        (quote!(shared), quote!(&*__object))
    };
    let mut called = quote!(Self::#name(#object, #(#names),*));
    if item.sig.asyncness.is_some() {
        called = quote!(#krate::__private::block_on(#called));
    }
    let binding = if *exclusive { quote!(mut __object) } else { quote!(__object) };
    quote! {
        #number => {
            let (#(#names,)*): (#(#types,)*) = call.arguments()?;
            // The lock is free again before the result is encoded.
            let __result: #output = {
                let #binding = #krate::__private::#lock(object)?;
                #called
            };
            call.returns(&__result)
        }
    }
}
