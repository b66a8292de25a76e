//! The text and the hash of tokens, both the same whatever the layout of the source and the version of the compiler.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Hashes a type's definition: equal for equal definitions, whatever their layout, comments and attributes (but for those of serde).
pub(crate) fn hash(definition: TokenStream) -> u64 {
    fnv1a(text(definition).as_bytes())
}

/// Writes tokens as one would by hand, with spaces where the usual layout has them.
///
/// Leaves out attributes but serde's, doc comments, trailing commas, and the invisible groups that `macro_rules!` adds.
pub(crate) fn text(tokens: TokenStream) -> String {
    let mut text = String::new();
    write(tokens, &mut text);
    text
}

fn write(tokens: TokenStream, text: &mut String) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                // What serde is told changes what is written: it belongs to the definition.
                if let Some(TokenTree::Group(attribute)) = tokens.next_if(is_attribute) {
                    if is_of_serde(&attribute) {
                        text.push('#');
                        write_group(&attribute, text);
                    }
                }
            }
            TokenTree::Punct(punct) => write_sign(punct.as_char(), tokens.peek(), text),
            TokenTree::Ident(word) => write_word(&word.to_string(), text),
            TokenTree::Literal(word) => write_word(&word.to_string(), text),
            TokenTree::Group(group) => write_group(&group, text),
        }
    }
}

fn write_sign(sign: char, next: Option<&TokenTree>, text: &mut String) {
    let next_is = |sign| next.is_some_and(|next| is(next, sign));
    let after = |sign: &str| text.ends_with(sign);
    let spaced = match sign {
        ',' if next.is_none() || next_is('>') => "",
        ',' => ", ",
        ';' if next.is_some() => "; ",
        ':' if !next_is(':') && !after(":") => ": ",
        '+' => " + ",
        '=' if !next_is('=') && !next_is('>') && !after("=") => " = ",
        '-' if next_is('>') => " -",
        '>' if after(" -") => "> ",
        _ => return text.push(sign),
    };
    text.push_str(spaced);
}

fn write_group(group: &Group, text: &mut String) {
    let (open, close) = match group.delimiter() {
        Delimiter::Parenthesis if is_single_tuple(group) => ("(", ",)"),
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    };
    if open == "[" && ends_with_word(text) {
        text.push(' ');
    }
    text.push_str(open);
    write(group.stream(), text);
    text.push_str(close);
}

/// `(T,)`, whose comma makes it another type than `(T)`.
fn is_single_tuple(group: &Group) -> bool {
    let tokens: Vec<_> = group.stream().into_iter().collect();
    let commas = tokens.iter().filter(|token| is(token, ',')).count();
    commas == 1 && tokens.last().is_some_and(|token| is(token, ','))
}

fn is_of_serde(attribute: &Group) -> bool {
    matches!(attribute.stream().into_iter().next(), Some(TokenTree::Ident(name)) if name == "serde")
}

fn is_attribute(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket)
}

fn is(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

fn write_word(word: &str, text: &mut String) {
    if ends_with_word(text) {
        text.push(' ');
    }
    text.push_str(word);
}

fn ends_with_word(text: &str) -> bool {
    text.ends_with(|last: char| last == '_' || last == '"' || last.is_alphanumeric())
}

/// FNV-1a, 64 bits wide (G. Fowler, L. C. Noll, K.-P. Vo, RFC 9923): good enough to tell versions of a class apart.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::{fnv1a, hash, text};
    use quote::quote;

    #[test]
    fn fnv1a_agrees_with_its_published_vectors() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn text_is_as_written_by_hand() {
        let cases = [
            (quote!(Worker<u32>), "Worker<u32>"),
            (quote!(Worker<Vec<u8>, 4>), "Worker<Vec<u8>, 4>"),
            (quote!(Worker<[u8; 4]>), "Worker<[u8; 4]>"),
            (quote!(Worker<&'static str>), "Worker<&'static str>"),
            (quote!(Worker<(u8, dyn Fn())>), "Worker<(u8, dyn Fn())>"),
            (quote!(Worker<(u8,)>), "Worker<(u8,)>"),
            (quote!(&'static mut [u8]), "&'static mut [u8]"),
            (quote!(<T: Debug + a::B, const N: usize>), "<T: Debug + a::B, const N: usize>"),
            (quote!(W<Box<dyn Fn(u8) -> I<Item = u8>>>), "W<Box<dyn Fn(u8) -> I<Item = u8>>>"),
            (quote!(process(name = "x", daemon)), "process(name = \"x\", daemon)"),
        ];
        for (tokens, expected) in cases {
            assert_eq!(text(tokens), expected);
        }
    }

    #[test]
    fn layout_comments_and_attributes_do_not_change_the_hash() {
        let plain = quote!(
            struct A {
                b: u8,
                c: Vec<u8>,
            }
        );
        let other = quote! {
            #[process(daemon)]
            #[doc = "An A."]
            struct A { #[doc = "Its b."] b: u8, c: Vec<u8,>, }
        };
        assert_eq!(hash(plain), hash(other));
    }

    #[test]
    fn another_definition_has_another_hash() {
        let hashes = [
            hash(quote!(
                struct A {
                    b: u8,
                }
            )),
            hash(quote!(
                struct A {
                    #[serde(skip)]
                    b: u8,
                }
            )),
            hash(quote!(
                struct A {
                    b: u16,
                }
            )),
            hash(quote!(
                struct A {
                    c: u8,
                }
            )),
            hash(quote!(
                struct A {
                    b: u8,
                    c: u8,
                }
            )),
            hash(quote!(
                struct A(u8);
            )),
            hash(quote!(
                enum A {
                    B(u8),
                }
            )),
        ];
        for (i, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..i].contains(hash), "{i}");
        }
    }
}
