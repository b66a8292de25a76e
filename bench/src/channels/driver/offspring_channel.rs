//! offspring: two channels, and a process that is spawned with its ends as arguments.

use std::fmt::Debug;

use anyhow::{Error, Result};
use offspring::channel::{bounded, channel};
use offspring::{Bytes, Child, Receiver, Sender};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Contender;
use super::crowd::{self, Tally};
use super::end::{BySize, End, Item, Peer, Store, attend};
use crate::summary::Rate;

/// What the queue of the many holds, as the peers' do.
const CAPACITY: usize = 1024;

/// `offspring::channel`.
#[derive(Debug)]
pub(crate) struct Channels;

/// What a process of ours returns: errors travel as text.
pub(crate) type Outcome<T> = Result<T, String>;

/// The way of a result between processes.
pub(crate) fn told<T>(result: Result<T>) -> Outcome<T> {
    result.map_err(|error| format!("{error:#}"))
}

/// Items of every type that is sent here.
pub(crate) trait Sent: Item + Serialize + DeserializeOwned + Send + Sync + Debug + 'static {}

impl<I: Item + Serialize + DeserializeOwned + Send + Sync + Debug + 'static> Sent for I {}

impl Peer for Child<Outcome<()>> {
    fn pid(&self) -> u32 {
        Child::pid(self)
    }

    fn join(self) -> Result<()> {
        joined(&self)
    }
}

fn joined<T>(child: &Child<Outcome<T>>) -> Result<T>
where
    T: Serialize + DeserializeOwned + 'static,
{
    child.join()?.map_err(Error::msg)
}

/// A channel for each direction.
#[derive(Debug)]
pub(crate) struct Duplex<I> {
    to: Sender<I>,
    from: Receiver<I>,
    store: Store<I>,
}

impl<I: Sent> End for Duplex<I> {
    fn send(&mut self, signal: u64, length: usize) -> Result<()> {
        Ok(self.to.send(self.store.get(signal, length))?)
    }

    fn receive(&mut self, _length: usize) -> Result<u64> {
        self.from.recv()?.look()
    }
}

fn attend_channels<I: Sent>(from: Receiver<I>, to: Sender<I>, size: usize) -> Outcome<()> {
    told(attend(Duplex { to, from, store: Store::new() }, size))
}

fn open_channels<I: Sent>(size: usize) -> Result<(Duplex<I>, Child<Outcome<()>>)> {
    let ((to, there), (back, from)) = (channel::<I>()?, channel::<I>()?);
    let peer = offspring::spawn(attend_channels::<I>, (there, back, size))?;
    Ok((Duplex { to, from, store: Store::new() }, peer))
}

impl Contender for Channels {
    type End = BySize<Duplex<u64>, Duplex<Bytes>>;
    type Peer = Child<Outcome<()>>;

    fn open(&self, size: usize) -> Result<(Self::End, Self::Peer)> {
        Ok(if size == 8 {
            let (end, peer) = open_channels(size)?;
            (BySize::Word(end), peer)
        } else {
            let (end, peer) = open_channels(size)?;
            (BySize::Buffer(end), peer)
        })
    }

    fn crowd(&self, millis: u64) -> Result<Rate> {
        let (sender, receiver) = bounded::<crowd::Item>(CAPACITY)?;
        let (mut consumers, mut producers) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            consumers.push(offspring::spawn(consume, (receiver.clone(),))?);
            producers.push(offspring::spawn(produce, (sender.clone(), millis))?);
        }
        let produced = producers.iter().map(joined).collect::<Result<Vec<Tally>>>()?;
        for _ in &consumers {
            sender.send(crowd::END)?;
        }
        let consumed = consumers.iter().map(joined).collect::<Result<Vec<Tally>>>()?;
        crowd::settle(&produced, &consumed)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "an argument of a process")]
fn consume(receiver: Receiver<crowd::Item>) -> Outcome<Tally> {
    told(crowd::consume(|| Ok(receiver.recv()?)))
}

#[expect(clippy::needless_pass_by_value, reason = "an argument of a process")]
fn produce(sender: Sender<crowd::Item>, millis: u64) -> Outcome<Tally> {
    told(crowd::produce(millis, |item| Ok(sender.send(item)?)))
}
