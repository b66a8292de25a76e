//! How the two sides of a stream come to know each other, before anything else is on it.
//!
//! ```text
//! client                                        server
//!   | HELLO: version, nonce, has it a key?        |
//!   |-------------------------------------------->|
//!   |   HELLO: version, nonce, verdict            |  PROVE, OPEN, or a refusal
//!   |<--------------------------------------------|
//!   | PROOF = HMAC(key, "client", both hellos)    |  only after PROVE
//!   |-------------------------------------------->|
//!   |   VERDICT, PROOF = HMAC(key, "server", both hellos)
//!   |<--------------------------------------------|  OPEN, or a refusal
//! ```
//!
//! All messages have a fixed size, so nothing has to be decoded and no memory depends on what a stranger says. The beginning of a hello
//! (magic, version, verdict) is the same in all versions that there will be: that another version is there can always be told.
//!
//! **What it proves.** Each side proves to the other that it knows the key (HMAC-SHA256, RFC 2104 and FIPS 180-4; compared in constant
//! time). A proof covers both hellos whole, nonces included, and who gives it. So one that was overheard fits no other greeting,
//! one that is sent back fits neither, and nobody on the way can change a version, limit or verdict unseen.
//!
//! **What it does not.** Who sits on the way can pass the whole greeting on and then speak in place of either, and read all that is said. Where the way is not
//! trusted take TLS: then the proofs also cover what the two ends of the TLS connection alone know, and fit no other.
//!
//! **Who dies when.** Whichever side ends in the middle, the other sees the stream end. Which side says nothing runs into the other's time for
//! the whole greeting. A server that refuses says why, and stays until the client has read it, or the time is over. A client that the server
//! accepted and that ends before it knows has a link there which is [closed](super::RemoteError::Closed).

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::key::AuthKey;
use super::{RemoteError, nonce};

/// The first bytes of a hello.
const MAGIC: [u8; 8] = *b"OFFSPRNG";

/// The version of this greeting, and of what follows it.
pub(super) const VERSION: u16 = 1;

/// How many bytes a hello has: magic, version, verdict, nothing, limit, nonce.
const HELLO: usize = 8 + 2 + 1 + 1 + 4 + nonce::LENGTH;

/// How many of them are the same in all versions: up to the verdict.
const HEAD: usize = 11;

const PROOF: usize = 32;

/// What one side says of the other, as a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Verdict {
    /// Go on: there is no key. From a client: it has none.
    Open = 0,
    /// Prove that you know the key. From a client: it can.
    Prove = 1,
    OtherVersion = 2,
    KeyNeeded = 3,
    NoKey = 4,
    WrongKey = 5,
    TooMany = 6,
    OtherUser = 7,
    Protocol = 8,
}

impl Verdict {
    fn new(byte: u8) -> Result<Self, RemoteError> {
        use Verdict::{KeyNeeded, NoKey, Open, OtherUser, OtherVersion, Protocol, Prove, TooMany, WrongKey};
        let all = [Open, Prove, OtherVersion, KeyNeeded, NoKey, WrongKey, TooMany, OtherUser, Protocol];
        let known = all.into_iter().find(|verdict| *verdict as u8 == byte);
        known.ok_or_else(|| RemoteError::protocol(format!("its verdict is {byte}, which means nothing")))
    }

    /// What a server tells a client of an error.
    fn of(error: &RemoteError) -> Option<Self> {
        match error {
            RemoteError::OtherVersion { .. } => Some(Self::OtherVersion),
            RemoteError::KeyNeeded => Some(Self::KeyNeeded),
            RemoteError::NoKey => Some(Self::NoKey),
            RemoteError::WrongKey => Some(Self::WrongKey),
            RemoteError::TooMany => Some(Self::TooMany),
            RemoteError::OtherUser => Some(Self::OtherUser),
            RemoteError::Protocol { .. } => Some(Self::Protocol),
            _ => None, // it would not hear it
        }
    }

