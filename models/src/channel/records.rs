//! How a record of the ring is published and received, in miniature: the accesses of `Ring::push`, `front` and `pop` in their order, on a ring of a
//! few words. The two sides have a lock each and none in common: what one shows the other goes by these accesses alone.

use loom::sync::Arc;
use loom::thread;

use crate::sys::atomic::{AtomicU64, Ordering};

const WORDS: u64 = 3;

#[derive(Debug, Default)]
struct Records {
    /// Zero where the next record is going to be.
    words: [AtomicU64; WORDS as usize],
    payloads: [AtomicU64; WORDS as usize],
    /// How far the receivers are.
    position: AtomicU64,
}

impl Records {
    fn word(&self, position: u64) -> &AtomicU64 {
        &self.words[(position % WORDS) as usize]
    }

    fn payload(&self, position: u64) -> &AtomicU64 {
        &self.payloads[(position % WORDS) as usize]
    }

    /// Publishes a record at the tail, if there is room for it and the word behind it.
    fn push(&self, tail: u64, payload: u64) -> bool {
        let head = self.position.load(Ordering::Acquire);
        if tail + 2 > head + WORDS {
            return false;
        }
        self.payload(tail).store(payload, Ordering::Relaxed);
        self.word(tail + 1).store(0, Ordering::Relaxed);
        self.word(tail).store(1, Ordering::SeqCst);
        true
    }

    /// Receives the record at the receivers' position, if there is one.
    fn pop(&self) -> Option<u64> {
        let position = self.position.load(Ordering::Relaxed);
        if self.word(position).load(Ordering::Acquire) == 0 {
            return None;
        }
        let payload = self.payload(position).load(Ordering::Relaxed);
        self.position.store(position + 1, Ordering::SeqCst);
        Some(payload)
    }
}

#[test]
fn records_are_received_whole_in_order_and_once_while_the_ring_wraps() {
    loom::model(|| {
        let records = Arc::new(Records::default());
        let sender = {
            let records = Arc::clone(&records);
            thread::spawn(move || {
                // More tries than there is room for, so that it comes to what the receiver has just left.
                let mut sent = 0;
                for _ in 0..4 {
                    sent += u64::from(records.push(sent, 100 + sent));
                }
                sent
            })
        };
        let mut received: Vec<u64> = (0..3).filter_map(|_| records.pop()).collect();
        let sent = sender.join().unwrap();
        received.extend(std::iter::from_fn(|| records.pop()));
        assert_eq!(received, (100..100 + sent).collect::<Vec<_>>());
        assert!(sent >= 2);
    });
}
