//! What is sent to a worker or a producer, by whom.

use std::io;
use std::sync::mpsc::{Sender, channel};

use crate::net::remote::{LinkSender, RemoteError};

/// The thread that sends has little to do.
const STACK: usize = 128 << 10;

/// The way to a worker or a producer.
///
/// Who listens to it sends to it, and is held up by it alone when it does not read. Others leave a message with a thread of its
/// own. There is one task or result for each that it has asked for, so not many wait there.
#[derive(Clone, Debug)]
pub(in crate::tasks) struct Post {
    link: LinkSender,
    waiting: Sender<Vec<u8>>,
}

impl Post {
    /// Its thread ends with the link, or with all clones of this.
    pub(super) fn new(link: LinkSender) -> io::Result<Self> {
        let (waiting, messages) = channel::<Vec<u8>>();
        let sender = link.clone();
        let send = move || {
            for message in messages {
                if sender.send(&message).is_err() {
                    sender.shutdown(); // so that it is noticed by whom listens
                    break;
                }
            }
        };
        std::thread::Builder::new().name("tasks to a worker".into()).stack_size(STACK).spawn(send)?;
        Ok(Self { link, waiting })
    }

    /// Sends a message, and waits for room.
    pub(in crate::tasks) fn send(&self, message: &[u8]) -> Result<(), RemoteError> {
        self.link.send(message)
    }

    /// Has a message sent, after those that were left before. Nobody waits.
    pub(in crate::tasks) fn post(&self, message: Vec<u8>) {
        let _its_link_is_over = self.waiting.send(message);
    }

    /// Whether a message is not too long for it.
    pub(in crate::tasks) fn takes(&self, message: &[u8]) -> Result<(), RemoteError> {
        let (size, limit) = (message.len(), self.link.max_message());
        if size > limit {
            return Err(RemoteError::TooLarge { size: size as u64, limit: limit as u64 });
        }
        Ok(())
    }

    pub(in crate::tasks) fn shutdown(&self) {
        self.link.shutdown();
    }

    /// Whether it is the way to the same one.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.link.is(&other.link)
    }
}
