//! Buffers in shared memory that are used in turns: the writer fills one, the reader reads it where it lies and gives it
//! back. Nothing is mapped per message, which is what makes large messages fast.

use std::rc::Rc;

use anyhow::Result;

use super::Contender;
use super::end::{self, End, attend};
use super::lane::{HEAD, Lane};
use crate::channels::contestant::HUGE;
use crate::forked::Forked;
use crate::memory::Memory;

/// Reused buffers whose ends spin, or do not.
#[derive(Debug)]
pub(crate) struct Slots {
    pub(crate) spins: bool,
}

#[derive(Debug)]
struct Side {
    memory: Rc<Memory>,
    mine: u64,
}

/// Slots for each direction.
#[derive(Debug)]
pub(crate) struct Ends {
    to: Side,
    from: Side,
    spins: bool,
    count: u64,
    size: usize,
    outbox: Vec<u8>,
}

impl Ends {
    /// Where the slot of this position begins.
    #[expect(clippy::cast_possible_truncation, reason = "there are few slots")]
    fn place(&self, position: u64) -> usize {
        HEAD + (position % self.count) as usize * self.size.next_multiple_of(4096)
    }
}

impl End for Ends {
    fn send(&mut self, signal: u64, length: usize) -> Result<()> {
        end::begin(&mut self.outbox, signal);
        let (mine, count) = (self.to.mine, self.count);
        let lane: &Lane = self.to.memory.head();
        lane.read.wait(self.spins, |read| mine - read < count);
        self.to.memory.write(self.place(mine), &self.outbox[..length]);
        lane.written.publish(mine + 1);
        self.to.mine += 1;
        Ok(())
    }

    fn receive(&mut self, length: usize) -> Result<u64> {
        let mine = self.from.mine;
        let lane: &Lane = self.from.memory.head();
        lane.written.wait(self.spins, |written| written > mine);
        let signal = end::look(self.from.memory.bytes(self.place(mine), length))?;
        lane.read.publish(mine + 1);
        self.from.mine += 1;
        Ok(signal)
    }
}

impl Contender for Slots {
    type End = Ends;
    type Peer = Forked;

    fn open(&self, size: usize) -> Result<(Ends, Forked)> {
        let count: u8 = if size >= HUGE { 2 } else { 4 };
        let length = HEAD + usize::from(count) * size.next_multiple_of(4096);
        let (there, back) = (Rc::new(Memory::new(length)?), Rc::new(Memory::new(length)?));
        let half = |memory: &Rc<Memory>| Side { memory: Rc::clone(memory), mine: 0 };
        let ends = |to, from| Ends {
            to: half(to),
            from: half(from),
            spins: self.spins,
            count: count.into(),
            size,
            outbox: end::message(0, size),
        };
        let (mine, theirs) = (ends(&there, &back), ends(&back, &there));
        Ok((mine, Forked::start(|| attend(theirs, size))?))
    }
}
