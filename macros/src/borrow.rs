//! References and raw pointers in a type: what cannot follow a process class into its child.

use crate::ast::Input;
use crate::schema::text;
use quote::ToTokens;
use syn::{Attribute, Field, GenericArgument, Path, PathArguments, Type, TypeReference};

/// A part of a type that means something in one address space only.
pub(crate) enum Borrow<'a> {
    Reference(&'a TypeReference),
    Pointer(&'a syn::TypePtr),
}

/// All borrows in the fields of a class, except in fields that serde is told to treat specially.
pub(crate) fn in_fields<'a>(input: &Input<'a>) -> Vec<Borrow<'a>> {
    let mut found = Vec::new();
    for field in input.fields.iter().filter(|field| !is_special(field)) {
        in_type(&field.ty, &mut found);
    }
    found
}

/// Adds all borrows in one type. What is behind a function pointer or in a `PhantomData` holds no data.
pub(crate) fn in_type<'a>(ty: &'a Type, found: &mut Vec<Borrow<'a>>) {
    match ty {
        Type::Reference(ty) => found.push(Borrow::Reference(ty)),
        Type::Ptr(ty) => found.push(Borrow::Pointer(ty)),
        Type::Array(ty) => in_type(&ty.elem, found),
        Type::Slice(ty) => in_type(&ty.elem, found),
        Type::Group(ty) => in_type(&ty.elem, found),
        Type::Paren(ty) => in_type(&ty.elem, found),
        Type::Tuple(ty) => ty.elems.iter().for_each(|ty| in_type(ty, found)),
        Type::Path(ty) => in_path(&ty.path, found),
        _ => {}
    }
}

fn in_path<'a>(path: &'a Path, found: &mut Vec<Borrow<'a>>) {
    for segment in &path.segments {
        let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
            continue;
        };
        if segment.ident == "PhantomData" {
            continue;
        }
        for argument in &arguments.args {
            if let GenericArgument::Type(ty) = argument {
                in_type(ty, found);
            }
        }
    }
}

/// Whether `#[serde(skip)]`, `#[serde(with = "…")]` or a relative of theirs takes the field out of our hands.
///
/// `with` does not help a field that is `&str` or `&[u8]` itself, or an option of one: serde borrows those from its
/// input in any case.
fn is_special(field: &Field) -> bool {
    let words: Vec<String> =
        field.attrs.iter().filter(|attr| attr.path().is_ident("serde")).flat_map(words).collect();
    let any_of = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    any_of(&["skip", "skip_deserializing"])
        || any_of(&["with", "deserialize_with"]) && !is_borrowed_by_serde(&field.ty)
}

/// The words in a list such as `#[serde(skip, with = "…")]`.
fn words(attr: &Attribute) -> Vec<String> {
    let mut words = Vec::new();
    // An error means that serde cannot read it either, and will say so.
    let _ = attr.parse_nested_meta(|meta| {
        words.push(meta.path.to_token_stream().to_string());
        if let Ok(value) = meta.value() {
            value.parse::<syn::Lit>()?;
        }
        Ok(())
    });
    words
}

fn is_borrowed_by_serde(ty: &Type) -> bool {
    let mut borrows = Vec::new();
    in_type(ty, &mut borrows);
    let [Borrow::Reference(reference)] = borrows[..] else {
        return false;
    };
    let option = |ty: &Type| text(ty.to_token_stream()).starts_with("Option<&");
    let direct = |ty: &Type| text(ty.to_token_stream()).starts_with('&');
    (direct(ty) || option(ty)) && ["String", "Vec<u8>"].contains(&owned(reference).as_str())
}

/// What to write instead of a reference: the owned type that is nearest to it.
pub(crate) fn owned(reference: &TypeReference) -> String {
    match &*reference.elem {
        Type::Slice(slice) => format!("Vec<{}>", text(slice.elem.to_token_stream())),
        Type::Path(path) if path.path.segments.last().is_some() => {
            let plain = text(path.to_token_stream());
            match plain.rsplit("::").next().unwrap_or(&plain) {
                "str" => "String".to_owned(),
                "Path" => "PathBuf".to_owned(),
                "OsStr" => "OsString".to_owned(),
                "CStr" => "CString".to_owned(),
                _ => plain,
            }
        }
        other => text(other.to_token_stream()),
    }
}

#[cfg(test)]
mod tests {
    use super::{in_type, is_special, owned};
    use syn::{Field, Type, TypeReference, parse_quote};

    fn count(ty: &Type) -> usize {
        let mut found = Vec::new();
        in_type(ty, &mut found);
        found.len()
    }

    #[test]
    fn borrows_are_found_at_any_depth() {
        assert_eq!(count(&parse_quote!(String)), 0);
        assert_eq!(count(&parse_quote!(&'static str)), 1);
        assert_eq!(count(&parse_quote!((u8, [*const u8; 4], Vec<Option<&'a [u8]>>))), 2);
    }

    #[test]
    fn what_holds_no_data_borrows_nothing() {
        assert_eq!(count(&parse_quote!(PhantomData<&'static str>)), 0);
        assert_eq!(count(&parse_quote!(fn(&str) -> &str)), 0);
        assert_eq!(count(&parse_quote!(Cow<'static, str>)), 0);
    }

    #[test]
    fn serde_may_be_told_to_treat_a_field_specially() {
        let special = |field: Field| is_special(&field);
        assert!(special(parse_quote!(#[serde(skip)] level: &'static str)));
        assert!(special(parse_quote!(#[serde(default, with = "level")] level: &'static Level)));
        assert!(!special(parse_quote!(#[serde(default, with = "level")] level: &'static str)));
        assert!(!special(parse_quote!(#[serde(rename = "skip")] level: &'static Level)));
    }

    #[test]
    fn the_owned_type_is_the_nearest() {
        let owned = |reference: TypeReference| owned(&reference);
        assert_eq!(owned(parse_quote!(&'static str)), "String");
        assert_eq!(owned(parse_quote!(&'a [u8])), "Vec<u8>");
        assert_eq!(owned(parse_quote!(&std::path::Path)), "PathBuf");
        assert_eq!(owned(parse_quote!(&mut Settings<u8>)), "Settings<u8>");
    }
}