    /// What a refusal means to the client, of a server of such a version.
    fn refusal(self, version: u16) -> RemoteError {
        match self {
            Self::OtherVersion => RemoteError::OtherVersion { theirs: version, ours: VERSION },
            Self::KeyNeeded => RemoteError::KeyNeeded,
            Self::NoKey => RemoteError::NoKey,
            Self::WrongKey => RemoteError::WrongKey,
            Self::TooMany => RemoteError::TooMany,
            Self::OtherUser => RemoteError::OtherUser,
            Self::Protocol => RemoteError::protocol("it did not understand this side's greeting"),
            Self::Open | Self::Prove => RemoteError::protocol("it goes on where it should not"),
        }
    }
}

/// What a greeting goes over.
pub(super) trait Talk {
    /// Waits until the buffer is filled.
    fn hear(&mut self, buffer: &mut [u8]) -> Result<(), RemoteError>;

    /// Says the bytes.
    fn say(&mut self, bytes: &[u8]) -> Result<(), RemoteError>;

    /// What proofs are bound to.
    fn binding(&self) -> Result<Binding, RemoteError> {
        Ok(Binding::default())
    }
}

/// What one side says first.
#[derive(Clone, Copy, Debug)]
struct Hello([u8; HELLO]);

/// What TLS begins with that refuses something, and what it begins with (RFC 8446, 5.1).
const TLS_ALERT: u8 = 21;
const TLS_HANDSHAKE: u8 = 22;

impl Hello {
    fn new(verdict: Verdict, limit: u32) -> Result<Self, RemoteError> {
        let mut hello = [0; HELLO];
        hello[..8].copy_from_slice(&MAGIC);
        hello[8..10].copy_from_slice(&VERSION.to_le_bytes());
        hello[10] = verdict as u8;
        hello[12..16].copy_from_slice(&limit.to_le_bytes());
        hello[16..].copy_from_slice(&nonce::fresh().map_err(RemoteError::system)?);
        Ok(Self(hello))
    }

    /// Hears one. What is none is told from its first wrong byte, without a wait for more.
    fn hear(talk: &mut impl Talk) -> Result<(Self, Verdict), RemoteError> {
        let mut hello = [0; HELLO];
        for (place, byte) in MAGIC.iter().enumerate() {
            talk.hear(&mut hello[place..=place])?;
            if hello[place] != *byte {
                return Err(RemoteError::protocol(match hello[..=place] {
                    [TLS_ALERT | TLS_HANDSHAKE] => {
                        "it speaks TLS, and this side does not: both are to, or none"
                    }
                    _ => "what it says is no greeting of offspring",
                }));
            }
        }
        talk.hear(&mut hello[8..HEAD])?;
        let theirs = u16::from_le_bytes([hello[8], hello[9]]);
        if theirs != VERSION {
            return Err(RemoteError::OtherVersion { theirs, ours: VERSION });
        }
        talk.hear(&mut hello[HEAD..])?;
        let verdict = Verdict::new(hello[10])?;
        Ok((Self(hello), verdict))
    }

    fn limit(&self) -> u32 {
        u32::from_le_bytes([self.0[12], self.0[13], self.0[14], self.0[15]])
    }
}

/// What is known only to the two ends of what the greeting goes over: of TLS (RFC 5705), or nothing. Who sits in between has another with
/// each of them.
pub(super) type Binding = [u8; 32];

/// Who gives a proof.
type Role = &'static [u8];

const CLIENT: Role = b"client";
const SERVER: Role = b"server";

/// The two hellos, which proofs are of.
struct Transcript {
    client: Hello,
    server: Hello,
    binding: Binding,
}

impl Transcript {
    fn mac(&self, key: &AuthKey, who: Role) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key has any length");
        mac.update(b"offspring link ");
        mac.update(who);
        mac.update(&self.client.0);
        mac.update(&self.server.0);
        mac.update(&self.binding);
        mac
    }

    fn prove(&self, key: &AuthKey, who: Role) -> [u8; PROOF] {
        self.mac(key, who).finalize().into_bytes().into()
    }

    fn check(&self, key: &AuthKey, who: Role, proof: &[u8; PROOF]) -> Result<(), RemoteError> {
        self.mac(key, who).verify_slice(proof).map_err(|_| RemoteError::WrongKey) // in constant time
    }
}

