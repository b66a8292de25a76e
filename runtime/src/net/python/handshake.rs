//! Both sides prove that they know the key, without sending it.
//!
//! One sends a random challenge, and the other answers with an HMAC (RFC 2104) of it. The listener's challenge comes first,
//! then the client's. The source, with a description, is CPython's `Lib/multiprocessing/connection.py`:
//!
//! | CPython | challenge | answer |
//! |---|---|---|
//! | up to 3.11 | 20 random bytes | HMAC-MD5 |
//! | from 3.12 on | `{sha256}`, 40 random bytes | `{sha256}`, HMAC-SHA256 of both |
//!
//! An older one takes a newer challenge for any other, and answers with HMAC-MD5. So newer challenges suit both.

use std::io::{self, Read, Write};

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use md5::Md5;
use sha2::{Sha256, Sha384};

use super::socket::Hurried;
use super::{AuthKey, PythonError, frame};

const CHALLENGE: &[u8] = b"#CHALLENGE#";
const WELCOME: &[u8] = b"#WELCOME#";
const FAILURE: &[u8] = b"#FAILURE#";

/// No message of a handshake is longer.
const LIMIT: u64 = 256;

/// How many random bytes a challenge has.
const RANDOM: usize = 40;

/// By this length a challenge of CPython up to 3.11 is known.
const OLD_CHALLENGE: usize = 20;

/// By this length an answer of CPython up to 3.11 is known.
const OLD_ANSWER: usize = 16;

/// How a proof is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Digest {
    Md5,
    Sha256,
    Sha384,
}

impl Digest {
    /// The one that a message names in its beginning, and what follows.
    fn named(message: &[u8]) -> Option<(Self, &[u8])> {
        let digests = [(Self::Md5, &b"{md5}"[..]), (Self::Sha256, b"{sha256}"), (Self::Sha384, b"{sha384}")];
        digests.into_iter().find_map(|(digest, name)| Some((digest, message.strip_prefix(name)?)))
    }

    fn prove(self, key: &AuthKey, challenge: &[u8]) -> Vec<u8> {
        fn code<M: KeyInit + Mac>(key: &AuthKey, challenge: &[u8]) -> Vec<u8> {
            start::<M>(key, challenge).finalize().into_bytes().to_vec()
        }
        match self {
            Self::Md5 => code::<Hmac<Md5>>(key, challenge),
            Self::Sha256 => code::<Hmac<Sha256>>(key, challenge),
            Self::Sha384 => code::<Hmac<Sha384>>(key, challenge),
        }
    }

    /// Whether a proof is right. It takes as long whichever byte of it is wrong.
    fn check(self, key: &AuthKey, challenge: &[u8], proof: &[u8]) -> bool {
        match self {
            Self::Md5 => start::<Hmac<Md5>>(key, challenge).verify_slice(proof).is_ok(),
            Self::Sha256 => start::<Hmac<Sha256>>(key, challenge).verify_slice(proof).is_ok(),
            Self::Sha384 => start::<Hmac<Sha384>>(key, challenge).verify_slice(proof).is_ok(),
        }
    }
}

fn start<M: KeyInit + Mac>(key: &AuthKey, challenge: &[u8]) -> M {
    let code = <M as KeyInit>::new_from_slice(key.as_bytes()).expect("an HMAC takes a key of any length");
    code.chain_update(challenge)
}

/// The listener's part.
pub(super) fn receive(peer: &mut Hurried<'_>, key: &AuthKey, old: bool) -> Result<(), PythonError> {
    let mut peer = Peer { stream: peer, key, old };
    peer.deliver()?;
    peer.answer()
}

/// The client's part.
pub(super) fn introduce(peer: &mut Hurried<'_>, key: &AuthKey, old: bool) -> Result<(), PythonError> {
    let mut peer = Peer { stream: peer, key, old };
    peer.answer()?;
    peer.deliver()
}

/// Whether a message is a challenge: then its sender waits for an answer.
pub(super) fn is_challenge(message: &[u8]) -> bool {
    message.starts_with(CHALLENGE)
}

struct Peer<'a, S> {
    stream: &'a mut S,
    key: &'a AuthKey,
    /// Whether HMAC-MD5 will do.
    old: bool,
}

