//! The input of a derive, as far as the derives look at it: borrowed from what `syn` parsed.

use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::{Attribute, Data, DeriveInput, GenericParam, Generics, Ident, LifetimeParam, Type, Variant};

/// A type that wants to be a process class, or to lie in shared memory.
pub(crate) struct Input<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) attrs: &'a [Attribute],
    pub(crate) generics: &'a Generics,
    pub(crate) kind: Kind,
    pub(crate) variants: Vec<&'a Variant>,
    /// The fields of the struct, or of all variants.
    pub(crate) fields: Vec<&'a syn::Field>,
}

/// The keyword that a type is defined with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Struct,
    Enum,
    Union,
}

impl<'a> Input<'a> {
    pub(crate) fn from_syn(definition: &'a DeriveInput) -> Self {
        let (kind, variants, fields) = match &definition.data {
            Data::Struct(data) => (Kind::Struct, Vec::new(), data.fields.iter().collect()),
            Data::Enum(data) => {
                let fields = data.variants.iter().flat_map(|variant| &variant.fields);
                (Kind::Enum, data.variants.iter().collect(), fields.collect())
            }
            Data::Union(data) => (Kind::Union, Vec::new(), data.fields.named.iter().collect()),
        };
        Input {
            ident: &definition.ident,
            attrs: &definition.attrs,
            generics: &definition.generics,
            kind,
            variants,
            fields,
        }
    }

    /// What users call the type: without the `r#` of a raw identifier.
    pub(crate) fn name(&self) -> String {
        self.ident.unraw().to_string()
    }

    /// The lifetime parameters: what the type borrows for.
    pub(crate) fn lifetimes(&self) -> impl Iterator<Item = &'a LifetimeParam> {
        self.generics.lifetimes()
    }

    /// The type and const parameters: what a list of instances has to fill in.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &'a GenericParam> {
        let filled = |parameter: &&GenericParam| !matches!(parameter, GenericParam::Lifetime(_));
        self.generics.params.iter().filter(filled)
    }

    /// An instance of the type to show in messages: `Worker<u32, 4>`.
    pub(crate) fn example_instance(&self) -> String {
        let argument = |parameter: &GenericParam| match parameter {
            GenericParam::Const(parameter) => example_constant(&parameter.ty),
            _ => "u32",
        };
        let arguments: Vec<_> = self.parameters().map(argument).collect();
        if arguments.is_empty() {
            return self.name();
        }
        format!("{}<{}>", self.name(), arguments.join(", "))
    }
}

fn example_constant(ty: &Type) -> &'static str {
    match ty.to_token_stream().to_string().as_str() {
        "bool" => "true",
        "char" => "'a'",
        _ => "4",
    }
}

impl Kind {
    /// The keyword.
    pub(crate) fn keyword(self) -> &'static str {
        match self {
            Kind::Struct => "struct",
            Kind::Enum => "enum",
            Kind::Union => "union",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Input;
    use syn::parse_quote;

    #[test]
    fn the_example_fills_in_all_parameters() {
        let definition = parse_quote!(
            struct Grid<T, const WIDE: bool, const N: usize>([T; N]);
        );
        assert_eq!(Input::from_syn(&definition).example_instance(), "Grid<u32, true, 4>");
        let definition = parse_quote!(
            struct Plain;
        );
        assert_eq!(Input::from_syn(&definition).example_instance(), "Plain");
    }
}
