//! `key`, `key = value`, `key(list)`: the items of an attribute.
//!
//! They are split at the token level before anything is parsed, so that one bad item does not hide the next.

use crate::ctxt::Ctxt;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::Ident;

/// One item of an attribute.
pub(crate) struct Item {
    pub(crate) key: Ident,
    pub(crate) value: Value,
    tokens: TokenStream,
}

/// What follows the key of an item.
pub(crate) enum Value {
    /// `daemon`
    Absent,
    /// `name = "…"`: what is right of the sign, which may be empty.
    Is(TokenStream),
    /// `instances(…)`: what is between the parentheses.
    List(TokenStream),
}

impl Item {
    /// An error that underlines the whole item.
    pub(crate) fn error(&self, message: String) -> syn::Error {
        syn::Error::new_spanned(self, message)
    }
}

impl ToTokens for Item {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.tokens.to_tokens(tokens);
    }
}

/// Splits the contents of an attribute at its commas. `example` is an item to recommend where none can be read.
pub(crate) fn items(cx: &Ctxt, contents: TokenStream, example: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut pending = Vec::new();
    for token in contents {
        if !matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',') {
            pending.push(token);
        } else if pending.is_empty() {
            cx.error(
                token,
                format!("nothing stands before this comma: remove it, or write `{example}` there"),
            );
        } else {
            items.extend(item(cx, std::mem::take(&mut pending), example));
        }
    }
    items.extend(item(cx, pending, example));
    items
}

fn item(cx: &Ctxt, tokens: Vec<TokenTree>, example: &str) -> Option<Item> {
    let all: TokenStream = tokens.iter().cloned().collect();
    let mut rest = tokens.into_iter();
    let TokenTree::Ident(key) = rest.next()? else {
        cx.error(all, format!("an attribute begins with its name: write for example `{example}`"));
        return None;
    };
    let value = match (rest.next(), rest.as_slice()) {
        (None, _) => Value::Absent,
        (Some(TokenTree::Punct(sign)), _) if sign.as_char() == '=' => Value::Is(rest.collect()),
        (Some(TokenTree::Group(list)), []) if list.delimiter() == Delimiter::Parenthesis => {
            Value::List(list.stream())
        }
        (Some(_), _) => {
            cx.error(
                all,
                format!("`{key}` is followed by something that cannot be read: separate attributes with a comma, and write for example `{example}`"),
            );
            return None;
        }
    };
    Some(Item { key, value, tokens: all })
}

#[cfg(test)]
mod tests {
    use super::{Value, items};
    use crate::ctxt::Ctxt;
    use quote::quote;

    #[test]
    fn a_bad_item_does_not_hide_the_next() {
        let cx = Ctxt::new();
        let items = items(&cx, quote!("x", daemon, name "y", crate = ::a::b, instances(W<u8, 2>)), "daemon");
        let keys: Vec<_> = items.iter().map(|item| item.key.to_string()).collect();
        assert_eq!(keys, ["daemon", "crate", "instances"]);
        assert!(matches!(items[0].value, Value::Absent));
        assert!(matches!(&items[1].value, Value::Is(path) if !path.is_empty()));
        assert!(matches!(&items[2].value, Value::List(_)));
        assert_eq!(cx.check().unwrap_err().to_string().matches("compile_error").count(), 2);
    }

    #[test]
    fn a_trailing_comma_is_fine_and_a_double_one_is_not() {
        let cx = Ctxt::new();
        assert_eq!(items(&cx, quote!(daemon,), "daemon").len(), 1);
        assert!(cx.check().is_ok());
        let cx = Ctxt::new();
        assert_eq!(items(&cx, quote!(daemon,, name = "x"), "daemon").len(), 2);
        assert!(cx.check().is_err());
    }
}
