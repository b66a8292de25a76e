//! What the attributes say: `#[process(..)]` on a class, `#[shareable(..)]` on what lies in shared memory, and the
//! arguments of `#[offspring::main]` and `#[offspring::test]`.

use crate::ast::Input;
use crate::ctxt::Ctxt;
use crate::meta::{self, Item, Value};
use crate::suggest::nearest;
use crate::symbol::{CRATE, DAEMON, INSTANCES, NAME, PROCESS, SHAREABLE, START_METHOD, Symbol};
use proc_macro2::TokenStream;
use syn::parse::{Parser as _, Result};
use syn::punctuated::Punctuated;
use syn::{LitBool, LitStr, Meta, Path, Token, Type, parse_quote, parse2};

/// All that `#[process(..)]` says of one class.
#[derive(Default)]
pub(crate) struct Attrs {
    pub(crate) name: Slot<LitStr>,
    pub(crate) daemon: Slot<bool>,
    pub(crate) start_method: Slot<StartMethod>,
    pub(crate) instances: Slot<Vec<Type>>,
    pub(crate) krate: Slot<Path>,
}

/// What `start_method = "…"` can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartMethod {
    Spawn,
    ForkServer,
    Fork,
}

/// The place of an attribute that can be given once.
#[derive(Default)]
pub(crate) enum Slot<T> {
    /// Not given.
    #[default]
    Empty,
    /// Given, but wrong.
    Wrong,
    Is(T),
}

impl<T> Slot<T> {
    pub(crate) fn get(&self) -> Option<&T> {
        match self {
            Slot::Is(value) => Some(value),
            Slot::Empty | Slot::Wrong => None,
        }
    }

    pub(crate) fn is_wrong(&self) -> bool {
        matches!(self, Slot::Wrong)
    }

    /// Puts in what `item` says; an error if something is there already.
    fn fill(&mut self, cx: &Ctxt, item: &Item, value: Result<T>) {
        if let Slot::Empty = self {
            *self = cx.keep(value).map_or(Slot::Wrong, Slot::Is);
        } else {
            let key = &item.key;
            cx.push(item.error(format!("`{key}` is given twice: keep one of the two and remove the other")));
        }
    }
}

impl Attrs {
    /// Reads all `#[process(..)]` attributes of a class as if they were one.
    pub(crate) fn read(cx: &Ctxt, input: &Input<'_>) -> Self {
        let mut attrs = Attrs::default();
        for attr in input.attrs.iter().filter(|attr| *attr.path() == PROCESS) {
            let example = format!("name = \"{}\"", input.name());
            match &attr.meta {
                Meta::List(list) => {
                    for item in meta::items(cx, list.tokens.clone(), &example) {
                        attrs.take(cx, input, &item);
                    }
                }
                Meta::Path(_) | Meta::NameValue(_) => cx.error(
                    attr,
                    format!("attributes of a process class stand in parentheses: write for example `#[process({example})]`, or remove it"),
                ),
            }
        }
        attrs
    }

    fn take(&mut self, cx: &Ctxt, input: &Input<'_>, item: &Item) {
        if item.key == NAME {
            self.name.fill(cx, item, name(item, input));
        } else if item.key == DAEMON {
            self.daemon.fill(cx, item, daemon(item));
        } else if item.key == START_METHOD {
            self.start_method.fill(cx, item, start_method(item));
        } else if item.key == INSTANCES {
            self.instances.fill(cx, item, instances(item, input));
        } else if item.key == CRATE {
            self.krate.fill(cx, item, krate(item));
        } else {
            cx.push(unknown(item));
        }
    }
}

/// Reads the arguments of `#[offspring::main]` and `#[offspring::test]`: only `crate = path`.
pub(crate) fn arguments(cx: &Ctxt, arguments: TokenStream, of: &str) -> Slot<Path> {
    let mut path = Slot::default();
    for item in meta::items(cx, arguments, "crate = ::offspring") {
        if item.key == CRATE {
            path.fill(cx, &item, krate(&item));
        } else {
            let key = &item.key;
            cx.push(item.error(format!(
                "unknown argument `{key}`: `#[offspring::{of}]` takes nothing but `crate = path`: remove it"
            )));
        }
    }
    path
}

