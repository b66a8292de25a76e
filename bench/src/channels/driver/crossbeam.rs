//! crossbeam-channel between threads: the bound, as nothing is encoded, copied, or known to die.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Result, anyhow};
use crossbeam_channel::{Receiver, Sender, bounded};

use super::Contender;
use super::crowd::{self, Tally};
use super::end::{BySize, End, Item, Peer, Store, attend};
use crate::summary::Rate;

const CAPACITY: usize = 1024;

/// Channels between threads.
#[derive(Debug)]
pub(crate) struct Crossbeam;

/// A channel for each direction.
#[derive(Debug)]
pub(crate) struct Channels<I> {
    to: Sender<I>,
    from: Receiver<I>,
    store: Store<I>,
}

impl<I: Item + Send + Sync + 'static> End for Channels<I> {
    fn send(&mut self, signal: u64, length: usize) -> Result<()> {
        self.to.send(self.store.get(signal, length)).map_err(|_| anyhow!("nobody receives"))
    }

    fn receive(&mut self, _length: usize) -> Result<u64> {
        self.from.recv()?.look()
    }
}

impl Peer for JoinHandle<Result<()>> {
    fn pid(&self) -> u32 {
        std::process::id()
    }

    fn join(self) -> Result<()> {
        joined(self)
    }
}

fn joined<T>(thread: JoinHandle<Result<T>>) -> Result<T> {
    thread.join().map_err(|_| anyhow!("the thread panicked"))?
}

fn pair<I: Item + Send + 'static>() -> (Channels<I>, Channels<I>) {
    let ((to, there), (back, from)) = (bounded(CAPACITY), bounded(CAPACITY));
    (Channels { to, from, store: Store::new() }, Channels { to: back, from: there, store: Store::new() })
}

impl Contender for Crossbeam {
    type End = BySize<Channels<u64>, Channels<Arc<[u8]>>>;
    type Peer = JoinHandle<Result<()>>;

    fn open(&self, size: usize) -> Result<(Self::End, Self::Peer)> {
        if size == 8 {
            let (mine, theirs) = pair();
            Ok((BySize::Word(mine), thread::spawn(move || attend(theirs, size))))
        } else {
            let (mine, theirs) = pair();
            Ok((BySize::Buffer(mine), thread::spawn(move || attend(theirs, size))))
        }
    }

    fn crowd(&self, millis: u64) -> Result<Rate> {
        let (sender, receiver) = bounded(CAPACITY);
        let consumers = [(); 2].map(|()| {
            let receiver = receiver.clone();
            thread::spawn(move || crowd::consume(|| Ok(receiver.recv()?)))
        });
        let producers = [(); 2].map(|()| {
            let sender = sender.clone();
            thread::spawn(move || crowd::produce(millis, |item| Ok(sender.send(item)?)))
        });
        let produced = producers.into_iter().map(joined).collect::<Result<Vec<Tally>>>()?;
        for _ in &consumers {
            sender.send(crowd::END)?;
        }
        let consumed = consumers.into_iter().map(joined).collect::<Result<Vec<Tally>>>()?;
        crowd::settle(&produced, &consumed)
    }
}
