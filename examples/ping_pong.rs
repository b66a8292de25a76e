//! Ping-pong: two processes and a pipe between them.
//!
//! `ping_pong` plays 10,000 rounds, `ping_pong ROUNDS` as many. Build it with `--release` to see how fast a pipe is.

use std::time::{Duration, Instant};

use anyhow::Context;
use offspring::{Connection, Process, Run};
use serde::{Deserialize, Serialize};

/// What goes to and fro.
#[derive(Serialize, Deserialize)]
struct Ball {
    hits: u32,
}

/// The player who serves.
#[derive(Process, Serialize, Deserialize)]
struct Ping {
    rounds: u32,
    table: Connection<Ball>,
}

impl Run for Ping {
    /// How often the ball was hit, and how long the game was.
    type Output = (u32, Duration);

    fn run(self) -> (u32, Duration) {
        let begin = Instant::now();
        let mut hits = 0;
        for _ in 0..self.rounds {
            say("ping", hits);
            self.table.send(Ball { hits: hits + 1 }).expect("the opponent is there");
            hits = self.table.recv().expect("the opponent returns it").hits;
        }
        (hits, begin.elapsed())
    }
}

#[derive(Process, Serialize, Deserialize)]
struct Pong {
    table: Connection<Ball>,
}

impl Run for Pong {
    type Output = ();

    fn run(self) {
        // When the other one has had enough and returns, its end of the pipe is gone, and no ball can come any more.
        while let Ok(Ball { hits }) = self.table.recv() {
            say("pong", hits);
            self.table.send(Ball { hits: hits + 1 }).expect("the opponent is there");
        }
    }
}

/// Says it the first times.
fn say(what: &str, hits: u32) {
    if hits < 6 {
        println!("{what}");
    }
}

#[offspring::main]
fn main() -> anyhow::Result<()> {
    let rounds =
        std::env::args().nth(1).map_or(Ok(10_000), |text| text.parse()).context("ROUNDS is a number")?;
    let (one, other) = offspring::pipe()?;
    // A value that is started stays with its parent, and with it its end of the pipe. These are dropped in the same line:
    // were they not, the players would not hear of each other's end.
    let answering = Pong { table: other }.start()?;
    let serving = Ping { rounds, table: one }.start()?;

    let (hits, time) = serving.join()?;
    answering.join()?;
    println!("{hits} hits in {rounds} rounds");
    if rounds > 0 {
        println!("a round takes {:.1} µs", time.as_secs_f64() * 1e6 / f64::from(rounds));
    }
    Ok(())
}