/// Reads all `#[shareable(..)]` attributes of a type: only `crate = path`.
pub(crate) fn shareable(cx: &Ctxt, input: &Input<'_>) -> Slot<Path> {
    const EXAMPLE: &str = "crate = ::offspring";
    let mut path = Slot::default();
    for attr in input.attrs.iter().filter(|attr| *attr.path() == SHAREABLE) {
        let Meta::List(list) = &attr.meta else {
            cx.error(
                attr,
                format!("what `shareable` says stands in parentheses: write for example `#[shareable({EXAMPLE})]`, or remove it"),
            );
            continue;
        };
        for item in meta::items(cx, list.tokens.clone(), EXAMPLE) {
            if item.key == CRATE {
                path.fill(cx, &item, krate(&item));
            } else {
                let key = &item.key;
                cx.push(item.error(format!(
                    "unknown attribute `{key}`: `#[shareable]` takes nothing but `crate = path`: remove it"
                )));
            }
        }
    }
    path
}

/// The path of the runtime crate in what the macros generate.
pub(crate) fn runtime(given: &Slot<Path>) -> Path {
    given.get().cloned().unwrap_or_else(|| parse_quote!(::offspring))
}

fn unknown(item: &Item) -> syn::Error {
    let known = [NAME, DAEMON, START_METHOD, INSTANCES, CRATE].map(|Symbol(word)| word);
    let written = item.key.to_string();
    let guess = nearest(&written, &known).map(|word| format!("did you mean `{word}`? "));
    let guess = guess.unwrap_or_default();
    item.error(format!(
        "unknown attribute `{written}`: {guess}write {}",
        known.map(|word| format!("`{word}`")).join(", ").replace(", `crate`", " or `crate`")
    ))
}

fn name(item: &Item, input: &Input<'_>) -> Result<LitStr> {
    let advice = |name: &str| format!("`name` takes a string: write `name = \"{name}\"`");
    let (Value::Is(value) | Value::List(value)) = &item.value else {
        return Err(item.error(advice(&input.name())));
    };
    let literal = parse2::<LitStr>(value.clone());
    match (&item.value, literal) {
        (Value::Is(_), Ok(literal)) => Ok(literal),
        (_, Ok(literal)) => Err(item.error(advice(&literal.value()))),
        (_, Err(_)) => {
            let word = parse2::<syn::Ident>(value.clone());
            Err(item.error(advice(&word.map_or(input.name(), |word| word.to_string()))))
        }
    }
}

fn daemon(item: &Item) -> Result<bool> {
    let value = match &item.value {
        Value::Absent => return Ok(true),
        Value::Is(value) | Value::List(value) => parse2::<LitBool>(value.clone()),
    };
    match (&item.value, value) {
        (Value::Is(_), Ok(value)) => Ok(value.value),
        _ => Err(item.error("`daemon` is yes or no: write `daemon`, or `daemon = false`".to_owned())),
    }
}

fn start_method(item: &Item) -> Result<StartMethod> {
    const ALL: &str = r#"write `start_method = "spawn"`, `"forkserver"` or `"fork"`"#;
    let (Value::Is(value) | Value::List(value)) = &item.value else {
        return Err(item.error(format!("`start_method` takes a string: {ALL}")));
    };
    let literal = parse2::<LitStr>(value.clone());
    let is_string = literal.is_ok() && matches!(item.value, Value::Is(_));
    let written = literal.map_or(value.to_string(), |literal| literal.value());
    if let (Some(method), true) = (StartMethod::from_word(&written), is_string) {
        return Ok(method);
    }
    let known = StartMethod::ALL.map(StartMethod::word);
    Err(item.error(match nearest(&written, &known) {
        Some(word) if is_string => {
            format!("unknown start method `{written}`: did you mean `{word}`? {ALL}")
        }
        Some(word) => format!("`start_method` takes a string: write `start_method = \"{word}\"`"),
        None if is_string => format!("unknown start method `{written}`: {ALL}"),
        None => format!("`start_method` takes a string: {ALL}"),
    }))
}

fn instances(item: &Item, input: &Input<'_>) -> Result<Vec<Type>> {
    let (name, example) = (input.name(), input.example_instance());
    if input.parameters().next().is_none() {
        return Err(item
            .error(format!("`{name}` is not generic, so it is its own only instance: remove `instances`")));
    }
    let Value::List(list) = &item.value else {
        return Err(item.error(format!(
            "`instances` takes a list of types in parentheses: write for example `instances({example})`"
        )));
    };
    let types = Punctuated::<Type, Token![,]>::parse_terminated.parse2(list.clone());
    let types = types.map_err(|error| {
        let message =
            format!("`instances` takes types, separated by commas: write for example `instances({example})`");
        syn::Error::new(error.span(), message)
    })?;
    if types.is_empty() {
        return Err(item.error(format!(
            "the list of instances is empty: write the types that you start, for example `instances({example})`"
        )));
    }
    Ok(types.into_iter().collect())
}

