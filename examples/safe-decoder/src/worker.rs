//! The worker: the decoder in a process of its own, with limits.

use std::time::Duration;

use offspring::{Process, Run, Stdio};
use serde::{Deserialize, Serialize};

use crate::decoder::Decoder;
use crate::{DecodeError, Document, SyntaxError};

/// How long [`decode`] lets the decoder work.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much address space the decoder has.
#[cfg(unix)]
const MEMORY: u64 = 512 << 20;

/// The process class that users of this library do not see.
#[derive(Process, Serialize, Deserialize)]
#[process(name = "safe-decoder", daemon)]
struct Worker {
    input: Vec<u8>,
}

impl Run for Worker {
    type Output = Result<Document, SyntaxError>;

    fn run(self) -> Self::Output {
        #[cfg(unix)]
        {
            use nix::sys::resource::{Resource, setrlimit};
            setrlimit(Resource::RLIMIT_AS, MEMORY, MEMORY).expect("a limit can be lowered");
        }
        Decoder::new(&self.input).decode()
    }
}

/// Decodes hostile input. It takes ten seconds at most: see [`decode_within`].
///
/// # Errors
/// When the input is not in the format, and when it did the decoder any harm.
pub fn decode(input: &[u8]) -> Result<Document, DecodeError> {
    decode_within(input, PATIENCE)
}

/// Decodes hostile input, and gives up after `limit`.
///
/// # Errors
/// As [`decode`].
pub fn decode_within(input: &[u8], limit: Duration) -> Result<Document, DecodeError> {
    let worker = Worker { input: input.to_vec() };
    // A crash writes to standard error, and that is the application's own.
    let builder = worker.builder().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = builder.start()?;
    match child.join_timeout(limit)? {
        Some(document) => Ok(document?),
        None => {
            child.terminate_tree(Duration::ZERO)?;
            Err(DecodeError::TimedOut(limit))
        }
    }
}