/// Greets a server: how long a message to it may be.
pub(super) fn as_client(talk: &mut impl Talk, key: Option<&AuthKey>, limit: u32) -> Result<u32, RemoteError> {
    let ours = Hello::new(if key.is_some() { Verdict::Prove } else { Verdict::Open }, limit)?;
    talk.say(&ours.0)?;
    let (theirs, verdict) = Hello::hear(talk)?;
    match (verdict, key) {
        (Verdict::Prove, Some(key)) => {
            let transcript = Transcript { client: ours, server: theirs, binding: talk.binding()? };
            talk.say(&transcript.prove(key, CLIENT))?;
            let mut answer = [0; 1 + PROOF];
            talk.hear(&mut answer[..1])?;
            let verdict = Verdict::new(answer[0])?;
            if verdict != Verdict::Open {
                return Err(verdict.refusal(VERSION));
            }
            talk.hear(&mut answer[1..])?;
            let proof = answer[1..].first_chunk().expect("it has the length of one");
            transcript.check(key, SERVER, proof)?;
        }
        (Verdict::Open, None) => {}
        // It would let in everybody: it may be anybody.
        (Verdict::Open, Some(_)) => return Err(RemoteError::NoKey),
        (Verdict::Prove, None) => return Err(RemoteError::KeyNeeded),
        (refused, _) => return Err(refused.refusal(VERSION)),
    }
    Ok(theirs.limit())
}

/// Greets a client, whom `admit` gives a place: how long a message to it may be, and the place. A client that is refused is told why.
pub(super) fn as_server<P>(
    talk: &mut impl Talk,
    key: Option<&AuthKey>,
    limit: u32,
    admit: impl FnOnce() -> Result<P, RemoteError>,
) -> Result<(u32, P), RemoteError> {
    let refuse = |talk: &mut _, error| {
        if let Some(verdict) = Verdict::of(&error) {
            let _what_it_did_counts = Hello::new(verdict, limit).and_then(|hello| Talk::say(talk, &hello.0));
        }
        error
    };
    let (theirs, verdict) = Hello::hear(talk).map_err(|error| refuse(talk, error))?;
    let key = match (verdict, key) {
        (Verdict::Prove, Some(key)) => key,
        (Verdict::Open, None) => {
            let place = admit().map_err(|error| refuse(talk, error))?;
            talk.say(&Hello::new(Verdict::Open, limit)?.0)?;
            return Ok((theirs.limit(), place));
        }
        (Verdict::Open, Some(_)) => return Err(refuse(talk, RemoteError::KeyNeeded)),
        (Verdict::Prove, None) => return Err(refuse(talk, RemoteError::NoKey)),
        _ => return Err(refuse(talk, RemoteError::protocol("its greeting says what a server's does"))),
    };
    let ours = Hello::new(Verdict::Prove, limit)?;
    talk.say(&ours.0)?;
    let transcript = Transcript { client: theirs, server: ours, binding: talk.binding()? };
    let mut proof = [0; PROOF];
    talk.hear(&mut proof)?;
    let place = transcript.check(key, CLIENT, &proof).and_then(|()| admit()).inspect_err(|error| {
        if let Some(verdict) = Verdict::of(error) {
            let _what_it_did_counts = talk.say(&[verdict as u8]);
        }
    })?;
    let mut answer = [Verdict::Open as u8; 1 + PROOF];
    answer[1..].copy_from_slice(&transcript.prove(key, SERVER));
    talk.say(&answer)?;
    Ok((theirs.limit(), place))
}

/// What a stranger may say, to either side: for tests and fuzzers.
#[cfg(any(test, fuzzing))]
pub(crate) mod specimen {
    use super::*;

    /// Says what it is given, and remembers what it is told.
    #[derive(Debug, Default)]
    pub(crate) struct Script {
        pub(crate) says: Vec<u8>,
        pub(crate) told: Vec<u8>,
    }

    impl Talk for Script {
        fn hear(&mut self, buffer: &mut [u8]) -> Result<(), RemoteError> {
            if self.says.len() < buffer.len() {
                self.says.clear();
                return Err(RemoteError::Closed);
            }
            buffer.copy_from_slice(&self.says[..buffer.len()]);
            self.says.drain(..buffer.len());
            Ok(())
        }