fn krate(item: &Item) -> Result<Path> {
    let value = match &item.value {
        Value::Is(value) => value.clone(),
        Value::Absent | Value::List(_) => TokenStream::new(),
    };
    let path = match parse2::<LitStr>(value.clone()) {
        Ok(literal) => literal.parse_with(Path::parse_mod_style),
        Err(_) => Path::parse_mod_style.parse2(value),
    };
    path.map_err(|_| {
        item.error(
            "`crate` takes the path of the offspring crate: write for example `crate = ::my::offspring`"
                .to_owned(),
        )
    })
}

impl StartMethod {
    const ALL: [StartMethod; 3] = [StartMethod::Spawn, StartMethod::ForkServer, StartMethod::Fork];

    /// As in `start_method = "…"`.
    fn word(self) -> &'static str {
        match self {
            StartMethod::Spawn => "spawn",
            StartMethod::ForkServer => "forkserver",
            StartMethod::Fork => "fork",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::{Attrs, StartMethod, arguments, runtime};
    use crate::ast::Input;
    use crate::ctxt::Ctxt;
    use quote::{ToTokens as _, quote};
    use syn::{DeriveInput, parse_quote};

    /// The attributes of a class, and its errors as one text.
    fn read(definition: &DeriveInput) -> (Attrs, String) {
        let cx = Ctxt::new();
        let attrs = Attrs::read(&cx, &Input::from_syn(definition));
        (attrs, cx.check().err().unwrap_or_default().to_string())
    }

    #[test]
    fn several_attributes_are_read_as_one() {
        let (attrs, errors) = read(&parse_quote! {
            #[process(name = "loader", daemon)]
            #[process(start_method = "forkserver", crate = ::my::offspring,)]
            #[process()]
            struct Loader;
        });
        assert_eq!(errors, "");
        assert_eq!(attrs.name.get().unwrap().value(), "loader");
        assert_eq!(attrs.daemon.get(), Some(&true));
        assert_eq!(attrs.start_method.get(), Some(&StartMethod::ForkServer));
        assert!(attrs.instances.get().is_none());
        assert_eq!(runtime(&attrs.krate).to_token_stream().to_string(), ":: my :: offspring");
    }

    #[test]
    fn daemon_can_be_denied() {
        let (attrs, errors) = read(&parse_quote!(
            #[process(daemon = false)]
            struct Loader;
        ));
        assert_eq!((attrs.daemon.get(), errors.as_str()), (Some(&false), ""));
    }

    #[test]
    fn instances_may_contain_commas_of_their_own() {
        let (attrs, errors) = read(&parse_quote!(
            #[process(instances(A<u8, 2>, A<(u8, u8), 3>))]
            struct A<T, const N: usize>([T; N]);
        ));
        assert_eq!((attrs.instances.get().unwrap().len(), errors.as_str()), (2, ""));
    }

    #[test]
    fn the_crate_may_be_a_string() {
        let (attrs, errors) = read(&parse_quote!(
            #[process(crate = "crate::os")]
            struct Loader;
        ));
        assert_eq!(errors, "");
        assert_eq!(runtime(&attrs.krate).to_token_stream().to_string(), "crate :: os");
    }

    #[test]
    fn a_wrong_attribute_given_twice_is_two_errors() {
        let (attrs, errors) = read(&parse_quote!(
            #[process(name = 5, name = "x")]
            struct Loader;
        ));
        assert!(attrs.name.is_wrong());
        assert!(errors.contains("takes a string") && errors.contains("given twice"), "{errors}");
    }

    #[test]
    fn a_name_without_quotes_is_quoted_in_the_advice() {
        let (_, errors) = read(&parse_quote!(
            #[process(name = loader)]
            struct Loader;
        ));
        assert!(errors.contains(r#"\"loader\""#), "{errors}");
    }

    #[test]
    fn the_attributes_take_the_crate_alone() {
        let cx = Ctxt::new();
        let path = arguments(&cx, quote!(crate = os), "main");
        assert!(cx.check().is_ok() && path.get().is_some());
        let cx = Ctxt::new();
        arguments(&cx, quote!(threads = 4), "main");
        assert!(cx.check().unwrap_err().to_string().contains("unknown argument `threads`"));
    }
}
