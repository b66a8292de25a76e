//! What the pools have to bear: workers are killed and stopped, and their number changes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use offspring::Pool;
use offspring_tests::look;

use crate::dice::Dice;

/// What workers are killed with, and how often of a hundred times.
pub(crate) const SIGNALS: [(Signal, u64); 4] =
    [(Signal::SIGKILL, 60), (Signal::SIGSEGV, 20), (Signal::SIGABRT, 15), (Signal::SIGTERM, 5)];

fn any_signal(dice: &mut Dice) -> Signal {
    let mut number = dice.below(100);
    for (signal, share) in SIGNALS {
        if number < share {
            return signal;
        }
        number -= share;
    }
    Signal::SIGKILL
}

/// A worker that lives, if that can be said of anybody whom one does not hold.
fn any_worker(pool: &Pool, dice: &mut Dice) -> Option<Pid> {
    let workers = pool.stats().workers;
    let place = usize::try_from(dice.below(workers.len() as u64)).unwrap_or(0);
    let pid = workers.get(place)?.pid;
    // The number of one that has ended may be another's by now, but hardly that of another child.
    look(pid).filter(|seen| seen.parent == std::process::id() && seen.state != 'Z')?;
    Some(Pid::from_raw(pid as i32))
}

/// How long to the next deed.
fn pause(dice: &mut Dice) -> Duration {
    match dice.below(10) {
        0 => Duration::from_millis(200 + dice.below(400)),
        1..4 => Duration::from_millis(dice.below(3)),
        _ => Duration::from_millis(dice.below(60)),
    }
}

/// Kills and stops workers until it is enough: how many were killed, perhaps.
pub(crate) fn kill_workers(pools: &[&Pool], mut dice: Dice, enough: &AtomicBool) -> u64 {
    let mut kills = 0;
    let mut stopped: Vec<(Pid, u64)> = Vec::new();
    let mut turn = 0;
    while !enough.load(Ordering::Relaxed) {
        turn += 1;
        stopped.retain(|(pid, until)| {
            let goes_on = *until <= turn;
            if goes_on {
                let _it_was_killed = kill(*pid, Signal::SIGCONT);
            }
            !goes_on
        });
        let place = usize::try_from(dice.below(pools.len() as u64)).unwrap_or(0);
        if let Some(pid) = any_worker(pools[place], &mut dice) {
            if dice.one_in(4) {
                if kill(pid, Signal::SIGSTOP).is_ok() {
                    stopped.push((pid, turn + 1 + dice.below(3)));
                }
            } else {
                let signal = any_signal(&mut dice);
                let was_killed = kill(pid, signal).is_ok();
                if signal == Signal::SIGSEGV {
                    // The first one goes to the handler that looks for stacks that overflow.
                    let _ended_by_the_first = kill(pid, signal);
                }
                kills += u64::from(was_killed);
            }
        }
        std::thread::sleep(pause(&mut dice));
    }
    for (pid, _) in stopped {
        let _it_was_killed = kill(pid, Signal::SIGCONT);
    }
    kills
}

/// Makes pools larger and smaller until it is enough.
pub(crate) fn resize(pools: &[&Pool], mut dice: Dice, enough: &AtomicBool) {
    while !enough.load(Ordering::Relaxed) {
        for pool in pools {
            let workers = 1 + usize::try_from(dice.below(5)).unwrap_or(0);
            pool.resize(workers).expect("there is one worker at least");
        }
        std::thread::sleep(pause(&mut dice) * 5);
    }
}
