//! A peer at two rings in shared memory: what one task costs without a pool, errors or deaths.

use anyhow::{Result, ensure};

use super::Contender;
use crate::channels::driver::Contender as _;
use crate::channels::driver::end::{ACKNOWLEDGE, ECHO, End, SHORT, STOP};
use crate::channels::driver::ring::{self, Rings};
use crate::forked::Forked;
use crate::pool::tasks::LARGE;

/// Rings whose ends spin, or do not.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(crate) spins: bool,
}

/// The two rings, and two for large messages.
#[derive(Debug)]
pub(crate) struct Pool {
    small: (Rings, Forked),
    large: (Rings, Forked),
}

impl Contender for Ring {
    type Pool = Pool;

    fn start(&self) -> Result<Pool> {
        let ring = ring::Ring { spins: self.spins };
        Ok(Pool { small: ring.open(SHORT)?, large: ring.open(LARGE)? })
    }
}

impl super::Pool for Pool {
    fn single(&mut self, number: u64) -> Result<u64> {
        self.small.0.send(ECHO, SHORT)?;
        let signal = self.small.0.receive(SHORT)?;
        ensure!(signal == ECHO, "the answer began with {signal}");
        Ok(number + 1)
    }

    fn single_large(&mut self) -> Result<u64> {
        self.large.0.send(ACKNOWLEDGE, LARGE)?;
        let signal = self.large.0.receive(SHORT)?;
        ensure!(signal == ACKNOWLEDGE, "the answer began with {signal}");
        Ok(LARGE as u64)
    }

    fn stop(mut self) -> Result<()> {
        self.small.0.send(STOP, SHORT)?;
        self.large.0.send(STOP, LARGE)?;
        self.small.1.join::<()>()?;
        self.large.1.join::<()>()
    }
}
