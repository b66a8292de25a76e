//! A ring of bytes in shared memory with one writer and one reader. It knows neither errors nor deaths: it is what
//! hands can reach.

use std::rc::Rc;

use anyhow::Result;

use super::Contender;
use super::end::{self, End, attend};
use super::lane::{HEAD, Lane};
use crate::forked::Forked;
use crate::memory::Memory;

const CAPACITY: usize = 1 << 20;
/// Longer messages go in pieces, so that the reader copies while the writer still does.
const PIECE: usize = 128 << 10;

/// Rings whose ends spin, or do not.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(crate) spins: bool,
}

/// One side of a ring.
#[derive(Debug)]
struct Side {
    memory: Rc<Memory>,
    spins: bool,
    /// How far this side is,
    mine: u64,
    /// and how far the other was when it was last looked at.
    other: u64,
}

impl Side {
    fn lane(&self) -> &Lane {
        self.memory.head()
    }

    fn write(&mut self, message: &[u8]) {
        for piece in message.chunks(PIECE) {
            let room = |read: u64, mine: u64| CAPACITY as u64 - (mine - read);
            let (wanted, mine) = (piece.len() as u64, self.mine);
            if room(self.other, mine) < wanted {
                // A full ring is left to the reader until it has made some room, not message by message.
                let far_enough = |read| room(read, mine) >= wanted.max(CAPACITY as u64 / 4);
                self.other = self.lane().read.wait(self.spins, far_enough);
            }
            let (place, before_end) = place(mine, piece.len());
            self.memory.write(HEAD + place, &piece[..before_end]);
            if before_end < piece.len() {
                self.memory.write(HEAD, &piece[before_end..]);
            }
            self.mine += wanted;
            self.lane().written.publish(self.mine);
        }
    }

    fn read(&mut self, message: &mut [u8]) {
        for piece in message.chunks_mut(PIECE) {
            let (wanted, mine) = (piece.len() as u64, self.mine);
            if self.other - mine < wanted {
                self.other = self.lane().written.wait(self.spins, |written| written - mine >= wanted);
            }
            let (place, before_end) = place(mine, piece.len());
            self.memory.read(HEAD + place, &mut piece[..before_end]);
            if before_end < piece.len() {
                self.memory.read(HEAD, &mut piece[before_end..]);
            }
            self.mine += wanted;
            self.lane().read.publish(self.mine);
        }
    }
}

/// Where a position is in the ring, and how much of this length fits before the ring's end.
#[expect(clippy::cast_possible_truncation, reason = "less than the capacity")]
fn place(position: u64, length: usize) -> (usize, usize) {
    let place = (position % CAPACITY as u64) as usize;
    (place, length.min(CAPACITY - place))
}

/// Two rings.
#[derive(Debug)]
pub(crate) struct Rings {
    to: Side,
    from: Side,
    outbox: Vec<u8>,
    inbox: Vec<u8>,
}

impl End for Rings {
    fn send(&mut self, signal: u64, length: usize) -> Result<()> {
        end::begin(&mut self.outbox, signal);
        self.to.write(&self.outbox[..length]);
        Ok(())
    }

    fn receive(&mut self, length: usize) -> Result<u64> {
        self.from.read(&mut self.inbox[..length]);
        end::look(&self.inbox[..length])
    }
}

impl Contender for Ring {
    type End = Rings;
    type Peer = Forked;

    fn open(&self, size: usize) -> Result<(Rings, Forked)> {
        let ring = || Memory::new(HEAD + CAPACITY).map(Rc::new);
        let (there, back) = (ring()?, ring()?);
        let half =
            |memory: &Rc<Memory>| Side { memory: Rc::clone(memory), spins: self.spins, mine: 0, other: 0 };
        let ends = |to, from| Rings {
            to: half(to),
            from: half(from),
            outbox: end::message(0, size),
            inbox: vec![0; size],
        };
        let (mine, theirs) = (ends(&there, &back), ends(&back, &there));
        Ok((mine, Forked::start(|| attend(theirs, size))?))
    }
}
