//! What was decoded.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What was decoded: integers and lists of lists.
///
/// It is kept flat, as a row of tokens. A tree would be decoded, compared and dropped by recursion in the
/// *application*, and nesting that the worker has barely survived would overflow the stack there.
///
/// ```
/// # safe_decoder::init();
/// let document = safe_decoder::decode(b"[ 1  [-2] ]")?;
/// assert_eq!(document.to_string(), "[1 [-2]]");
/// assert_eq!(document.depth(), 2);
/// # Ok::<(), safe_decoder::DecodeError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    pub(crate) tokens: Vec<Token>,
}

/// A part of a [`Document`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Token {
    /// A number.
    Integer(i64),
    /// A list begins.
    Open,
    /// The list that began last ends.
    Close,
}

impl Document {
    /// The parts, in order. Each [`Token::Open`] has its [`Token::Close`].
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// All integers, in order, however deep they are.
    pub fn integers(&self) -> impl Iterator<Item = i64> + '_ {
        self.tokens.iter().filter_map(|token| match token {
            Token::Integer(integer) => Some(*integer),
            Token::Open | Token::Close => None,
        })
    }

    /// How many lists are within each other where it is deepest.
    #[must_use]
    pub fn depth(&self) -> usize {
        let (mut depth, mut deepest) = (0_usize, 0);
        for token in &self.tokens {
            match token {
                Token::Integer(_) => {}
                Token::Open => depth += 1,
                Token::Close => depth = depth.saturating_sub(1),
            }
            deepest = deepest.max(depth);
        }
        deepest
    }
}

/// The document in its own format.
impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut after_item = false;
        for token in &self.tokens {
            if after_item && *token != Token::Close {
                f.write_str(" ")?;
            }
            after_item = *token != Token::Open;
            match token {
                Token::Integer(integer) => write!(f, "{integer}")?,
                Token::Open => f.write_str("[")?,
                Token::Close => f.write_str("]")?,
            }
        }
        Ok(())
    }
}