        fn say(&mut self, bytes: &[u8]) -> Result<(), RemoteError> {
            self.told.extend_from_slice(bytes);
            Ok(())
        }
    }

    /// Greets somebody who says these bytes. Nobody proves anything to a side that has a key.
    pub(crate) fn greet_anybody(bytes: &[u8]) {
        let key = AuthKey::new(b"a key that nobody has".as_slice());
        for key in [None, Some(&key)] {
            let script = || Script { says: bytes.to_vec(), told: Vec::new() };
            let as_server = as_server(&mut script(), key, 7, || Ok(()));
            let as_client = as_client(&mut script(), key, 7);
            assert!(key.is_none() || (as_server.is_err() && as_client.is_err()), "a stranger is let in");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use proptest::prelude::*;

    use super::specimen::{Script, greet_anybody};
    use super::*;

    /// One end of a way on which nothing is changed.
    struct Way(Sender<u8>, Receiver<u8>);

    impl Talk for Way {
        fn hear(&mut self, buffer: &mut [u8]) -> Result<(), RemoteError> {
            for byte in buffer {
                *byte = self.1.recv().map_err(|_| RemoteError::Closed)?;
            }
            Ok(())
        }

        fn say(&mut self, bytes: &[u8]) -> Result<(), RemoteError> {
            bytes.iter().try_for_each(|byte| self.0.send(*byte)).map_err(|_| RemoteError::Closed)
        }
    }

    type Outcome = Result<u32, RemoteError>;

    /// Has two sides greet each other: what becomes of the client, and of the server.
    fn greet(client: Option<&str>, server: Option<&str>) -> (Outcome, Outcome) {
        let ((to_server, from_client), (to_client, from_server)) = (channel(), channel());
        let key = server.map(AuthKey::from);
        let server = std::thread::spawn(move || {
            let mut way = Way(to_client, from_client);
            as_server(&mut way, key.as_ref(), 11, || Ok(())).map(|(limit, ())| limit)
        });
        let mut way = Way(to_server, from_server);
        let client = as_client(&mut way, client.map(AuthKey::from).as_ref(), 22);
        drop(way);
        (client, server.join().unwrap())
    }

    #[test]
    fn who_knows_the_key_is_let_in_and_learns_the_limit() {
        for key in [None, Some("key"), Some("")] {
            let (client, server) = greet(key, key);
            assert_eq!((client.unwrap(), server.unwrap()), (11, 22));
        }
    }

    #[test]
    fn both_sides_know_why_not() {
        use RemoteError::{KeyNeeded, NoKey, WrongKey};
        assert!(matches!(greet(Some("one"), Some("other")), (Err(WrongKey), Err(WrongKey))));
        assert!(matches!(greet(None, Some("key")), (Err(KeyNeeded), Err(KeyNeeded))));
        assert!(matches!(greet(Some("key"), None), (Err(NoKey), Err(NoKey))));
    }

    /// What a client says that knows the key, and what it was told.
    fn overheard() -> (Vec<u8>, Vec<u8>, AuthKey) {
        struct Tap<'a>(&'a mut Way, Vec<u8>, Vec<u8>);
        impl Talk for Tap<'_> {
            fn hear(&mut self, buffer: &mut [u8]) -> Result<(), RemoteError> {
                self.0.hear(buffer)?;
                self.2.extend_from_slice(buffer);
                Ok(())
            }
            fn say(&mut self, bytes: &[u8]) -> Result<(), RemoteError> {
                self.1.extend_from_slice(bytes);
                self.0.say(bytes)
            }
        }
        let ((to_server, from_client), (to_client, from_server)) = (channel(), channel());
        let server = std::thread::spawn(move || {
            let key = AuthKey::from("key");
            as_server(&mut Way(to_client, from_client), Some(&key), 11, || Ok(())).is_ok()
        });
        let key = AuthKey::from("key");
        let mut way = Way(to_server, from_server);
        let mut tap = Tap(&mut way, Vec::new(), Vec::new());
        as_client(&mut tap, Some(&key), 22).unwrap();
        let (said, heard) = (tap.1, tap.2);
        assert!(server.join().unwrap());
        (said, heard, key)
    }

