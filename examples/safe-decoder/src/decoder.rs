//! The decoder that cannot be trusted: correct for well-meant input, and with every fault that decoders have.

use crate::document::{Document, Token};
use crate::error::SyntaxError;

/// A decoder, and where it is in its input.
pub(crate) struct Decoder<'a> {
    input: &'a [u8],
    position: usize,
    tokens: Vec<Token>,
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, position: 0, tokens: Vec::new() }
    }

    /// Decodes all of the input.
    pub(crate) fn decode(mut self) -> Result<Document, SyntaxError> {
        while self.peek().is_some() {
            self.item()?;
        }
        Ok(Document { tokens: self.tokens })
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        while self.input.get(self.position) == Some(&b' ') {
            self.position += 1;
        }
        self.input.get(self.position).copied()
    }

    fn error<T>(&self, expected: &str) -> Result<T, SyntaxError> {
        Err(SyntaxError { offset: self.position, expected: expected.into() })
    }

    fn item(&mut self) -> Result<(), SyntaxError> {
        match self.peek() {
            Some(b'[') => self.list(),
            Some(b'*') => self.repetition(),
            Some(b'-' | b'0'..=b'9') => {
                let integer = self.integer();
                self.tokens.push(Token::Integer(integer));
                Ok(())
            }
            // Fault: this never ends.
            Some(b'^') => {
                self.position = 0;
                Ok(())
            }
            // Fault: no error, but the end of the process.
            Some(b'!') => std::process::abort(),
            _ => self.error("an item"),
        }
    }

    fn list(&mut self) -> Result<(), SyntaxError> {
        self.position += 1;
        self.tokens.push(Token::Open);
        loop {
            match self.peek() {
                Some(b']') => break,
                Some(_) => self.item()?, // Fault: the input says how deep the recursion goes.
                None => return self.error("a closing bracket"),
            }
        }
        self.position += 1;
        self.tokens.push(Token::Close);
        Ok(())
    }

    /// `*3 7`: the item is decoded as often as the number says.
    fn repetition(&mut self) -> Result<(), SyntaxError> {
        self.position += 1;
        let count = self.integer();
        let item = self.position;
        for _ in 0..count {
            self.position = item;
            self.item()?; // Fault: the input says how much memory there is.
        }
        Ok(())
    }

    fn integer(&mut self) -> i64 {
        let rest = &self.input[self.position..];
        let length = rest.iter().take_while(|byte| matches!(byte, b'-' | b'0'..=b'9')).count();
        self.position += length;
        let digits = std::str::from_utf8(&rest[..length]).expect("digits are text");
        digits.parse().expect("a number of 64 bits") // Fault: it may be none, which is an error and no reason to panic.
    }
}

#[cfg(test)]
mod tests {
    use super::Decoder;

    fn decoded(input: &str) -> String {
        match Decoder::new(input.as_bytes()).decode() {
            Ok(document) => document.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_is_in_the_format_is_decoded() {
        assert_eq!(decoded(""), "");
        assert_eq!(decoded(" 1 -2  3 "), "1 -2 3");
        assert_eq!(decoded("[[] [1 2]3[4]]"), "[[] [1 2] 3 [4]]");
        assert_eq!(decoded("*2 [*3 7]"), "[7 7 7] [7 7 7]");
    }

    #[test]
    fn what_is_not_in_the_format_is_refused() {
        assert_eq!(decoded("[1 2"), "at byte 4 of the input there should be a closing bracket");
        assert_eq!(decoded("1 ]"), "at byte 2 of the input there should be an item");
        assert_eq!(decoded("x"), "at byte 0 of the input there should be an item");
    }
}