impl<S: Read + Write> Peer<'_, S> {
    /// Lets the peer prove that it knows the key.
    fn deliver(&mut self) -> Result<(), PythonError> {
        let mut random = [0; RANDOM];
        getrandom::fill(&mut random).map_err(io::Error::from)?;
        let challenge = [b"{sha256}", &random[..]].concat();
        self.say(&[CHALLENGE, &challenge].concat())?;
        let answer = self.hear()?;
        match self.judge(&challenge, &answer) {
            Ok(()) => self.say(WELCOME),
            Err(why) => {
                // Why there is no connection counts, not whether the peer hears of it.
                let _it_may_be_gone = self.say(FAILURE);
                Err(why)
            }
        }
    }

    fn judge(&self, challenge: &[u8], answer: &[u8]) -> Result<(), PythonError> {
        let (digest, proof) = match Digest::named(answer) {
            None if answer.len() == OLD_ANSWER => (Digest::Md5, answer),
            named => named.ok_or_else(|| {
                protocol("what it says is no answer to a challenge, as if it had been started without an `authkey`")
            })?,
        };
        self.allow(digest)?;
        if digest.check(self.key, challenge, proof) { Ok(()) } else { Err(PythonError::WrongKey) }
    }

    /// Proves that this side knows the key.
    fn answer(&mut self) -> Result<(), PythonError> {
        let message = self.hear()?;
        let Some(challenge) = message.strip_prefix(CHALLENGE) else {
            return Err(protocol(
                "what it says is no challenge, as if it had been started without an `authkey`",
            ));
        };
        // What the proof is of has the name of the digest in it, so nobody on the way can choose a weaker one.
        let answer = match Digest::named(challenge) {
            _ if challenge.len() == OLD_CHALLENGE => {
                self.allow(Digest::Md5)?;
                Digest::Md5.prove(self.key, challenge)
            }
            Some((digest, random)) if random.len() >= OLD_CHALLENGE => {
                self.allow(digest)?;
                let name = &challenge[..challenge.len() - random.len()];
                [name, &digest.prove(self.key, challenge)].concat()
            }
            _ => {
                return Err(protocol(
                    "its challenge is too short, or asks for a digest that is not known here",
                ));
            }
        };
        self.say(&answer)?;
        match &self.hear()?[..] {
            WELCOME => Ok(()),
            FAILURE => Err(PythonError::Rejected),
            _ => Err(protocol("it neither takes nor refuses the answer to its challenge")),
        }
    }

    fn allow(&self, digest: Digest) -> Result<(), PythonError> {
        if digest == Digest::Md5 && !self.old {
            return Err(protocol(
                "it is CPython before 3.12, with HMAC-MD5, which `Builder::md5(false)` forbids",
            ));
        }
        Ok(())
    }

    fn say(&mut self, message: &[u8]) -> Result<(), PythonError> {
        frame::write(&mut *self.stream, message).map_err(in_handshake)
    }

    fn hear(&mut self) -> Result<Vec<u8>, PythonError> {
        frame::read(&mut *self.stream, LIMIT).map_err(in_handshake)
    }
}

fn protocol(why: &str) -> PythonError {
    PythonError::Protocol(why.to_owned())
}

/// What goes wrong between two messages means something else in a handshake.
fn in_handshake(error: PythonError) -> PythonError {
    match error {
        PythonError::Closed | PythonError::Truncated { .. } => PythonError::HandshakeClosed,
        PythonError::TooLong { length, limit } => PythonError::Protocol(format!(
            "it announces a message of {length} bytes, where at most {limit} are possible"
        )),
        PythonError::InvalidLength(length) => {
            PythonError::Protocol(format!("it announces a message of {length} bytes"))
        }
        PythonError::System(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
        {
            PythonError::HandshakeTimedOut
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_are_those_of_the_standards() {
        // RFC 2202, second case, and RFC 4231, test case 2.
        let key = AuthKey::new("Jefe");
        let text = b"what do ya want for nothing?";
        let hex = |bytes: Vec<u8>| {
            format!("{:032x}", bytes.iter().fold(0, |all, byte| all << 8 | u128::from(*byte)))
        };
        assert_eq!(hex(Digest::Md5.prove(&key, text)), "750c783e6ab0b503eaa86e310a5db738");
        let mut sha256 = Digest::Sha256.prove(&key, text);
        assert_eq!(hex(sha256.split_off(16)), "5a003f089d2739839dec58b964ec3843");
        assert_eq!(hex(sha256), "5bdcc146bf60754e6a042426089575c7");
        assert!(Digest::Sha256.check(&key, text, &Digest::Sha256.prove(&key, text)));
        assert!(!Digest::Sha256.check(&key, text, &Digest::Sha256.prove(&key, text)[1..]));
        assert!(!Digest::Sha256.check(&key, text, b""));
    }
}
