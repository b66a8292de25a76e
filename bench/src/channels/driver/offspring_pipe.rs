//! offspring: the two ends of a pipe, one of which goes to a spawned process as an argument.

use anyhow::Result;
use offspring::{Bytes, Child, Connection};

use super::Contender;
use super::end::{BySize, End, Store, attend};
use super::offspring_channel::{Outcome, Sent, told};

/// `offspring::pipe`.
#[derive(Debug)]
pub(crate) struct Pipe;

/// One end of a pipe.
#[derive(Debug)]
pub(crate) struct PipeEnd<I> {
    connection: Connection<I, I>,
    store: Store<I>,
}

impl<I: Sent> End for PipeEnd<I> {
    fn send(&mut self, signal: u64, length: usize) -> Result<()> {
        Ok(self.connection.send(self.store.get(signal, length))?)
    }

    fn receive(&mut self, _length: usize) -> Result<u64> {
        self.connection.recv()?.look()
    }
}

fn attend_pipe<I: Sent>(connection: Connection<I, I>, size: usize) -> Outcome<()> {
    told(attend(PipeEnd { connection, store: Store::new() }, size))
}

fn open_pipe<I: Sent>(size: usize) -> Result<(PipeEnd<I>, Child<Outcome<()>>)> {
    let (connection, theirs) = offspring::pipe::<I, I>()?;
    let peer = offspring::spawn(attend_pipe::<I>, (theirs, size))?;
    Ok((PipeEnd { connection, store: Store::new() }, peer))
}

impl Contender for Pipe {
    type End = BySize<PipeEnd<u64>, PipeEnd<Bytes>>;
    type Peer = Child<Outcome<()>>;

    fn open(&self, size: usize) -> Result<(Self::End, Self::Peer)> {
        Ok(if size == 8 {
            let (end, peer) = open_pipe(size)?;
            (BySize::Word(end), peer)
        } else {
            let (end, peer) = open_pipe(size)?;
            (BySize::Buffer(end), peer)
        })
    }
}
