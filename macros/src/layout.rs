//! What a type must be to lie in memory that processes share, as far as its definition shows: the compiler sees to the
//! types of its fields.

use crate::ast::{Input, Kind};
use crate::borrow::{self, Borrow};
use crate::ctxt::Ctxt;
use crate::schema::text;
use crate::symbol::SHAREABLE;
use quote::ToTokens as _;
use syn::Fields;
use syn::ext::IdentExt as _;

/// Adds an error for each reason why processes cannot share the type.
pub(crate) fn check(cx: &Ctxt, input: &Input<'_>) {
    attributes_are_on_the_type(cx, input);
    it_points_nowhere(cx, input);
    match input.kind {
        Kind::Struct => its_layout_is_fixed(cx, input),
        Kind::Enum => it_is_one_byte(cx, input),
        Kind::Union => cx.error(
            input.ident,
            "a union cannot lie in memory that processes share, for nothing tells the others which of its fields was written: write a `#[repr(C)]` struct with a field for each",
        ),
    }
}

fn attributes_are_on_the_type(cx: &Ctxt, input: &Input<'_>) {
    let of_variants = input.variants.iter().flat_map(|variant| &variant.attrs);
    let of_fields = input.fields.iter().flat_map(|field| &field.attrs);
    for attr in of_variants.chain(of_fields).filter(|attr| *attr.path() == SHAREABLE) {
        let (keyword, name) = (input.kind.keyword(), input.name());
        cx.error(attr, format!("`#[shareable(..)]` belongs on the type: move it above `{keyword} {name}`"));
    }
}

/// The borrows in the fields. Nothing excuses one, as serde may in a process class: the field is in the memory itself.
pub(crate) fn borrows<'a>(input: &Input<'a>) -> Vec<Borrow<'a>> {
    let mut found = Vec::new();
    input.fields.iter().for_each(|field| borrow::in_type(&field.ty, &mut found));
    found
}

fn it_points_nowhere(cx: &Ctxt, input: &Input<'_>) {
    for parameter in input.lifetimes() {
        let lifetime = &parameter.lifetime;
        cx.error(
            lifetime,
            format!("what processes share cannot borrow from one of them: hold the values themselves, and remove `{lifetime}`"),
        );
    }
    for borrow in borrows(input) {
        let (at, instead) = match borrow {
            Borrow::Reference(reference) => {
                let lifetime = reference.lifetime.as_ref();
                if input.lifetimes().any(|parameter| Some(&parameter.lifetime) == lifetime) {
                    continue; // the parameter is reported, once for all that it is used for
                }
                let target = text(reference.elem.to_token_stream());
                let instead = match target.as_str() {
                    "str" => "the text itself, e.g. `[u8; 64]`".to_owned(),
                    list if list.starts_with('[') && !list.contains(';') => {
                        format!("the elements themselves, e.g. `[{}; 64]`", &list[1..list.len() - 1])
                    }
                    value => format!("the value itself, `{value}`"),
                };
                (reference.to_token_stream(), instead)
            }
            Borrow::Pointer(pointer) => {
                let target = text(pointer.elem.to_token_stream());
                (
                    pointer.to_token_stream(),
                    format!("the value itself, `{target}`, or an index such as `u32`"),
                )
            }
        };
        let written = text(at.clone());
        cx.error(
            at,
            format!("`{written}` is an address, which means nothing in another process: hold {instead}"),
        );
    }
}

fn its_layout_is_fixed(cx: &Ctxt, input: &Input<'_>) {
    let words = repr(cx, input);
    if !words.iter().any(|word| word == "C" || word == "transparent") {
        let name = input.name();
        cx.error(
            input.ident,
            format!("the layout of `{name}` is up to the compiler, and processes that share it must agree: write `#[repr(C)]` above it"),
        );
    }
}

fn it_is_one_byte(cx: &Ctxt, input: &Input<'_>) {
    const HALF: &str = "and a process that is killed while it writes one leaves half of it";
    for variant in input.variants.iter().filter(|variant| !matches!(variant.fields, Fields::Unit)) {
        let name = variant.ident.unraw();
        cx.error(
            variant,
            format!("the variant `{name}` has fields, {HALF}: write a `#[repr(C)]` struct with a field for each, and an enum without fields to tell which are in use"),
        );
    }
    let (name, words) = (input.name(), repr(cx, input));
    let size: Vec<&String> = words.iter().filter(|word| !word.starts_with("align")).collect();
    match size[..] {
        [word] if word == "u8" || word == "i8" => {}
        [] => cx.error(
            input.ident,
            format!("the size of `{name}` is up to the compiler, and processes that share it must agree: write `#[repr(u8)]` above it"),
        ),
        _ => {
            let written = words.join(", ");
            cx.error(
                input.ident,
                format!("with `#[repr({written})]` a value of `{name}` is more than one byte, {HALF}: write `#[repr(u8)]`"),
            );
        }
    }
}

/// The words of all `#[repr(..)]` attributes.
fn repr(cx: &Ctxt, input: &Input<'_>) -> Vec<String> {
    let mut words = Vec::new();
    for attr in input.attrs.iter().filter(|attr| attr.path().is_ident("repr")) {
        let read = attr.parse_nested_meta(|meta| {
            words.push(text(meta.path.to_token_stream()));
            if meta.input.peek(syn::token::Paren) {
                let content;
                syn::parenthesized!(content in meta.input);
                content.parse::<proc_macro2::TokenStream>()?;
            }
            Ok(())
        });
        cx.keep(read);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::ast::Input;
    use crate::ctxt::Ctxt;
    use syn::{DeriveInput, parse_quote};

    /// The errors of a definition as one text.
    fn errors(definition: &DeriveInput) -> String {
        let cx = Ctxt::new();
        check(&cx, &Input::from_syn(definition));
        cx.check().err().unwrap_or_default().to_string()
    }

    #[test]
    fn the_layout_may_be_said_in_several_attributes() {
        let definition = parse_quote!(
            #[repr(align(64))]
            #[repr(C, packed(4))]
            struct Pair(u32, u64);
        );
        assert_eq!(errors(&definition), "");
    }

    #[test]
    fn alignment_alone_is_no_layout() {
        let definition = parse_quote!(
            #[repr(align(64))]
            struct Pair(u32, u64);
        );
        assert!(errors(&definition).contains("`#[repr(C)]`"));
    }

    #[test]
    fn an_enum_is_one_byte() {
        let with = |repr: &str| {
            let repr: proc_macro2::TokenStream = repr.parse().unwrap();
            errors(&parse_quote!(
                #[repr(#repr)]
                enum Stage {
                    A,
                    B,
                }
            ))
        };
        assert_eq!(with("u8") + &with("i8"), "");
        assert!(with("C").contains("more than one byte") && with("C, u8").contains("more than one byte"));
        assert!(with("u16").contains("write `#[repr(u8)]`"));
    }
}
