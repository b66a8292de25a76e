//! The function below `#[offspring::main]` or `#[offspring::test]`: its head parsed, its body as the user wrote it.

use crate::ctxt::Ctxt;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt as _, quote};
use syn::parse::{Parse, ParseStream, Result};
use syn::{Attribute, Safety, Signature, Visibility};

/// A function whose body stays tokens: it is neither looked into nor laid out anew.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Group,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        Ok(Function {
            attrs: input.call(Attribute::parse_outer)?,
            vis: input.parse()?,
            sig: input.parse()?,
            body: match input.parse()? {
                TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => body,
                other => {
                    return Err(syn::Error::new_spanned(other, "expected the body of a function"));
                }
            },
        })
    }
}

impl Function {
    /// Adds an error for each part of the head that neither `main` nor a test can have, but `async`.
    pub(crate) fn check_head(&self, cx: &Ctxt, instead_of_parameters: &str) {
        let (sig, name) = (&self.sig, &self.sig.ident);
        if !sig.inputs.is_empty() || sig.variadic.is_some() {
            let (inputs, variadic) = (&sig.inputs, &sig.variadic);
            cx.error(
                quote!(#inputs #variadic),
                format!(
                    "nobody can give `{name}` arguments: remove the parameters, and {instead_of_parameters}"
                ),
            );
        }
        if !sig.generics.params.is_empty() {
            let generics = crate::schema::text(sig.generics.to_token_stream());
            cx.error(
                &sig.generics,
                format!("nobody can choose the types of a generic `{name}`: remove `{generics}`, and use concrete types"),
            );
        }
        if let Some(token) = &sig.constness {
            cx.error(token, format!("`{name}` runs once and never at compile time: remove `const`"));
        }
        if let Safety::Unsafe(token) = &sig.safety {
            cx.error(
                token,
                format!("`{name}` is called by safe code: remove `unsafe`, and write `unsafe {{ .. }}` in its body"),
            );
        }
        if let Some(abi) = &sig.abi {
            let written = crate::schema::text(abi.to_token_stream());
            cx.error(abi, format!("`{name}` is called by Rust code: remove `{written}`"));
        }
    }

    /// Whether an attribute other than those of the language is below, which may turn `async fn` into `fn`.
    pub(crate) fn has_macro(&self) -> bool {
        self.attrs.iter().any(is_macro)
    }

    /// The body with a statement before all others.
    ///
    /// What the user wrote stays a block of its own, so that it may begin with items; its inner attributes, which
    /// have to come first in a function, move out of that block.
    pub(crate) fn guarded_body(&self, guard: &TokenStream) -> Group {
        let mut rest: Vec<TokenTree> = self.body.stream().into_iter().collect();
        let mut inner = TokenStream::new();
        while let [TokenTree::Punct(pound), TokenTree::Punct(bang), TokenTree::Group(_), ..] = &rest[..] {
            if pound.as_char() != '#' || bang.as_char() != '!' {
                break;
            }
            inner.append_all(rest.drain(..3));
        }
        let mut body = Group::new(Delimiter::Brace, rest.into_iter().collect());
        body.set_span(self.body.span());
        let mut guarded = Group::new(Delimiter::Brace, quote!(#inner #guard #body));
        guarded.set_span(self.body.span());
        guarded
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(&self.attrs);
        self.vis.to_tokens(tokens);
        self.sig.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}

/// Whether an attribute applies to an item as it is, whatever the item becomes: lint levels, documentation, `cfg`.
pub(crate) fn is_of_the_item(attr: &Attribute) -> bool {
    const WORDS: [&str; 7] = ["allow", "cfg", "deny", "doc", "expect", "forbid", "warn"];
    WORDS.iter().any(|word| attr.path().is_ident(word))
}

/// Whether an attribute may be a macro: it is none of the language's and of no tool.
fn is_macro(attr: &Attribute) -> bool {
    const WORDS: [&str; 6] = ["cold", "deprecated", "inline", "must_use", "no_mangle", "track_caller"];
    const TOOLS: [&str; 4] = ["clippy", "diagnostic", "miri", "rustfmt"];
    let path = attr.path();
    let of_a_tool = path.segments.first().is_some_and(|first| TOOLS.iter().any(|tool| first.ident == tool));
    !is_of_the_item(attr) && !of_a_tool && !WORDS.iter().any(|word| path.is_ident(word))
}