    #[test]
    fn what_was_overheard_lets_nobody_in() {
        let (said, heard, key) = overheard();
        let mut client = Script { says: said, told: Vec::new() };
        assert!(matches!(as_server(&mut client, Some(&key), 11, || Ok(())), Err(RemoteError::WrongKey)));
        let mut server = Script { says: heard, told: Vec::new() };
        assert!(matches!(as_client(&mut server, Some(&key), 22), Err(RemoteError::WrongKey)));
    }

    #[test]
    fn what_is_sent_back_lets_nobody_in() {
        /// Says whatever it was told.
        #[derive(Default)]
        struct Mirror(std::collections::VecDeque<u8>);
        impl Talk for Mirror {
            fn hear(&mut self, buffer: &mut [u8]) -> Result<(), RemoteError> {
                for byte in buffer {
                    *byte = self.0.pop_front().ok_or(RemoteError::Closed)?;
                }
                Ok(())
            }
            fn say(&mut self, bytes: &[u8]) -> Result<(), RemoteError> {
                self.0.extend(bytes);
                Ok(())
            }
        }
        let key = AuthKey::from("key");
        assert!(as_client(&mut Mirror::default(), Some(&key), 1).is_err());
    }

    #[test]
    fn a_byte_that_is_changed_on_the_way_is_seen() {
        let (said, _, key) = overheard();
        // A client that proves itself to the server of this hello, in which one byte was changed after it had been said.
        let hello = Hello::new(Verdict::Prove, 11).unwrap();
        let client = Hello(*said.first_chunk().unwrap());
        let binding = [7; 32];
        let proof = Transcript { client, server: hello, binding }.prove(&key, CLIENT);
        for place in 0..HELLO {
            let mut changed = hello;
            changed.0[place] ^= 1;
            assert!(Transcript { client, server: changed, binding }.check(&key, CLIENT, &proof).is_err());
            let mut changed = client;
            changed.0[place] ^= 1;
            assert!(
                Transcript { client: changed, server: hello, binding }.check(&key, CLIENT, &proof).is_err()
            );
        }
        assert!(Transcript { client, server: hello, binding: [8; 32] }.check(&key, CLIENT, &proof).is_err());
        assert!(Transcript { client, server: hello, binding }.check(&key, SERVER, &proof).is_err());
        assert!(Transcript { client, server: hello, binding }.check(&key, CLIENT, &proof).is_ok());
    }

    #[test]
    fn another_version_is_told_to_both() {
        let mut hello = Hello::new(Verdict::Prove, 1).unwrap().0;
        hello[8..10].copy_from_slice(&9_u16.to_le_bytes());
        let key = AuthKey::from("key");
        let mut client = Script { says: hello[..HEAD].to_vec(), told: Vec::new() };
        let error = as_server(&mut client, Some(&key), 1, || Ok(())).unwrap_err();
        assert!(matches!(error, RemoteError::OtherVersion { theirs: 9, ours: VERSION }), "{error}");
        assert_eq!((client.told[8], client.told[10]), (1, Verdict::OtherVersion as u8));
        let mut server = Script { says: hello[..HEAD].to_vec(), told: Vec::new() };
        let error = as_client(&mut server, Some(&key), 1).unwrap_err();
        assert!(matches!(error, RemoteError::OtherVersion { theirs: 9, ours: VERSION }), "{error}");
    }

    #[test]
    fn what_is_no_greeting_is_told_from_its_first_wrong_byte() {
        let mut client = Script { says: b"G".to_vec(), told: Vec::new() };
        let error = as_server(&mut client, None, 1, || Ok(())).unwrap_err();
        assert!(matches!(error, RemoteError::Protocol { .. }), "{error}");
    }

    proptest! {
        #[test]
        fn a_stranger_is_never_let_in(
            known in 0..=HELLO, rest in prop::collection::vec(any::<u8>(), 0..120), verdict in 0..10_u8,
        ) {
            let mut hello = Hello::new(Verdict::Prove, 5).unwrap().0;
            hello[10] = verdict;
            greet_anybody(&[&hello[..known], &rest].concat());
        }
    }
}
