//! memcpy within a process: the bound for everybody who copies.

use anyhow::Result;

use super::Contender;
use super::end::{self, ECHO, End, Peer};

/// Copies.
#[derive(Debug)]
pub(crate) struct Memcpy;

/// Two buffers.
#[derive(Debug)]
pub(crate) struct Buffers {
    here: Vec<u8>,
    there: Vec<u8>,
}

impl End for Buffers {
    fn send(&mut self, signal: u64, length: usize) -> Result<()> {
        end::begin(&mut self.here, signal);
        self.there[..length].copy_from_slice(&self.here[..length]);
        end::look(&self.there)?;
        Ok(())
    }

    /// Whatever is expected back is copied back.
    fn receive(&mut self, length: usize) -> Result<u64> {
        self.here[..length].copy_from_slice(&self.there[..length]);
        let signal = end::look(&self.here)?;
        std::hint::black_box(&mut self.here);
        Ok(if length == self.here.len() { ECHO } else { signal })
    }
}

/// There is none.
#[derive(Debug)]
pub(crate) struct Nobody;

impl Peer for Nobody {
    fn pid(&self) -> u32 {
        std::process::id()
    }

    fn join(self) -> Result<()> {
        Ok(())
    }
}

impl Contender for Memcpy {
    type End = Buffers;
    type Peer = Nobody;

    fn open(&self, size: usize) -> Result<(Buffers, Nobody)> {
        Ok((Buffers { here: end::message(0, size), there: end::message(0, size) }, Nobody))
    }
}
