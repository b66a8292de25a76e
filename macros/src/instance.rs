//! The instances of a generic class, as `#[process(instances(Worker<u32>))]` lists them.

use crate::ast::Input;
use crate::ctxt::Ctxt;
use crate::schema::text;
use quote::ToTokens as _;
use std::collections::HashSet;
use syn::{GenericParam, PathArguments, PathSegment, Type};

/// Adds an error for each instance that is not of this class, is incomplete or is listed twice; returns the others.
pub(crate) fn check<'a>(cx: &Ctxt, input: &Input<'_>, instances: &'a [Type]) -> Vec<&'a Type> {
    let (class, example) = (input.name(), input.example_instance());
    let mut seen = HashSet::new();
    let mut good = Vec::new();
    for instance in instances {
        let written = text(instance.to_token_stream());
        let Some(segment) = last_segment(instance).filter(|last| last.ident == *input.ident) else {
            cx.error(
                instance,
                format!("`{written}` is not an instance of `{class}`: write for example `{example}`"),
            );
            continue;
        };
        if let Err(mismatch) = arguments_fit(segment, input) {
            cx.error(instance, format!("{mismatch}: write for example `{example}`"));
        } else if !seen.insert(name(instance)) {
            cx.error(instance, format!("the instance `{written}` is listed twice: remove one of the two"));
        } else {
            good.push(instance);
        }
    }
    good
}

/// What an instance is called in the registry: as written, but without the path before its name.
pub(crate) fn name(instance: &Type) -> String {
    let written = text(instance.to_token_stream());
    let head = written.find('<').unwrap_or(written.len());
    let name = written[..head].rfind("::").map_or(0, |colons| colons + 2);
    written[name..].trim_start_matches("r#").to_owned()
}

fn last_segment(instance: &Type) -> Option<&PathSegment> {
    match instance {
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        Type::Path(ty) if ty.qself.is_none() => ty.path.segments.last(),
        _ => None,
    }
}

/// As many arguments as the class has parameters, or fewer by those that have a default.
fn arguments_fit(segment: &PathSegment, input: &Input<'_>) -> Result<(), String> {
    if input.lifetimes().next().is_some() {
        return Ok(()); // lifetime arguments may be left out, and the lifetime parameter is an error of its own
    }
    let given = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => arguments.args.len(),
        _ => 0,
    };
    let needs_argument = |parameter: &&GenericParam| match parameter {
        GenericParam::Type(parameter) => parameter.default.is_none(),
        GenericParam::Const(parameter) => parameter.default.is_none(),
        GenericParam::Lifetime(_) => false,
    };
    let least = input.parameters().filter(needs_argument).count();
    let most = input.parameters().count();
    if (least..=most).contains(&given) {
        return Ok(());
    }
    let wanted = if least == most { most.to_string() } else { format!("{least} to {most}") };
    let noun = if most == 1 { "argument" } else { "arguments" };
    let (class, written) = (input.name(), text(segment.to_token_stream()));
    Err(format!("`{class}` takes {wanted} {noun}, but `{written}` gives {given}"))
}

#[cfg(test)]
mod tests {
    use super::name;
    use syn::parse_quote;

    #[test]
    fn an_instance_is_called_what_it_is_without_its_path() {
        assert_eq!(name(&parse_quote!(Worker<u32>)), "Worker<u32>");
        assert_eq!(name(&parse_quote!(self::a::Worker<std::vec::Vec<u8>>)), "Worker<std::vec::Vec<u8>>");
        assert_eq!(name(&parse_quote!(r#type<u8>)), "type<u8>");
    }
}
