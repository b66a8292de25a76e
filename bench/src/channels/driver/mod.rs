//! A driver: the long-lived process in which one contestant has its one end of the link; the peer has the other.

mod crossbeam;
mod crowd;
pub(crate) mod end;
mod iceoryx;
mod ipc_channel;
mod lane;
mod memcpy;
mod offspring_channel;
mod offspring_pipe;
pub(crate) mod ring;
mod slots;
mod socket;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::contestant::{Contestant, Kind, Offspring};
use super::protocol::{Answer, Batch, Request};
use crate::placement::Placement;
use crate::summary::Rate;
use crate::{cpu, link};
use end::{ACKNOWLEDGE, ECHO, End, Peer, SHORT, STOP, SWALLOW};

/// What a contestant can do.
pub(crate) trait Contender {
    type End: End;
    type Peer: Peer;

    /// Starts a peer that messages of this size can be exchanged with.
    fn open(&self, size: usize) -> Result<(Self::End, Self::Peer)>;

    /// Has two send to two for this long.
    fn crowd(&self, _millis: u64) -> Result<Rate> {
        bail!("there is one sender and one receiver only")
    }
}

/// The whole life of a driver. Children of offspring come here too, and turn off at its guard.
pub(crate) fn main(contestant: &str, placement: &str) -> Result<()> {
    let contestant = Contestant::find(contestant).context("no such contestant")?;
    let placement = Placement::find(placement).context("no such placement")?;
    let cpus = Cpus::of(placement)?;
    let (first, last) = cpu::first_and_last()?;
    let alone = first != last && placement != Placement::Pinned;
    cpus.peer.map_or(Ok(()), cpu::pin)?;
    match contestant.kind {
        Kind::Memcpy => serve(&memcpy::Memcpy, cpus),
        Kind::Crossbeam => serve(&crossbeam::Crossbeam, cpus),
        Kind::Ring { spins } => serve(&ring::Ring { spins }, cpus),
        Kind::Slots => serve(&slots::Slots { spins: alone }, cpus),
        Kind::Socket { packets: false } => serve(&socket::Stream, cpus),
        Kind::Socket { packets: true } => serve(&socket::Packets, cpus),
        Kind::IpcChannel { typed: true } => serve(&ipc_channel::Typed, cpus),
        Kind::IpcChannel { typed: false } => serve(&ipc_channel::Bytes, cpus),
        Kind::Iceoryx { polls, copies } => serve(&iceoryx::Iceoryx { polls, copies, alone }, cpus),
        Kind::Offspring(Offspring::Channel) => {
            offspring::init();
            serve(&offspring_channel::Channels, cpus)
        }
        Kind::Offspring(Offspring::Pipe) => {
            offspring::init();
            serve(&offspring_pipe::Pipe, cpus)
        }
        Kind::Python(_) => bail!("Python has a driver of its own"),
    }
}

/// Where they are confined to.
#[derive(Clone, Copy, Debug)]
struct Cpus {
    driver: Option<usize>,
    peer: Option<usize>,
}

impl Cpus {
    fn of(placement: Placement) -> Result<Self> {
        let (first, last) = cpu::first_and_last()?;
        Ok(match placement {
            Placement::Free => Self { driver: None, peer: None },
            Placement::Apart => Self { driver: Some(first), peer: Some(last) },
            Placement::Pinned => Self { driver: Some(last), peer: Some(last) },
        })
    }
}

fn serve<C: Contender>(contender: &C, cpus: Cpus) -> Result<()> {
    let mut open: Option<Open<C>> = None;
    link::serve(|request| {
        let opened = |open| Option::context(open, "nothing is open");
        match request {
            Request::Open { size, least } => {
                ensure!(open.is_none(), "something is open already");
                open = Some(Open::new(contender, cpus, size, least)?);
                Ok(Answer::Done {})
            }
            Request::RoundTrip(batch) => opened(open.as_mut())?.round_trips(batch),
            Request::OneWay(batch) => opened(open.as_mut())?.one_way(batch),
            Request::Idle { millis } => opened(open.as_mut())?.idle(Duration::from_millis(millis)),
            Request::Close {} => {
                open.take().context("nothing is open")?.close()?;
                Ok(Answer::Done {})
            }
            Request::Crowd { millis } => contender.crowd(millis).map(Answer::Flow),
        }
    })
}

/// A link with a peer that is there.
struct Open<C: Contender> {
    end: C::End,
    peer: C::Peer,
    size: usize,
}

impl<C: Contender> Open<C> {
    /// Opens one and sends so much through it that all of its memory has been touched.
    fn new(contender: &C, cpus: Cpus, size: usize, least: usize) -> Result<Self> {
        cpus.peer.map_or(Ok(()), cpu::pin)?;
        let (end, peer) = contender.open(size)?; // the peer stays where this thread is now
        cpus.driver.map_or(Ok(()), cpu::pin)?;
        let mut open = Self { end, peer, size };
        let warm_up = Batch { millis: 10, least };
        open.round_trips(warm_up)?;
        open.one_way(warm_up)?;
        Ok(open)
    }

    fn round_trips(&mut self, batch: Batch) -> Result<Answer> {
        let mut ns = Vec::new();
        let deadline = Instant::now() + Duration::from_millis(batch.millis);
        loop {
            let begin = Instant::now();
            if ns.len() >= batch.least && begin >= deadline {
                return Ok(Answer::RoundTrips { ns });
            }
            self.end.send(ECHO, self.size)?;
            let signal = self.end.receive(self.size)?;
            ns.push(u64::try_from(begin.elapsed().as_nanos())?);
            ensure!(signal == ECHO, "the message that came back began with {signal}");
        }
    }

    fn one_way(&mut self, batch: Batch) -> Result<Answer> {
        // Not more often than it takes to notice that the time is over.
        let between_looks = if self.size <= 4096 { 256 } else { 1 };
        let begin = Instant::now();
        let deadline = begin + Duration::from_millis(batch.millis);
        let mut sent = 0;
        while sent < batch.least || Instant::now() < deadline {
            for _ in 0..between_looks {
                self.end.send(SWALLOW, self.size)?;
            }
            sent += between_looks;
        }
        self.end.send(ACKNOWLEDGE, self.size)?;
        self.end.receive(SHORT)?;
        let ns = u64::try_from(begin.elapsed().as_nanos())?;
        Ok(Answer::Flow(Rate { count: u64::try_from(sent + 1)?, ns }))
    }

    /// The peer waits for a message that does not come.
    fn idle(&mut self, over: Duration) -> Result<Answer> {
        let (me, peer) = (std::process::id(), self.peer.pid());
        let taken =
            || -> Result<u64> { Ok(cpu::time_of(me)? + if peer == me { 0 } else { cpu::time_of(peer)? }) };
        self.round_trips(Batch { millis: 1, least: 1 })?;
        thread::sleep(Duration::from_millis(1)); // whoever spins has stopped by then
        let before = taken()?;
        thread::sleep(over);
        Ok(Answer::Idle { cpu_ns: taken()? - before })
    }

    fn close(mut self) -> Result<()> {
        self.end.send(STOP, self.size)?;
        self.peer.join()
    }
}
