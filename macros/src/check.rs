//! What a process class must be, beyond what its attributes say one by one.

use crate::ast::{Input, Kind};
use crate::attr::Attrs;
use crate::borrow::{self, Borrow};
use crate::ctxt::Ctxt;
use crate::instance;
use crate::schema::text;
use crate::symbol::PROCESS;
use quote::ToTokens;
use syn::{Attribute, Type};

/// Adds an error for each thing that is wrong with the class.
pub(crate) fn check(cx: &Ctxt, input: &Input<'_>, attrs: &Attrs) {
    attributes_are_on_the_type(cx, input);
    it_is_no_union(cx, input);
    it_owns_its_data(cx, input);
    it_has_a_usable_name(cx, attrs);
    if let Some(instances) = attrs.instances.get() {
        for instance in instance::check(cx, input, instances) {
            it_points_nowhere(cx, input, instance);
        }
    } else if !attrs.instances.is_wrong() {
        it_is_concrete(cx, input);
    }
}

fn attributes_are_on_the_type(cx: &Ctxt, input: &Input<'_>) {
    let of_variants = input.variants.iter().map(|variant| ("variant", &variant.attrs));
    let of_fields = input.fields.iter().map(|field| ("field", &field.attrs));
    for (place, attrs) in of_variants.chain(of_fields) {
        for attr in attrs.iter().filter(|attr| *attr.path() == PROCESS) {
            let (keyword, name) = (input.kind.keyword(), input.name());
            let written = written(attr);
            cx.error(
                attr,
                format!(
                    "`{written}` belongs on the type, not on a {place}: move it above `{keyword} {name}`"
                ),
            );
        }
    }
}

/// An attribute as typed.
fn written(attr: &Attribute) -> String {
    format!("#[{}]", text(attr.meta.to_token_stream()))
}

fn it_is_no_union(cx: &Ctxt, input: &Input<'_>) {
    if input.kind == Kind::Union {
        cx.error(
            input.ident,
            "a union cannot be a process class, for nothing tells which of its fields is to be sent: write an enum instead",
        );
    }
}

fn it_owns_its_data(cx: &Ctxt, input: &Input<'_>) {
    for parameter in input.lifetimes() {
        let lifetime = &parameter.lifetime;
        cx.error(
            lifetime,
            format!("a process class cannot borrow, for its child lives in another address space: own the data, e.g. `String` instead of `&{lifetime} str`, and remove `{lifetime}`"),
        );
    }
    for borrow in borrow::in_fields(input) {
        report(cx, input, &borrow);
    }
}

fn it_points_nowhere(cx: &Ctxt, input: &Input<'_>, instance: &Type) {
    let mut borrows = Vec::new();
    borrow::in_type(instance, &mut borrows);
    for borrow in &borrows {
        report(cx, input, borrow);
    }
}

fn report(cx: &Ctxt, input: &Input<'_>, borrow: &Borrow<'_>) {
    match borrow {
        Borrow::Reference(reference) => {
            let lifetime = reference.lifetime.as_ref();
            if input.lifetimes().any(|parameter| Some(&parameter.lifetime) == lifetime) {
                return; // the parameter is reported, once for all that it is used for
            }
            let (written, owned) = (text(reference.to_token_stream()), borrow::owned(reference));
            cx.error(
                reference,
                format!("`{written}` cannot be deserialized in the child, where nothing exists that it could point to: own the data, write `{owned}`"),
            );
        }
        Borrow::Pointer(pointer) => {
            let (written, target) = (text(pointer.to_token_stream()), text(pointer.elem.to_token_stream()));
            cx.error(
                pointer,
                format!("`{written}` is an address, which means nothing in another process: own the data, e.g. `{target}` or `Vec<{target}>`"),
            );
        }
    }
}

fn it_has_a_usable_name(cx: &Ctxt, attrs: &Attrs) {
    let Some(name) = attrs.name.get() else {
        return;
    };
    let value = name.value();
    if value.trim().is_empty() {
        cx.error(name, "the name is empty: write one, or remove `name` to get the name of the type");
    } else if let Some(character) = value.chars().find(|character| character.is_control()) {
        cx.error(
            name,
            format!(
                "the name contains the control character {character:?}, which would garble logs: remove it"
            ),
        );
    }
    if attrs.instances.get().is_some_and(|instances| instances.len() > 1) {
        cx.error(
            name,
            "`name` would give all instances the same key: remove it, for each instance has a key of its own without it",
        );
    }
}

fn it_is_concrete(cx: &Ctxt, input: &Input<'_>) {
    if input.parameters().next().is_some() {
        let example = input.example_instance();
        cx.error(
            input.generics,
            format!("a generic process class needs a list of its instances: write `#[process(instances({example}))]` with the types that you start"),
        );
    }
}
